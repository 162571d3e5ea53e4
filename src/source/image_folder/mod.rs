//! `image_folder`: a folder with PNG and JPEG files for each class, in the manner of torchvision's
//! `ImageFolder`: `train/CLASS/*` and `test/CLASS/*`, or `CLASS/*` alone, of which
//! `data.test_share` becomes the test set, by `data.seed`.
//!
//! The classes are numbered in the order of their names, the pictures stand class by class, each
//! class in the order of its files. Files are decoded on all cores; the samples do not depend on
//! how many there are.

mod list;
mod size;

use super::values::{TEST_SHARE, test_share};
use super::{Entry, Invalid, Request, Source, portions};
use crate::args::choice;
use crate::data::{Dataset, Loading, Samples, Task, Watcher};
use crate::error::{Error, Result};
use crate::picture::{Changes, Picture, Resize, other_size};
use list::Labelled;
use serde::{Deserialize, Serialize};
use size::size;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: "image_folder",
    summary: "own PNG and JPEG files, a folder for each class, in train and test or to be split",
    arguments: &["size", "resize", "test_share"],
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
}

impl Default for ImageFolder {
    fn default() -> Self {
        Self {
            size: None,
            resize: Resize::None,
            test_share: TEST_SHARE,
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

/// Channels while it is not known yet whether all pictures are grey.
const CHANNELS: usize = 3;

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
    let job = Job {
        source,
        size,
        watcher,
        total: listing.train.len() + listing.test.len(),
        tally: Mutex::new(Tally::default()),
    };
    let mut train = job.decode(dir, &listing.train)?;
    let mut test = job.decode(dir, &listing.test)?;
    let tally = job
        .tally
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    for note in tally.notes(size) {
        watcher(Loading::Note(&note));
    }
    let channels = if tally.grey == tally.done {
        first_channels(&mut train, size);
        first_channels(&mut test, size);
        1
    } else {
        CHANNELS
    };
    let samples = |values, pictures: &[Labelled]| {
        let labels = pictures.iter().map(|picture| picture.label).collect();
        Samples::from_bytes(&[channels, size[0], size[1]], values, labels)
    };
    let (train, test) = (
        samples(train, &listing.train)?,
        samples(test, &listing.test)?,
    );
    Dataset::of(ENTRY.name, train, test, Task::Classes(listing.classes))
}

/// The size of the first picture: without `data.size` all must have it.
fn size_of_all(pictures: &[Labelled]) -> Result<[usize; 2]> {
    match pictures.first() {
        Some(first) => Picture::size_of(&first.file),
        // A class has a picture, and training keeps at least one of each.
        None => Ok([1, 1]),
    }
}

/// Everything that the threads share.
struct Job<'a> {
    source: &'a ImageFolder,
    size: [usize; 2],
    watcher: Watcher<'a>,
    total: usize,
    tally: Mutex<Tally>,
}

/// Pictures by what was special about them.
#[derive(Debug, Default)]
struct Tally {
    done: usize,
    grey: usize,
    alpha: usize,
    deep: usize,
    resized: usize,
}

impl Tally {
    fn add(&mut self, channels: usize, changes: Changes) {
        self.done += 1;
        self.grey += usize::from(channels == 1);
        self.alpha += usize::from(changes.dropped_alpha);
        self.deep += usize::from(changes.reduced_depth);
        self.resized += usize::from(changes.resized_from.is_some());
    }

    fn merge(&mut self, other: &Self) {
        self.done += other.done;
        self.grey += other.grey;
        self.alpha += other.alpha;
        self.deep += other.deep;
        self.resized += other.resized;
    }

    fn notes(&self, [height, width]: [usize; 2]) -> Vec<String> {
        let grey = if self.grey == self.done { 0 } else { self.grey };
        let kinds = [
            (
                grey,
                "are grey; each value stands in all three channels".to_owned(),
            ),
            (
                self.alpha,
                "have an alpha channel, which was dropped".to_owned(),
            ),
            (
                self.deep,
                "have 16 bits for each channel, which became 8".to_owned(),
            ),
            (
                self.resized,
                format!("have another size and were brought to {width}x{height}"),
            ),
        ];
        let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
        kinds
            .map(|(count, what)| format!("{count} of {} pictures {what}", self.done))
            .collect()
    }
}

impl Job<'_> {
    /// The pictures one after the other, each with three channels.
    fn decode(&self, dir: &Path, pictures: &[Labelled]) -> Result<Vec<u8>> {
        /// Pictures that a thread takes at a time.
        const PORTION: usize = 32;
        let elements = CHANNELS * self.size[0] * self.size[1];
        let mut values = reserved(dir, pictures.len(), elements)?;
        let each = pictures.chunks(PORTION);
        let each = each.zip(values.chunks_mut(PORTION * elements));
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        portions::each(threads, each, |(pictures, values)| {
            self.portion(pictures, values)
        })?;
        Ok(values)
    }

    fn portion(&self, pictures: &[Labelled], values: &mut [u8]) -> Result<()> {
        let elements = CHANNELS * self.size[0] * self.size[1];
        let mut tally = Tally::default();
        for (picture, values) in pictures.iter().zip(values.chunks_mut(elements)) {
            let decoded = self.picture(&picture.file)?;
            tally.add(decoded.shape[0], decoded.changes);
            values.copy_from_slice(&decoded.with_channels(CHANNELS).values);
        }
        let mut all = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        all.merge(&tally);
        (self.watcher)(Loading::Progress {
            doing: "decoding pictures",
            done: all.done,
            total: self.total,
        });
        Ok(())
    }

    fn picture(&self, file: &Path) -> Result<Picture> {
        let source = self.source;
        if source.size.is_some() {
            return Picture::read(file, source.size, source.resize);
        }
        let picture = Picture::read(file, None, source.resize)?;
        let [_, height, width] = picture.shape;
        if [height, width] == self.size {
            return Ok(picture);
        }
        Err(Error::data(
            file,
            format!(
                "{}, the size of the first picture",
                other_size([height, width], self.size)
            ),
            "set data.size and data.resize = \"crop\" or \"stretch\" to bring all pictures to one \
             size",
        ))
    }
}

/// Room for `count` pictures, or an error that says how much it would be.
fn reserved(dir: &Path, count: usize, elements: usize) -> Result<Vec<u8>> {
    let mut values = Vec::new();
    let bytes = count.checked_mul(elements);
    let reserved = bytes.is_some_and(|bytes| values.try_reserve_exact(bytes).is_ok());
    match bytes {
        Some(bytes) if reserved => {
            values.resize(bytes, 0);
            Ok(values)
        }
        _ => Err(Error::data(
            dir,
            format!("{count} pictures of {elements} bytes are more than memory holds"),
            "set a smaller data.size and data.resize = \"crop\", or take fewer pictures",
        )),
    }
}

/// Keeps the first channel of each picture.
fn first_channels(values: &mut Vec<u8>, [height, width]: [usize; 2]) {
    let plane = height * width;
    let count = values.len() / (CHANNELS * plane);
    for picture in 1..count {
        let start = picture * CHANNELS * plane;
        values.copy_within(start..start + plane, picture * plane);
    }
    values.truncate(count * plane);
    values.shrink_to_fit();
}
