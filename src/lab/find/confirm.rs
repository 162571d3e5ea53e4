//! What the bounds cost: a cycle between them, and between multiples of them.
//!
//! A range test sees each rate for a step; whether cycles train well between its bounds shows only
//! when some are trained. One triangular cycle (Smith, arXiv 1506.01186, section 3.1) is trained for
//! each multiple and seed, from the first weights and in the order of the sweeps, so that multiples are
//! compared seed by seed.

use serde::{Deserialize, Serialize};

use super::RangeTest;
use crate::error::{Error, Result};
use crate::lab::student::{Interval, mean};
use crate::schedule::{Cycle, Triangular};
use crate::train::Trainer;

/// What the bounds are multiplied by.
pub const MULTIPLES: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];
/// Steps of a cycle, at least.
pub const LEAST_STEPS: u64 = 20;
/// The share of a cycle at whose batches its loss is read: its last ones, with low rates.
const END: f64 = 0.1;
/// One minus the level of all the differences from the cycle between the bounds together.
const ERROR: f64 = 0.05;

/// What confirming found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Steps of each cycle.
    pub cycle_steps: u64,
    /// Cycles of each multiple.
    pub seeds: u64,
    /// The mean loss of the first batch.
    pub first_loss: f64,
    /// The multiples, ascending.
    pub multiples: Vec<Multiple>,
    /// The multiple with the least loss at the end; `None` where every one diverged.
    pub best: Option<f64>,
    /// The loss between the bounds less that of the best, with an interval that holds for all
    /// multiples together at 95 %; `None` where the bounds are the best or one of the two diverged.
    pub difference: Option<Ends>,
    /// What that means, in a sentence.
    pub says: String,
}

/// A difference and its interval, where there is more than one seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    /// The mean.
    pub mean: f64,
    /// The ends of its interval.
    pub interval: Option<[f64; 2]>,
}

/// Cycles between multiples of the bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Multiple {
    /// What the bounds were multiplied by.
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
}

/// Trains a cycle of `cycle_steps` steps at each of [`MULTIPLES`] of the bounds of `test`, for each
/// of its seeds; the trainer's state is the same afterwards. `watch` is told the cycles that are
/// done and all of them; its error ends it.
///
/// # Errors
/// [`Error::Argument`] for a test without bounds, or cycles of fewer than 20 steps; a device that
/// fails. Cycles that diverge are a result.
pub fn confirm(
    trainer: &mut Trainer,
    test: &RangeTest,
    cycle_steps: u64,
    watch: &mut dyn FnMut(usize, usize) -> Result<()>,
) -> Result<Confirmation> {
    check(cycle_steps)?;
    let (Some(base_lr), Some(max_lr)) = (test.base_lr, test.max_lr) else {
        return Err(refused(
            "range test",
            test.verdict.name().to_owned(),
            "one that gave bounds",
            "its verdict says what to change",
        ));
    };
    let before = trainer.state()?;
    let schedule = trainer.set_schedule(Box::new(Triangular(Cycle::new(base_lr, max_lr, 1))));
    let runs = Runs {
        bounds: [base_lr, max_lr],
        cycle_steps,
        orders: before.order_seed,
        seeds: test.sweeps.iter().map(|sweep| sweep.seed).collect(),
    };
    let trained = runs.train(trainer, watch);
    trainer.set_schedule(schedule);
    trainer.restore(&before)?;
    let (first_loss, multiples) = trained?;
    Ok(judge(cycle_steps, first_loss, multiples))
}

/// Refuses cycles that are too short to have an end.
///
/// # Errors
/// [`Error::Argument`].
pub fn check(cycle_steps: u64) -> Result<()> {
    if cycle_steps >= LEAST_STEPS {
        return Ok(());
    }
    let expected = format!("at least {LEAST_STEPS} steps");
    let help = "an epoch is usual: leave it out for that";
    Err(refused(
        "cycle_steps",
        cycle_steps.to_string(),
        &expected,
        help,
    ))
}

fn refused(what: &str, found: String, expected: &str, help: &str) -> Error {
    Error::Argument {
        what: what.to_owned(),
        found,
        expected: expected.to_owned(),
        help: help.to_owned(),
    }
}

struct Runs {
    bounds: [f64; 2],
    cycle_steps: u64,
    orders: u64,
    seeds: Vec<u64>,
}

impl Runs {
    fn train(
        &self,
        trainer: &mut Trainer,
        watch: &mut dyn FnMut(usize, usize) -> Result<()>,
    ) -> Result<(f64, Vec<Multiple>)> {
        let all = MULTIPLES.len() * self.seeds.len();
        let (mut firsts, mut done) = (Vec::new(), 0);
        let mut multiples = Vec::new();
        for factor in MULTIPLES {
            let [base_lr, max_lr] = self.bounds.map(|rate| rate * factor);
            let mut losses = Vec::new();
            for (i, seed) in (0..).zip(&self.seeds) {
                let policy = Triangular(self.cycle(base_lr, max_lr));
                trainer.begin(*seed, Box::new(policy))?;
                trainer.set_order_seed(self.orders.wrapping_add(i));
                let (first, last) = self.one(trainer)?;
                firsts.push(first);
                losses.push(last);
                done += 1;
                watch(done, all)?;
            }
            multiples.push(Multiple {
                factor,
                base_lr,
                max_lr,
                losses,
                regret: None,
            });
        }
        Ok((mean(&firsts), multiples))
    }

    fn cycle(&self, base_lr: f64, max_lr: f64) -> Cycle {
        let up = self.cycle_steps / 2;
        Cycle {
            step_size_down: self.cycle_steps - up,
            ..Cycle::new(base_lr, max_lr, up)
        }
    }

    /// The first loss of a cycle and that at its end, unless it diverges.
    fn one(&self, trainer: &mut Trainer) -> Result<(f64, Option<f64>)> {
        const LOOK: u64 = 50;
        let mut losses = Vec::new();
        while (losses.len() as u64) < self.cycle_steps {
            let steps = LOOK.min(self.cycle_steps - losses.len() as u64);
            let records = trainer.advance(steps, 10)?;
            losses.extend(records.iter().map(|record| record.loss));
            if records.iter().any(|record| !record.is_finite()) {
                return Ok((losses[0], None));
            }
        }
        if trainer.weights()?.first_not_finite().is_some() {
            return Ok((losses[0], None));
        }
        let last = (self.cycle_steps as f64 * END).ceil() as usize;
        Ok((losses[0], Some(mean(&losses[losses.len() - last..]))))
    }
}

/// Regrets and the sentence, from losses that are there already.
#[must_use]
pub fn judge(cycle_steps: u64, first_loss: f64, mut multiples: Vec<Multiple>) -> Confirmation {
    let losses = multiples.iter().filter_map(|m| Some((m.factor, m.loss()?)));
    let best = losses.min_by(|a, b| a.1.total_cmp(&b.1));
    for multiple in &mut multiples {
        multiple.regret = best.zip(multiple.loss()).and_then(|((_, best), loss)| {
            if loss == best {
                return Some(0.0);
            }
            let fall = first_loss - best;
            (fall > 0.0).then(|| (loss - best) / fall)
        });
    }
    let seeds = multiples
        .first()
        .map_or(0, |multiple| multiple.losses.len());
    let best = best.map(|(factor, _)| factor);
    let difference = best.and_then(|best| difference(&multiples, best));
    Confirmation {
        says: sentence(&multiples, best, difference),
        cycle_steps,
        seeds: seeds as u64,
        first_loss,
        multiples,
        best,
        difference,
    }
}

fn of(multiples: &[Multiple], factor: f64) -> Option<&Multiple> {
    multiples.iter().find(|multiple| multiple.factor == factor)
}

/// The best one was chosen among all: Bonferroni over the others.
fn difference(multiples: &[Multiple], best: f64) -> Option<Ends> {
    let (found, best) = (of(multiples, 1.0)?, of(multiples, best)?);
    if best.factor == found.factor {
        return None;
    }
    let pairs = found.losses.iter().zip(&best.losses);
    let differences: Option<Vec<f64>> = pairs
        .map(|(found, best)| Some((*found)? - (*best)?))
        .collect();
    let error = ERROR / (multiples.len() - 1) as f64;
    let interval = Interval::of(&differences?, error);
    Some(Ends {
        mean: interval.mean,
        interval: interval.ends(),
    })
}

fn sentence(multiples: &[Multiple], best: Option<f64>, difference: Option<Ends>) -> String {
    let Some(best) = best else {
        return "every cycle diverged: the bounds are too high".to_owned();
    };
    if best == 1.0 {
        return "no multiple of the bounds ends with a lower loss".to_owned();
    }
    let lead = format!("{best} times the bounds end with the lowest loss");
    match difference {
        None if of(multiples, 1.0).is_some_and(|found| found.diverged() > 0) => {
            format!("{lead}; between the bounds themselves cycles diverge: take those")
        }
        Some(Ends {
            interval: Some([low, _]),
            ..
        }) if low > 0.0 => format!("{lead}, by more than chance: take those"),
        Some(Ends {
            interval: Some(_), ..
        }) => format!("{lead}, which may be chance: more seeds would tell"),
        _ => format!("{lead}; one seed cannot tell that from chance"),
    }
}
