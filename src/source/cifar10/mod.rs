//! `cifar10`: 60,000 colour pictures of 32x32 in ten classes (Krizhevsky, "Learning multiple layers
//! of features from tiny images", 2009), from the binary files of
//! <https://www.cs.toronto.edu/~kriz/cifar.html>: six files of 10,000 records, each record a byte
//! with the label and 3,072 bytes with the picture (red, then green, then blue, each row by row).
//!
//! The files are read where they lie, or out of the official archive, which is never unpacked to
//! disk.

mod archive;

use super::request::set_dir;
use super::{Entry, Known, Request, Sizes, Source};
use crate::data::{Dataset, Loading, Samples, Task, Watcher};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const SHAPE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = SHAPE[0] * SHAPE[1] * SHAPE[2];
/// A label and a picture.
const RECORD: usize = 1 + PIXELS;
/// Records of one official file; a file never has more.
const FULL: usize = 10_000;

/// The files with the samples: five for training, the last one for the test.
const BATCHES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
/// The file with the class names.
const META: &str = "batches.meta.txt";
/// The folder within the official archive.
const FOLDER: &str = "cifar-10-batches-bin";
/// The official archive.
const ARCHIVE: &str = "cifar-10-binary.tar.gz";

const CLASSES: &[&str] = &[
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

const HOME: &str = "`wavetrain data get cifar10` downloads it from \
    https://www.cs.toronto.edu/~kriz/cifar.html";

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: "cifar10",
    summary: "CIFAR-10, colour pictures of 32x32 bytes, from its binary files or their archive",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<Cifar10>()?)),
};

/// CIFAR-10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cifar10 {}

impl Source for Cifar10 {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn known(&self) -> Known {
        Known {
            shape: SHAPE.to_vec(),
            classes: CLASSES,
            sizes: Some(Sizes {
                train: 50_000,
                test: 10_000,
            }),
        }
    }

    fn open(&self, request: &Request, watcher: Watcher<'_>) -> Result<Dataset> {
        load(request, watcher)
    }
}

fn load(request: &Request, watcher: Watcher<'_>) -> Result<Dataset> {
    let (place, classes, batches) = match find(request)? {
        Files::Folder(folder) => {
            let (classes, batches) = read_folder(&folder, watcher)?;
            (folder, classes, batches)
        }
        Files::Archive(file) => {
            let (classes, batches) = archive::read(&file, watcher)?;
            (file, classes, batches)
        }
    };
    for (batch, name) in batches.iter().zip(BATCHES) {
        let count = batch.labels.len();
        if count < FULL {
            let place = place.display();
            let note =
                format!("{place}: {name} holds {count} records; the official file has {FULL}");
            watcher(Loading::Note(&note));
        }
    }
    let mut batches = batches.into_iter();
    let test = batches.next_back().unwrap_or_default();
    let train = joined(batches.collect()).samples()?;
    Dataset::of(ENTRY.name, train, test.samples()?, Task::Classes(classes))
}

/// Where the files are.
#[derive(Debug)]
enum Files {
    Folder(PathBuf),
    Archive(PathBuf),
}

/// The first of the usual places that holds all files, or else the archive, or else the first place
/// that holds any.
fn find(request: &Request) -> Result<Files> {
    let expected = format!("the folder with {FOLDER} or {ARCHIVE}");
    let dir = request.folder("CIFAR-10", &expected, HOME)?;
    let roots = [dir.to_path_buf(), dir.join(ENTRY.name)];
    let folders = roots
        .iter()
        .flat_map(|root| [root.clone(), root.join(FOLDER)]);
    let folders: Vec<PathBuf> = folders.collect();
    let holds = |folder: &PathBuf| BATCHES.map(|name| folder.join(name).is_file());
    let whole = folders
        .iter()
        .find(|folder| holds(folder).iter().all(|&is| is));
    if let Some(folder) = whole {
        return Ok(Files::Folder(folder.clone()));
    }
    let archives = roots.iter().map(|root| root.join(ARCHIVE));
    if let Some(file) = archives.into_iter().find(|file| file.is_file()) {
        return Ok(Files::Archive(file));
    }
    let part = folders
        .iter()
        .find(|folder| holds(folder).iter().any(|&is| is));
    let Some(folder) = part else {
        let problem = format!(
            "holds none of the files of CIFAR-10; expected {}, here or in {FOLDER}, or {ARCHIVE}",
            listed(&BATCHES)
        );
        return Err(Error::data(dir, problem, set_dir(HOME)));
    };
    Err(missing(folder, |name| folder.join(name).is_file()))
}

/// Says which files are not there.
fn missing(place: &Path, is_there: impl Fn(&str) -> bool) -> Error {
    let missing: Vec<&str> = BATCHES.into_iter().filter(|name| !is_there(name)).collect();
    let problem = format!(
        "{} missing; expected {}",
        match missing.as_slice() {
            [one] => format!("{one} is"),
            several => format!("{} are", listed(several)),
        },
        listed(&BATCHES)
    );
    Error::data(
        place,
        problem,
        format!("put all files in one folder; {HOME}"),
    )
}

/// `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [first @ .., before, last] => {
            let first: String = first.iter().map(|name| format!("{name}, ")).collect();
            format!("{first}{before} and {last}")
        }
        [one] => (*one).into(),
        [] => "none".into(),
    }
}

/// The records of one file or of several.
#[derive(Debug, Default)]
struct Batch {
    pixels: Vec<u8>,
    labels: Vec<u32>,
}

impl Batch {
    fn samples(self) -> Result<Samples> {
        Samples::from_bytes(&SHAPE, self.pixels, self.labels)
    }
}

/// The records one after the other; each part is freed once it is copied.
fn joined(batches: Vec<Batch>) -> Batch {
    let mut all = Batch::default();
    let count = batches.iter().map(|batch| batch.labels.len()).sum();
    all.labels.reserve_exact(count);
    all.pixels.reserve_exact(count * PIXELS);
    for batch in batches {
        all.labels.extend(batch.labels);
        all.pixels.extend(batch.pixels);
    }
    all
}

fn read_folder(folder: &Path, watcher: Watcher<'_>) -> Result<(Vec<String>, Vec<Batch>)> {
    let open = |file: &Path| {
        File::open(file).map_err(|error| {
            let help = "check the permissions of the file and its folder";
            Error::data(file, format!("cannot be opened: {error}"), help)
        })
    };
    let meta = folder.join(META);
    let classes = if meta.is_file() {
        class_names(open(&meta)?).map_err(|problem| refused(&meta, problem))?
    } else {
        built_in_classes()
    };
    let mut batches = Vec::new();
    for (done, name) in BATCHES.into_iter().enumerate() {
        progress(watcher, done);
        let file = folder.join(name);
        let batch = decode(open(&file)?).map_err(|problem| refused(&file, problem))?;
        batches.push(batch);
    }
    progress(watcher, BATCHES.len());
    Ok((classes, batches))
}

fn progress(watcher: Watcher<'_>, done: usize) {
    watcher(Loading::Progress {
        doing: "reading CIFAR-10",
        done,
        total: BATCHES.len(),
    });
}

fn refused(file: &Path, problem: String) -> Error {
    Error::data(file, problem, format!("replace the file; {HOME}"))
}

fn built_in_classes() -> Vec<String> {
    CLASSES.iter().map(|&name| name.into()).collect()
}

/// The names in `batches.meta.txt`, a line each.
fn class_names(file: impl Read) -> Result<Vec<String>, String> {
    /// Far above ten names.
    const MOST: u64 = 4096;
    let mut text = String::new();
    let read = file.take(MOST).read_to_string(&mut text);
    read.map_err(|error| format!("cannot be read as text: {error}"))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let names: Vec<String> = lines.map(str::to_owned).collect();
    if names.len() == CLASSES.len() {
        Ok(names)
    } else {
        let expected = CLASSES.len();
        Err(format!(
            "holds {} class names; expected {expected}, a line each",
            names.len()
        ))
    }
}

/// Reads the records of one file.
fn decode(mut file: impl Read) -> Result<Batch, String> {
    /// Records that are read at a time.
    const PORTION: usize = 64;
    let mut batch = Batch::default();
    let mut buffer = vec![0; PORTION * RECORD];
    loop {
        let filled = fill(&mut file, &mut buffer);
        let filled = filled.map_err(|error| format!("cannot be read: {error}"))?;
        let (records, rest) = buffer[..filled].as_chunks::<RECORD>();
        for [label, pixels @ ..] in records {
            let number = batch.labels.len();
            if number == FULL {
                return Err(format!(
                    "too long: holds more than {FULL} records of {RECORD} bytes, which is all that \
                     an official file has"
                ));
            }
            if usize::from(*label) >= CLASSES.len() {
                return Err(format!(
                    "the label of record {number} (from 0) is {label}; expected 0 to 9"
                ));
            }
            batch.labels.push(u32::from(*label));
            batch.pixels.extend_from_slice(pixels);
        }
        let count = batch.labels.len();
        if !rest.is_empty() && filled < buffer.len() {
            return Err(format!(
                "truncated or too long: {} bytes follow after {count} records of {RECORD} bytes; \
                 expected whole records, {FULL} in an official file",
                rest.len()
            ));
        }
        if filled < buffer.len() {
            return match count {
                0 => Err(format!("is empty; expected records of {RECORD} bytes")),
                _ => Ok(batch),
            };
        }
    }
}

/// Reads until `buffer` is full or the file ends; how many bytes there were.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
