//! `image_folder`: a folder with pictures for each class, in the manner of torchvision's
//! `ImageFolder`: `train/CLASS/*` and `test/CLASS/*` (and `val/CLASS/*`, the validation set), under
//! any usual name of the parts, or `CLASS/*` alone, of which `data.test_share` becomes the test set,
//! by `data.seed`.
//!
//! The classes are numbered in the order of their names, the pictures stand class by class, each
//! class in the order of its files. Files are decoded on all cores; the samples do not depend on
//! how many there are.

mod album;
mod decode;
mod list;
mod parts;
mod size;

use super::values::{TEST_SHARE, test_share};
use super::{Entry, Invalid, Request, Source};
use crate::args::{choice, some_whole};
use crate::data::{Dataset, Inputs, Loading, Origin, Samples, Targets, Task, Watcher};
use crate::error::{Error, Result};
use crate::picture::{Picture, Resize};
use album::Album;
use decode::Job;
use list::Labelled;
use serde::{Deserialize, Serialize};
use size::size;
use std::path::Path;

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: "image_folder",
    summary: "own PNG, JPEG, WebP and BMP files, a folder for each class, in train and test or to be split",
    arguments: &["size", "resize", "test_share", "on_bad_file", "bit_depth"],
    short: None,
    example: "size = 32\nresize = \"crop\"",
    parse: |args| Ok(Box::new(args.read::<ImageFolder>()?)),
};

/// Pictures in folders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageFolder {
    /// Height and width of all pictures; without it all must have one.
    #[serde(deserialize_with = "size", skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// How pictures of other sizes come to it.
    #[serde(deserialize_with = "choice")]
    pub resize: Resize,
    /// The share of each class that becomes the test set where no folder says which pictures do;
    /// above 0, below 1.
    #[serde(deserialize_with = "test_share")]
    pub test_share: f64,
    /// What becomes of files that are cut or damaged.
    #[serde(deserialize_with = "choice")]
    pub on_bad_file: OnBadFile,
    /// The bits that count of channels of 16 bits, 8 to 16; without it as many as the largest value of
    /// all pictures needs.
    #[serde(
        deserialize_with = "some_whole::<_, _, 8, 16>",
        skip_serializing_if = "Option::is_none"
    )]
    pub bit_depth: Option<u32>,
}

/// What becomes of files that are cut or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename = "way with bad files")]
pub enum OnBadFile {
    /// All are named, and nothing is trained.
    #[default]
    Error,
    /// They are passed over, with a note.
    Skip,
}

impl Default for ImageFolder {
    fn default() -> Self {
        Self {
            size: None,
            resize: Resize::None,
            test_share: TEST_SHARE,
            on_bad_file: OnBadFile::Error,
            bit_depth: None,
        }
    }
}

impl Source for ImageFolder {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.size.is_some() || self.resize == Resize::None {
            return Ok(());
        }
        Err(Invalid {
            key: "resize",
            message:
                "is set, but data.size does not say to which size; add data.size, for example \
                      data.size = 32"
                    .into(),
        })
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn open(&self, request: &Request, watcher: Watcher<'_>) -> Result<Dataset> {
        load(self, request, watcher)
    }
}

fn load(source: &ImageFolder, request: &Request, watcher: Watcher<'_>) -> Result<Dataset> {
    let expected = "the folder with train/CLASS and test/CLASS, or with a folder for each class";
    let dir = request.folder(ENTRY.name, expected, "")?;
    let listing = list::list(dir, (source.test_share, request.seed), watcher)?;
    let size = match source.size {
        Some(size) => size,
        None => size_of_all(&listing.train)?,
    };
    if size.contains(&0) {
        return Err(Error::Argument {
            what: "data.size".into(),
            found: format!("{size:?}"),
            expected: "height and width, each at least 1".into(),
            help: "data.size = 32 means 32x32".into(),
        });
    }
    let all: Vec<&Labelled> = listing.train.iter().chain(&listing.test).collect();
    let job = Job::new(source, size, watcher, (all.len(), request.workers));
    let album = Album {
        source,
        size,
        dir,
        all: &all,
        first_test: listing.train.len(),
    };
    let decoded = album.decode(&job, request, watcher)?;
    let known = &decoded.known;
    for note in &known.notes {
        watcher(Loading::Note(note));
    }
    let origin = Origin {
        bit_depth: known.bit_depth,
        skipped: known.skipped.clone(),
    };
    let is_trained = |place: &u32| (*place as usize) < listing.train.len() - listing.held_out;
    let [trained, tested] = album.kept(known);
    let held_out = trained.iter().filter(|place| !is_trained(place)).count();
    let classed = trained.iter().filter(|place| is_trained(place));
    check_classes(
        dir,
        &listing.classes,
        classed.map(|place| all[*place as usize]),
    )?;
    let [train, test] = decoded.inputs(&album, [&trained, &tested])?;
    let samples = |inputs: Box<dyn Inputs>, places: &[u32]| {
        let kept = || places.iter().map(|place| all[*place as usize]);
        let labels = kept().map(|picture| picture.label).collect();
        let names = kept().map(|picture| picture.name(dir)).collect();
        let samples = Samples::boxed(inputs, Targets::Classes(labels))?.named(names)?;
        Ok::<_, Error>(samples.from_files(origin.clone()))
    };
    let train = samples(train, &trained)?.holding_out(held_out)?;
    let test = samples(test, &tested)?;
    Dataset::of(ENTRY.name, train, test, Task::Classes(listing.classes))
}

/// Refuses a class of which nothing is left to train on.
fn check_classes<'a>(
    dir: &Path,
    classes: &[String],
    pictures: impl Iterator<Item = &'a Labelled>,
) -> Result<()> {
    let mut counts = vec![0; classes.len()];
    pictures.for_each(|picture| counts[picture.label as usize] += 1);
    match classes.iter().zip(counts).find(|(_, count)| *count == 0) {
        None => Ok(()),
        Some((class, _)) => Err(Error::data(
            dir,
            format!("no picture of the class {class} can be read; expected one at least"),
            "replace the pictures of this class, or take its folder away",
        )),
    }
}

/// The size of the first picture that can be read: without `data.size` all must have it.
fn size_of_all(pictures: &[Labelled]) -> Result<[usize; 2]> {
    let mut first = None;
    for picture in pictures {
        match Picture::size_of(&picture.file) {
            Ok(size) => return Ok(size),
            Err(error) => first = first.or(Some(error)),
        }
    }
    // A class has a picture, and training keeps at least one of each.
    first.map_or(Ok([1, 1]), Err)
}
