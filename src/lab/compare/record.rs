//! What one run of a comparison gave.

use serde::{Deserialize, Serialize};

use super::Target;
use crate::data::Judge;

/// One evaluation of the validation set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Steps done.
    pub step: u64,
    /// Accuracy on the validation set, 0 to 1.
    pub accuracy: f64,
    /// Mean loss on the validation set, where that is what runs are judged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
}

impl Point {
    /// What runs are judged by.
    #[must_use]
    pub fn score(&self, judge: Judge) -> f64 {
        judge.score(self.loss.unwrap_or(f64::NAN), self.accuracy)
    }
}

/// What one run gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The variant, by its position.
    pub variant: usize,
    /// The seed, counted from 0.
    pub seed_number: u64,
    /// Accuracy on the validation set along the way; ends where the run diverged.
    pub curve: Vec<Point>,
    /// Accuracy on the test set at the end; chance (1 / classes) for a run that diverged.
    pub test: f64,
    /// Mean loss on the test set at the end, where that is what runs are judged by; that of chance
    /// (ln classes) for a run that diverged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_loss: Option<f64>,
    /// The step at which the loss was no longer finite.
    pub diverged: Option<u64>,
}

impl Record {
    /// The score on the test set at the end.
    #[must_use]
    pub fn test(&self, judge: Judge) -> f64 {
        judge.score(self.test_loss.unwrap_or(f64::NAN), self.test)
    }

    /// The best score on the validation set.
    #[must_use]
    pub fn best(&self, judge: Judge) -> f64 {
        judge.best(self.curve.iter().map(|point| point.score(judge)))
    }

    /// The score on the validation set at the end; the worst one of a run that diverged.
    #[must_use]
    pub fn last(&self, judge: Judge) -> f64 {
        let last = self.curve.last().filter(|_| self.diverged.is_none());
        last.map_or(judge.best(std::iter::empty()), |point| point.score(judge))
    }

    /// Steps until the score on the validation set was first as good as the target.
    #[must_use]
    pub fn steps_to(&self, target: Target) -> Option<u64> {
        let mut points = self.curve.iter();
        points
            .find(|point| target.of.reaches(point.score(target.of), target.value))
            .map(|point| point.step)
    }
}
