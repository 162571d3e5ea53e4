//! Data sets of four IDX files in one folder, under the names that MNIST gave them.

use super::{Idx, Kind, read};
use crate::data::{Dataset, Samples, Task, Watcher};
use crate::error::{Error, Result};
use crate::source::request::set_dir;
use crate::source::{Known, Request, Sizes, Source};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Arguments of a source that has none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::source) struct Nothing {}

/// A data set of 60,000 and 10,000 grey pictures that is kept in MNIST's form.
#[derive(Debug, Clone, Copy)]
pub struct Set {
    /// The source's name.
    pub(in crate::source) name: &'static str,
    /// What the set is called in a sentence.
    pub(in crate::source) title: &'static str,
    /// Class names, in the order of the labels.
    pub(in crate::source) classes: &'static [&'static str],
    /// The folder of torchvision's layout, below the given one.
    pub(in crate::source) torchvision: &'static str,
    /// Where the files are published.
    pub(in crate::source) home: &'static str,
}

/// One half of the set: the beginning of its files' names.
const TRAIN: &str = "train";
const TEST: &str = "t10k";

/// The names that a file is looked for, in this order.
fn names(half: &str, kind: Kind) -> [String; 4] {
    let (kind, form) = match kind {
        Kind::Images => ("images", "idx3-ubyte"),
        Kind::Labels => ("labels", "idx1-ubyte"),
    };
    [
        format!("{half}-{kind}-{form}"),
        format!("{half}-{kind}-{form}.gz"),
        format!("{half}-{kind}.{form}"),
        format!("{half}-{kind}.{form}.gz"),
    ]
}

fn find(folder: &Path, half: &str, kind: Kind) -> Option<PathBuf> {
    let files = names(half, kind).map(|name| folder.join(name));
    files.into_iter().find(|file| file.is_file())
}

impl Source for Set {
    fn name(&self) -> &'static str {
        self.name
    }

    fn known(&self) -> Known {
        Known {
            shape: vec![1, 28, 28],
            classes: self.classes,
            sizes: Some(Sizes {
                train: 60_000,
                test: 10_000,
            }),
        }
    }

    fn open(&self, request: &Request, _: Watcher<'_>) -> Result<Dataset> {
        let folder = self.folder(request)?;
        let train = self.half(&folder, TRAIN)?;
        let test = self.half(&folder, TEST)?;
        if train.shape() != test.shape() {
            return Err(Error::Data {
                file: folder,
                problem: format!(
                    "the training pictures are {}x{}, the test pictures {}x{}; expected one size",
                    train.shape()[1],
                    train.shape()[2],
                    test.shape()[1],
                    test.shape()[2]
                ),
                help: format!("take all four files from one set; {}", self.source()),
            });
        }
        let classes = self.classes.iter().map(|&name| name.into()).collect();
        Dataset::of(self.name, train, test, Task::Classes(classes))
    }
}

impl Set {
    /// The first of the usual places that holds any of the files.
    fn folder(&self, request: &Request) -> Result<PathBuf> {
        let expected = format!("the folder with {}", self.files());
        let dir = request.folder(self.title, &expected, &self.source())?;
        let below = [self.name, self.torchvision, "raw"];
        let places: Vec<PathBuf> = std::iter::once(dir.to_path_buf())
            .chain(below.map(|name| dir.join(name)))
            .collect();
        let holds = |place: &&PathBuf| {
            let halves = [TRAIN, TEST].into_iter();
            let mut files = halves.flat_map(|half| [Kind::Images, Kind::Labels].map(|k| (half, k)));
            files.any(|(half, kind)| find(place, half, kind).is_some())
        };
        places
            .iter()
            .find(holds)
            .cloned()
            .ok_or_else(|| Error::Data {
                file: dir.into(),
                problem: format!(
                    "holds none of the files of {}; expected {}, here or in {}",
                    self.title,
                    self.files(),
                    below.join(", ")
                ),
                help: set_dir(&self.source()),
            })
    }

    /// Images and labels of one half.
    fn half(&self, folder: &Path, half: &str) -> Result<Samples> {
        let (images_file, images) = self.file(folder, half, Kind::Images)?;
        let (labels_file, labels) = self.file(folder, half, Kind::Labels)?;
        let (count, expected) = (labels.dimensions[0], images.dimensions[0]);
        if count != expected {
            return Err(Error::Data {
                file: labels_file,
                problem: format!(
                    "holds {count} labels, but {} holds {expected} images; expected as many labels \
                     as images",
                    images_file.display()
                ),
                help: format!("take both files from one set; {}", self.source()),
            });
        }
        let classes = self.classes.len();
        let wrong = labels
            .values
            .iter()
            .position(|&label| usize::from(label) >= classes);
        if let Some(sample) = wrong {
            return Err(Error::Data {
                file: labels_file,
                problem: format!(
                    "the label of sample {sample} is {}; expected 0 to {}",
                    labels.values[sample],
                    classes - 1
                ),
                help: format!("{} has {classes} classes; {}", self.title, self.source()),
            });
        }
        let shape = [1, images.dimensions[1], images.dimensions[2]];
        let labels = labels.values.into_iter().map(u32::from).collect();
        Samples::from_bytes(&shape, images.values, labels)
    }

    fn file(&self, folder: &Path, half: &str, kind: Kind) -> Result<(PathBuf, Idx)> {
        let Some(file) = find(folder, half, kind) else {
            let [name, packed, ..] = names(half, kind);
            return Err(Error::Data {
                file: folder.join(&name),
                problem: format!(
                    "no such file, nor {packed}; expected {} in this folder",
                    self.files()
                ),
                help: format!("put it beside the others; {}", self.source()),
            });
        };
        let idx = read(&file, kind, &self.source())?;
        Ok((file, idx))
    }

    /// The names of the four files.
    fn files(&self) -> String {
        let [a, b] = [Kind::Images, Kind::Labels].map(|kind| names(TRAIN, kind)[0].clone());
        let [c, d] = [Kind::Images, Kind::Labels].map(|kind| names(TEST, kind)[0].clone());
        format!("{a}, {b}, {c} and {d} (or the same with .gz)")
    }

    fn source(&self) -> String {
        format!("{} is published at {}", self.title, self.home)
    }
}
