//! Evaluations along the way: as often as costs a quarter of the time at most.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Arm;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::train::{Split, Trainer};

/// Steps of a submission, at most: short on every adapter for the nets that are compared.
pub(super) const CHUNK: usize = 8;
/// The time of evaluations as a share of the time of the steps: what is aimed at, so that a quarter of all
/// is not reached even where the clock is off by a factor of two.
const SHARE: f64 = 0.12;
/// Evaluations of a run: as many as a curve needs; and fewer samples than this say little.
const LOOKS: u64 = 40;
const SAMPLES: usize = 256;
/// Steps that are timed, as often as this; evaluations are timed at the fewest samples.
const STEPS: u64 = 8;
const TIMES: usize = 3;
/// Trainers that are timed.
const TRAINERS: usize = 4;

/// How runs are evaluated along the way; what reads evaluations has its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Along {
    /// Samples of the validation set, always the same ones.
    pub samples: usize,
    /// For each length the steps between two evaluations.
    pub every: Vec<u64>,
}

/// What steps and evaluations take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// A step, of the slowest.
    pub step: f64,
    /// An evaluated sample, of the slowest.
    pub sample: f64,
    /// Samples that can be evaluated in the time of a step, of those that can the fewest.
    pub samples_per_step: f64,
}

impl Pace {
    /// Times a few steps and evaluations of each kind of trainer that the arms need.
    ///
    /// # Errors
    /// A device that fails.
    pub fn measure(arms: &[Arm], gpu: &std::sync::Arc<Gpu>) -> Result<Self> {
        let mut seen = Vec::new();
        let mut slowest = Self {
            step: 0.0,
            sample: 0.0,
            samples_per_step: f64::INFINITY,
        };
        for arm in arms.iter().filter(|arm| arm.same_as.is_none()) {
            let bench = arm.bench();
            if seen.contains(&bench) || seen.len() == TRAINERS {
                continue;
            }
            seen.push(bench);
            let pace = Self::of(&mut arm.trainer(gpu)?)?;
            slowest.step = slowest.step.max(pace.step);
            slowest.sample = slowest.sample.max(pace.sample);
            let least = slowest.samples_per_step.min(pace.samples_per_step);
            slowest.samples_per_step = least;
        }
        Ok(slowest)
    }

    fn of(trainer: &mut Trainer) -> Result<Self> {
        // The first time caches are cold.
        trainer.advance(STEPS, CHUNK)?;
        trainer.measure_some(Split::Validation, SAMPLES)?;
        let (mut steps, mut evaluation) = (f64::INFINITY, 0.0_f64);
        for _ in 0..TIMES {
            let begun = Instant::now();
            trainer.advance(STEPS, CHUNK)?;
            steps = steps.min(begun.elapsed().as_secs_f64());
            let begun = Instant::now();
            trainer.measure_some(Split::Validation, SAMPLES)?;
            evaluation = evaluation.max(begun.elapsed().as_secs_f64());
        }
        let evaluated = match trainer.network().carries() {
            true => trainer.info().samples[1],
            false => SAMPLES.min(trainer.info().samples[1]),
        };
        let (step, sample) = (steps / STEPS as f64, evaluation / evaluated.max(1) as f64);
        Ok(Self {
            step,
            sample,
            samples_per_step: step / sample.max(1e-12),
        })
    }

    /// The seconds of the longest run, evaluations and test set included.
    #[must_use]
    pub fn run(&self, budgets: &[u64], test: usize) -> f64 {
        let steps = budgets.last().copied().unwrap_or(1) as f64;
        steps * self.step * (1.0 + SHARE) + test as f64 * self.sample
    }
}

impl Along {
    /// Evaluations of `validation` samples at most, for runs of these lengths; with `whole` of all of them,
    /// where samples go on from each other.
    #[must_use]
    pub fn new(pace: Pace, budgets: &[u64], validation: usize, whole: bool) -> Self {
        let affordable = |steps: u64| SHARE * pace.samples_per_step * steps as f64;
        let least = affordable(budgets.first().copied().unwrap_or(1)) / (LOOKS / 2) as f64;
        let samples = match whole {
            true => validation,
            false => (least as usize).max(SAMPLES).min(validation),
        };
        let samples = samples.max(1);
        let every = budgets.iter().map(|steps| {
            let looks = (affordable(*steps) / samples as f64) as u64;
            steps.div_ceil(looks.clamp(1, LOOKS)).max(1)
        });
        Self {
            samples,
            every: every.collect(),
        }
    }
}
