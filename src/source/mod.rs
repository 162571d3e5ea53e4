//! Sources of data sets: one file each, from the program's own glyphs to folders of
//! pictures.
//!
//! A [`Source`] opens a [`Dataset`]; [`SOURCES`] is the table. Nothing in a file is trusted before it
//! is checked against the file's length.

mod arrays;
mod cache;
mod cifar10;
mod csv;
mod fashion_mnist;
pub mod glyphs;
mod idx;
mod image_folder;
mod kept;
mod mnist;
mod numbers;
#[cfg(feature = "numpy")]
mod numpy;
mod part;
mod paths;
mod portions;
mod request;
mod safetensors;
mod sums;
mod text;
mod values;

pub use crate::args::{Entry, Invalid};
pub use cache::Cache;
pub use cifar10::Cifar10;
pub use csv::{Csv, Csvs, TableTask};
pub use glyphs::Glyphs;
pub use idx::folder::Set;
pub use image_folder::{ImageFolder, OnBadFile};
pub use numbers::Numbers;
#[cfg(feature = "numpy")]
pub use numpy::Numpy;
pub use paths::{folder, path};
pub use request::Request;
pub use safetensors::Safetensors;
pub use sums::Sums;
pub use text::{Text, Tokens};

use dyn_clone::DynClone;

use crate::data::{Dataset, Watcher};
use crate::error::Result;

/// Numbers of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Training samples.
    pub train: usize,
    /// Test samples.
    pub test: usize,
}

/// What a source can say of its samples without reading anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// The usual shape of a sample; empty where the files decide.
    pub shape: Vec<usize>,
    /// Class names, in the order of the labels; empty where the files decide.
    pub classes: &'static [&'static str],
    /// The usual sizes.
    pub sizes: Option<Sizes>,
}

/// How a stream of tokens becomes samples: windows, each of which is to be gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Tokens of a window; at least 1.
    pub context: usize,
    /// Whether a batch goes on where the one before it ends, so that recurrent layers carry their
    /// states on.
    pub stateful: bool,
}

/// A source of data, with the keys of `[data]` that are its own.
pub trait Source: DynClone + std::fmt::Debug + Send + Sync {
    /// The source's name in `data.source`.
    fn name(&self) -> &'static str;

    /// Refuses arguments that make no source.
    ///
    /// # Errors
    /// The first argument that is wrong.
    fn validate(&self) -> Result<(), Invalid> {
        Ok(())
    }

    /// All arguments, defaults included, as they would be written in `[data]`.
    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    /// What is known of the samples before anything is read.
    fn known(&self) -> Known {
        Known::default()
    }

    /// How its stream of tokens is cut, for a source whose samples are windows of one.
    fn windows(&self) -> Option<Windows> {
        None
    }

    /// Loads the samples, or whatever reads them by index, and tells `watcher` how far it is.
    ///
    /// # Errors
    /// Files that are missing or wrong, each by name.
    fn open(&self, request: &Request, watcher: Watcher<'_>) -> Result<Dataset>;
}

dyn_clone::clone_trait_object!(Source);

/// The table of sources: the only place that lists them.
///
/// The first is the default.
pub static SOURCES: &[Entry<dyn Source>] = &[
    glyphs::ENTRY,
    mnist::ENTRY,
    fashion_mnist::ENTRY,
    cifar10::ENTRY,
    image_folder::ENTRY,
    safetensors::ENTRY,
    #[cfg(feature = "numpy")]
    numpy::ENTRY,
    csv::ENTRY,
    text::ENTRY,
    numbers::ENTRY,
    sums::ENTRY,
];

/// The source of that name.
#[must_use]
pub fn source(name: &str) -> Option<&'static Entry<dyn Source>> {
    SOURCES.iter().find(|entry| entry.name == name)
}
