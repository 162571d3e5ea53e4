//! Caffe's inverse decay.

use super::length::table;
use super::polynomial::check_power;
use super::python::float;
use super::{Entry, Formula, InPython, Invalid, Policy, Python, Rate, Span, check_rate};
use serde::{Deserialize, Serialize};

/// `lr(t) = lr * (1 + gamma * t)^(-power)`.
///
/// ```text
/// lr |\
///    | `.
///    |   `--.____
///    |           `--------
///  0 +-------------------- t
/// ```
///
/// The defaults, 0.0001 and 0.75, are those of Caffe's LeNet, whose rate starts at 0.01 and is
/// 0.005946 after its 10,000 iterations. Source: Caffe's `inv` (src/caffe/solvers/sgd_solver.cpp).
/// PyTorch has no such scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inv {
    /// The rate at step 0, 0 or above.
    pub lr: f64,
    /// How fast the rate falls, per step, 0 or above.
    #[serde(default = "lenets_gamma")]
    pub gamma: f64,
    /// The exponent, above 0.
    #[serde(default = "lenets_power")]
    pub power: f64,
}

fn lenets_gamma() -> f64 {
    1e-4
}

fn lenets_power() -> f64 {
    0.75
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "inv",
    summary: "Caffe's lr * (1 + gamma * t)^(-power)",
    arguments: &["lr", "gamma", "power"],
    short: None,
    example: "lr = 0.01",
    parse: |args| Ok(Box::new(args.with_bounds("", "lr").read::<Inv>()?)),
};

impl Policy for Inv {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_rate("lr", self.lr)?;
        check_rate("gamma", self.gamma)?;
        check_power(self.power)
    }

    fn at(&self, step: u64) -> Rate {
        Rate::new(self.lr * libm::pow(1.0 + self.gamma * step as f64, -self.power))
    }

    fn between(&self, span: &Span) -> Option<String> {
        Some(format!(
            "{}\ngamma = {:?}",
            span.lr(),
            10.0 / span.steps as f64
        ))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let Self { lr, gamma, power } = self;
        format!("inv from {lr}, gamma {gamma}, power {power}")
    }

    fn arguments(&self) -> toml::Table {
        table([
            ("lr", self.lr.into()),
            ("gamma", self.gamma.into()),
            ("power", self.power.into()),
        ])
    }
}

impl InPython for Inv {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        let [lr, gamma, power] = [self.lr, self.gamma, self.power].map(float);
        Some(Formula::new(format!(
            "{lr} * (1 + {gamma} * t) ** -{power}"
        )))
    }
}
