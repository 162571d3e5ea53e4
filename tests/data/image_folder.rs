//! Folders of pictures: whole ones, ones to be split, and all that can be wrong with them.

use super::{bytes, load_noted, real, refused, says};
use image::{
    DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage,
};
use std::fs;
use std::path::Path;
use wavetrain::data::Dataset;
use wavetrain::picture::Resize;
use wavetrain::source::{ImageFolder, OnBadFile, Request};

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
            ("train/b/1.png", grey(3, 7)),
            ("test/a/1.png", colour(3, 9)),
        ],
    );
    let (set, notes) = load(root.path());
    assert_eq!(set.train.shape(), [3, 3, 3]);
    assert_eq!(bytes(&set.train), [7; 2 * 27]);
    assert_eq!(bytes(&set.test), [[9; 9], [100; 9], [200; 9]].concat());
    says(&notes.concat(), &["2 of 3 pictures are grey"]);

    let alpha = GrayAlphaImage::from_pixel(3, 3, LumaA([5, 0]));
    write(
        root.path(),
        &[
            ("train/b/1.png", alpha.into()),
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
        ("train/b/2.png", grey(6, 20)),
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
    write(
        root.path(),
        &[
            ("train/b/1.png", good.clone()),
            ("test/b/1.png", good.clone()),
            ("test/a/1.png", good),
        ],
    );
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
        says(
            &message,
            &[
                "3 of 203 pictures cannot be read",
                "train/a/077.png: ",
                "199.png",
                what,
            ],
        );
        says(&message, &["help: replace", "data.on_bad_file"]);
        let skipping = ImageFolder {
            on_bad_file: OnBadFile::Skip,
            ..ImageFolder::default()
        };
        let (set, notes) = load_noted(&skipping, &request(root.path())).unwrap();
        assert_eq!((set.train.len(), set.test.len()), (198, 2));
        assert_eq!(set.train.name(77), Some("train/a/078.png"));
        let said = "3 of 203 pictures that cannot be read: train/a/077.png, train/a/150.png, \
                    train/a/199.png";
        assert_eq!(notes, [format!("skipped {said}")]);
        assert_eq!(set.train.origin().skipped.as_deref(), Some(said));
    }
    for number in 0..200 {
        fs::write(
            root.path().join(format!("train/a/{number:03}.png")),
            b"GIF89a",
        )
        .unwrap();
    }
    let message = refused(&ImageFolder::default(), &request(root.path()));
    says(
        &message,
        &["200 of 203", "train/a/000.png", "009.png", "and 190 more"],
    );
    assert!(!message.contains("010.png"), "{message}");
    let skipping = ImageFolder {
        on_bad_file: OnBadFile::Skip,
        ..ImageFolder::default()
    };
    let message = refused(&skipping, &request(root.path()));
    says(&message, &["no picture of the class a can be read"]);
}

#[test]
fn pictures_of_sixteen_bits_keep_the_range_of_the_set() {
    let root = tempfile::tempdir().unwrap();
    let deep = |value: u16| ImageBuffer::from_pixel(2, 2, Luma([value]));
    let pictures = [
        ("train/a/1.png", deep(1000).into()),
        ("train/b/1.png", deep(4095).into()),
        ("train/b/2.png", grey(2, 77)),
        ("test/a/1.png", deep(0).into()),
    ];
    write(root.path(), &pictures);
    let (set, notes) = load(root.path());
    assert_eq!(bytes(&set.train), [[62; 4], [255; 4], [77; 4]].concat());
    assert_eq!(set.train.origin().bit_depth, Some(12));
    says(
        &notes.concat(),
        &["3 of 4 pictures have 16 bits", "12 are used", "0 to 4095"],
    );
    let whole = ImageFolder {
        bit_depth: Some(16),
        ..ImageFolder::default()
    };
    let (set, _) = load_noted(&whole, &request(root.path())).unwrap();
    assert_eq!(bytes(&set.train)[..4], [4; 4]);
    let few = ImageFolder {
        bit_depth: Some(10),
        ..ImageFolder::default()
    };
    let (set, notes) = load_noted(&few, &request(root.path())).unwrap();
    assert_eq!(
        bytes(&set.train)[..8],
        [249, 249, 249, 249, 255, 255, 255, 255]
    );
    says(
        &notes.concat(),
        &[
            "0 to 1023 made 0 to 255",
            "values above that, up to 4095, became 255",
        ],
    );
    let root = tempfile::tempdir().unwrap();
    let of_bytes =
        ["train/a/1.png", "train/b/1.png", "test/a/1.png"].map(|name| (name, grey(2, 7)));
    write(root.path(), &of_bytes);
    let (_, notes) = load_noted(&few, &request(root.path())).unwrap();
    says(&notes.concat(), &["data.bit_depth = 10 changes nothing"]);
}

/// A JPEG of 16 x 16, dark above, that is to be turned clockwise: dark goes to the right.
fn on_its_side() -> Vec<u8> {
    let picture = GrayImage::from_fn(16, 8, |_, y| Luma([if y < 4 { 0 } else { 250 }]));
    let mut jpeg = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let jpeg = jpeg.into_inner();
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([6, 0, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

#[test]
fn pictures_are_turned_as_their_exif_data_say() {
    let root = tempfile::tempdir().unwrap();
    parts(root.path(), &["test"]);
    for class in ["cat", "dog"] {
        fs::create_dir_all(root.path().join("train").join(class)).unwrap();
        fs::write(
            root.path().join(format!("train/{class}/1.jpg")),
            on_its_side(),
        )
        .unwrap();
    }
    for class in ["cat", "dog"] {
        let upright = GrayImage::from_pixel(8, 16, Luma([9]));
        write(
            root.path(),
            &[(&format!("test/{class}/1.png"), upright.into())],
        );
    }
    let (set, notes) = load(root.path());
    assert_eq!(set.train.shape(), [1, 16, 8]);
    let row = &bytes(&set.train)[..8];
    assert!(row[0] > 200 && row[7] < 50, "{row:?}");
    says(&notes.concat(), &["2 of 4 pictures were turned"]);
}

#[test]
fn a_jpeg_called_png_is_a_jpeg() {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        &[("test/a/1.png", grey(8, 1)), ("train/b/1.png", grey(8, 1))],
    );
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
    says(
        &message(),
        &["holds train, but no test (found train)", "data.test_share"],
    );
    fs::create_dir_all(root.path().join("test")).unwrap();
    fs::create_dir_all(root.path().join("train/dog")).unwrap();
    fs::write(root.path().join("train/cat/notes.txt"), "x").unwrap();
    says(
        &message(),
        &[
            "train/cat: holds no picture, but files .txt; expected PNG, JPEG",
            "help: add pictures",
        ],
    );
    fs::write(root.path().join("train/cat/1.GIF"), "x").unwrap();
    says(&message(), &["but files .gif, .txt", "help: convert them"]);
    fs::remove_file(root.path().join("train/cat/1.GIF")).unwrap();
    write(root.path(), &[("train/cat/1.png", grey(1, 1))]);
    says(&message(), &["train/dog: holds no picture"]);
    write(root.path(), &[("train/dog/1.png", grey(1, 1))]);
    says(&message(), &["test: holds no class"]);
    write(
        root.path(),
        &[
            ("test/cat/1.png", grey(1, 1)),
            ("test/horse/1.png", grey(1, 1)),
        ],
    );
    says(
        &message(),
        &[
            "train: has no folder horse, but ",
            "test has; expected every",
        ],
    );
    fs::remove_dir_all(root.path().join("test/horse")).unwrap();
    let (_, notes) = load(root.path());
    says(
        &notes.concat(),
        &[
            "left out 1 entries that are no picture in the folder",
            "notes.txt",
        ],
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

#[test]
fn parts_under_other_names_are_no_classes() {
    let root = tempfile::tempdir().unwrap();
    let pictures = |parts: &[&str]| {
        for part in parts {
            for class in ["cat", "dog"] {
                let file = format!("{part}/{class}/1.png");
                write(root.path(), &[(&file, grey(2, 1))]);
            }
        }
    };
    pictures(&["train_images", "test_images"]);
    says(
        &refused(&ImageFolder::default(), &request(root.path())),
        &[
            "holds test_images, train_images, and in each of them lie cat, dog",
            "call the parts train and test",
        ],
    );
    // Pictures of their own make them classes.
    for part in ["train_images", "test_images"] {
        write(root.path(), &[(&format!("{part}/own.png"), grey(2, 1))]);
    }
    assert_eq!(load(root.path()).0.classes().len(), 2);
}

#[cfg(unix)]
#[test]
fn links_to_folders_are_not_followed_within_a_class() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    let pictures = [
        ("elsewhere/1.png", grey(1, 5)),
        ("data/train/b/1.png", grey(1, 8)),
        ("data/test/a/1.png", grey(1, 6)),
    ];
    write(root.path(), &pictures);
    let data = root.path().join("data");
    // A class may be a link; a loop within it is left out.
    symlink(root.path().join("elsewhere"), data.join("train/a")).unwrap();
    symlink(&data, root.path().join("elsewhere/loop")).unwrap();
    symlink(
        root.path().join("elsewhere/1.png"),
        data.join("test/a/link.png"),
    )
    .unwrap();
    let (set, notes) = load(&data);
    assert_eq!(
        (bytes(&set.train), bytes(&set.test)),
        (vec![5, 8], vec![6, 5])
    );
    says(
        &notes.concat(),
        &["1 entries that are links to folders", "loop"],
    );
}

/// Two classes of one picture in each of these parts.
fn parts(root: &Path, names: &[&str]) {
    for (value, part) in (1..).zip(names) {
        for class in ["cat", "dog"] {
            write(root, &[(&format!("{part}/{class}/1.png"), grey(1, value))]);
        }
    }
}

#[test]
fn parts_have_any_usual_name() {
    for train in ["train", "Training", "TRAIN_SET", "training-set"] {
        for (test, validation) in [
            ("test", "val"),
            ("Testing", "VALID"),
            ("test_set", "validation"),
        ] {
            let root = tempfile::tempdir().unwrap();
            parts(root.path(), &[train, test, validation]);
            let (set, notes) = load(root.path());
            assert_eq!(bytes(&set.train), [1, 1, 3, 3], "{train}");
            assert_eq!((set.train.held_out(), bytes(&set.test)), (2, vec![2, 2]));
            assert_eq!((set.train.labels(), notes), (&[0, 1, 0, 1][..], vec![]));
            let name = format!("{validation}/cat/1.png");
            assert_eq!(set.train.name(2), Some(name.as_str()));
        }
    }
    let root = tempfile::tempdir().unwrap();
    parts(root.path(), &["train", "Valid", "extra"]);
    let (set, notes) = load(root.path());
    assert_eq!((set.train.held_out(), bytes(&set.test)), (0, vec![2, 2]));
    says(
        &notes.concat(),
        &["Valid is the test set", "left out beside train: extra"],
    );
    parts(root.path(), &["validation"]);
    let message = refused(&ImageFolder::default(), &request(root.path()));
    says(
        &message,
        &["holds Valid and validation, which say the same"],
    );
}

#[test]
fn folders_a_level_too_deep_or_too_shallow_are_named() {
    let root = tempfile::tempdir().unwrap();
    parts(root.path(), &["pets/train", "pets/test"]);
    let message =
        |below: &str| refused(&ImageFolder::default(), &request(&root.path().join(below)));
    let shallow = message("");
    says(
        &shallow,
        &[
            "holds pets, and in it lie test, train",
            "expected train/CLASS",
        ],
    );
    says(&shallow, &["help: set data.dir to ", "pets"]);
    says(
        &message("pets/train"),
        &["is one part of a data set, beside test", "data.dir to"],
    );
    says(
        &message("pets/train/cat"),
        &["holds pictures, but no class", "set data.dir to"],
    );
    // The parts in the classes.
    let root = tempfile::tempdir().unwrap();
    parts(
        root.path(),
        &["rose/train", "rose/test", "tulip/train", "tulip/test"],
    );
    let message = || refused(&ImageFolder::default(), &request(root.path()));
    says(
        &message(),
        &[
            "holds rose, tulip",
            "train/CLASS",
            "not the parts into the classes",
        ],
    );
    // Parts taken for classes.
    let root = tempfile::tempdir().unwrap();
    parts(root.path(), &["train/train", "train/test", "test"]);
    let message = || refused(&ImageFolder::default(), &request(root.path()));
    says(
        &message(),
        &["train: holds test, which is the name of a part and no class"],
    );
    // A single class, with the classes in it and without.
    let root = tempfile::tempdir().unwrap();
    parts(root.path(), &["animals"]);
    let message = || refused(&ImageFolder::default(), &request(root.path()));
    says(
        &message(),
        &["a single class, animals, in which lie cat, dog"],
    );
    write(
        root.path(),
        &[
            ("train/cat/1.png", grey(1, 1)),
            ("test/cat/1.png", grey(1, 1)),
        ],
    );
    says(
        &message(),
        &["train: holds a single class, cat", "two classes or more"],
    );
}

#[test]
fn a_class_that_the_test_lacks_shifts_no_label() {
    let root = tempfile::tempdir().unwrap();
    parts(root.path(), &["train"]);
    write(
        root.path(),
        &[
            ("train/ape/1.png", grey(1, 9)),
            ("test/dog/1.png", grey(1, 4)),
        ],
    );
    fs::create_dir(root.path().join("test/cat")).unwrap();
    let (set, notes) = load(root.path());
    assert_eq!(set.classes(), ["ape", "cat", "dog"]);
    assert_eq!(set.test.labels(), [2]);
    says(
        &notes.concat(),
        &["test has no picture of these classes: ape, cat"],
    );
    fs::remove_file(root.path().join("test/dog/1.png")).unwrap();
    let message = refused(&ImageFolder::default(), &request(root.path()));
    says(&message, &["test: holds no picture of any class"]);
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
