//! The linter: what is probably not meant in a schedule, seen together with its run. Each rule is one
//! file; [`RULES`] is the only place that lists them.
//!
//! Nothing here is an error by itself: a schedule that draws a warning trains. What cannot be a
//! schedule is refused where it is read.

mod answer_seen;
mod bounds_ratio;
mod decay_in_epoch;
mod epochs_for_steps;
mod few_cycles;
mod first_rate;
mod frozen_at_random;
mod half_cycle;
mod horizon;
mod late_milestones;
mod long_warmup;
mod mid_cycle;
mod momentum_range;
mod normalized_rate;
mod peak_unreached;
mod swing_gone;
mod unreached_members;

use serde::Serialize;

use crate::config::{Bounds, Config};
use crate::optim::Momentum;
use crate::schedule::Policy;
use crate::train::Trainer;

/// A schedule and the run that it is for.
#[derive(Debug, Clone, Copy)]
pub struct RunPlan<'a> {
    /// The schedule, nothing left open.
    pub schedule: &'a dyn Policy,
    /// The optimizer's own momentum.
    pub momentum: Option<Momentum>,
    /// Whether the optimizer moves parameters by about the rate
    /// ([`normalizes`](crate::optim::Optimizer::normalizes)).
    pub normalizes: bool,
    /// Steps of the run, at least 1.
    pub steps: u64,
    /// Steps in an epoch, where that is known.
    pub per_epoch: Option<u64>,
    /// What a range test found for the run, where there was one.
    pub bounds: Option<&'a Bounds>,
    /// The layer that sees later tokens, where the next token of a text is to be predicted.
    pub answer_seen_by: Option<&'static str>,
    /// What `model.freeze` names, where no weights are known that the run begins with.
    pub frozen_at_random: Option<&'a [String]>,
}

impl<'a> RunPlan<'a> {
    /// The plan of `schedule` in a run of `config`.
    #[must_use]
    pub fn new(
        config: &'a Config,
        schedule: &'a dyn Policy,
        steps: u64,
        per_epoch: Option<u64>,
    ) -> Self {
        Self {
            schedule,
            momentum: config.optimizer.momentum(),
            normalizes: config.optimizer.normalizes(),
            steps: steps.max(1),
            per_epoch,
            bounds: config.bounds.as_ref(),
            // What is cut into windows is a text.
            answer_seen_by: (config.data.source.windows().is_some())
                .then(|| config.looks_ahead())
                .flatten(),
            frozen_at_random: Some(&config.freeze[..]).filter(|named| !named.is_empty()),
        }
    }

    /// The plan of a trainer's run.
    #[must_use]
    pub fn of(trainer: &'a Trainer) -> Self {
        Self {
            schedule: trainer.schedule(),
            momentum: trainer.optimizer().momentum(),
            normalizes: trainer.optimizer().normalizes(),
            steps: trainer.total_steps().max(1),
            per_epoch: Some(trainer.steps_per_epoch()),
            bounds: trainer.bounds(),
            answer_seen_by: trainer.answer_seen_by(),
            frozen_at_random: trainer.frozen_at_random(),
        }
    }

    /// Whether a range test found these bounds, as far as it knows them.
    fn found(&self, base_lr: f64, max_lr: f64) -> bool {
        self.bounds
            .is_some_and(|bounds| bounds.hold(base_lr, max_lr))
    }

    /// The schedule's argument `key` as a number of steps.
    fn steps_of(&self, key: &str) -> Option<u64> {
        let arguments = self.schedule.arguments();
        let value = arguments.get(key)?.as_integer()?;
        u64::try_from(value).ok()
    }

    /// The schedule's milestones, in steps.
    fn milestones(&self) -> Vec<u64> {
        let arguments = self.schedule.arguments();
        let milestones = arguments.get("milestones").and_then(toml::Value::as_array);
        let steps = milestones.into_iter().flatten();
        let steps = steps.filter_map(toml::Value::as_integer);
        steps.filter_map(|step| u64::try_from(step).ok()).collect()
    }

    /// The schedule's argument `key` as a number.
    fn number_of(&self, key: &str) -> Option<f64> {
        self.schedule.arguments().get(key)?.as_float()
    }

    /// So many steps in epochs, for people; steps where an epoch is not known.
    fn in_epochs(&self, steps: u64) -> String {
        match self.per_epoch {
            Some(per_epoch) => format!(
                "{steps} steps ({:.3} epochs)",
                steps as f64 / per_epoch.max(1) as f64
            ),
            None => format!("{steps} steps"),
        }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not meant.
    Warning,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was found and why it matters, with numbers.
    pub message: String,
    /// What to do, with the number to use.
    pub mend: String,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name, that of its file.
    pub name: &'static str,
    /// What it looks for, in a line.
    pub what: &'static str,
    /// Why that is probably not meant.
    pub why: &'static str,
    /// A schedule that draws it in a run of 1,000 steps, 100 in an epoch, under momentum 0.9 or the
    /// optimizer that follows it.
    pub example: &'static str,
    /// Looks.
    check: fn(&RunPlan<'_>) -> Option<Told>,
}

impl Rule {
    /// Whether the rule finds something.
    fn finds(&self, plan: &RunPlan<'_>) -> bool {
        (self.check)(plan).is_some()
    }
}

/// A finding without its rule's name.
struct Told {
    severity: Severity,
    message: String,
    mend: String,
}

fn warning(message: String, mend: String) -> Option<Told> {
    Some(Told {
        severity: Severity::Warning,
        message,
        mend,
    })
}

fn note(message: String, mend: String) -> Option<Told> {
    Some(Told {
        severity: Severity::Note,
        message,
        mend,
    })
}

/// The table of rules.
pub static RULES: &[Rule] = &[
    epochs_for_steps::RULE,
    peak_unreached::RULE,
    few_cycles::RULE,
    mid_cycle::RULE,
    half_cycle::RULE,
    horizon::RULE,
    swing_gone::RULE,
    bounds_ratio::RULE,
    momentum_range::RULE,
    normalized_rate::RULE,
    long_warmup::RULE,
    late_milestones::RULE,
    decay_in_epoch::RULE,
    unreached_members::RULE,
    first_rate::RULE,
    answer_seen::RULE,
    frozen_at_random::RULE,
];

/// Everything that the rules find.
#[must_use]
pub fn lint(plan: &RunPlan<'_>) -> Vec<Finding> {
    let found = RULES.iter().filter_map(|rule| {
        let told = (rule.check)(plan)?;
        Some(Finding {
            rule: rule.name,
            severity: told.severity,
            message: told.message,
            mend: told.mend,
        })
    });
    found.collect()
}
