//! What is told of a run.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{began, json, written};
use crate::error::shown;
use crate::report::folder::{RUN, SUMMARY};
use crate::report::summary::StoredSummary;
use crate::train::event::{RunInfo, Split};

/// What is told of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListedRun {
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

/// The run in a folder, and what of it cannot be shown; or why nothing can.
pub(super) fn read(folder: &Path) -> Result<(ListedRun, Option<String>), String> {
    let info: RunInfo = json(folder, RUN)?;
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
    let began = began(folder, RUN);
    let layers: Vec<&str> = info.layers.iter().map(|row| row.layer.as_str()).collect();
    let run = ListedRun {
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
        when: began.and_then(written),
    };
    Ok((run, problem))
}
