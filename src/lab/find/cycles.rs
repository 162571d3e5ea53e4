//! Cycles that are trained between two rates, to see what they come to.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::lab::student::mean;
use crate::schedule::{Cycle, Triangular};
use crate::train::{State, Trainer};

/// Steps of a cycle, at least.
pub const LEAST_STEPS: u64 = 20;
/// The share of a cycle at whose batches its loss is read: its last ones, with low rates.
const END: f64 = 0.1;

/// Cycles between two rates that are a multiple of those found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Multiple {
    /// What was multiplied by.
    pub factor: f64,
    /// The low rate.
    pub base_lr: f64,
    /// The high rate.
    pub max_lr: f64,
    /// The loss at the end for each seed: the mean over the last tenth of the cycle's batches; `null`
    /// where it diverged.
    pub losses: Vec<Option<f64>>,
    /// `(loss at the end - best of all) / (first loss - best)`, of means over the seeds; `None` where
    /// one diverged, or where no cycle ends below the first loss.
    pub regret: Option<f64>,
}

impl Multiple {
    /// Cycles that diverged.
    #[must_use]
    pub fn diverged(&self) -> usize {
        self.losses.iter().filter(|loss| loss.is_none()).count()
    }

    /// The mean loss at the end; `None` where one diverged.
    #[must_use]
    pub fn loss(&self) -> Option<f64> {
        let losses: Option<Vec<f64>> = self.losses.iter().copied().collect();
        losses.map(|losses| mean(&losses))
    }

    /// How much higher its losses are than those of `other`, seed by seed; `None` where one diverged.
    pub(super) fn above(&self, other: &Self) -> Option<Vec<f64>> {
        let pairs = self.losses.iter().zip(&other.losses);
        pairs
            .map(|(own, other)| Some((*own)? - (*other)?))
            .collect()
    }
}

/// Fills in the regrets of cycles that begin at a mean loss of `first_loss`; the factor of the least loss.
pub(super) fn regrets(first_loss: f64, multiples: &mut [Multiple]) -> Option<f64> {
    let losses = multiples.iter().filter_map(|m| Some((m.factor, m.loss()?)));
    let best = losses.min_by(|a, b| a.1.total_cmp(&b.1));
    for multiple in multiples {
        multiple.regret = best.zip(multiple.loss()).and_then(|((_, best), loss)| {
            if loss == best {
                return Some(0.0);
            }
            let fall = first_loss - best;
            (fall > 0.0).then(|| (loss - best) / fall)
        });
    }
    best.map(|(factor, _)| factor)
}

/// How cycles are trained: one for each seed, from the first weights and in the order of the sweeps, so
/// that cycles are compared seed by seed.
pub(super) struct Cycles<'a> {
    pub(super) steps: u64,
    pub(super) seeds: &'a [u64],
    /// The trainer as it was.
    pub(super) before: &'a State,
    /// Whether they start from its weights, not from initial ones.
    pub(super) keep_weights: bool,
    /// The losses of all first batches.
    pub(super) firsts: Vec<f64>,
}

impl Cycles<'_> {
    /// Trains a triangular cycle for each seed; `watch` is told of each that is done.
    pub(super) fn train(
        &mut self,
        trainer: &mut Trainer,
        factor: f64,
        [base_lr, max_lr]: [f64; 2],
        watch: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Multiple> {
        let up = self.steps / 2;
        let cycle = Cycle {
            step_size_down: self.steps - up,
            ..Cycle::new(base_lr, max_lr, up)
        };
        let mut losses = Vec::new();
        for (number, seed) in (0..).zip(self.seeds) {
            let policy = Box::new(Triangular(cycle));
            if self.keep_weights {
                trainer.restore(&State {
                    seed: *seed,
                    done: 0,
                    ..self.before.clone()
                })?;
                trainer.set_schedule(policy);
            } else {
                trainer.begin(*seed, policy)?;
            }
            trainer.set_order_seed(self.before.order_seed.wrapping_add(number));
            losses.push(self.one(trainer)?);
            watch()?;
        }
        Ok(Multiple {
            factor,
            base_lr,
            max_lr,
            losses,
            regret: None,
        })
    }

    /// The loss at the end of a cycle, unless it diverges.
    fn one(&mut self, trainer: &mut Trainer) -> Result<Option<f64>> {
        const LOOK: u64 = 50;
        let mut losses = Vec::new();
        let mut finite = true;
        while (losses.len() as u64) < self.steps && finite {
            let steps = LOOK.min(self.steps - losses.len() as u64);
            let records = trainer.advance(steps, steps as usize)?;
            losses.extend(records.iter().map(|record| record.loss));
            finite = records.iter().all(|record| record.is_finite());
        }
        self.firsts.push(losses[0]);
        if !finite || trainer.weights()?.first_not_finite().is_some() {
            return Ok(None);
        }
        let last = (self.steps as f64 * END).ceil() as usize;
        Ok(Some(mean(&losses[losses.len() - last..])))
    }
}
