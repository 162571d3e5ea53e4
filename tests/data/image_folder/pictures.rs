//! What is in the pictures: channels, sizes, bits, damage.

use std::fs;

use image::{GrayAlphaImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA};
use wavetrain::picture::Resize;
use wavetrain::source::{ImageFolder, OnBadFile};

use super::{colour, grey, load, parts, request, sized, write};
use crate::{bytes, load_noted, refused, says};

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
