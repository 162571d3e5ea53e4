//! What the bounds cost: a cycle between them, and between multiples of them.
//!
//! A range test sees each rate for a step; whether cycles train well between its bounds shows only
//! when some are trained. One triangular cycle (Smith, arXiv 1506.01186, section 3.1) is trained for
//! each multiple and seed, from the first weights and in the order of the sweeps, so that multiples are
//! compared seed by seed.

use serde::{Deserialize, Serialize};

use super::RangeTest;
use super::cycles::{Cycles, LEAST_STEPS, Multiple, regrets};
use crate::error::{Error, Result};
use crate::lab::student::{Interval, mean};
use crate::schedule::{Cycle, Triangular};
use crate::train::Trainer;

/// What the bounds are multiplied by.
pub const MULTIPLES: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];
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
    let seeds: Vec<u64> = test.sweeps.iter().map(|sweep| sweep.seed).collect();
    let mut cycles = Cycles {
        steps: cycle_steps,
        seeds: &seeds,
        before: &before,
        keep_weights: false,
        firsts: Vec::new(),
    };
    let (all, mut done) = (MULTIPLES.len() * seeds.len(), 0);
    let multiples: Result<Vec<Multiple>> = MULTIPLES
        .into_iter()
        .map(|factor| {
            let rates = [base_lr, max_lr].map(|rate| rate * factor);
            let mut multiple = Multiple::new(factor, rates);
            cycles.train(trainer, &mut multiple, (seeds.len(), None), &mut || {
                done += 1;
                watch(done, all)
            })?;
            Ok(multiple)
        })
        .collect();
    trainer.set_schedule(schedule);
    trainer.restore(&before)?;
    Ok(judge(cycle_steps, mean(&cycles.firsts), multiples?))
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

/// Regrets and the sentence, from losses that are there already.
#[must_use]
pub fn judge(cycle_steps: u64, first_loss: f64, mut multiples: Vec<Multiple>) -> Confirmation {
    let best = regrets(first_loss, &mut multiples);
    let seeds = multiples
        .first()
        .map_or(0, |multiple| multiple.losses.len());
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
    let error = ERROR / (multiples.len() - 1) as f64;
    let interval = Interval::of(&found.above(best)?, error);
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
