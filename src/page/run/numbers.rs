//! What a network that predicts numbers made of the test set: predicted against true, what is left,
//! and the worst cases.

use std::fmt::Write as _;

use super::contents::Run;
use crate::draw::chart::{Chart, Look, Series, count};
use crate::draw::svg::{self, escape};
use crate::draw::words::{digits, percent};
use crate::train::NumberRecord;

/// Classes of residuals.
const BINS: usize = 24;
/// Numbers of a sample that have pictures of their own.
const PICTURES: usize = 6;

/// Predicted against true, and what is left of each number, as pictures and in figures.
pub(super) fn answers(run: &Run) -> String {
    let numbers = run.summary.as_ref().and_then(|s| s.numbers.as_ref());
    let Some(numbers) = numbers.filter(|numbers| !numbers.shown.is_empty()) else {
        return "<p class=\"soft\">The run recorded none.</p>".into();
    };
    let mut html = String::new();
    if numbers.each.len() > 1 {
        html += &table(run, numbers.each.iter().map(|e| [e.rmse, e.mae, e.r2]));
    }
    for at in 0..numbers.each.len().min(PICTURES) {
        let shown = numbers.shown.iter().filter(|record| record.number == at);
        let points: Vec<(f64, f64)> = shown.map(pair).collect();
        let name = run.class(at);
        let _ = write!(
            html,
            "<figure>\n<figcaption><h3>{} predicted against true</h3><p>{} of the test set; on the line \
             both are the same.</p></figcaption>\n<div class=\"panel\">{}</div>\n</figure>\n\
             <figure>\n<figcaption><h3>What is left of {}</h3><p>Predicted less true: how often.</p>\
             </figcaption>\n<div class=\"panel\">{}</div>\n</figure>\n",
            escape(&name),
            count(points.len() as u64),
            svg::figures(&against(&points)),
            escape(&name),
            svg::figures(&residuals(&points)),
        );
    }
    html
}

fn pair(record: &NumberRecord) -> (f64, f64) {
    (f64::from(record.wanted), f64::from(record.predicted))
}

fn against(points: &[(f64, f64)]) -> Chart {
    let values = points
        .iter()
        .flat_map(|(wanted, predicted)| [*wanted, *predicted]);
    let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| {
        (lo.min(v), hi.max(v))
    });
    let mut chart = Chart::new("predicted", "true");
    chart.series.push(
        Series::new("the same", vec![(lo, lo), (hi, hi)])
            .look(Look::Faint)
            .hue(1),
    );
    chart.with(
        Series::new("test samples", points.to_vec())
            .look(Look::Dots)
            .hue(0),
    )
}

/// How often predictions are off by how much, as an outline of bars.
fn residuals(points: &[(f64, f64)]) -> Chart {
    let off: Vec<f64> = points
        .iter()
        .map(|(wanted, predicted)| predicted - wanted)
        .collect();
    let (lo, hi) = off
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| {
            (lo.min(*v), hi.max(*v))
        });
    let width = ((hi - lo) / BINS as f64).max(f64::MIN_POSITIVE);
    let mut bins = [0_u64; BINS];
    for off in &off {
        bins[(((off - lo) / width) as usize).min(BINS - 1)] += 1;
    }
    let edge = |bin: usize| lo + width * bin as f64;
    let mut outline = vec![(edge(0), 0.0)];
    for (bin, count) in bins.iter().enumerate() {
        outline.push((edge(bin), *count as f64));
        outline.push((edge(bin + 1), *count as f64));
    }
    outline.push((edge(BINS), 0.0));
    Chart::new("test samples", "predicted less true").with(Series::new("", outline).hue(0))
}

fn table(run: &Run, each: impl Iterator<Item = [f64; 3]>) -> String {
    let mut html = head("Numbers", &["Number", "RMSE", "MAE", "R²"]);
    for (at, [rmse, mae, r2]) in each.enumerate() {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&run.class(at)),
            digits(rmse),
            digits(mae),
            percent(r2)
        );
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// The test samples whose predictions are furthest off.
pub(super) fn worst(run: &Run) -> String {
    let worst = run.summary.as_ref().and_then(|s| s.numbers.as_ref());
    let worst = worst.map_or(&[][..], |numbers| &numbers.worst);
    if worst.is_empty() {
        return "<p class=\"soft\">The run recorded none.</p>".into();
    }
    let mut html = head(
        "Worst cases",
        &["Test sample", "Number", "True", "Predicted", "Off by"],
    );
    for record in worst {
        let (wanted, predicted) = pair(record);
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            count(record.index as u64),
            escape(&run.class(record.number)),
            digits(wanted),
            digits(predicted),
            digits(predicted - wanted)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

fn head(label: &str, columns: &[&str]) -> String {
    let mut html = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table><thead><tr>"
    );
    for column in columns {
        let _ = write!(html, "<th scope=\"col\">{column}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    html
}
