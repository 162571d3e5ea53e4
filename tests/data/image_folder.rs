//! Folders of pictures: whole ones, ones to be split, and all that can be wrong with them.

use super::{bytes, load_noted, real, refused, says};
use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageFormat, Luma, LumaA, Rgb, RgbImage};
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
fn channels_are_those_of_the_pictures() {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        &[
            ("train/a/1.png", grey(3, 7)),
            ("test/a/1.png", colour(3, 9)),
        ],
    );
    let (set, notes) = load(root.path());
    assert_eq!(set.train.shape(), [3, 3, 3]);
    assert_eq!(bytes(&set.train), [7; 27]);
    assert_eq!(bytes(&set.test), [[9; 9], [100; 9], [200; 9]].concat());
    says(&notes.concat(), &["1 of 2 pictures are grey"]);

    let alpha = GrayAlphaImage::from_pixel(3, 3, LumaA([5, 0]));
    write(
        root.path(),
        &[
            ("train/a/2.png", alpha.into()),
            ("test/a/1.png", grey(3, 9)),
        ],
    );
    let (set, notes) = load(root.path());
    assert_eq!(set.train.shape(), [1, 3, 3]);
    assert_eq!(bytes(&set.train), [[7; 9], [5; 9]].concat());
    says(&notes.concat(), &["1 of 3 pictures have an alpha channel"]);
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

#[test]
fn sizes_must_agree_or_be_brought_together() {
    let root = tempfile::tempdir().unwrap();
    let pictures = [
        ("train/a/1.png", grey(4, 10)),
        ("train/a/2.png", grey(6, 20)),
        ("test/a/1.png", grey(4, 30)),
    ];
    write(root.path(), &pictures);
    let message = refused(&ImageFolder::default(), &request(root.path()));
    let parts = [
        "2.png: the picture has 6x6",
        "4x4 pixels",
        "first picture",
        "data.resize",
    ];
    says(&message, &parts);
    let message = refused(&sized(6, Resize::None), &request(root.path()));
    says(&message, &["1.png", "4x4", "expected 6x6", "data.resize"]);
    for resize in [Resize::Crop, Resize::Stretch] {
        let (set, notes) = load_noted(&sized(4, resize), &request(root.path())).unwrap();
        assert_eq!(bytes(&set.train), [[10; 16], [20; 16]].concat());
        says(
            &notes.concat(),
            &["1 of 3 pictures have another size", "brought to 4x4"],
        );
    }
    let mut oblong = sized(4, Resize::Stretch);
    oblong.size = Some([2, 5]);
    let (set, _) = load_noted(&oblong, &request(root.path())).unwrap();
    assert_eq!(set.train.shape(), [1, 2, 5]);
    oblong.size = Some([0, 5]);
    says(
        &refused(&oblong, &request(root.path())),
        &["data.size", "at least 1"],
    );
}

#[test]
fn unreadable_pictures_are_named_the_first_one_first() {
    let root = tempfile::tempdir().unwrap();
    let good = grey(5, 1);
    for number in 0..200 {
        write(
            root.path(),
            &[(&format!("train/a/{number:03}.png"), good.clone())],
        );
    }
    write(root.path(), &[("test/a/1.png", good)]);
    let whole = fs::read(root.path().join("train/a/000.png")).unwrap();
    let cases: [(&[u8], &str); 4] = [
        (&whole[..whole.len() - 20], "cannot be decoded"),
        (b"", "no picture that is known"),
        (b"GIF89a", "is a gif file"),
        (b"\xff\xd8\xff\xe0", "cannot be decoded"),
    ];
    for (contents, what) in cases {
        for number in ["077", "150", "199"] {
            let file = root.path().join(format!("train/a/{number}.png"));
            fs::write(file, contents).unwrap();
        }
        let message = refused(&ImageFolder::default(), &request(root.path()));
        says(&message, &["train/a/077.png: ", what, "help: replace"]);
    }
}

#[test]
fn a_jpeg_called_png_is_a_jpeg() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &[("test/a/1.png", grey(8, 1))]);
    fs::create_dir_all(root.path().join("train/a")).unwrap();
    let file = root.path().join("train/a/1.png");
    grey(8, 90)
        .save_with_format(&file, ImageFormat::Jpeg)
        .unwrap();
    assert_eq!(load(root.path()).0.train.shape(), [1, 8, 8]);
}

#[test]
fn folders_that_do_not_fit_are_named() {
    let root = tempfile::tempdir().unwrap();
    let message = || refused(&ImageFolder::default(), &request(root.path()));
    says(&message(), &["holds no class", "a folder with pictures"]);
    fs::create_dir_all(root.path().join("train/cat")).unwrap();
    says(&message(), &["holds train, but no test"]);
    fs::create_dir_all(root.path().join("test")).unwrap();
    fs::write(root.path().join("train/cat/notes.txt"), "x").unwrap();
    says(&message(), &["train/cat: holds no picture", "PNG or JPEG"]);
    write(root.path(), &[("train/cat/1.png", grey(1, 1))]);
    says(&message(), &["test: holds no class"]);
    write(
        root.path(),
        &[
            ("test/cat/1.png", grey(1, 1)),
            ("test/dog/1.png", grey(1, 1)),
        ],
    );
    let both = message();
    says(
        &both,
        &[
            "train: has no folder dog, but ",
            "test has; expected the same classes",
        ],
    );
    write(root.path(), &[("train/dog/1.png", grey(1, 1))]);
    let (_, notes) = load(root.path());
    says(
        &notes.concat(),
        &["left out 1 entries that are no PNG or JPEG", "notes.txt"],
    );

    says(
        &refused(&ImageFolder::default(), &Request::default()),
        &["data.dir", "not given"],
    );
    let missing = request(&root.path().join("nowhere"));
    says(
        &refused(&ImageFolder::default(), &missing),
        &["nowhere: does not exist"],
    );
}

#[cfg(unix)]
#[test]
fn links_to_folders_are_not_followed_within_a_class() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    let pictures = [
        ("elsewhere/1.png", grey(1, 5)),
        ("data/test/a/1.png", grey(1, 6)),
    ];
    write(root.path(), &pictures);
    let data = root.path().join("data");
    fs::create_dir(data.join("train")).unwrap();
    // A class may be a link; a loop within it is left out.
    symlink(root.path().join("elsewhere"), data.join("train/a")).unwrap();
    symlink(&data, root.path().join("elsewhere/loop")).unwrap();
    symlink(
        root.path().join("elsewhere/1.png"),
        data.join("test/a/link.png"),
    )
    .unwrap();
    let (set, notes) = load(&data);
    assert_eq!((bytes(&set.train), bytes(&set.test)), (vec![5], vec![6, 5]));
    says(
        &notes.concat(),
        &["1 entries that are links to folders", "loop"],
    );
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
