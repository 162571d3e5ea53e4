//! The runs in a folder, a line each.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Serialize;

use super::folder::{RANGE, RUN, SUMMARY};
use super::summary::StoredSummary;
use crate::draw::chart::count;
use crate::draw::words::{digits, percent, things};
use crate::error::{Error, Result, shown};
use crate::train::event::{RunInfo, Split};

/// What is told of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// Its folder.
    #[serde(serialize_with = "shown::path")]
    pub run: PathBuf,
    /// The data set's name.
    pub data: String,
    /// The layers as a person would write them, one after the other.
    pub model: String,
    /// Number of layers.
    pub layers: usize,
    /// Number of trained values.
    pub parameters: usize,
    /// The schedule in one line.
    pub schedule: String,
    /// Steps done; of a run without an end, the steps that were planned.
    pub steps: u64,
    /// `done`, `stopped`, `interrupted`, `diverged`, or `unfinished` where there is no summary.
    pub ended: String,
    /// Accuracy on the test set at the end.
    pub test_accuracy: Option<f64>,
    /// Accuracy on the validation set at the end.
    pub validation_accuracy: Option<f64>,
    /// Root of the mean squared error on the test set at the end, where numbers are predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_rmse: Option<f64>,
    /// The same on the validation set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_rmse: Option<f64>,
    /// Seconds from the first step to the last.
    pub seconds: Option<f64>,
    /// When the run began, in seconds since 1970 (the time of its `run.json`).
    pub began: Option<u64>,
    /// The same time as people write it, in UTC (`2026-11-27T12:04:11Z`).
    pub when: Option<String>,
}

/// The runs in a folder, and what is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listing {
    /// The runs, by the time at which they began.
    pub runs: Vec<Listed>,
    /// Folders that are not shown, or not in full, by name, and why.
    pub left_out: Vec<(PathBuf, String)>,
}

/// The runs right within `folder`; files beside them and hidden folders are nobody's loss.
///
/// # Errors
/// [`Error::Output`] if the folder cannot be read.
pub fn list(folder: &Path) -> Result<Listing> {
    let unreadable = |error: std::io::Error| Error::Output {
        path: folder.to_owned(),
        problem: format!("cannot be read ({error})"),
        help: "name a folder of runs; `wavetrain train` makes them under runs/".into(),
    };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut listing = Listing::default();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default();
        if name.as_encoded_bytes().starts_with(b".") || !path.is_dir() {
            continue;
        }
        match read(&path) {
            Ok((run, problem)) => {
                listing.runs.push(run);
                listing
                    .left_out
                    .extend(problem.map(|problem| (path, problem)));
            }
            Err(problem) => listing.left_out.push((path, problem)),
        }
    }
    let runs = &mut listing.runs;
    runs.sort_by(|a, b| (a.began, &a.run).cmp(&(b.began, &b.run)));
    listing.left_out.sort();
    Ok(listing)
}

/// The file as JSON; what is wrong with it is a sentence.
fn json<T: serde::de::DeserializeOwned>(folder: &Path, name: &str) -> Result<T, String> {
    let bytes = fs::read(folder.join(name))
        .map_err(|error| format!("its {name} cannot be read: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("its {name} is broken: {error}"))
}

/// The run in a folder, and what of it cannot be shown; or why there is none.
fn read(folder: &Path) -> Result<(Listed, Option<String>), String> {
    let file = folder.join(RUN);
    if !file.exists() {
        return Err(match folder.join(RANGE).exists() {
            true => "is a range test, whose page is its report.html".to_owned(),
            false => format!("is no run: it holds no {RUN}"),
        });
    }
    let info: RunInfo = json(folder, RUN)?;
    let began = fs::metadata(&file).and_then(|about| about.modified()).ok();
    let began = began.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    let summary = folder
        .join(SUMMARY)
        .exists()
        .then(|| json::<StoredSummary>(folder, SUMMARY));
    let (summary, problem) = match summary.transpose() {
        Ok(summary) => (summary, None),
        Err(problem) => (None, Some(problem)),
    };
    let last = |split: Split| {
        let evaluations = &summary.as_ref()?.evaluations;
        evaluations.iter().rfind(|e| e.split == split)
    };
    let accuracy = |split: Split| Some(last(split)?.accuracy).filter(|share| !share.is_nan());
    let rmse = |split: Split| Some(last(split)?.errors?.rmse);
    let began = began.map(|time| time.as_secs());
    let layers: Vec<&str> = info.layers.iter().map(|row| row.layer.as_str()).collect();
    let run = Listed {
        run: folder.to_owned(),
        data: info.data,
        model: layers.join(", "),
        layers: layers.len(),
        parameters: info
            .layers
            .iter()
            .fold(0, |sum, row| sum.saturating_add(row.parameters)),
        schedule: info.schedule,
        steps: summary
            .as_ref()
            .map_or(info.total_steps, |summary| summary.steps),
        ended: summary
            .as_ref()
            .map_or("unfinished", |summary| summary.ended.name())
            .into(),
        test_accuracy: accuracy(Split::Test),
        validation_accuracy: accuracy(Split::Validation),
        test_rmse: rmse(Split::Test),
        validation_rmse: rmse(Split::Validation),
        seconds: summary.as_ref().map(|summary| summary.seconds),
        began,
        when: began.and_then(time).map(|time| time.to_string()),
    };
    Ok((run, problem))
}

/// A time in seconds since 1970; `None` for one beyond the calendar.
fn time(seconds: u64) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
}

/// The runs as a table of text.
#[must_use]
pub fn text(runs: &[Listed]) -> String {
    let figure = |share: Option<f64>, rmse: Option<f64>| match (share, rmse) {
        (Some(share), _) => percent(share),
        (None, Some(rmse)) => format!("RMSE {}", digits(rmse)),
        (None, None) => "-".into(),
    };
    let head = [
        "run",
        "when (UTC)",
        "data",
        "model",
        "steps",
        "ended",
        "test",
        "held out",
        "schedule",
    ]
    .map(String::from);
    let rows = runs.iter().map(|run| {
        [
            run.run.display().to_string(),
            run.began.and_then(time).map_or_else(
                || "-".into(),
                |time| time.strftime("%Y-%m-%d %H:%M").to_string(),
            ),
            run.data.clone(),
            format!(
                "{}, {}",
                things(run.layers as u64, "layer"),
                count(run.parameters as u64)
            ),
            run.steps.to_string(),
            run.ended.clone(),
            figure(run.test_accuracy, run.test_rmse),
            figure(run.validation_accuracy, run.validation_rmse),
            run.schedule.clone(),
        ]
    });
    let rows: Vec<[String; 9]> = std::iter::once(head).chain(rows).collect();
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..9).map(|column| wide(column).unwrap_or(0)).collect();
    let line = |row: &[String; 9]| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells.map(|(cell, wide)| format!("{cell:<wide$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
