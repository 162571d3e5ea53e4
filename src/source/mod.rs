//! Sources of data sets: one file each, from the program's own glyphs to folders of
//! pictures.
//!
//! A source loads a [`Dataset`]; [`SOURCES`] is the table. Nothing in a file is trusted before it is
//! checked against the file's length.

mod cifar10;
mod fashion_mnist;
pub mod glyphs;
mod idx;
mod image_folder;
mod mnist;
mod numbers;
mod portions;
mod request;
mod safetensors;
mod sums;
mod text;

pub use request::{Options, Request, Tokens, folder, path};

use crate::data::{Dataset, Watcher};
use crate::error::Result;

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
    text::ENTRY,
    numbers::ENTRY,
    sums::ENTRY,
];

/// The source of that name.
#[must_use]
pub fn source(name: &str) -> Option<&'static Entry> {
    SOURCES.iter().find(|entry| entry.name == name)
}
