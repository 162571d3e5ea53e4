//! A power of what is left of the run.

use super::anneal::share;
use super::length::{check_steps, table, written};
use super::python::float;
use super::{
    Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span, Steps, check_rate,
};
use serde::Deserialize;

/// `lr(t) = lr * (1 - t / total_iters)^power` up to `total_iters`, then 0.
///
/// ```text
/// lr |\                 power = 2
///    |  \
///    |    `-.
///  0 |       `---._________
///    +------------|-------- t
///    0       total_iters
/// ```
///
/// Source: PyTorch's `PolynomialLR`, its defaults (5 steps, power 1) and values; Caffe's `poly` with
/// `total_iters` = `max_iter`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Polynomial {
    /// The rate at step 0, 0 or above.
    pub lr: f64,
    /// Steps until the rate is 0, at least 1.
    pub total_iters: u64,
    /// The exponent, above 0.
    pub power: f64,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "polynomial",
    summary: "lr times a power of the share of the steps that is left",
    arguments: &["lr", "total_iters", "power"],
    short: None,
    example: "lr = 0.1\ntotal_iters = 1000\npower = 0.9",
    parse: |args| {
        let given: Written = args.with_bounds("", "lr").read()?;
        Ok(Box::new(Polynomial {
            lr: given.lr,
            total_iters: given.total_iters.map_or(5, Steps::get),
            power: given.power.unwrap_or(1.0),
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lr: f64,
    total_iters: Option<Steps>,
    power: Option<f64>,
}

/// Refuses an exponent that is not above 0.
pub(super) fn check_power(power: f64) -> Result<(), Invalid> {
    if power > 0.0 && power.is_finite() {
        return Ok(());
    }
    Err(Invalid {
        key: "power",
        message: format!("is {power}; expected an exponent above 0"),
    })
}

impl Policy for Polynomial {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_rate("lr", self.lr)?;
        check_steps("total_iters", self.total_iters)?;
        check_power(self.power)
    }

    fn at(&self, step: u64) -> Rate {
        // What is left is counted in whole steps, so that nothing is lost near the end.
        let left = self.total_iters.saturating_sub(step);
        Rate::new(self.lr * libm::pow(share(left, self.total_iters), self.power))
    }

    fn end(&self) -> Option<u64> {
        Some(self.total_iters)
    }

    fn length(&self) -> Option<u64> {
        Some(self.total_iters)
    }

    fn between(&self, span: &Span) -> Option<String> {
        Some(format!("{}\ntotal_iters = {}", span.lr(), span.steps))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let (lr, steps, power) = (self.lr, self.total_iters, self.power);
        format!("polynomial from {lr} to 0 over {steps} steps, power {power}")
    }

    fn arguments(&self) -> toml::Table {
        table([
            ("lr", self.lr.into()),
            ("total_iters", written(self.total_iters)),
            ("power", self.power.into()),
        ])
    }
}

impl InPython for Polynomial {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        let ([lr, power], n) = ([self.lr, self.power].map(float), self.total_iters);
        Some(Formula::new(format!(
            "{lr} * (max({n} - t, 0) / {n}) ** {power}"
        )))
    }

    fn scheduler(&self, _: u64) -> Option<Scheduler> {
        let (n, power) = (self.total_iters, float(self.power));
        let call = format!("PolynomialLR(total_iters={n}, power={power})");
        Some(Scheduler::new(self.lr, call))
    }
}
