//! Data sets: bytes, labels, shapes, splits and statistics.
//!
//! A source loads a [`Dataset`], or a library user makes one ([`Dataset::new`]) of [`Samples`]: inputs
//! that are read by index ([`Inputs`]), and what is to be learned about each ([`Targets`]). What an
//! output then means follows from the [`Task`]. [`Split`] says which training samples are held out,
//! [`Normalization`] how values become input, [`Augment`] how pictures are changed while they train,
//! [`epoch_order`] and [`batch_at`] which samples a step trains on.

mod augment;
mod balance;
mod chosen;
mod colours;
mod extent;
mod foreign;
mod halves;
mod loading;
mod memory;
mod normalize;
mod order;
mod samples;
mod stream;
mod strengths;
mod table;
mod task;
mod token_stream;
mod units;
mod vocabulary;

pub use augment::{Augment, Draw, Padding};
pub use extent::Extent;
pub(crate) use foreign::foreign;
pub use halves::{bfloat16, binary16};
pub use loading::{Loading, Watcher};
pub(crate) use memory::Memory;
pub use memory::checksum;
pub(crate) use normalize::two_scales;
pub use normalize::{Normalization, Normalize};
pub use order::{Batch, Split, batch_at, epoch_order, steps_per_epoch};
pub use samples::{IGNORED, Inputs, MOST_SYMBOLS, Origin, Samples, Storage, Targets};
pub use stream::{Epochs, Order, in_streams};
pub(crate) use table::exact;
pub use table::{Column, Table, is_missing, number};
pub use task::{Judge, Task};
pub use token_stream::TokenStream;
pub(crate) use token_stream::for_each_block;
pub use units::Units;
pub use vocabulary::Vocabulary;

/// A data set: training and test samples of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The source's name (`glyphs`).
    pub name: String,
    /// Training samples.
    pub train: Samples,
    /// Test samples.
    pub test: Samples,
    /// What is learned from them.
    pub task: Task,
    /// How rows of a table became the samples, where they are such.
    pub table: Option<Table>,
}
