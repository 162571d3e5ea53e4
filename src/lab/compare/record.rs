//! What one run of a comparison gave.

use serde::{Deserialize, Serialize};

/// One evaluation of the validation set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Steps done.
    pub step: u64,
    /// Accuracy on the validation set, 0 to 1.
    pub accuracy: f64,
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
    /// The step at which the loss was no longer finite.
    pub diverged: Option<u64>,
}

impl Record {
    /// The best accuracy on the validation set.
    #[must_use]
    pub fn best(&self) -> f64 {
        let accuracies = self.curve.iter().map(|point| point.accuracy);
        accuracies.fold(0.0, f64::max)
    }

    /// The accuracy on the validation set at the end; 0 of a run that diverged.
    #[must_use]
    pub fn last(&self) -> f64 {
        match self.diverged {
            Some(_) => 0.0,
            None => self.curve.last().map_or(0.0, |point| point.accuracy),
        }
    }

    /// Steps until the validation set was first classified that well.
    #[must_use]
    pub fn steps_to(&self, target: f64) -> Option<u64> {
        let mut points = self.curve.iter();
        points
            .find(|point| point.accuracy >= target)
            .map(|point| point.step)
    }
}
