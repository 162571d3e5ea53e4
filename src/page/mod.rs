//! Pages: `report.html` of a run, of a range test and of a comparison, each one file
//! that opens from disk, and the schedule as a curve.
//!
//! [`write_page`] turns a run's folder, and nothing else, into its page; [`range`] and [`comparison`] do
//! so for what the laboratory found. What they share is `frame`.

pub mod comparison;
pub mod curve;
mod cycles;
mod frame;
mod live;
pub mod range;
mod run;

pub use run::{PageWriter, write_page};
