//! What all runs of a comparison have in common.

use serde::{Deserialize, Serialize};

use crate::config::Settled;
use crate::data::Judge;
use crate::error::{Error, Result};

/// The part of the training set that is held out where the configuration names none.
pub const VALIDATION: f64 = crate::config::HELD_OUT;
/// Evaluations of a run, at least (the steps to a target are counted in their distance).
const LOOKS: u64 = 40;

/// What all runs of a comparison have in common.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Seeds: runs of each variant; at least 1.
    pub seeds: u64,
    /// Steps of each run; at least 1.
    pub steps: u64,
    /// Steps between two evaluations of the validation set; at least 1.
    pub every: u64,
    /// What is to be reached; `None`: what the first variant ends with on average.
    pub target: Option<f64>,
    /// What the target is a value of.
    #[serde(default, skip_serializing_if = "Judge::is_accuracy")]
    pub target_of: Judge,
    /// What runs are judged by.
    #[serde(default, skip_serializing_if = "Judge::is_accuracy")]
    pub judge: Judge,
}

/// What is to be reached on the validation set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// What it is a value of.
    pub of: Judge,
    /// The value.
    pub value: f64,
}

impl Target {
    /// `0.97`, `accuracy=0.97` or `loss=1.9`.
    ///
    /// # Errors
    /// [`Error::Argument`] for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let (of, number) = match text.split_once('=') {
            Some(("loss", number)) => (Judge::Loss, number),
            Some(("accuracy", number)) => (Judge::Accuracy, number),
            _ => (Judge::Accuracy, text),
        };
        let value = number.trim().parse::<f64>().ok().filter(|v| match of {
            Judge::Accuracy => *v > 0.0 && *v <= 1.0,
            Judge::Loss => v.is_finite() && *v > 0.0,
        });
        let value = value.ok_or_else(|| Error::Argument {
            what: "target".into(),
            found: text.to_owned(),
            expected: match of {
                Judge::Accuracy => "a share above 0 and at most 1".into(),
                Judge::Loss => "a loss above 0".into(),
            },
            help: "0.98 is 98 percent; loss=1.9 is a loss".into(),
        })?;
        Ok(Self { of, value })
    }

    /// The target for people.
    #[must_use]
    pub fn describe(self) -> String {
        match self.of {
            Judge::Accuracy => format!("{:.1} %", 100.0 * self.value),
            Judge::Loss => format!("a loss of {:.3}", self.value),
        }
    }
}

impl Settings {
    /// Settings for runs of `steps` steps, which evaluate at least 40 times.
    ///
    /// # Errors
    /// [`Error::Argument`] for no seed or no step.
    pub fn new(seeds: u64, steps: u64, target: Option<Target>, judge: Judge) -> Result<Self> {
        let refuse = |what: &str, found: String, expected: &str, help: &str| {
            Err(Error::Argument {
                what: what.into(),
                found,
                expected: expected.into(),
                help: help.into(),
            })
        };
        if seeds == 0 {
            let help = "five seeds make a useful interval";
            return refuse("seeds", "0".into(), "at least 1 seed", help);
        }
        if steps == 0 {
            let help = "leave it out for the length of the configuration";
            return refuse("steps", "0".into(), "at least 1 step", help);
        }
        Ok(Self {
            seeds,
            steps,
            every: (steps / LOOKS).max(1),
            target: target.map(|target| target.value),
            target_of: target.map_or(judge, |target| target.of),
            judge,
        })
    }
}

/// Steps that suit cyclical policies: those of the run or `wanted`, less the few that do not fill a
/// whole cycle.
#[must_use]
pub fn budget(run: &Settled, wanted: Option<u64>) -> u64 {
    let steps = wanted.unwrap_or(run.total_steps);
    let halves = 2 * cycles(run, steps);
    (steps / halves * halves).max(steps.min(halves))
}

/// Half a cycle such that `steps` are a whole number of cycles: as many as the run's own schedule
/// would have, or else about one in eight epochs.
#[must_use]
pub fn half_cycle(run: &Settled, steps: u64) -> u64 {
    (steps / (2 * cycles(run, steps))).max(1)
}

fn cycles(run: &Settled, steps: u64) -> u64 {
    let own = run.schedule.period().map(|period| period.max(1) as f64);
    let period = own.unwrap_or(8.0 * run.steps_per_epoch as f64);
    ((steps as f64 / period).round() as u64).max(1)
}
