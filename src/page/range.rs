//! A range test for people: curves with the bounds, a page, a few lines.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::frame::{self, Parts};
use crate::draw::chart::{Chart, Look, Series, count, number};
use crate::draw::svg::{self, escape};
use crate::draw::words::percent;
use crate::error::Result;
use crate::lab::find::{RangeTest, Sweep};
use crate::report::folder::{PAGE, RANGE, RunFolder};

/// Loss and accuracy over the rate, each sweep a pale line behind its smoothed one.
#[must_use]
pub fn charts(test: &RangeTest) -> Vec<Chart> {
    let marks: Vec<f64> = test.base_lr.into_iter().chain(test.max_lr).collect();
    let chart = |title: &str| Chart {
        log_x: log_scale(test),
        marks: marks.clone(),
        ..Chart::new(title, "learning rate")
    };
    let mut loss = chart("Training loss");
    let mut accuracy = chart("Accuracy of each batch");
    for (hue, sweep) in test.sweeps.iter().enumerate() {
        let name = format!("seed {}", sweep.seed);
        let top = highest(sweep);
        let over = |of: fn(&crate::lab::find::SweepPoint) -> f64| -> Vec<(f64, f64)> {
            let points = sweep.points.iter();
            points.map(|point| (point.lr, of(point).min(top))).collect()
        };
        // Without a name: the legend shows the strong lines.
        let raw = Series::new("", over(|p| p.loss));
        loss = loss.with(raw.look(Look::Faint).hue(hue));
        loss = loss.with(Series::new(name.clone(), over(|p| p.smoothed)).hue(hue));
        accuracy = accuracy.with(Series::new(name, over(|p| p.accuracy)).hue(hue));
    }
    vec![loss, accuracy]
}

/// What explodes is cut off: a loss of 10^30 would leave nothing else to see.
fn highest(sweep: &Sweep) -> f64 {
    let first = sweep.points.iter().take(5).map(|point| point.loss);
    2.0 * first.fold(0.5, f64::max)
}

fn log_scale(test: &RangeTest) -> bool {
    let rates = test.sweeps.iter().flat_map(|sweep| &sweep.points);
    let mut rates = rates.map(|point| point.lr);
    let (Some(a), Some(b), Some(c)) = (rates.next(), rates.next(), rates.next()) else {
        return false;
    };
    // Equal steps leave two equal differences.
    ((c - b) - (b - a)).abs() > 1e-3 * (b - a)
}

/// Bounds, verdict and suggestions in lines of text.
#[must_use]
pub fn text(test: &RangeTest) -> String {
    let mut text = match (test.base_lr, test.max_lr) {
        (Some(base), Some(max)) => format!("base_lr   {base}\nmax_lr    {max}\n"),
        _ => "base_lr   -\nmax_lr    -\n".to_owned(),
    };
    let _ = writeln!(text, "verdict   {}: {}", test.verdict.name(), test.says);
    for (name, rate) in suggestions(test) {
        let rate = rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.3e}"));
        let _ = writeln!(text, "{name:<9} {rate}");
    }
    text
}

fn suggestions(test: &RangeTest) -> [(&'static str, Option<f64>); 4] {
    let found = &test.suggestions;
    [
        ("valley", found.valley),
        ("steep", found.steep),
        ("minimum", found.minimum),
        ("slide", found.slide),
    ]
}

/// The section of a page.
pub(super) fn section(test: &RangeTest) -> String {
    let charts = charts(test);
    let marked = match (test.base_lr, test.max_lr) {
        (Some(base), Some(max)) => format!("Dotted lines: base_lr {base} and max_lr {max}."),
        _ => "No bounds were read from it.".to_owned(),
    };
    let mut html = format!(
        "<section id=\"range\" aria-labelledby=\"range-title\">\n<h2 id=\"range-title\">Range \
         test</h2>\n<figure>\n<figcaption><h3>Training loss over the rate</h3><p>The rate rises at \
         every step. Pale: each batch; strong: smoothed about each step. {marked}</p></figcaption>\n\
         <div class=\"panel\">{}</div>\n</figure>\n<figure>\n<figcaption><h3>Accuracy of each \
         batch</h3></figcaption>\n<div class=\"panel\">{}</div>\n</figure>\n",
        svg::figure(&charts[0]),
        svg::figure(&charts[1])
    );
    html += &table(test);
    html += "</section>";
    html
}

fn table(test: &RangeTest) -> String {
    let cell = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), number);
    let mut rows = String::new();
    for sweep in &test.sweeps {
        let bounds = sweep.bounds.as_ref();
        let best = sweep.points.iter().map(|point| point.accuracy);
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            sweep.seed,
            count(sweep.points.len() as u64),
            cell(bounds.map(|b| b.base_lr)),
            cell(bounds.map(|b| b.max_lr)),
            cell(sweep.diverged_at),
            percent(best.fold(0.0, f64::max)),
        );
    }
    let singles = suggestions(test).map(|(name, rate)| format!("{name} {}", cell(rate)));
    format!(
        "<p>{}. {}. {}.</p>\n<p class=\"soft\">Single rates by fastai's rules, for the first \
         sweep: {}.</p>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" \
         aria-label=\"Sweeps\"><table>\n<thead><tr><th scope=\"col\">seed</th><th \
         scope=\"col\">steps</th><th scope=\"col\">base_lr</th><th scope=\"col\">max_lr</th><th \
         scope=\"col\">diverged at</th><th scope=\"col\">best batch</th></tr></thead>\n<tbody>\n\
         {rows}</tbody></table></div>\n",
        escape(&capital(&test.says)),
        escape(&test.rules[0]),
        escape(&test.rules[1]),
        singles.join(", ")
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// What a range test's page says about where it comes from.
#[derive(Debug, Clone)]
pub struct About {
    /// The data set's name.
    pub data: String,
    /// The test in words.
    pub test: String,
    /// The adapter's name.
    pub adapter: String,
    /// The configuration, as TOML.
    pub config: String,
}

/// Writes `range.json` and `report.html` of a range test by itself; tells where the page is.
///
/// # Errors
/// [`crate::error::Error::Io`] for a file that cannot be written.
pub fn write(folder: &RunFolder, test: &RangeTest, about: &About) -> Result<PathBuf> {
    folder.write_json(RANGE, test)?;
    let heading = match (test.base_lr, test.max_lr) {
        (Some(base), Some(max)) => format!("{}: rates from {base} to {max}", about.data),
        _ => format!("{}: no bounds ({})", about.data, test.verdict.name()),
    };
    let lead = format!("{} on {}.", capital(&about.test), about.adapter);
    let page = frame::simple(&Parts {
        heading: &heading,
        lead: &lead,
        sections: &section(test),
        config: &about.config,
        files: RANGE,
    });
    folder.write(PAGE, page.as_bytes())?;
    Ok(folder.file(PAGE))
}
