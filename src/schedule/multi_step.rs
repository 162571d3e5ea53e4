//! Stairs at chosen steps.

use super::length::{check_decay, table, written};
use super::python::{float, list};
use super::{
    Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span, Steps, check_rate,
};
use serde::Deserialize;

/// `lr(t) = lr * gamma^n`, where `n` is the number of milestones at or before step `t`.
///
/// ```text
/// lr |------.
///    |      `--.
///    |         `---------.___
///    +------|--|---------|--- t
///            milestones
/// ```
///
/// Source: PyTorch's `MultiStepLR`: the rate changes at the milestone itself, and a milestone that
/// is listed twice counts twice. (Keras' `PiecewiseConstantDecay` changes one step later.)
#[derive(Debug, Clone, PartialEq)]
pub struct MultiStep {
    /// The rate before the first milestone, 0 or above.
    pub lr: f64,
    /// The steps at which the rate falls, in ascending order.
    pub milestones: Vec<u64>,
    /// The factor at each milestone, above 0 and at most 1.
    pub gamma: f64,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "multi_step",
    summary: "lr times gamma at each of the milestones",
    arguments: &["lr", "milestones", "gamma"],
    short: None,
    example: "lr = 0.1\nmilestones = [500, 800]",
    parse: |args| {
        let given: Written = args.with_bounds("", "lr").read()?;
        Ok(Box::new(MultiStep {
            lr: given.lr,
            milestones: given.milestones.into_iter().map(Steps::get).collect(),
            gamma: given.gamma.unwrap_or(0.1),
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lr: f64,
    milestones: Vec<Steps>,
    gamma: Option<f64>,
}

impl Policy for MultiStep {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_rate("lr", self.lr)?;
        check_decay("gamma", self.gamma)?;
        let pairs = self.milestones.iter().zip(self.milestones.iter().skip(1));
        for (i, (one, next)) in pairs.enumerate() {
            if next < one {
                return Err(Invalid {
                    key: "milestones",
                    message: format!(
                        "[{}] is {next}, before {one}; expected steps in ascending order",
                        i + 1
                    ),
                });
            }
        }
        Ok(())
    }

    fn at(&self, step: u64) -> Rate {
        let passed = self.milestones.partition_point(|at| *at <= step);
        Rate::new(self.lr * libm::pow(self.gamma, passed as f64))
    }

    fn end(&self) -> Option<u64> {
        Some(self.milestones.last().copied().unwrap_or(0))
    }

    fn between(&self, span: &Span) -> Option<String> {
        let (half, most) = (span.part(2), span.steps * 3 / 4);
        Some(format!("{}\nmilestones = [{half}, {most}]", span.lr()))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let at: Vec<String> = self.milestones.iter().map(u64::to_string).collect();
        let (lr, gamma) = (self.lr, self.gamma);
        format!(
            "multi_step from {lr}, times {gamma} at steps {}",
            at.join(", ")
        )
    }

    fn arguments(&self) -> toml::Table {
        let milestones = self.milestones.iter().copied().map(written).collect();
        table([
            ("lr", self.lr.into()),
            ("milestones", toml::Value::Array(milestones)),
            ("gamma", self.gamma.into()),
        ])
    }
}

impl InPython for MultiStep {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        let ([lr, gamma], at) = ([self.lr, self.gamma].map(float), list(&self.milestones));
        Some(Formula::new(format!(
            "{lr} * {gamma} ** bisect.bisect({at}, t)"
        )))
    }

    fn scheduler(&self, _: u64) -> Option<Scheduler> {
        let (at, gamma) = (list(&self.milestones), float(self.gamma));
        let call = format!("MultiStepLR(milestones={at}, gamma={gamma})");
        Some(Scheduler::new(self.lr, call))
    }
}
