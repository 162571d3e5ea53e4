//! One rise of the rate: steps, and when to stop.

use serde::{Deserialize, Serialize};

use super::bounds::{self, SweepBounds};
use super::curve::SweepPoint;
use super::{FindProgress, RangeTestOptions, smooth};
use crate::error::Result;
use crate::schedule::{Closure, Policy, Rate};
use crate::train::{State, StepRecord, Trainer};

/// One rise of the rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// The seed of initial weights and order.
    pub seed: u64,
    /// Every step that had a finite loss.
    pub points: Vec<SweepPoint>,
    /// The rate at which the loss was no longer finite, or rose to four times its least value.
    pub diverged_at: Option<f64>,
    /// The bounds that this curve alone gives, where it gives any.
    pub bounds: Option<SweepBounds>,
}

impl Sweep {
    /// A sweep from a curve that is there already: step, rate and loss of each point. Its accuracies
    /// are 0.
    #[must_use]
    pub fn from_curve(seed: u64, curve: impl IntoIterator<Item = (u64, f64, f64)>) -> Self {
        let records = curve.into_iter().map(|(step, lr, loss)| StepRecord {
            step,
            epoch: 0,
            lr,
            momentum: 0.0,
            loss,
            accuracy: 0.0,
            grad_norm: f64::NAN,
            clip_factor: None,
        });
        let mut records: Vec<StepRecord> = records.collect();
        let diverged = divergence(&records);
        if let Some(at) = diverged {
            records.truncate(at + 1);
        }
        read(seed, &records, diverged.map(|at| records[at].lr))
    }
}

/// Steps between two looks at whether to go on.
const LOOK: u64 = 10;

/// The rising rate as a policy.
pub(super) fn policy(options: &RangeTestOptions) -> Box<dyn Policy> {
    let options = *options;
    Box::new(Closure::new("range test", move |step| {
        Rate::new(options.rate(step))
    }))
}

/// Sweep `number`, from 0. Each begins where a new trainer of its seed would, so a range test before
/// training and one by itself see the same.
pub(super) fn nth(
    trainer: &mut Trainer,
    options: &RangeTestOptions,
    before: &State,
    number: u64,
    watch: &mut dyn FnMut(FindProgress) -> Result<()>,
) -> Result<Sweep> {
    let seed = before.seed.wrapping_add(number);
    if options.keep_weights {
        trainer.restore(&State {
            seed,
            done: 0,
            ..before.clone()
        })?;
    } else {
        trainer.begin(seed, policy(options))?;
    }
    trainer.set_order_seed(before.order_seed.wrapping_add(number));
    one(trainer, options, seed, &mut |step| {
        watch(FindProgress::Sweep { number, step })
    })
}

fn one(
    trainer: &mut Trainer,
    options: &RangeTestOptions,
    seed: u64,
    watch: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Sweep> {
    let mut records: Vec<StepRecord> = Vec::new();
    let mut diverged = None;
    while (records.len() as u64) < options.steps && diverged.is_none() {
        let left = options.steps - records.len() as u64;
        let steps = left.min(LOOK);
        records.extend(trainer.advance(steps, steps as usize)?);
        watch(records.len() as u64)?;
        diverged = divergence(&records);
    }
    if let Some(at) = diverged {
        records.truncate(at + 1);
    }
    Ok(read(seed, &records, diverged.map(|at| records[at].lr)))
}

/// The curve of a sweep, smoothed, with its bounds.
fn read(seed: u64, records: &[StepRecord], diverged_at: Option<f64>) -> Sweep {
    let finite = records.iter().take_while(|record| record.is_finite());
    let finite: Vec<&StepRecord> = finite.collect();
    let losses: Vec<f64> = finite.iter().map(|record| record.loss).collect();
    let smoothed = smooth::local(&losses);
    let points = finite.iter().zip(smoothed);
    let points: Vec<SweepPoint> = points
        .map(|(record, smoothed)| SweepPoint {
            step: record.step,
            lr: record.lr,
            loss: record.loss,
            smoothed,
            // Of numbers there is none.
            accuracy: record.accuracy.max(0.0),
        })
        .collect();
    Sweep {
        seed,
        bounds: bounds::read(&points, diverged_at.is_some()),
        points,
        diverged_at,
    }
}

/// The step at which a sweep is over: the loss (or a norm to clip by) is not finite, or its mean over some steps is four
/// times the least such mean (fastai's factor) and back at where it began.
fn divergence(records: &[StepRecord]) -> Option<usize> {
    const MEAN: usize = 8;
    if let Some(bad) = records.iter().position(|r| !r.is_finite()) {
        return Some(bad);
    }
    let losses: Vec<f64> = records.iter().map(|record| record.loss).collect();
    let means = losses
        .windows(MEAN)
        .map(|w| w.iter().sum::<f64>() / MEAN as f64);
    let means: Vec<f64> = means.collect();
    let first = *means.first()?;
    let mut least = f64::INFINITY;
    means.iter().enumerate().find_map(|(i, mean)| {
        least = least.min(*mean);
        (*mean > 4.0 * least && *mean > 0.9 * first).then_some(i + MEAN - 1)
    })
}
