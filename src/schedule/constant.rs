//! The constant rate: the baseline that every other policy is compared with.

use super::python::float;
use super::{Entry, Formula, InPython, Invalid, Policy, Python, Rate, Span, check_rate};
use serde::{Deserialize, Serialize};

/// `lr(t) = lr` for every step `t`.
///
/// ```text
/// lr |-------------------------
///  0 +------------------------- t
/// ```
///
/// The same number at the first step, in the middle and at the end. Source: stochastic
/// approximation with a fixed gain, as in every framework's plain SGD: PyTorch's without a
/// scheduler, optax's `constant_schedule`. (PyTorch's `ConstantLR` is another thing: a factor over
/// the first five steps.)
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// The rate, 0 or above.
    pub lr: f64,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "constant",
    summary: "the same rate at every step",
    arguments: &["lr"],
    short: None,
    example: "lr = 0.05",
    parse: |args| Ok(Box::new(args.read::<Constant>()?)),
};

impl Policy for Constant {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_rate("lr", self.lr)
    }

    fn at(&self, _step: u64) -> Rate {
        Rate::new(self.lr)
    }

    fn between(&self, span: &Span) -> Option<String> {
        // The mean rate of the triangle between the same bounds.
        Some(format!("lr = {:?}", (span.base_lr + span.max_lr) / 2.0))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        format!("constant at {}", self.lr)
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::from_iter([("lr".to_owned(), self.lr.into())])
    }
}

impl InPython for Constant {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        Some(Formula::new(float(self.lr)))
    }
}
