//! The page of a run: one file that opens from disk and asks no network for anything.
//!
//! Everything comes from the run folder, and the same folder gives the same bytes. The charts are
//! static SVG; the script inside the page replaces them by ones that can be read off and zoomed.

mod augmented;
mod classes;
mod confusion;
mod contents;
mod data;
mod low_points;
mod numbers;
mod overview;
mod tables;
mod texts;

use std::path::{Path, PathBuf};

use super::frame::{SCRIPT, STYLE, TEMPLATE, fill};
use super::{comparison, range};
use crate::draw::svg::{self, escape};
use crate::draw::words::shortened;
use crate::error::Result;
use crate::report::folder::{PAGE, RunFolder};
use crate::train::event::{Event, Flow, Observer};

use contents::Run;
use data::Charts;

/// Writes `report.html` from the folder of a run, of a range test or of a comparison alone, and tells where. A run
/// without a summary (killed, or still going on) gets a page that says so.
///
/// # Errors
/// [`crate::error::Error::Output`] if the folder is none of these, or a comparison of which nothing was judged, [`crate::error::Error::Data`] if one of its files is
/// broken, [`crate::error::Error::Io`] if one cannot be read or the page not be written.
pub fn write_page(folder: &Path) -> Result<PathBuf> {
    if let Some(folder) = RunFolder::open_range(folder) {
        return range::write_again(&folder);
    }
    match RunFolder::open_comparison(folder) {
        Some(folder) => comparison::write_again(&folder),
        None => write(&RunFolder::open(folder)?),
    }
}

fn write(folder: &RunFolder) -> Result<PathBuf> {
    let page = render(&Run::read(folder)?);
    folder.write(PAGE, page.as_bytes())?;
    Ok(folder.file(PAGE))
}

/// Writes the page of a run when it is over. It stands behind the [`crate::report::record::Recorder`],
/// from whose files the page is made.
#[derive(Debug)]
pub struct PageWriter {
    folder: RunFolder,
}

impl PageWriter {
    /// A writer of the page of this run.
    #[must_use]
    pub fn new(folder: RunFolder) -> Self {
        Self { folder }
    }
}

impl Observer for PageWriter {
    fn on(&mut self, event: &Event<'_>) -> Result<Flow> {
        if let Event::Finished(_) = event {
            write(&self.folder)?;
        }
        Ok(Flow::Continue)
    }
}

/// The page as text.
fn render(run: &Run) -> String {
    let charts = Charts::new(run);
    let heading = overview::heading(run);
    fill(TEMPLATE, &|name| match name {
        "title" => escape(&format!("{heading} - wavetrain")),
        "style" => STYLE.into(),
        "version" => escape(&run.info.version),
        "heading" => escape(&heading),
        "lead" => overview::lead(run),
        "banner" => overview::banner(run),
        "tiles" => overview::tiles(run, charts.last_loss()),
        "schedule" => escape(&shortened(&run.info.schedule)),
        "rate" => svg::figure(&charts.rate),
        "momentum" => svg::figure(&charts.momentum),
        "loss" => svg::figure(&charts.loss),
        "accuracy" => svg::figure(&charts.accuracy),
        "error" => charts.error_figure(),
        "grad_norm" => charts.norm_figures(),
        "cycles" => overview::cycles(run),
        "window" => charts.window.to_string(),
        "share" if run.is_numbers() => "Variance explained".into(),
        "share" => "Accuracy".into(),
        "accuracy_of" if run.is_numbers() => {
            "R², the share of the numbers' variance that predictions explain".into()
        }
        "accuracy_of" if run.is_text() => {
            "Share of positions whose symbol was predicted correctly".into()
        }
        "accuracy_of" => "Share of samples classified correctly".into(),
        "answers_short" if run.is_numbers() => "Predictions".into(),
        "answers_title" if run.is_numbers() => "Predicted against true".into(),
        "answers" if run.is_numbers() => numbers::answers(run),
        "mistakes_short" if run.is_numbers() => "Worst cases".into(),
        "mistakes_title" if run.is_numbers() => "Worst cases".into(),
        "mistakes" if run.is_numbers() => numbers::worst(run),
        "answers_short" if run.is_text() => "Texts".into(),
        "answers_short" => "Confusion".into(),
        "answers_title" if run.is_text() => "What the network wrote".into(),
        "answers_title" => "Confusion matrix".into(),
        "answers" if run.is_text() => texts::texts(run),
        "answers" => confusion::confusion(run) + &classes::scores(run),
        "mistakes_short" if run.is_text() => "Symbols".into(),
        "mistakes_short" => "Mistakes".into(),
        "mistakes_title" if run.is_text() => "Symbols predicted worst".into(),
        "mistakes_title" => "Worst mistakes".into(),
        "mistakes" if run.is_text() => texts::symbols(run),
        "mistakes" => tables::mistakes(run),
        "low_points" => low_points::section(run),
        "augmented" => augmented::section(run),
        "range_link" if run.range.is_some() => "<a href=\"#range\">Range test</a> ".into(),
        "range" => run.range.as_ref().map(range::section).unwrap_or_default(),
        "layers" => tables::layers(run),
        "facts" => tables::facts(run),
        "values" => tables::values(run),
        "config" => escape(&run.info.config),
        "data" => charts.json(run),
        "script" => SCRIPT.into(),
        _ => String::new(),
    })
}
