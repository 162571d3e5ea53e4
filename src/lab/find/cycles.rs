//! Cycles that are trained between two rates, to see what they come to.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::lab::student::mean;
use crate::schedule::{Cycle, Triangular};
use crate::train::{State, Trainer};

/// Steps of a cycle, at least.
pub const LEAST_STEPS: u64 = 20;
/// A cycle that ends so much higher than another one of its seed, as a share of that one's fall, is clearly
/// worse.
const CLEARLY: f64 = 0.1;
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
    /// where it diverged. Fewer than there are seeds where the first ones told enough.
    pub losses: Vec<Option<f64>>,
    /// `(loss at the end - best of all) / (first loss - best)`, of means over its seeds; `None` where
    /// one diverged, or where no cycle ends below the first loss.
    pub regret: Option<f64>,
}

impl Multiple {
    /// One that was not trained yet, between two rates.
    pub(super) fn new(factor: f64, [base_lr, max_lr]: [f64; 2]) -> Self {
        Self {
            factor,
            base_lr,
            max_lr,
            losses: Vec::new(),
            regret: None,
        }
    }

    /// Whether its first cycle, which began at a loss of `first`, needs no other seed beside it to be held
    /// for worse than `other`.
    pub(super) fn is_clearly_above(&self, other: &Self, first: f64) -> bool {
        let [own, other] = [self, other].map(|multiple| multiple.losses.first().copied().flatten());
        is_clearly_above(first, own, other)
    }

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

/// Fills in the regrets of cycles that begin at a mean loss of `first_loss`; the factor of the least loss
/// among those that were trained with every seed.
pub(super) fn regrets(first_loss: f64, multiples: &mut [Multiple]) -> Option<f64> {
    let seeds = multiples.iter().map(|m| m.losses.len()).max();
    let whole = multiples.iter().filter(|m| Some(m.losses.len()) == seeds);
    let best = whole
        .filter_map(|multiple| Some((multiple, multiple.loss()?)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let best = best.map(|(multiple, loss)| (multiple.clone(), loss));
    for multiple in multiples {
        multiple.regret = best.as_ref().and_then(|(best, loss)| {
            let above = mean(&multiple.above(best)?);
            let fall = first_loss - loss;
            (above == 0.0)
                .then_some(0.0)
                .or((fall > 0.0).then(|| above / fall))
        });
    }
    best.map(|(best, _)| best.factor)
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
    /// The loss of the first batch of each seed that was trained.
    pub(super) firsts: Vec<f64>,
}

impl Cycles<'_> {
    /// Trains the triangular cycles that a multiple lacks of its first `seeds` seeds, unless one diverges or,
    /// where there is an `other`, ends clearly worse than that of its seed; `watch` is told of each.
    pub(super) fn train(
        &mut self,
        trainer: &mut Trainer,
        multiple: &mut Multiple,
        (seeds, other): (usize, Option<&Multiple>),
        watch: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let up = self.steps / 2;
        let cycle = Cycle {
            step_size_down: self.steps - up,
            ..Cycle::new(multiple.base_lr, multiple.max_lr, up)
        };
        let numbered = (0..).zip(self.seeds).take(seeds);
        for (number, seed) in numbered.skip(multiple.losses.len()) {
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
            let (first, loss) = self.one(trainer)?;
            let at = multiple.losses.len();
            if self.firsts.len() == at {
                self.firsts.push(first);
            }
            multiple.losses.push(loss);
            watch()?;
            let known = other.and_then(|other| other.losses.get(at).copied().flatten());
            if other.is_some() && (loss.is_none() || is_clearly_above(first, loss, known)) {
                break;
            }
        }
        Ok(())
    }

    /// The loss of the first batch of a cycle, and that at its end, unless it diverges.
    fn one(&self, trainer: &mut Trainer) -> Result<(f64, Option<f64>)> {
        const LOOK: u64 = 50;
        let mut losses = Vec::new();
        let mut finite = true;
        while (losses.len() as u64) < self.steps && finite {
            let steps = LOOK.min(self.steps - losses.len() as u64);
            let records = trainer.advance(steps, steps as usize)?;
            losses.extend(records.iter().map(|record| record.loss));
            finite = records.iter().all(|record| record.is_finite());
        }
        let first = losses[0];
        if !finite || trainer.weights()?.first_not_finite().is_some() {
            return Ok((first, None));
        }
        let last = (self.steps as f64 * END).ceil() as usize;
        Ok((first, Some(mean(&losses[losses.len() - last..]))))
    }
}

/// Whether a cycle that began at a loss of `first` ends clearly higher than another one of its seed.
fn is_clearly_above(first: f64, own: Option<f64>, other: Option<f64>) -> bool {
    match (own, other) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(own), Some(other)) => other < first && own - other > CLEARLY * (first - other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn multiple(factor: f64, losses: &[Option<f64>]) -> Multiple {
        Multiple {
            factor,
            base_lr: 0.1,
            max_lr: factor,
            losses: losses.to_vec(),
            regret: None,
        }
    }

    #[test]
    fn regrets_are_paired_and_the_best_has_every_seed() {
        let mut multiples = [
            multiple(1.0, &[Some(1.0), Some(2.0)]),
            multiple(2.0, &[Some(0.5), Some(1.5)]),
            // Of the first seed alone, whose losses are lower: it is not the best.
            multiple(4.0, &[Some(0.75)]),
            multiple(8.0, &[None]),
        ];
        assert_eq!(regrets(3.0, &mut multiples), Some(2.0));
        let found = multiples.map(|multiple| multiple.regret);
        assert_eq!(found, [Some(0.25), Some(0.0), Some(0.125), None]);
        // Where nothing falls there is no regret but that of the best.
        let mut high = [multiple(1.0, &[Some(4.0)]), multiple(2.0, &[Some(5.0)])];
        assert_eq!(regrets(3.0, &mut high), Some(1.0));
        assert_eq!(high.map(|multiple| multiple.regret), [Some(0.0), None]);
    }

    #[test]
    fn a_seed_tells_enough_where_it_diverges_or_ends_clearly_higher() {
        let is_above = |own, other| is_clearly_above(2.0, own, other);
        assert!(is_above(None, Some(1.0)) && !is_above(None, None));
        assert!(!is_above(Some(1.0), None) && !is_above(Some(1.0), Some(1.0)));
        assert!(!is_above(Some(1.09), Some(1.0)) && is_above(Some(1.11), Some(1.0)));
        // Nothing is known of how far the other one falls.
        assert!(!is_above(Some(9.0), Some(2.5)));
    }
}
