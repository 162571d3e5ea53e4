//! CIFAR-10's binary files: loose, in the official archive, broken, and the real ones.

use super::{bytes, load, load_noted, real, refused, says};
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::path::Path;
use wavetrain::source::{Cifar10, Request, Source};

const BATCHES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
const FOLDER: &str = "cifar-10-batches-bin";
const ARCHIVE: &str = "cifar-10-binary.tar.gz";

/// A record whose pixels count up from `start`.
fn record(label: u8, start: u8) -> Vec<u8> {
    let pixels = (0..3072_u32).map(|at| start.wrapping_add(at as u8));
    [label].into_iter().chain(pixels).collect()
}

/// A small set in CIFAR-10's form: (name, contents) of its files, two records each.
fn files() -> Vec<(String, Vec<u8>)> {
    let batches = BATCHES.iter().zip(0_u8..);
    batches
        .map(|(name, k)| {
            let records = [record(k, 10 * k), record(9 - k, 10 * k + 1)].concat();
            ((*name).to_owned(), records)
        })
        .collect()
}

fn write(files: &[(String, Vec<u8>)], folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (name, contents) in files {
        fs::write(folder.join(name), contents).unwrap();
    }
}

/// The files in an archive, in another order than their numbers, as in the official one.
fn pack(files: &[(String, Vec<u8>)], below: &str) -> Vec<u8> {
    let packed = GzEncoder::new(Vec::new(), Compression::fast());
    let mut archive = tar::Builder::new(packed);
    for (name, contents) in files.iter().rev() {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        let path = format!("{below}{name}");
        archive
            .append_data(&mut header, path, contents.as_slice())
            .unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn request(dir: &Path) -> Request {
    Request {
        dir: Some(dir.into()),
        ..Request::default()
    }
}

/// What loading `files` says, loose and packed.
fn both_refused(files: &[(String, Vec<u8>)]) -> [String; 2] {
    let loose = tempfile::tempdir().unwrap();
    write(files, loose.path());
    let packed = tempfile::tempdir().unwrap();
    let archive = pack(files, &format!("{FOLDER}/"));
    fs::write(packed.path().join(ARCHIVE), archive).unwrap();
    [loose, packed].map(|dir| refused(&Cifar10 {}, &request(dir.path())))
}

fn changed(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<(String, Vec<u8>)> {
    let mut files = files();
    let file = files.iter_mut().find(|file| file.0 == name).unwrap();
    change(&mut file.1);
    files
}

#[test]
fn files_are_found_loose_and_packed() {
    let (archive, at_the_top) = (pack(&files(), &format!("{FOLDER}/")), pack(&files(), "./"));
    let write_loose = |folder: &str| {
        let folder = folder.to_owned();
        Box::new(move |root: &Path| write(&files(), &root.join(&folder))) as Box<dyn Fn(&Path)>
    };
    let write_packed = |name: &str, archive: &[u8]| {
        let (name, archive) = (name.to_owned(), archive.to_owned());
        Box::new(move |root: &Path| {
            let file = root.join(&name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, &archive).unwrap();
        }) as Box<dyn Fn(&Path)>
    };
    let forms = [
        write_loose(""),
        write_loose(FOLDER),
        write_loose("cifar10"),
        write_loose("cifar10/cifar-10-batches-bin"),
        write_packed(ARCHIVE, &archive),
        write_packed("cifar10/cifar-10-binary.tar.gz", &archive),
        write_packed(ARCHIVE, &at_the_top),
    ];
    for (number, form) in forms.iter().enumerate() {
        let root = tempfile::tempdir().unwrap();
        form(root.path());
        let (set, notes) = load_noted(&Cifar10 {}, &request(root.path())).unwrap();
        assert_eq!(set.train.shape(), [3, 32, 32], "form {number}");
        assert_eq!(set.train.labels(), [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]);
        assert_eq!(set.test.labels(), [5, 4]);
        assert_eq!(bytes(&set.train)[..3], [0, 1, 2]);
        assert_eq!(bytes(&set.train)[9 * 3072], 41);
        assert_eq!(
            bytes(&set.test)[3071],
            50_u8.wrapping_add((3071 % 256) as u8)
        );
        assert_eq!(set.classes(), Cifar10 {}.known().classes);
        says(&notes[0], &["data_batch_1.bin holds 2 records", "10000"]);
        assert_eq!(notes.len(), 6);
        // Nothing is unpacked beside the archive.
        let names = fs::read_dir(root.path()).unwrap().count();
        assert_eq!(names, if number == 0 { 6 } else { 1 });
    }
}

#[test]
fn class_names_come_from_the_files() {
    let mut files = files();
    let names = (0..10).map(|class| format!("class {class}\r\n"));
    let meta = format!("{}\n", names.collect::<String>());
    files.push(("batches.meta.txt".into(), meta.into_bytes()));
    let root = tempfile::tempdir().unwrap();
    write(&files, root.path());
    let set = load("cifar10", Some(root.path()), 0).unwrap();
    assert_eq!(set.classes()[0], "class 0");
    assert_eq!(set.classes()[9], "class 9");
    for (meta, says_so) in [
        (b"cat\ndog\n".to_vec(), "holds 2 class names; expected 10"),
        (vec![0xff; 20], "cannot be read as text"),
    ] {
        files.last_mut().unwrap().1 = meta;
        for message in both_refused(&files) {
            says(&message, &["batches.meta.txt: ", says_so]);
        }
    }
}

#[test]
fn each_missing_file_is_named() {
    for name in BATCHES {
        let files: Vec<_> = files().into_iter().filter(|file| file.0 != name).collect();
        for message in both_refused(&files) {
            says(
                &message,
                &[&format!("{name} is missing; expected"), "data get cifar10"],
            );
        }
    }
    let one: Vec<_> = files().into_iter().take(4).collect();
    for message in both_refused(&one) {
        says(
            &message,
            &["data_batch_5.bin and test_batch.bin are missing"],
        );
    }
}

#[test]
fn a_folder_that_is_missing_or_holds_nothing_says_what_is_looked_for() {
    says(
        &refused(&Cifar10 {}, &Request::default()),
        &["data.dir", "not given", FOLDER, ARCHIVE, "set data.dir"],
    );
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("nowhere");
    says(
        &refused(&Cifar10 {}, &request(&missing)),
        &["nowhere: does not exist", ARCHIVE],
    );
    let none = refused(&Cifar10 {}, &request(root.path()));
    says(
        &none,
        &[
            "none of the files",
            "data_batch_1.bin",
            "test_batch.bin",
            ARCHIVE,
        ],
    );
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    says(
        &refused(&Cifar10 {}, &request(&file)),
        &["file: is not a folder"],
    );
}

#[test]
fn truncated_and_oversized_files_are_refused() {
    for name in BATCHES {
        for cut in [1, 3000, 3072] {
            let files = changed(name, |file| file.truncate(2 * 3073 - cut));
            for message in both_refused(&files) {
                let left = format!("{} bytes follow after 1 records", 3073 - cut);
                says(&message, &[name, &left, "whole records"]);
            }
        }
        for message in both_refused(&changed(name, |file| file.push(1))) {
            says(
                &message,
                &[name, "1 bytes follow after 2 records of 3073 bytes"],
            );
        }
        for message in both_refused(&changed(name, Vec::clear)) {
            says(&message, &[name, "is empty"]);
        }
    }
    let full = changed("test_batch.bin", |file| *file = record(1, 0).repeat(10_000));
    let root = tempfile::tempdir().unwrap();
    write(&full, root.path());
    let (set, notes) = load_noted(&Cifar10 {}, &request(root.path())).unwrap();
    assert_eq!((set.test.len(), notes.len()), (10_000, 5));
    let long = changed("test_batch.bin", |file| *file = record(1, 0).repeat(10_001));
    for message in both_refused(&long) {
        says(
            &message,
            &["test_batch.bin", "too long", "more than 10000 records"],
        );
    }
}

#[test]
fn a_label_outside_the_classes_is_refused() {
    for message in both_refused(&changed("data_batch_3.bin", |file| file[3073] = 10)) {
        says(
            &message,
            &["data_batch_3.bin", "record 1 (from 0) is 10", "0 to 9"],
        );
    }
}

#[test]
fn a_broken_archive_is_refused() {
    let archive = pack(&files(), &format!("{FOLDER}/"));
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join(ARCHIVE);
    let message = |contents: &[u8]| {
        fs::write(&file, contents).unwrap();
        refused(&Cifar10 {}, &request(root.path()))
    };
    for length in [0, 1, 9, archive.len() / 2, archive.len() - 9] {
        says(
            &message(&archive[..length]),
            &[ARCHIVE, "help: delete the archive"],
        );
    }
    says(&message(b"<html>"), &[ARCHIVE, "broken or truncated"]);
    let mut broken = archive.clone();
    broken[archive.len() / 2] ^= 0x55;
    says(&message(&broken), &[ARCHIVE]);
    let twice = [files(), files()].concat();
    says(&message(&pack(&twice, &format!("{FOLDER}/"))), &["twice"]);
    let outside = &files()[..3];
    says(
        &message(&hostile("../../escaped.bin", outside)),
        &["points outside its folder", "../../escaped.bin"],
    );
    assert!(!root.path().join("../escaped.bin").exists());
}

/// An archive with a path that tar's own builder refuses to write.
fn hostile(path: &str, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (at, (name, contents)) in files.iter().enumerate() {
        let name = if at == 1 { path } else { name };
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(contents.len() as u64);
        header.set_cksum();
        archive.append(&header, contents.as_slice()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn the_real_files_are_read() {
    let Some(dir) = real("cifar10") else {
        return;
    };
    let (set, notes) = load_noted(&Cifar10 {}, &request(&dir)).unwrap();
    assert_eq!((set.train.len(), set.test.len()), (50_000, 10_000));
    assert_eq!(notes, [""; 0]);
    for class in 0..10 {
        let count = |labels: &[u32]| labels.iter().filter(|&&label| label == class).count();
        assert_eq!(count(set.train.labels()), 5000);
        assert_eq!(count(set.test.labels()), 1000);
    }
}
