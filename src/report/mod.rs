//! What a run leaves for people and scripts (floor 7): observers of events, charts, the page.
//!
//! A run folder holds everything: [`folder`] makes and names it, [`metrics`] appends the record of
//! every step, [`record`] writes what is known at the start and at the end, and [`write_page`]
//! turns the folder, and nothing else, into one HTML file. [`terminal`] talks to the person who
//! waits. [`chart`] is the data of a drawing; [`plot`] and [`svg`] draw it.
pub mod chart;
pub mod comparison;
pub mod curve;
pub mod folder;
pub mod listing;
pub mod metrics;
mod page;
pub mod plot;
pub mod range;
pub mod record;
mod smooth;
pub mod summary;
pub mod svg;
pub mod tensorboard;
pub mod terminal;
mod words;

pub use page::write_page;
