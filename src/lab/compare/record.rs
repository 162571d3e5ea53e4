//! What one run of a comparison gave.

use serde::{Deserialize, Serialize};

use super::settings::{Settings, Target};
use super::{Arm, Scores};
use crate::data::Judge;

/// One evaluation of the validation set along the way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Steps done.
    pub step: u64,
    /// Accuracy on the validation set, 0 to 1.
    pub accuracy: f64,
    /// Mean loss on the validation set.
    pub loss: f64,
}

impl Point {
    /// What runs are judged by.
    #[must_use]
    pub fn score(&self, judge: Judge) -> f64 {
        judge.score(self.loss, self.accuracy)
    }
}

/// What one run gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The variant, by its name.
    pub variant: String,
    /// Its steps.
    pub steps: u64,
    /// The seed, counted from 0.
    pub seed_number: u64,
    /// The mark of what was trained ([`super::Arm::mark`]).
    pub trained: String,
    /// Evaluations of the validation set along the way; ends where the run diverged.
    pub curve: Vec<Point>,
    /// What runs are judged by, on the test set at the end; that of chance for a run that diverged.
    pub test: f64,
    /// The same for each test sample; none for a run that diverged.
    pub samples: Scores,
    /// The step at which loss or weights were no longer finite.
    pub diverged: Option<u64>,
    /// Where it ran: the host, and the adapter with its driver.
    pub host: String,
    /// The adapter, with its driver.
    pub adapter: String,
    /// Seconds of all, evaluations included.
    pub seconds: f64,
    /// Seconds of evaluations along the way.
    pub evaluating: f64,
}

impl Record {
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

    /// What does not fit the run that it is said to be of; found and expected.
    #[must_use]
    pub fn misfit(&self, arm: &Arm, seed_number: u64, settings: &Settings) -> Option<String> {
        let is = (self.variant.as_str(), self.steps, self.seed_number);
        let expected = (arm.name.as_str(), arm.steps, seed_number);
        if is != expected {
            let words = |(name, steps, seed): (&str, u64, u64)| {
                format!("{name}, {steps} steps, seed {}", seed + 1)
            };
            return Some(format!(
                "is the run of {}; expected {}",
                words(is),
                words(expected)
            ));
        }
        if self.trained != arm.mark() {
            return Some("is a run of another configuration, of other samples or of another version of the program".into());
        }
        self.unsound(settings)
    }

    /// Figures that no run of a comparison with these settings gives.
    #[must_use]
    pub fn unsound(&self, settings: &Settings) -> Option<String> {
        let judge = settings.judge;
        let possible = |score: f64, accuracy: bool| match accuracy {
            true => (0.0..=1.0).contains(&score),
            false => score.is_finite() && score >= 0.0,
        };
        let scores = self.samples.values();
        let wrong = scores
            .iter()
            .find(|score| !(score.is_finite() && **score >= 0.0));
        if !possible(self.test, judge == Judge::Accuracy) || wrong.is_some() {
            let found = wrong.map_or(self.test, |score| f64::from(*score));
            return Some(format!(
                "has the {} {found}, which no run gives",
                judge.name()
            ));
        }
        let point = self.curve.iter().find(|point| {
            !possible(point.accuracy, true)
                || !possible(point.loss, false)
                || point.step > self.steps
        });
        if let Some(point) = point {
            return Some(format!(
                "has an evaluation that no run gives: accuracy {}, loss {} at step {}",
                point.accuracy, point.loss, point.step
            ));
        }
        if ![self.seconds, self.evaluating]
            .iter()
            .all(|s| possible(*s, false))
        {
            return Some(format!("took {} seconds, which no run does", self.seconds));
        }
        let expected = match self.diverged {
            None => settings.samples,
            Some(_) => 0,
        };
        if scores.len() != expected {
            return Some(format!(
                "has the scores of {} test samples; expected {expected}",
                scores.len()
            ));
        }
        // The engine adds in f32, in another order.
        let apart = (self.samples.mean() - self.test).abs();
        (self.diverged.is_none() && apart > 1e-4 * (1.0 + self.test)).then(|| {
            format!(
                "says {} {}, and its test samples {}",
                judge.name(),
                self.test,
                self.samples.mean()
            )
        })
    }
}
