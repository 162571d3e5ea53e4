//! Trial cycles: how much of the range test's `max_lr` cycles bear.
//!
//! A range test reaches a high rate by way of all lower ones, and sees it for a step. A cycle climbs to
//! it within some dozen steps and stays about it for as many: a plain convolutional network ends badly
//! there at the rates at which it had the least loss in the range test, while networks of linear layers
//! bear several times these rates and gain by them (README, "Find the bounds"). Curves of both look the
//! same. So short triangular cycles are trained up to what the curve gives and to twice that, and on in the
//! direction in which they get better (of two multiples the one whose first seed diverges or ends clearly
//! worse is left at that); the least multiple that ends about as low as the best one is taken, because what is gained by more is not worth the danger: its loss is within one standard error
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
    let mut training = Training {
        rates: [base_lr, max_lr],
        to: options.to,
        cycles: &mut cycles,
        trainer,
        watch,
        done: 0,
    };
    let tried = search(&mut training)?;
    if !tried.is_empty() {
        let trials = judge(cycles.steps, mean(&cycles.firsts), tried);
        test.take(trials);
    }
    Ok(())
}

/// What trains the cycles of multiples.
trait Trier {
    /// A multiple that was not trained yet; nothing for what is out of reach.
    fn at(&self, factor: f64) -> Option<Multiple>;
    /// Trains its first seed.
    fn first(&mut self, multiple: &mut Multiple) -> Result<()>;
    /// Trains what it lacks, or less where it proves clearly worse than `other`.
    fn whole(&mut self, multiple: &mut Multiple, other: Option<&Multiple>) -> Result<()>;
    /// The loss of the first batch of the first seed.
    fn first_loss(&self) -> f64;
}

/// Cycles on a trainer.
struct Training<'a, 'b> {
    /// The bounds by the curves.
    rates: [f64; 2],
    /// The highest rate of the sweeps, which cycles do not pass.
    to: f64,
    cycles: &'a mut Cycles<'b>,
    trainer: &'a mut Trainer,
    watch: &'a mut dyn FnMut(FindProgress) -> Result<()>,
    /// Cycles so far.
    done: u64,
}

impl Training<'_, '_> {
    fn train(
        &mut self,
        multiple: &mut Multiple,
        (seeds, other): (usize, Option<&Multiple>),
    ) -> Result<()> {
        let Self { watch, done, .. } = self;
        self.cycles
            .train(self.trainer, multiple, (seeds, other), &mut || {
                *done += 1;
                watch(FindProgress::Cycle { done: *done })
            })
    }
}

impl Trier for Training<'_, '_> {
    fn at(&self, factor: f64) -> Option<Multiple> {
        let [low, high] = [self.rates[0], self.rates[1] * factor];
        (high > low && high <= self.to).then(|| Multiple::new(factor, [low, high]))
    }

    fn first(&mut self, multiple: &mut Multiple) -> Result<()> {
        self.train(multiple, (1, None))
    }

    fn whole(&mut self, multiple: &mut Multiple, other: Option<&Multiple>) -> Result<()> {
        if multiple.diverged() > 0 {
            return Ok(());
        }
        self.train(multiple, (self.cycles.seeds.len(), other))
    }

    fn first_loss(&self) -> f64 {
        self.cycles.firsts.first().copied().unwrap_or(f64::NAN)
    }
}

/// Tries 1 and 2 times, and goes on upwards or downwards for as long as the loss at the end gets less. The
/// one that ends lowest is trained with every seed, and so are those that are not clearly worse.
fn search(cycles: &mut dyn Trier) -> Result<Vec<Multiple>> {
    let mut tried: Vec<Multiple> = Vec::new();
    let Some(mut last) = cycles.at(1.0) else {
        return Ok(tried);
    };
    cycles.first(&mut last)?;
    let mut gains = false;
    for exponent in 1..=FURTHEST {
        let Some(mut next) = cycles.at(libm::ldexp(1.0, exponent)) else {
            break;
        };
        cycles.first(&mut next)?;
        let how = compared(cycles, &mut next, &mut last)?;
        if how != Ordering::Less {
            tried.push(next);
            break;
        }
        gains = true;
        tried.push(std::mem::replace(&mut last, next));
    }
    cycles.whole(&mut last, None)?;
    // Where it ends worse than before, the best one is behind.
    let place = tried.partition_point(|tried| tried.factor < last.factor);
    tried.insert(place, last);
    for exponent in 1..=FURTHEST {
        if gains {
            break;
        }
        let Some(mut next) = cycles.at(libm::ldexp(1.0, -exponent)) else {
            break;
        };
        cycles.first(&mut next)?;
        let how = compared(cycles, &mut next, &mut tried[0])?;
        if how != Ordering::Greater {
            cycles.whole(&mut next, None)?;
        }
        gains = how == Ordering::Greater;
        tried.insert(0, next);
    }
    Ok(tried)
}

/// How a multiple ends against the one that it goes on from: by their first seeds where these tell enough,
/// or else by all.
fn compared(cycles: &mut dyn Trier, next: &mut Multiple, last: &mut Multiple) -> Result<Ordering> {
    let first = cycles.first_loss();
    if next.is_clearly_above(last, first) {
        return Ok(Ordering::Greater);
    }
    if last.is_clearly_above(next, first) {
        return Ok(Ordering::Less);
    }
    cycles.whole(last, None)?;
    cycles.whole(next, Some(last))?;
    Ok(ends(next, last))
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

    /// Trains nothing: two seeds of [`multiple`], up to `reach`.
    struct Known {
        best: f64,
        wall: f64,
        reach: f64,
    }

    impl Trier for Known {
        fn at(&self, factor: f64) -> Option<Multiple> {
            let rates = [0.01, 0.1 * factor];
            (factor <= self.reach).then(|| Multiple::new(factor, rates))
        }

        fn first(&mut self, tried: &mut Multiple) -> Result<()> {
            *tried = multiple(tried.factor, self.best, self.wall);
            tried.losses.truncate(1);
            Ok(())
        }

        fn whole(&mut self, tried: &mut Multiple, _: Option<&Multiple>) -> Result<()> {
            if tried.diverged() == 0 {
                *tried = multiple(tried.factor, self.best, self.wall);
            }
            Ok(())
        }

        fn first_loss(&self) -> f64 {
            30.0
        }
    }

    fn tried(best: f64, wall: f64, reach: f64) -> (Vec<f64>, f64) {
        let found = search(&mut Known { best, wall, reach });
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
    fn what_is_clearly_worse_is_left_at_its_first_seed() {
        let (wall, reach) = (f64::INFINITY, f64::INFINITY);
        let seeds = |best: f64| {
            let tried = search(&mut Known { best, wall, reach }).unwrap();
            let seeds = tried.iter().map(|tried| tried.losses.len());
            seeds.collect::<Vec<usize>>()
        };
        // The losses are 4, 1, 0 and 1, of a first loss of 30; then 9, 4, 1 and 0.
        assert_eq!(seeds(4.0), [1, 2, 2, 2]);
        assert_eq!(seeds(8.0), [1, 1, 2, 2]);
        // 1, 0, 1 and 4 from a quarter on.
        assert_eq!(seeds(0.5), [2, 2, 2, 1]);
        assert_eq!(seeds(1.0), [2, 2, 2]);
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
