//! Data sets: bytes, labels, shapes, splits and statistics (floor 1).
//!
//! A source loads a [`Dataset`] ([`SOURCES`]), or a library user makes one from memory
//! ([`Dataset::new`]). [`Split`] says which training samples are held out, [`Normalization`] how
//! values become input, [`Augment`] how pictures are changed while they train, [`epoch_order`] and [`batch_at`] which samples a step trains on.

mod augment;
mod cifar10;
pub mod download;
mod fashion_mnist;
pub mod glyphs;
mod idx;
mod image_folder;
mod memory;
mod mnist;
mod normalize;
mod order;
pub mod photo;
pub mod picture;
mod request;
mod safetensors;

pub use augment::{Augment, Draw, Padding};
pub use memory::checksum;
pub use normalize::{Normalization, Normalize};
pub use order::{Batch, Split, batch_at, epoch_order, steps_per_epoch};
pub use request::{Loading, Options, Request, Watcher};

use crate::error::{Error, Result};
use std::path::Path;

/// The values of a set of samples.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Bytes, 0 to 255, as pictures have them. On the GPU they stay bytes.
    Bytes(Vec<u8>),
    /// Floating-point features, for own samples.
    Floats(Vec<f32>),
}

/// Labelled samples of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// Shape of one sample: `[channels, height, width]` or `[features]`.
    pub shape: Vec<usize>,
    /// `labels.len()` times the product of `shape` values, sample by sample, in NCHW order.
    pub values: Values,
    /// The class of each sample, below the number of classes.
    pub labels: Vec<u32>,
}

/// A data set: training and test samples of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The source's name (`glyphs`).
    pub name: String,
    /// Training samples.
    pub train: Samples,
    /// Test samples.
    pub test: Samples,
    /// Class names, in the order of the labels.
    pub classes: Vec<String>,
}

/// Numbers of samples, where a source can state them without reading anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Training samples.
    pub train: usize,
    /// Test samples.
    pub test: usize,
}

/// One line of the table of sources.
#[derive(Debug)]
pub struct Entry {
    /// The name in `data.source`.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// The usual shape of a sample; empty where the files decide.
    pub shape: &'static [usize],
    /// Class names, in the order of the labels; empty where the files decide.
    pub classes: &'static [&'static str],
    /// The usual sizes, known without reading anything.
    pub sizes: Option<Sizes>,
    /// The keys of `[data]` that only some sources have, and this one does (see [`Options`]).
    pub keys: &'static [&'static str],
    /// Loads the samples, and says how far it is (see [`Entry::read`]).
    pub load: fn(&Request, Watcher<'_>) -> Result<Dataset>,
}

impl Entry {
    /// Loads the samples.
    ///
    /// # Errors
    /// Files that are missing or wrong, each by name.
    pub fn read(&self, request: &Request) -> Result<Dataset> {
        (self.load)(request, &|_| {})
    }
}

/// The table of sources: the only place that lists them.
///
/// The first is the default.
pub static SOURCES: &[Entry] = &[
    glyphs::ENTRY,
    mnist::ENTRY,
    fashion_mnist::ENTRY,
    cifar10::ENTRY,
    image_folder::ENTRY,
    safetensors::ENTRY,
];

/// The source of that name.
#[must_use]
pub fn source(name: &str) -> Option<&'static Entry> {
    SOURCES.iter().find(|entry| entry.name == name)
}

/// An [`Error::Data`]: what is wrong with `file`, and what to do.
fn wrong(file: &Path, problem: impl Into<String>, help: impl Into<String>) -> Error {
    Error::Data {
        file: file.into(),
        problem: problem.into(),
        help: help.into(),
    }
}
