//! The best rate of each policy: the same number of rates is tried for each, those with bounds
//! included, chosen on what is held out, with seeds that nothing else uses.

use serde::{Deserialize, Serialize};

use super::{Along, Between};
use super::{ComparisonEnded, ComparisonPlan, Record, Settings, Store, Variant, Watch, Work, arms};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use std::sync::Arc;

/// The first seed of tuning.
const FIRST_SEED: u64 = 1 << 32;

/// A rate that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// By which factor the bounds were multiplied.
    pub factor: f64,
    /// The highest rate of the schedule.
    pub rate: f64,
    /// The score on what is held out at the end; `None` of a run that diverged.
    pub score: Option<f64>,
}

/// How the rate of a variant was chosen in one length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// The variant's name.
    pub name: String,
    /// The steps of the runs.
    pub steps: u64,
    /// What was tried, from the lowest rate on.
    pub tried: Vec<Tried>,
    /// The one that was chosen, by its position.
    pub chosen: usize,
}

impl Tuned {
    /// The one that was chosen.
    #[must_use]
    pub fn choice(&self) -> &Tried {
        &self.tried[self.chosen]
    }

    /// Whether the best rate may lie beyond those that were tried.
    #[must_use]
    pub fn is_at_an_end(&self) -> bool {
        self.chosen == 0 || self.chosen + 1 == self.tried.len()
    }
}

/// Refuses a single rate, and too many; 0 is no tuning.
///
/// # Errors
/// [`Error::Argument`].
pub fn check_rates(rates: u64) -> Result<()> {
    match rates {
        0 | 2..=20 => Ok(()),
        _ => Err(Error::Argument {
            what: "tune".into(),
            found: match rates {
                1 => "a single rate".into(),
                _ => format!("{rates} rates"),
            },
            expected: "2 to 20 rates to choose from, or 0 for none".into(),
            help: "3 tries half, once and twice what the bounds give".into(),
        }),
    }
}

/// Factors two apart around 1, `rates` of them, from the lowest on.
fn factors(rates: u64) -> Vec<f64> {
    let below = (rates.saturating_sub(1) / 2) as i32;
    (0..rates as i32).map(|i| 2_f64.powi(i - below)).collect()
}

/// Tries `rates` rates for each variant that is a policy between bounds, in each length, with one seed
/// each, in the folder of `store`, and sets the variants to the best; tells how that ended, too: of what is
/// not done nothing is chosen.
///
/// # Errors
/// As [`super::run`].
pub fn tune(
    variants: &mut [Variant],
    (settings, along, rates): (&Settings, &Along, u64),
    (store, workers): (&Store, usize),
    open: &(dyn Fn() -> Result<Arc<Gpu>> + Sync),
    watch: &dyn Watch,
) -> Result<(Vec<Tuned>, ComparisonEnded)> {
    let candidates = candidates(variants, rates);
    if candidates.is_empty() {
        return Ok((Vec::new(), ComparisonEnded::Done));
    }
    let settings = Settings {
        first_seed: FIRST_SEED,
        ..settings.clone()
    };
    let arms = arms(&candidates, &settings.budgets)?;
    let plan = ComparisonPlan::new(&arms, settings.clone(), along.clone(), Vec::new());
    let plan = store.begin(plan)?;
    let work = Work {
        arms: &arms,
        plan: &plan,
        workers,
        open,
    };
    let (records, ended) = super::run(&work, store, 1, watch)?;
    if ended != ComparisonEnded::Done {
        return Ok((Vec::new(), ended));
    }
    let mut tuned = Vec::new();
    let of_policies = variants.iter_mut().filter(|v| v.policy.is_some());
    for (at, variant) in of_policies.enumerate() {
        let first = at * rates as usize;
        for length in 0..settings.budgets.len() {
            let tried = |rate: usize| {
                let arm = (first + rate) * settings.budgets.len() + length;
                tried(&plan, &records, arm, &arms[arm], factors(rates)[rate])
            };
            let tried: Vec<Tried> = (0..rates as usize).map(tried).collect();
            let chosen = best(&tried, settings.judge);
            let factor = tried[chosen].factor;
            if let Some(between) = &mut variant.policy {
                between.factors.resize(length + 1, 1.0);
                between.factors[length] = factor;
            }
            tuned.push(Tuned {
                name: variant.name.clone(),
                steps: settings.budgets[length],
                tried,
                chosen,
            });
        }
    }
    Ok((tuned, ended))
}

/// Each policy with each factor.
fn candidates(variants: &[Variant], rates: u64) -> Vec<Variant> {
    let with = |variant: &Variant, factor: f64| {
        let between = variant.policy.clone()?;
        Some(Variant {
            name: format!("{} x {factor}", variant.name),
            policy: Some(Between {
                bounds: between.bounds.map(|bound| bound * factor),
                ..between
            }),
            ..variant.clone()
        })
    };
    let all = variants.iter().flat_map(|variant| {
        let factors = factors(rates).into_iter();
        factors.filter_map(move |factor| with(variant, factor))
    });
    all.collect()
}

fn tried(
    plan: &ComparisonPlan,
    records: &[Record],
    at: usize,
    arm: &super::Arm,
    factor: f64,
) -> Tried {
    let trained = &plan.arms[plan.trained_for(at)];
    let mut records = records.iter();
    let record = records.find(|r| r.variant == trained.name && r.steps == trained.steps);
    let judge = plan.settings.judge;
    let rates = (0..arm.steps).map(|step| arm.settled.schedule.at(step).lr);
    Tried {
        factor,
        rate: rates.fold(0.0, f64::max),
        score: record
            .filter(|record| record.diverged.is_none())
            .map(|record| record.last(judge)),
    }
}

/// The best score; of none the lowest rate.
fn best(tried: &[Tried], judge: crate::data::Judge) -> usize {
    let mut best: Option<(usize, f64)> = None;
    for (at, one) in tried.iter().enumerate() {
        if let Some(score) = one.score
            && judge.is_better(score, best.map(|(_, score)| score))
        {
            best = Some((at, score));
        }
    }
    best.map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_two_apart_around_one() {
        assert_eq!(factors(2), [1.0, 2.0]);
        assert_eq!(factors(3), [0.5, 1.0, 2.0]);
        assert_eq!(factors(5), [0.25, 0.5, 1.0, 2.0, 4.0]);
        assert!(check_rates(1).is_err() && check_rates(0).is_ok() && check_rates(21).is_err());
    }

    #[test]
    fn the_best_is_chosen_and_of_none_the_lowest() {
        let tried = |scores: &[Option<f64>]| -> Vec<Tried> {
            let one = |score: &Option<f64>| Tried {
                factor: 1.0,
                rate: 1.0,
                score: *score,
            };
            scores.iter().map(one).collect()
        };
        let judge = crate::data::Judge::Accuracy;
        assert_eq!(best(&tried(&[Some(0.5), Some(0.7), None]), judge), 1);
        assert_eq!(best(&tried(&[None, None]), judge), 0);
        assert_eq!(
            best(&tried(&[Some(0.5), Some(0.7)]), crate::data::Judge::Loss),
            0
        );
    }
}
