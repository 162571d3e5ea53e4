//! Trial cycles: how much of the range test's `max_lr` cycles bear.
//!
//! A range test reaches a high rate by way of all lower ones, and sees it for a step. A cycle climbs to
//! it within some dozen steps and stays about it for as many: a plain convolutional network ends badly
//! there at the rates at which it had the least loss in the range test, while networks of linear layers
//! bear several times these rates and gain by them (README, "Find the bounds"). Curves of both look the
//! same. So short triangular cycles are trained up to what the curve gives and to twice that, and on in the
//! direction in which they get better (a multiple whose first seed diverges or ends clearly worse than
//! before is left at that); the least multiple that ends about as low as the best one is taken, because what is gained by more is not worth the danger: its loss is within one standard error
//! of the best one's (Breiman, Friedman, Olshen and Stone 1984, section 3.4.3), over seeds, in pairs, and
//! within a hundredth of the fall.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::cycles::{Cycles, LEAST_STEPS, Multiple, regrets};
use super::{FindProgress, RangeTest, RangeTestOptions};
use crate::error::Result;
use crate::lab::student::{mean, variance};
use crate::train::{State, Trainer};

/// Cycles reach at most so many times two as high or as low as the curve says.
const FURTHEST: i32 = 3;
/// The regret up to which a multiple may end about as low as the best one.
const ABOUT: f64 = 0.01;

/// What trial cycles found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// Steps of each cycle.
    pub cycle_steps: u64,
    /// The mean loss of the first batch.
    pub first_loss: f64,
    /// What was tried, ascending: cycles between `base_lr` and multiples of what the curves give for
    /// `max_lr`.
    pub multiples: Vec<Multiple>,
    /// The factor by which `max_lr` was multiplied; 1 where every cycle diverged.
    pub factor: f64,
}

impl Trials {
    /// What they did to the rate that the curves give, in words that go on from its rule.
    pub(super) fn says(&self) -> String {
        match self.factor {
            1.0 => ", which trial cycles bear out".to_owned(),
            factor => format!(", times {factor} by trial cycles"),
        }
    }
}

/// Trains cycles between the bounds of a test that has some, and multiplies its `max_lr`.
pub(super) fn settle(
    trainer: &mut Trainer,
    test: &mut RangeTest,
    options: &RangeTestOptions,
    before: &State,
    watch: &mut dyn FnMut(FindProgress) -> Result<()>,
) -> Result<()> {
    let (Some(base_lr), Some(max_lr)) = (test.base_lr, test.max_lr) else {
        return Ok(());
    };
    if options.trial_steps == 0 {
        return Ok(());
    }
    let seeds: Vec<u64> = test.sweeps.iter().map(|sweep| sweep.seed).collect();
    let mut cycles = Cycles {
        steps: options.trial_steps.max(LEAST_STEPS),
        seeds: &seeds,
        before,
        keep_weights: options.keep_weights,
        firsts: Vec::new(),
    };
    let mut done = 0;
    let tried = search(&mut |factor, last| {
        let high = max_lr * factor;
        if high <= base_lr || high > options.to {
            return Ok(None);
        }
        let rates = [base_lr, high];
        let tried = cycles.train(trainer, factor, rates, last, &mut || {
            done += 1;
            watch(FindProgress::Cycle { done })
        });
        tried.map(Some)
    })?;
    if !tried.is_empty() {
        let trials = judge(cycles.steps, mean(&cycles.firsts), tried);
        test.take(trials);
    }
    Ok(())
}

/// Trains cycles to a multiple, to go on from another one; nothing for what is out of reach.
type TryAt<'a> = &'a mut dyn FnMut(f64, Option<&Multiple>) -> Result<Option<Multiple>>;

/// Tries 1 and 2 times, and goes on upwards or downwards for as long as the loss at the end gets less.
fn search(try_at: TryAt<'_>) -> Result<Vec<Multiple>> {
    let mut tried: Vec<Multiple> = Vec::new();
    let Some(one) = try_at(1.0, None)? else {
        return Ok(tried);
    };
    tried.push(one);
    let mut gains = false;
    for exponent in 1..=FURTHEST {
        let last = &tried[tried.len() - 1];
        let Some(next) = try_at(libm::ldexp(1.0, exponent), Some(last))? else {
            break;
        };
        let is_lower = ends(&next, last) == Ordering::Less;
        gains |= is_lower;
        tried.push(next);
        if !is_lower {
            break;
        }
    }
    for exponent in 1..=FURTHEST {
        if gains {
            break;
        }
        let last = &tried[0];
        let Some(next) = try_at(libm::ldexp(1.0, -exponent), Some(last))? else {
            break;
        };
        gains = ends(&next, last) == Ordering::Greater;
        tried.insert(0, next);
    }
    Ok(tried)
}

/// How cycles end against those that they go on from; diverged ones end highest.
fn ends(next: &Multiple, last: &Multiple) -> Ordering {
    let [loss, before] = [next, last].map(|tried| tried.loss().unwrap_or(f64::INFINITY));
    if loss.is_finite() && next.losses.len() < last.losses.len() {
        // Seeds were left out because it was clearly worse.
        return Ordering::Greater;
    }
    loss.total_cmp(&before)
}

/// The least multiple that ends about as low as the best one, from losses that are there already.
#[must_use]
pub fn judge(cycle_steps: u64, first_loss: f64, mut multiples: Vec<Multiple>) -> Trials {
    let best = regrets(first_loss, &mut multiples);
    let best = best.and_then(|best| multiples.iter().find(|m| m.factor == best));
    let about = |multiple: &&Multiple| best.is_some_and(|best| is_about(multiple, best));
    let factor = multiples.iter().find(about).map_or(1.0, |m| m.factor);
    Trials {
        cycle_steps,
        first_loss,
        multiples,
        factor,
    }
}

/// Whether a multiple ends about as low as the best one.
fn is_about(multiple: &Multiple, best: &Multiple) -> bool {
    if multiple.factor == best.factor {
        return true;
    }
    let close = multiple.above(best).is_some_and(|differences| {
        // Of one seed it is not a number, and nothing is within that.
        let n = differences.len() as f64;
        mean(&differences) <= (variance(&differences) / n).sqrt()
    });
    close && multiple.regret.is_some_and(|regret| regret <= ABOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cycles whose loss is least at `best`, and those above `wall` diverge.
    fn multiple(factor: f64, best: f64, wall: f64) -> Multiple {
        let loss = libm::log2(factor / best).powi(2);
        Multiple {
            factor,
            base_lr: 0.01,
            max_lr: 0.1 * factor,
            losses: vec![(factor <= wall).then_some(loss), Some(loss)],
            regret: None,
        }
    }

    fn tried(best: f64, wall: f64, reach: f64) -> (Vec<f64>, f64) {
        let found =
            search(&mut |factor, _| Ok((factor <= reach).then(|| multiple(factor, best, wall))));
        let trials = judge(100, 30.0, found.unwrap());
        let factors = trials.multiples.iter().map(|tried| tried.factor);
        (factors.collect(), trials.factor)
    }

    #[test]
    fn the_search_goes_on_for_as_long_as_it_gains() {
        let far = f64::INFINITY;
        assert_eq!(tried(1.0, far, far), (vec![0.5, 1.0, 2.0], 1.0));
        assert_eq!(tried(4.0, far, far), (vec![1.0, 2.0, 4.0, 8.0], 4.0));
        assert_eq!(
            tried(0.25, far, far),
            (vec![0.125, 0.25, 0.5, 1.0, 2.0], 0.25)
        );
        // No further than eight times as high or as low.
        assert_eq!(tried(64.0, far, far), (vec![1.0, 2.0, 4.0, 8.0], 8.0));
        let low = (vec![0.125, 0.25, 0.5, 1.0, 2.0], 0.125);
        assert_eq!(tried(1.0 / 64.0, far, far), low);
        // Nor where cycles diverge, or beyond what is in reach.
        assert_eq!(tried(4.0, 2.0, far), (vec![1.0, 2.0, 4.0], 2.0));
        assert_eq!(tried(4.0, far, 2.0), (vec![1.0, 2.0], 2.0));
        assert_eq!(
            tried(4.0, 0.25, far),
            (vec![0.125, 0.25, 0.5, 1.0, 2.0], 0.25)
        );
        assert_eq!(tried(4.0, 0.0, far).1, 1.0);
    }

    #[test]
    fn what_its_first_seed_shows_to_be_worse_ends_the_search() {
        let at = |factor: f64, losses: &[Option<f64>]| Multiple {
            losses: losses.to_vec(),
            ..multiple(factor, 1.0, 1.0)
        };
        // The first seed has lower losses than the others: their mean would hide it.
        let one = at(1.0, &[Some(0.5), Some(1.5)]);
        let worse = at(2.0, &[Some(0.75)]);
        assert_eq!(ends(&worse, &one), Ordering::Greater);
        assert_eq!(ends(&at(2.0, &[None]), &one), Ordering::Greater);
        // Of two that diverge neither is lower.
        let diverged = at(1.0, &[Some(0.5), None]);
        assert_eq!(ends(&at(0.5, &[None]), &diverged), Ordering::Equal);
        assert_eq!(judge(100, 3.0, vec![one, worse]).factor, 1.0);
    }

    #[test]
    fn of_multiples_that_are_about_as_good_the_least_counts() {
        let at = |factor: f64, losses: &[f64]| Multiple {
            losses: losses.iter().copied().map(Some).collect(),
            ..multiple(factor, 1.0, 1.0)
        };
        let judged = |first: &[f64], second: &[f64]| {
            judge(100, 2.5, vec![at(1.0, first), at(2.0, second)]).factor
        };
        // Within a hundredth of the fall of 2, and within the standard error of the difference.
        assert_eq!(judged(&[0.45, 0.58], &[0.5, 0.5]), 1.0);
        // Within the one alone.
        assert_eq!(judged(&[0.515, 0.515], &[0.5, 0.5]), 2.0);
        assert_eq!(judged(&[0.4, 0.65], &[0.5, 0.5]), 2.0);
        // One seed knows no error.
        assert_eq!(judged(&[0.501], &[0.5]), 2.0);
    }
}
