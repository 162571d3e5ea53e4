//! What all runs of a comparison have in common.

use serde::{Deserialize, Serialize};

use crate::config::Settled;
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
    /// The accuracy that is to be reached; `None`: what the first variant ends with on average.
    pub target: Option<f64>,
}

impl Settings {
    /// Settings for runs of `steps` steps, which evaluate at least 40 times.
    ///
    /// # Errors
    /// [`Error::Argument`] for no seed, no step, or a target that is no share.
    pub fn new(seeds: u64, steps: u64, target: Option<f64>) -> Result<Self> {
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
        if let Some(target) = target.filter(|t| !(*t > 0.0 && *t <= 1.0)) {
            let help = "0.98 is 98 percent";
            return refuse(
                "target",
                target.to_string(),
                "a share above 0 and at most 1",
                help,
            );
        }
        Ok(Self {
            seeds,
            steps,
            every: (steps / LOOKS).max(1),
            target,
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
