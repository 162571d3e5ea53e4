//! Stairs: the rate falls by a factor at regular steps.

use super::length::{check_decay, check_steps, table, written};
use super::python::float;
use super::{
    Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span, Steps, check_rate,
};
use serde::Deserialize;

/// `lr(t) = lr * gamma^(t div step_size)`.
///
/// ```text
/// lr |----.
///    |    |
///    |    `----.____.____
///    +----|----|----|---- t
///    0  step_size
/// ```
///
/// Source: PyTorch's `StepLR` (its `gamma` of 0.1 is the default here too) and Caffe's `step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The rate at step 0, 0 or above.
    pub lr: f64,
    /// Steps on each stair, at least 1.
    pub step_size: u64,
    /// The factor from stair to stair, above 0 and at most 1.
    pub gamma: f64,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "step",
    summary: "lr times gamma after every step_size steps",
    arguments: &["lr", "step_size", "gamma"],
    short: None,
    example: "lr = 0.1\nstep_size = 500",
    parse: |args| {
        let given: Written = args.with_bounds("", "lr").read()?;
        Ok(Box::new(Step {
            lr: given.lr,
            step_size: given.step_size.get(),
            gamma: given.gamma.unwrap_or(0.1),
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lr: f64,
    step_size: Steps,
    gamma: Option<f64>,
}

impl Policy for Step {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_rate("lr", self.lr)?;
        check_steps("step_size", self.step_size)?;
        check_decay("gamma", self.gamma)
    }

    fn at(&self, step: u64) -> Rate {
        let stair = step / self.step_size.max(1);
        Rate::new(self.lr * libm::pow(self.gamma, stair as f64))
    }

    fn between(&self, span: &Span) -> Option<String> {
        Some(format!(
            "{}\nstep_size = {}",
            span.lr(),
            span.steps.div_ceil(3)
        ))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let (lr, gamma, steps) = (self.lr, self.gamma, self.step_size);
        format!("step from {lr}, times {gamma} every {steps} steps")
    }

    fn arguments(&self) -> toml::Table {
        table([
            ("lr", self.lr.into()),
            ("step_size", written(self.step_size)),
            ("gamma", self.gamma.into()),
        ])
    }
}

impl InPython for Step {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        let ([lr, gamma], n) = ([self.lr, self.gamma].map(float), self.step_size);
        Some(Formula::new(format!("{lr} * {gamma} ** (t // {n})")))
    }

    fn scheduler(&self, _: u64) -> Option<Scheduler> {
        let (n, gamma) = (self.step_size, float(self.gamma));
        let call = format!("StepLR(step_size={n}, gamma={gamma})");
        Some(Scheduler::new(self.lr, call))
    }
}
