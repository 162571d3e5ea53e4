//! Where the classes and the parts lie, and other layouts.

use std::fs;

use wavetrain::source::{ImageFolder, Request};

use super::{grey, load, parts, request, write};
use crate::{bytes, refused, says};

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
