//! `report.html`: one file that shows a run, opens from disk and asks no network for anything.
//!
//! Everything comes from the run folder, and the same folder gives the same bytes. The charts are
//! static SVG; the script inside the page replaces them by ones that can be read off and zoomed.

mod augmented;
mod confusion;
mod data;
mod low_points;
mod overview;
mod run;
mod tables;

use std::path::{Path, PathBuf};

use super::folder::{PAGE, RunFolder};
use super::range;
use super::svg::{self, escape};
use crate::error::Result;

use data::Charts;
use run::Run;

const TEMPLATE: &str = include_str!("../../../assets/page/page.html");
const SIMPLE: &str = include_str!("../../../assets/page/simple.html");
const STYLE: &str = include_str!("../../../assets/page/style.css");
const SCRIPT: &str = include_str!("../../../assets/page/chart.js");

/// Writes `report.html` from the run folder alone, and tells where. A run without a summary (killed,
/// or still going on) gets a page that says so.
///
/// # Errors
/// [`crate::error::Error::Output`] if the folder is not a run, [`crate::error::Error::Data`] if one of its files is
/// broken, [`crate::error::Error::Io`] if one cannot be read or the page not be written.
pub fn write_page(folder: &Path) -> Result<PathBuf> {
    let folder = RunFolder::open(folder)?;
    let page = render(&Run::read(&folder)?);
    folder.write(PAGE, page.as_bytes())?;
    Ok(folder.file(PAGE))
}

/// What a page without a run is made of.
pub(super) struct Parts<'a> {
    pub(super) heading: &'a str,
    pub(super) lead: &'a str,
    /// HTML.
    pub(super) sections: &'a str,
    /// TOML.
    pub(super) config: &'a str,
    /// The file beside the page that holds the figures.
    pub(super) files: &'a str,
}

/// A page in the design of a run's, without script.
pub(super) fn simple(parts: &Parts<'_>) -> String {
    fill(SIMPLE, &|name| match name {
        "title" => escape(&format!("{} - wavetrain", parts.heading)),
        "style" => STYLE.into(),
        "version" => env!("CARGO_PKG_VERSION").into(),
        "heading" => escape(parts.heading),
        "lead" => escape(parts.lead),
        "sections" => parts.sections.into(),
        "config" => escape(parts.config),
        "files" => escape(parts.files),
        _ => String::new(),
    })
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
        "schedule" => escape(&run.info.schedule),
        "rate" => svg::figure(&charts.rate),
        "momentum" => svg::figure(&charts.momentum),
        "loss" => svg::figure(&charts.loss),
        "accuracy" => svg::figure(&charts.accuracy),
        "grad_norm" => charts.norm_figure(),
        "cycles" => overview::cycles(run),
        "window" => charts.window.to_string(),
        "confusion" => confusion::confusion(run),
        "mistakes" => tables::mistakes(run),
        "low_points" => low_points::section(run),
        "augmented" => augmented::section(run),
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

/// The template with each `{{name}}` replaced. What is put in is not looked at again, so no text of
/// a run can stand for another part.
fn fill(template: &str, part: &dyn Fn(&str) -> String) -> String {
    let mut page = String::with_capacity(template.len() * 4);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(before);
        page.push_str(&part(name));
        rest = after;
    }
    page.push_str(rest);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_not_looked_at_again() {
        let filled = fill("<{{a}}|{{b}}>", &|name| match name {
            "a" => "{{b}}".into(),
            _ => "x".into(),
        });
        assert_eq!(filled, "<{{b}}|x>");
    }

    #[test]
    fn style_and_script_cannot_end_their_elements() {
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</"));
        for asset in [TEMPLATE, SIMPLE, STYLE, SCRIPT] {
            let outside = asset.replace("http://www.w3.org/2000/svg", "");
            for address in ["http:", "https:", "url(h", "@import", "fetch("] {
                assert!(!outside.contains(address), "{address}");
            }
        }
    }
}
