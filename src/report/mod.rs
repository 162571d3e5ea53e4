//! What a run leaves for people and scripts: observers of events.
//!
//! A run folder holds everything: [`folder`] makes and names it, [`metrics`] appends the record of
//! every step, [`checkpoints`] keeps what it goes on from, [`record`] writes what is known at the start and at the end, [`summary`] is the end
//! as JSON. [`terminal`] talks to the person who waits, [`tensorboard`] to TensorBoard, and
//! [`listing`] is the table of all runs, comparisons and range tests.

pub mod checkpoints;
pub mod folder;
#[cfg(feature = "cli")]
pub mod listing;
pub mod metrics;
pub mod record;
pub mod summary;
pub mod tensorboard;
#[cfg(feature = "cli")]
pub mod terminal;
