//! Data sets: bytes, labels, shapes, splits and statistics (floor 1).
//!
//! A source loads a [`Dataset`], or a library user makes one from memory
//! ([`Dataset::new`]). [`Split`] says which training samples are held out, [`Normalization`] how
//! values become input, [`Augment`] how pictures are changed while they train, [`epoch_order`] and [`batch_at`] which samples a step trains on.

mod augment;
mod loading;
mod memory;
mod normalize;
mod order;

pub use augment::{Augment, Draw, Padding};
pub use loading::{Loading, Watcher};
pub use memory::checksum;
pub use normalize::{Normalization, Normalize};
pub use order::{Batch, Split, batch_at, epoch_order, steps_per_epoch};

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
