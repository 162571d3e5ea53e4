//! What a page is made of: a run folder, read and checked.

use crate::error::Result;
use crate::lab::find::RangeTest;
use crate::report::folder::{METRICS, RANGE, RUN, RunFolder, SUMMARY};
use crate::report::metrics::Metrics;
use crate::report::summary::StoredSummary;
use crate::train::event::{Ended, Evaluation, RunInfo, Split};

/// Everything that a folder tells about its run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) info: RunInfo,
    pub(super) metrics: Metrics,
    /// Nothing where the run was killed, or is not over yet.
    pub(super) summary: Option<StoredSummary>,
    /// The range test before the run, where there was one.
    pub(super) range: Option<RangeTest>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ending {
    Done,
    /// An observer stopped it.
    Stopped,
    /// A person stopped it.
    Interrupted,
    /// The loss became NaN or infinite, at this step and rate where the metrics show it.
    Diverged(Option<(u64, f64)>),
    /// There is no summary.
    Unfinished,
}

impl Run {
    /// Reads the folder alone.
    pub(super) fn read(folder: &RunFolder) -> Result<Self> {
        let info = folder.read_json(RUN)?;
        let metrics = if folder.file(METRICS).exists() {
            Metrics::read(&folder.file(METRICS))?
        } else {
            Metrics::default()
        };
        let summary = if folder.file(SUMMARY).exists() {
            Some(folder.read_json(SUMMARY)?)
        } else {
            None
        };
        let range = if folder.file(RANGE).exists() {
            Some(folder.read_json(RANGE)?)
        } else {
            None
        };
        Ok(Self {
            info,
            metrics,
            summary,
            range,
        })
    }

    /// How it ended.
    pub(super) fn ending(&self) -> Ending {
        let first = self.metrics.steps.iter().find(|s| !s.is_finite());
        let diverged = first.map(|step| (step.step, step.lr));
        match self.summary.as_ref().map(|summary| summary.ended) {
            Some(Ended::Diverged) => Ending::Diverged(diverged),
            Some(Ended::Interrupted) => Ending::Interrupted,
            Some(Ended::Stopped) => Ending::Stopped,
            Some(Ended::Done) => Ending::Done,
            None if diverged.is_some() => Ending::Diverged(diverged),
            None => Ending::Unfinished,
        }
    }

    /// Number of steps done.
    pub(super) fn steps(&self) -> u64 {
        let recorded = self.metrics.steps.last().map_or(0, |step| step.step + 1);
        self.summary.as_ref().map_or(recorded, |s| s.steps)
    }

    /// The evaluations of a split, in order.
    pub(super) fn evaluations(&self, split: Split) -> impl Iterator<Item = &Evaluation> {
        let all = self.metrics.evaluations.iter();
        all.filter(move |evaluation| evaluation.split == split)
    }

    /// The last evaluation of a split.
    pub(super) fn last(&self, split: Split) -> Option<&Evaluation> {
        let mut summary = self.summary.iter().flat_map(|s| &s.evaluations);
        let last = summary.rfind(|e| e.split == split);
        last.or_else(|| self.evaluations(split).last())
    }

    /// Places where cycles ended; none where there are too many to draw.
    pub(super) fn cycle_ends(&self) -> Vec<f64> {
        match self.info.period {
            Some(period) if period > 0 && self.steps() / period <= 200 => {
                let ends = 1..=self.steps() / period;
                ends.map(|cycle| (cycle * period) as f64).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether numbers are predicted.
    pub(super) fn is_numbers(&self) -> bool {
        self.info.numbers
    }

    /// Whether each position of a sequence has a target, as in a text.
    pub(super) fn is_text(&self) -> bool {
        self.info.positions > 1
    }

    /// The name of a class, or its number where it has none.
    pub(super) fn class(&self, label: usize) -> String {
        let name = self.info.classes.get(label);
        name.cloned().unwrap_or_else(|| label.to_string())
    }

    /// Number of trained values.
    pub(super) fn parameters(&self) -> usize {
        let layers = self.info.layers.iter();
        layers.fold(0, |sum, layer| sum.saturating_add(layer.parameters))
    }
}
