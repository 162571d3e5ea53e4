//! Exponential decay.

use super::length::{check_decay, table};
use super::python::float;
use super::{Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span, check_rate};
use serde::{Deserialize, Serialize};

/// `lr(t) = lr * gamma^t`.
///
/// ```text
/// lr |\
///    | \
///    |  `.
///    |    `--.___
///  0 +---------------- t
/// ```
///
/// Source: PyTorch's `ExponentialLR` with a step a step (there it is usually stepped once an epoch:
/// take the root, `gamma^(1 / steps in an epoch)`), and Caffe's `exp`. One power of the step, not a
/// product kept from step to step, so step 10^12 is as exact as step 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// The rate at step 0, 0 or above.
    pub lr: f64,
    /// The factor per step, above 0 and at most 1.
    pub gamma: f64,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "exponential",
    summary: "lr times gamma at every step",
    arguments: &["lr", "gamma"],
    short: None,
    example: "lr = 0.1\ngamma = 0.999",
    parse: |args| Ok(Box::new(args.with_bounds("", "lr").read::<Exponential>()?)),
};

impl Policy for Exponential {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_rate("lr", self.lr)?;
        check_decay("gamma", self.gamma)
    }

    fn at(&self, step: u64) -> Rate {
        Rate::new(self.lr * libm::pow(self.gamma, step as f64))
    }

    fn between(&self, span: &Span) -> Option<String> {
        let gamma = span.reach(span.base_lr / span.max_lr);
        Some(format!("{}\ngamma = {gamma:?}", span.lr()))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        format!(
            "exponential from {}, times {} each step",
            self.lr, self.gamma
        )
    }

    fn arguments(&self) -> toml::Table {
        table([("lr", self.lr.into()), ("gamma", self.gamma.into())])
    }
}

impl InPython for Exponential {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        let [lr, gamma] = [self.lr, self.gamma].map(float);
        Some(Formula::new(format!("{lr} * {gamma} ** t")))
    }

    fn scheduler(&self, _: u64) -> Option<Scheduler> {
        let call = format!("ExponentialLR(gamma={})", float(self.gamma));
        Some(Scheduler::new(self.lr, call))
    }
}
