//! What all runs of a comparison have in common.

use serde::{Deserialize, Serialize};

use crate::config::Config;
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
    /// Steps between two evaluations of what is held out; at least 1.
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
            return refuse("--seeds", "0".into(), "at least 1 seed", help);
        }
        if steps == 0 {
            let help = "leave it out for the length of the configuration";
            return refuse("--budget", "0".into(), "at least 1 step", help);
        }
        if let Some(target) = target.filter(|t| !(*t > 0.0 && *t <= 1.0)) {
            let help = "0.98 is 98 percent";
            return refuse(
                "--target",
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

/// Steps that suit cyclical policies: those of the configuration or `wanted`, less the few that do
/// not fill a whole cycle. `train` counts all training samples.
///
/// # Errors
/// As [`Config::total_steps`].
pub fn budget(config: &Config, train: usize, wanted: Option<u64>) -> Result<u64> {
    let steps = wanted.map_or_else(|| config.total_steps(train), Ok)?;
    let halves = 2 * cycles(config, train, steps)?;
    Ok((steps / halves * halves).max(steps.min(halves)))
}

/// Half a cycle such that `steps` are a whole number of cycles: as many as the configuration's own
/// schedule would have, or else about one in eight epochs.
///
/// # Errors
/// As [`Config::total_steps`].
pub fn half_cycle(config: &Config, train: usize, steps: u64) -> Result<u64> {
    Ok((steps / (2 * cycles(config, train, steps)?)).max(1))
}

fn cycles(config: &Config, train: usize, steps: u64) -> Result<u64> {
    let own = config.schedule.period().map(|period| period.max(1) as f64);
    let period = match own {
        Some(period) => period,
        None => 8.0 * config.steps_per_epoch(train)? as f64,
    };
    Ok(((steps as f64 / period).round() as u64).max(1))
}
