//! A range test for people: curves with the bounds, a page, a few lines.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::cycles;
use super::frame::{self, Parts, capital, row, table, telling_table};
use crate::draw::chart::{Chart, Look, Series, count, number};
use crate::draw::svg::{self, escape};
use crate::draw::words::{percent, quoted, things};
use crate::error::{Error, Result};
use crate::lab::find::{MOST_SWEEPS, RangeTest, Sweep, Until};
use crate::report::folder::{ABOUT, CONFIG, FOUND, PAGE, RANGE, RunFolder};

/// Loss and, where samples are classified, accuracy over the rate, each sweep a pale line behind its
/// smoothed one.
#[must_use]
pub fn charts(test: &RangeTest) -> Vec<Chart> {
    let marked =
        bounds(test).map(|bound| Some((bound.rate?, format!("{} {}", bound.name, bound.rate?))));
    let (marks, names): (Vec<f64>, Vec<String>) = marked.into_iter().flatten().unzip();
    let chart = |title: &str| Chart {
        log_x: log_scale(test),
        marks: marks.clone(),
        mark_names: names.clone(),
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
    let mut points = test.sweeps.iter().flat_map(|sweep| &sweep.points);
    match points.any(|point| point.accuracy > 0.0) {
        true => vec![loss, accuracy],
        false => vec![loss],
    }
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

/// Bounds, verdict, suggestions and what cycles came to, in lines of text.
#[must_use]
pub fn text(test: &RangeTest) -> String {
    let mut text = String::new();
    for bound in bounds(test) {
        let [rate, known] = bound.words();
        let _ = writeln!(text, "{:<9} {rate}{known}", bound.name);
        if bound.rate.is_some() {
            let _ = writeln!(text, "          {}", bound.rule);
        }
    }
    let _ = writeln!(text, "verdict   {}: {}", test.verdict.name(), test.says);
    if let Some(until) = &test.until {
        let _ = writeln!(text, "until     {}", until_words(test, until));
    }
    for (name, rate, what) in test.suggestions.named() {
        let rate = rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1e}"));
        let _ = writeln!(text, "{name:<9} {rate:<8} {what}");
    }
    if let Some(trials) = &test.trials {
        text += &cycles::trials_text(trials);
    }
    if let Some(confirmation) = &test.confirmation {
        text += &cycles::text(confirmation);
    }
    text
}

/// A bound for people.
struct Bound<'a> {
    name: &'static str,
    rate: Option<f64>,
    interval: Option<[f64; 2]>,
    rule: &'a str,
}

fn bounds(test: &RangeTest) -> [Bound<'_>; 2] {
    let [base, max] = &test.rules;
    [
        Bound {
            name: "base_lr",
            rate: test.base_lr,
            interval: test.base_lr_interval,
            rule: base,
        },
        Bound {
            name: "max_lr",
            rate: test.max_lr,
            interval: test.max_lr_interval,
            rule: max,
        },
    ]
}

impl Bound<'_> {
    /// The rate, and how well it is known.
    fn words(&self) -> [String; 2] {
        let Some(rate) = self.rate else {
            return ["-".to_owned(), String::new()];
        };
        let known = match self.interval {
            Some([low, high]) => format!(" (95 %: {low} to {high})"),
            None => " (one sweep: how well it is known cannot be said)".to_owned(),
        };
        [rate.to_string(), known]
    }
}

fn until_words(test: &RangeTest, until: &Until) -> String {
    let sweeps = things(test.sweeps.len() as u64, "sweep");
    let wanted = until.wanted;
    match until.reached {
        Some(reached) if until.is_reached() => {
            format!("{wanted}: the intervals are within a factor of {reached:.2}, after {sweeps}")
        }
        Some(reached) => {
            format!("{wanted} is not reached: {reached:.2} after {sweeps}, at most {MOST_SWEEPS}")
        }
        None => format!("{wanted} is not reached: there are no bounds"),
    }
}

/// The section of a page.
pub(super) fn section(test: &RangeTest) -> String {
    let charts = charts(test);
    let marked = match test.base_lr.and(test.max_lr) {
        Some(_) => "Dotted lines: the bounds.",
        None => "No bounds were read from it.",
    };
    let figure = |chart: &Chart, words: &str| {
        format!(
            "<figure>\n<figcaption><p>{words}</p></figcaption>\n<div class=\"panel\">{}</div>\n\
             </figure>\n",
            svg::figures(chart)
        )
    };
    let loss = format!(
        "The rate rises at every step. Pale: each batch; strong: smoothed about each step. {marked}"
    );
    let mut html = "<section id=\"range\" aria-labelledby=\"range-title\">\n<h2 \
                    id=\"range-title\">Range test</h2>\n"
        .to_owned();
    html += &bounds_table(test);
    html += &figure(&charts[0], &loss);
    if let Some(accuracy) = charts.get(1) {
        html += &figure(
            accuracy,
            "The share of each batch that is classified rightly.",
        );
    }
    html += &sweeps_table(test);
    html += &suggestions_table(test);
    html += "</section>\n";
    if let Some(trials) = &test.trials {
        html += &cycles::trials_section(trials);
    }
    if let Some(confirmation) = &test.confirmation {
        html += &cycles::section(confirmation);
    }
    html
}

fn bounds_table(test: &RangeTest) -> String {
    let mut says = format!("<p>{}.", escape(&capital(&test.says)));
    if let Some(until) = &test.until {
        let _ = write!(says, " Until {}.", escape(&until_words(test, until)));
    }
    says += "</p>\n";
    if test.base_lr.is_none() {
        return says;
    }
    let rows = bounds(test).map(|bound| {
        let [rate, _] = bound.words();
        let known = match bound.interval {
            Some([low, high]) => format!("{low} to {high}"),
            None => "-".to_owned(),
        };
        row(bound.name, &[rate, known, bound.rule.to_owned()])
    });
    says + &telling_table(
        "Bounds",
        &["bound", "rate", "95 % interval over seeds", "rule"],
        &rows.concat(),
    )
}

fn sweeps_table(test: &RangeTest) -> String {
    let cell = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), short);
    // Numbers are not told apart rightly or wrongly.
    let classified = charts(test).len() > 1;
    let rows = test.sweeps.iter().map(|sweep| {
        let bounds = sweep.bounds.as_ref();
        let best = sweep.points.iter().map(|point| point.accuracy);
        let mut cells = vec![
            count(sweep.points.len() as u64),
            cell(bounds.map(|b| b.base_lr)),
            cell(bounds.map(|b| b.max_lr)),
            cell(sweep.diverged_at),
        ];
        cells.extend(classified.then(|| percent(best.fold(0.0, f64::max))));
        row(&sweep.seed.to_string(), &cells)
    });
    let mut heads = vec![
        "seed",
        "steps",
        "base_lr",
        "max_lr by the curve",
        "diverged at",
    ];
    heads.extend(classified.then_some("best batch"));
    table("Sweeps", &heads, &rows.collect::<String>())
}

/// Two digits: a single sweep knows no more.
fn short(rate: f64) -> String {
    number(format!("{rate:.1e}").parse().unwrap_or(rate))
}

fn suggestions_table(test: &RangeTest) -> String {
    let rows = test.suggestions.named().map(|(name, rate, what)| {
        let rate = rate.map_or_else(|| "-".to_owned(), short);
        row(name, &[rate, what.to_owned()])
    });
    let heads = ["rule of fastai", "rate", "what it is, in the first sweep"];
    telling_table("Single rates", &heads, &rows.concat())
}

/// What a range test's page says about where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The data set's name.
    pub data: String,
    /// The test in words.
    pub test: String,
    /// The adapter's name.
    pub adapter: String,
    /// The table `[schedule]` between the bounds, where there are any.
    pub schedule: Option<String>,
    /// The steps of a run under it.
    #[serde(default)]
    pub steps: Option<u64>,
}

/// What to do with what was found: commands, and what they do.
#[must_use]
pub fn commands(folder: &RunFolder, about: &About) -> [(String, &'static str); 2] {
    let file = quoted(&folder.file(FOUND).display().to_string());
    // How many steps some epochs are, a schedule alone does not know.
    let steps = about.steps.map(|steps| format!(" --steps {steps}"));
    let steps = steps.unwrap_or_default();
    [
        (
            format!("wavetrain train {file}"),
            "trains between the bounds",
        ),
        (
            format!("wavetrain schedule {file}{steps} --format torch"),
            "the schedule as code for PyTorch (or keras)",
        ),
    ]
}

/// Writes `range.json`, `about.json`, `config.toml`, `found.toml` where bounds were found (`found`), and
/// `report.html` of a range test by itself; tells where the page is.
///
/// # Errors
/// [`crate::error::Error::Io`] for a file that cannot be written.
pub fn write(
    folder: &RunFolder,
    test: &RangeTest,
    about: &About,
    config: &str,
    found: Option<&str>,
) -> Result<PathBuf> {
    folder.forget_results()?;
    folder.write(CONFIG, config.as_bytes())?;
    if let Some(found) = found {
        folder.write(FOUND, found.as_bytes())?;
    }
    folder.write_json(ABOUT, about)?;
    folder.write_json(RANGE, test)?;
    page(folder, test, about, config)
}

/// Writes the page again from the folder alone.
///
/// # Errors
/// [`crate::error::Error::Io`] and [`crate::error::Error::Data`] for files that are missing or broken.
pub(super) fn write_again(folder: &RunFolder) -> Result<PathBuf> {
    let test: RangeTest = folder.read_json(RANGE)?;
    let about: About = folder.read_json(ABOUT)?;
    let config = folder.file(CONFIG);
    let text = std::fs::read_to_string(&config).map_err(Error::io(&config, "reading"))?;
    page(folder, &test, &about, &text)
}

fn page(folder: &RunFolder, test: &RangeTest, about: &About, config: &str) -> Result<PathBuf> {
    let heading = match (test.base_lr, test.max_lr) {
        (Some(base), Some(max)) => format!("{}: rates from {base} to {max}", about.data),
        _ => format!("{}: no bounds ({})", about.data, test.verdict.name()),
    };
    let lead = format!("{} on {}.", capital(&about.test), about.adapter);
    let mut sections = section(test);
    if let Some(schedule) = &about.schedule {
        sections += &to_paste(folder, about, schedule);
    }
    let page = frame::simple(&Parts {
        heading: &heading,
        lead: &lead,
        sections: &sections,
        config,
        files: RANGE,
        data: None,
    });
    folder.write(PAGE, page.as_bytes())?;
    Ok(folder.file(PAGE))
}

fn to_paste(folder: &RunFolder, about: &About, schedule: &str) -> String {
    let commands = commands(folder, about).map(|(command, what)| format!("{command}   # {what}\n"));
    format!(
        "<section id=\"paste\" aria-labelledby=\"paste-title\">\n<h2 id=\"paste-title\">To \
         paste</h2>\n<p>A click selects all of a box.</p>\n<div class=\"paste\"><pre class=\"whole\" \
         tabindex=\"0\">{}</pre></div>\n<div class=\"paste\"><pre class=\"whole\" \
         tabindex=\"0\">{}</pre></div>\n</section>\n",
        escape(schedule),
        escape(&commands.concat())
    )
}
