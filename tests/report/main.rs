//! The report room: charts, metrics file, run folder, page, terminal.

mod charts;
mod files;
mod fixture;
mod page;
mod range;
mod tensorboard;
mod terminal;
