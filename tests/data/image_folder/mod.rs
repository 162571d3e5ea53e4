//! Folders of pictures: whole ones, ones to be split, and all that can be wrong with them.

mod layouts;
mod pictures;

use super::{bytes, load_noted, real, refused, says};
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use std::fs;
use std::path::Path;
use wavetrain::data::Dataset;
use wavetrain::picture::Resize;
use wavetrain::source::{ImageFolder, Request};

fn grey(side: u32, value: u8) -> DynamicImage {
    GrayImage::from_pixel(side, side, Luma([value])).into()
}

fn colour(side: u32, value: u8) -> DynamicImage {
    RgbImage::from_pixel(side, side, Rgb([value, 100, 200])).into()
}

/// Writes pictures under their paths below `root`; the format is the ending's.
fn write(root: &Path, pictures: &[(&str, DynamicImage)]) {
    for (path, picture) in pictures {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        picture.save(file).unwrap();
    }
}

fn request(dir: &Path) -> Request {
    Request {
        dir: Some(dir.into()),
        ..Request::default()
    }
}

fn sized(size: usize, resize: Resize) -> ImageFolder {
    ImageFolder {
        size: Some([size; 2]),
        resize,
        ..ImageFolder::default()
    }
}

fn split(test_share: f64) -> ImageFolder {
    ImageFolder {
        test_share,
        ..ImageFolder::default()
    }
}

/// Two classes of one picture in each of these parts.
fn parts(root: &Path, names: &[&str]) {
    for (value, part) in (1..).zip(names) {
        for class in ["cat", "dog"] {
            write(root, &[(&format!("{part}/{class}/1.png"), grey(1, value))]);
        }
    }
}

fn load(dir: &Path) -> (Dataset, Vec<String>) {
    load_noted(&ImageFolder::default(), &request(dir)).unwrap()
}

#[test]
fn classes_are_numbered_by_name_and_pictures_by_file() {
    let root = tempfile::tempdir().unwrap();
    let pictures = [
        ("train/dog/b.png", grey(2, 4)),
        ("train/dog/a.PNG", grey(2, 3)),
        ("train/cat/2.jpg", grey(2, 200)),
        ("train/cat/within/1.png", grey(2, 2)),
        ("test/cat/x.JPEG", grey(2, 50)),
        ("test/dog/x.png", grey(2, 6)),
    ];
    write(root.path(), &pictures);
    fs::create_dir(root.path().join("train/.hidden")).unwrap();
    fs::write(root.path().join("train/.DS_Store"), "x").unwrap();
    fs::write(root.path().join("train/cat/Thumbs.db"), "x").unwrap();
    let (set, notes) = load(root.path());
    assert_eq!(set.classes(), ["cat", "dog"]);
    assert_eq!(set.train.shape(), [1, 2, 2]);
    assert_eq!(set.train.labels(), [0, 0, 1, 1]);
    let firsts: Vec<u8> = bytes(&set.train).chunks(4).map(|p| p[0]).collect();
    assert_eq!(firsts, [200, 2, 3, 4]);
    assert_eq!((set.test.labels(), notes), (&[0, 1][..], vec![]));
}

#[test]
fn a_folder_without_train_and_test_is_split_by_seed() {
    let root = tempfile::tempdir().unwrap();
    for class in ["a", "b", "c"] {
        for number in 0..10 {
            let picture = grey(1, number + 10 * (class.as_bytes()[0] - b'a') + 100);
            write(root.path(), &[(&format!("{class}/{number}.png"), picture)]);
        }
    }
    write(root.path(), &[("single/1.png", grey(1, 0))]);
    let with = |seed, test_share| {
        let request = Request {
            seed,
            ..request(root.path())
        };
        load_noted(&split(test_share), &request).unwrap().0
    };
    let set = with(1, 0.3);
    for label in 0..3 {
        let count = |labels: &[u32]| labels.iter().filter(|&&l| l == label).count();
        assert_eq!(
            (count(set.train.labels()), count(set.test.labels())),
            (7, 3)
        );
    }
    // A class of one picture is trained on.
    assert_eq!(set.train.labels().last(), Some(&3));
    let mut all = [bytes(&set.train), bytes(&set.test)].concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 31, "each picture is in one part, once");
    assert_eq!(set, with(1, 0.3));
    assert_ne!(set.test, with(2, 0.3).test);
    assert_eq!(with(1, 0.2).test.len(), 6);
    for share in [0.0, 1.0, -1.0, f64::NAN] {
        let message = refused(&split(share), &request(root.path()));
        says(&message, &["data.test_share"]);
    }
    says(
        &refused(&split(0.01), &request(root.path())),
        &["0.01", "no picture for the test (31"],
    );
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_stay_apart() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let root = tempfile::tempdir().unwrap();
    let picture = |part: &str, class: &[u8]| {
        let folder = root.path().join(part).join(OsStr::from_bytes(class));
        fs::create_dir_all(&folder).unwrap();
        grey(1, 1).save(folder.join("1.png")).unwrap();
    };
    picture("train", b"a\xff");
    picture("train", b"b\x1b[2J");
    picture("test", b"a\xfe");
    let message = refused(&ImageFolder::default(), &request(root.path()));
    says(&message, &["has no folder a\\xfe"]);
    picture("train", b"a\xfe");
    let (set, notes) = load(root.path());
    assert_eq!(set.classes(), ["a\\xfe", "a\\xff", "b\\u{1b}[2J"]);
    assert_eq!(set.test.labels(), [0]);
    assert!(!notes.concat().contains('\u{1b}'));
}

/// CIFAR-10 as JPEG files, where it is at hand.
#[test]
fn the_real_folder_is_read() {
    let Some(dir) = real("cifar10_images") else {
        return;
    };
    let (set, notes) = load(&dir);
    assert_eq!(notes, [""; 0]);
    assert_eq!(set.train.shape(), [3, 32, 32]);
    assert_eq!((set.train.len(), set.test.len()), (50_000, 10_000));
    assert_eq!(set.classes()[9], "truck");
}
