//! The report room: charts, metrics file, run folder, page, terminal.

#[path = "report/charts.rs"]
mod charts;
#[path = "report/files.rs"]
mod files;
#[path = "report/fixture.rs"]
mod fixture;
#[path = "report/page.rs"]
mod page;
#[path = "report/tensorboard.rs"]
mod tensorboard;
#[path = "report/terminal.rs"]
mod terminal;
