//! IDX files, good and bad, and the real data sets.

use super::{bytes, load, plain, real, says};
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::Path;
use wavetrain::data::{Dataset, Normalization, Normalize};
use wavetrain::error::Error;

/// A small set in MNIST's form: (name, contents) of its four files.
struct Files(Vec<(&'static str, Vec<u8>)>);

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

fn idx(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dimensions.len() as u8];
    file.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
    file.extend(values);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

impl Files {
    /// Three training and two test samples of 2x3.
    fn good() -> Self {
        let values: Vec<u8> = (0..18).collect();
        Self(vec![
            (IMAGES, idx(&[3, 2, 3], &values)),
            (LABELS, idx(&[3], &[0, 9, 5])),
            (TEST_IMAGES, idx(&[2, 2, 3], &values[6..])),
            (TEST_LABELS, idx(&[2], &[1, 2])),
        ])
    }

    fn with(mut self, name: &str, contents: Vec<u8>) -> Self {
        let file = self.0.iter_mut().find(|file| file.0 == name).unwrap();
        file.1 = contents;
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.0.retain(|file| file.0 != name);
        self
    }

    fn write(&self, folder: &Path, rename: impl Fn(&str) -> String) {
        fs::create_dir_all(folder).unwrap();
        for (name, contents) in &self.0 {
            fs::write(folder.join(rename(name)), contents).unwrap();
        }
    }

    /// What loading these files says, which must be a user's mistake.
    fn refused(&self) -> String {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path(), str::to_owned);
        let error = load("mnist", Some(folder.path()), 0).unwrap_err();
        assert!(error.is_users_mistake(), "{error:?}");
        assert!(matches!(error, Error::Data { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("\nhelp: "), "{message}");
        message
    }
}

#[test]
fn idx_files_are_found_in_every_usual_place_under_every_usual_name() {
    let names: [fn(&str) -> String; 4] = [
        str::to_owned,
        |name| format!("{name}.gz"),
        |name| name.replace("-idx", ".idx"),
        |name| format!("{}.gz", name.replace("-idx", ".idx")),
    ];
    let places = [
        ("mnist", ["", "mnist", "MNIST/raw", "raw"]),
        (
            "fashion_mnist",
            ["", "fashion_mnist", "FashionMNIST/raw", "raw"],
        ),
    ];
    for (name, folders) in places {
        for folder in folders {
            for rename in names {
                let root = tempfile::tempdir().unwrap();
                // The name says nothing about what is inside: every file is raw here ...
                Files::good().write(&root.path().join(folder), rename);
                let set = load(name, Some(root.path()), 0).unwrap();
                assert_eq!(set.name, name);
                assert_eq!(set.train.shape(), [1, 2, 3]);
                assert_eq!(set.train.labels(), [0, 9, 5]);
                assert_eq!(bytes(&set.train), (0..18).collect::<Vec<u8>>());
                assert_eq!(set.test.labels(), [1, 2]);
                set.check().unwrap();
                // ... and packed here.
                let packed = Files(
                    Files::good()
                        .0
                        .into_iter()
                        .map(|(name, contents)| (name, gzip(&contents)))
                        .collect(),
                );
                packed.write(&root.path().join(folder), rename);
                assert_eq!(load(name, Some(root.path()), 0).unwrap(), set);
            }
        }
    }
    let classes = |name| plain(name).known().classes;
    assert_eq!(classes("mnist")[7], "7");
    assert_eq!(classes("fashion_mnist")[0], "T-shirt/top");
    assert_eq!(classes("fashion_mnist")[9], "Ankle boot");
}

#[test]
fn a_folder_that_is_missing_or_holds_nothing_says_what_is_looked_for() {
    let none = load("mnist", None, 0).unwrap_err();
    assert!(none.is_users_mistake());
    says(
        &none.to_string(),
        &[
            "data.dir",
            "not given",
            "MNIST",
            IMAGES,
            TEST_LABELS,
            ".gz",
            "set data.dir",
            "https://",
        ],
    );
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("nowhere");
    let message = load("fashion_mnist", Some(&missing), 0)
        .unwrap_err()
        .to_string();
    says(
        &message,
        &[
            "nowhere: does not exist",
            IMAGES,
            "set data.dir",
            "zalandoresearch",
        ],
    );
    let message = load("mnist", Some(root.path()), 0).unwrap_err().to_string();
    says(
        &message,
        &[
            "none of the files of MNIST",
            IMAGES,
            "MNIST/raw",
            "set data.dir",
        ],
    );
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    let message = load("mnist", Some(&file), 0).unwrap_err().to_string();
    says(&message, &["file: is not a folder"]);
}

#[test]
fn each_missing_file_is_named() {
    for name in [IMAGES, LABELS, TEST_IMAGES, TEST_LABELS] {
        let message = Files::good().without(name).refused();
        says(
            &message,
            &[&format!("{name}: no such file"), &format!("nor {name}.gz")],
        );
    }
}

#[test]
fn files_shorter_or_longer_than_their_header_are_refused() {
    for name in [IMAGES, LABELS, TEST_IMAGES, TEST_LABELS] {
        let good = Files::good()
            .0
            .into_iter()
            .find(|file| file.0 == name)
            .unwrap()
            .1;
        for length in 0..good.len() {
            let cut = Files::good().with(name, good[..length].to_vec()).refused();
            says(&cut, &[name, "truncated"]);
        }
        let long = Files::good()
            .with(name, [good.as_slice(), &[0]].concat())
            .refused();
        says(&long, &[name, "too long", "but more follow"]);
        let packed = gzip(&[good.as_slice(), &[0; 100]].concat());
        says(
            &Files::good().with(name, packed).refused(),
            &[name, "too long"],
        );
    }
    let message = Files::good()
        .with(IMAGES, idx(&[3, 2, 3], &[0; 17]))
        .refused();
    says(
        &message,
        &["3 images of 2x3, 18 bytes of values, but only 17 follow"],
    );
}

#[test]
fn wrong_magic_numbers_are_named() {
    let swapped = Files::good()
        .with(LABELS, idx(&[3, 2, 3], &[0; 18]))
        .refused();
    says(
        &swapped,
        &[
            LABELS,
            "holds images (magic 0x00000803)",
            "expected labels",
            "swapped",
        ],
    );
    let swapped = Files::good()
        .with(TEST_IMAGES, idx(&[2], &[0; 2]))
        .refused();
    says(
        &swapped,
        &[
            TEST_IMAGES,
            "holds labels (magic 0x00000801)",
            "expected images",
        ],
    );
    let foreign = Files::good()
        .with(IMAGES, b"\x89PNG\r\n\x1a\n".to_vec())
        .refused();
    says(
        &foreign,
        &["0x89504e47", "expected images (IDX, magic 0x00000803)"],
    );
}

#[test]
fn headers_that_announce_nothing_or_too_much_are_refused() {
    let empty = Files::good().with(IMAGES, idx(&[0, 28, 28], &[])).refused();
    says(&empty, &[IMAGES, "empty set", "0 images of 28x28"]);
    let empty = Files::good().with(TEST_LABELS, idx(&[0], &[])).refused();
    says(&empty, &[TEST_LABELS, "empty set"]);
    for dimensions in [[3, 0, 28], [3, 28, 0]] {
        let flat = Files::good().with(IMAGES, idx(&dimensions, &[])).refused();
        says(&flat, &[IMAGES, "at least one row and one column"]);
    }
    let most = u32::MAX;
    let huge = Files::good()
        .with(IMAGES, idx(&[most, most, most], &[0; 64]))
        .refused();
    says(
        &huge,
        &[
            IMAGES,
            "4294967295 images of 4294967295x4294967295",
            "at most",
        ],
    );
    let claimed = Files::good()
        .with(IMAGES, gzip(&idx(&[60_000, 200, 200], &[0; 64])))
        .refused();
    says(
        &claimed,
        &[IMAGES, "2400000000 bytes of values, but only 64 follow"],
    );
}

#[test]
fn broken_gzip_is_refused() {
    let packed = gzip(&idx(&[3, 2, 3], &[7; 18]));
    for length in 2..packed.len() {
        let cut = Files::good()
            .with(IMAGES, packed[..length].to_vec())
            .refused();
        says(&cut, &[IMAGES, "broken gzip"]);
    }
    let mut checksum = packed.clone();
    let last = checksum.len() - 5;
    checksum[last] ^= 1;
    says(
        &Files::good().with(IMAGES, checksum).refused(),
        &[IMAGES, "broken gzip"],
    );
    let trailing = [packed.as_slice(), b"garbage"].concat();
    says(
        &Files::good().with(IMAGES, trailing).refused(),
        &[IMAGES, "broken gzip"],
    );
}

#[test]
fn files_that_disagree_are_refused() {
    let fewer = Files::good().with(LABELS, idx(&[2], &[0, 1])).refused();
    says(
        &fewer,
        &[LABELS, "holds 2 labels", IMAGES, "holds 3 images"],
    );
    let outside = Files::good().with(LABELS, idx(&[3], &[0, 1, 10])).refused();
    says(
        &outside,
        &[LABELS, "the label of sample 2 is 10", "expected 0 to 9"],
    );
    let size = Files::good()
        .with(TEST_IMAGES, idx(&[2, 3, 2], &[0; 12]))
        .refused();
    says(&size, &["training pictures are 2x3, the test pictures 3x2"]);
}

/// Loads the real files and compares with the published counts of the labels.
fn published(name: &str, train: [usize; 10], test: [usize; 10]) -> Option<Dataset> {
    let set = load(name, Some(&real(name)?), 0).unwrap();
    let sizes = plain(name).known().sizes.unwrap();
    assert_eq!((set.train.len(), set.test.len()), (sizes.train, sizes.test));
    assert_eq!(set.train.shape(), plain(name).known().shape);
    for (samples, expected) in [(&set.train, train), (&set.test, test)] {
        let mut counts = [0; 10];
        for &label in samples.labels() {
            counts[label as usize] += 1;
        }
        assert_eq!(counts, expected);
    }
    Some(set)
}

#[test]
fn the_real_mnist_is_read() {
    let train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
    let test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
    let Some(set) = published("mnist", train, test) else {
        return;
    };
    assert_eq!(set.train.labels()[..8], [5, 0, 4, 1, 9, 2, 1, 3]);
    // The figures that everybody normalises MNIST with: 0.1307 and 0.3081.
    let every: Vec<u32> = (0..60_000).collect();
    let measured = Normalization::new(Normalize::Standard, &set.train, &every).unwrap();
    let (mean, scale) = (measured.mean[783] / 255.0, measured.scale[783] * 255.0);
    assert!((mean - 0.1307).abs() < 5e-5, "{mean}");
    assert!((1.0 / scale - 0.3081).abs() < 5e-5, "{scale}");
}

#[test]
fn the_real_fashion_mnist_is_read() {
    let Some(set) = published("fashion_mnist", [6000; 10], [1000; 10]) else {
        return;
    };
    assert_eq!(set.train.labels()[..8], [9, 0, 0, 3, 0, 2, 7, 2]);
    assert_eq!(set.classes()[9], "Ankle boot");
}
