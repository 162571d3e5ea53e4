//! What is trained: a variant in one length.

use std::sync::Arc;

use crate::config::changes::{self, Meaning};
use crate::config::{Config, Settled};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::schedule::{Policy, Span};
use crate::train::Trainer;

use super::takes::take;
use super::{budget, half_cycle};

/// One of the things that are compared; the first is the baseline.
#[derive(Debug, Clone)]
pub struct Variant {
    /// What it is called.
    pub name: String,
    /// What it trains, but for its length.
    pub config: Config,
    /// The bounds that its schedule takes where it has `"auto"`.
    pub found: Option<crate::config::Bounds>,
    /// A policy in the place of the configuration's schedule, made from bounds and a length.
    pub policy: Option<Between>,
    /// Its samples.
    pub dataset: Dataset,
}

/// A policy between two bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Between {
    /// Its name.
    pub policy: String,
    /// `base_lr` and `max_lr`.
    pub bounds: [f64; 2],
    /// For each length by which factor the bounds are multiplied; 1 where there is none.
    pub factors: Vec<f64>,
}

/// A variant in one length.
#[derive(Debug, Clone)]
pub struct Arm {
    /// The variant, by its position.
    pub variant: usize,
    /// Its name.
    pub name: String,
    /// The steps of a run.
    pub steps: u64,
    /// What it takes from the bounds and the length, in words; the schedule's description.
    pub takes: String,
    /// What it trains.
    pub settled: Settled,
    /// Its samples.
    pub dataset: Dataset,
    /// Their fingerprint ([`Dataset::fingerprint`]).
    pub data: String,
    /// The arm before it, by its position, that trains the same: this one is not trained.
    pub same_as: Option<usize>,
}

impl Variant {
    /// How many samples of the test set it answers: all, or the windows that fill its streams.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.config.data.evaluated(self.dataset.test.len())
    }

    /// The variant, at `position`, in the length `steps`, the `length`-th of all; `data` is the fingerprint
    /// of its samples.
    ///
    /// # Errors
    /// A policy that cannot be made for the length; a schedule of its own of which not even one cycle
    /// ends within it.
    pub fn arm(&self, position: usize, (length, steps): (usize, u64), data: &str) -> Result<Arm> {
        let mut config = self.config.clone();
        (config.train.steps, config.train.epochs) = (Some(steps), None);
        let extent = self.dataset.train.extent();
        let settled = match &self.policy {
            None => config.settle(extent, self.found.as_ref())?,
            Some(between) => {
                let own = self.config.settle(extent, self.found.as_ref())?;
                let factor = between.factors.get(length).copied().unwrap_or(1.0);
                let [base_lr, max_lr] = between.bounds.map(|bound| bound * factor);
                let takes = Span {
                    base_lr,
                    max_lr,
                    steps,
                    half: half_cycle(&own, steps),
                };
                config.schedule = take(&between.policy, &takes, config.tables.policies)?.into();
                // A run is looked at 40 times, for policies that read evaluations.
                let every = crate::config::Length::Steps((steps / 40).max(1));
                config.train.eval_every = every;
                config.settle(extent, None)?
            }
        };
        let is_own = self.config.total_steps(extent)? == steps;
        if self.policy.is_none() && !is_own {
            self.check_length(&*settled.schedule, steps)?;
        }
        Ok(Arm {
            variant: position,
            name: self.name.clone(),
            steps,
            takes: settled.schedule.describe(),
            settled,
            dataset: self.dataset.clone(),
            data: data.to_owned(),
            same_as: None,
        })
    }
}

impl Variant {
    /// Refuses a schedule of which not even one cycle ends within another length than its own run's.
    fn check_length(&self, schedule: &dyn Policy, steps: u64) -> Result<()> {
        let cycle = schedule.length().or_else(|| schedule.cycle(0)?.end);
        match cycle.filter(|cycle| *cycle > steps) {
            None => Ok(()),
            Some(cycle) => Err(Error::Argument {
                what: "budget".into(),
                found: format!(
                    "{steps} steps, shorter than a cycle of {}, which has {cycle}",
                    self.name
                ),
                expected: "at least a whole cycle".into(),
                help: format!("give at least {cycle} steps, or the schedule shorter cycles"),
            }),
        }
    }
}

/// All variants in all lengths, variant by variant; those that train the same as one before them are
/// marked.
///
/// # Errors
/// As [`Variant::arm`].
pub fn arms(variants: &[Variant], budgets: &[u64]) -> Result<Vec<Arm>> {
    let mut arms: Vec<Arm> = Vec::new();
    let mut prints: Vec<String> = Vec::new();
    for (position, variant) in variants.iter().enumerate() {
        // All samples are gone through: once for those that variants share.
        let mut before = variants[..position].iter();
        let shared = before.position(|other| other.dataset.shares(&variant.dataset));
        prints.push(match shared {
            Some(other) => prints[other].clone(),
            None => variant.dataset.fingerprint()?,
        });
        for (length, steps) in budgets.iter().enumerate() {
            let mut arm = variant.arm(position, (length, *steps), &prints[position])?;
            let mut before = arms.iter().enumerate();
            let same = before.find(|(_, other)| other.same_as.is_none() && arm.trains_as(other));
            arm.same_as = same.map(|(at, _)| at);
            arms.push(arm);
        }
    }
    Ok(arms)
}

/// Lengths of runs: those that are wanted, or else the configuration's own; less the few steps that do
/// not fill a whole cycle where policies are made for them.
#[must_use]
pub fn budgets(run: &Settled, wanted: &[u64], policies: bool) -> Vec<u64> {
    let wanted = match wanted.is_empty() {
        true => vec![run.total_steps],
        false => wanted.to_vec(),
    };
    let fit = |steps: &u64| match policies {
        true => budget(run, Some(*steps)),
        false => *steps,
    };
    wanted.iter().map(fit).collect()
}

impl Arm {
    /// A mark of what is trained, on which samples and by which version, the same for the same.
    #[must_use]
    pub fn mark(&self) -> String {
        mark((&self.settled.to_toml(), &self.data), self.steps)
    }

    /// A trainer for it.
    pub(super) fn trainer(&self, gpu: &Arc<Gpu>) -> Result<Trainer> {
        Trainer::settled(Arc::clone(gpu), self.settled.clone(), self.dataset.clone())
    }

    /// What a trainer is made for: arms that agree in it share one.
    pub(super) fn bench(&self) -> String {
        let text = self.settled.to_toml();
        let lines = changes::leaves(&text).into_iter();
        let made_for = lines.filter(|(key, _)| !is_of_the_run(key));
        let made_for = made_for.map(|(key, value)| format!("{key}={value}\n"));
        made_for.chain([self.data.clone()]).collect()
    }

    /// Whether both train the same within the run: the same rates at each step, and nothing else that
    /// differs.
    fn trains_as(&self, other: &Self) -> bool {
        if self.steps != other.steps || self.data != other.data {
            return false;
        }
        let texts = [self, other].map(|arm| arm.settled.to_toml());
        let mut differences = changes::differences(&texts[0], &texts[1]);
        differences.retain(|d| {
            let meaning = d.meaning();
            !matches!(meaning, Meaning::Nothing | Meaning::Length)
                && !d.key.starts_with("cycle_end")
        });
        let schedules = [self, other].map(|arm| &arm.settled.schedule);
        if schedules.iter().any(|s| s.reads_evaluations()) {
            return differences.is_empty();
        }
        if differences
            .iter()
            .any(|d| d.key == "seed" || !is_of_the_run(&d.key))
        {
            return false;
        }
        let bits = |which: usize, step: u64| {
            let rate = schedules[which].at(step);
            (rate.lr.to_bits(), rate.momentum.map(f64::to_bits))
        };
        (0..self.steps).all(|step| bits(0, step) == bits(1, step))
    }
}

/// Whether a key says how a run goes, not what a trainer is made for.
fn is_of_the_run(key: &str) -> bool {
    let section = key.split_once('.').map_or(key, |(section, _)| section);
    let kept = ["train.accumulate", "train.chunk"].contains(&key);
    key == "seed" || (["schedule", "train", "cycle_end", "checkpoint"].contains(&section) && !kept)
}

/// A mark of a configuration, samples and a length (FNV-1a), with the program's version.
fn mark((config, data): (&str, &str), steps: u64) -> String {
    let text = format!("{}\n{steps}\n{data}\n{config}", env!("CARGO_PKG_VERSION"));
    let mark = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |mark, byte| {
        (mark ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{mark:016x}")
}
