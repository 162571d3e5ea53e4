//! A straight line from one multiple of the rate to another.

use super::anneal::{Anneal, share};
use super::length::{check_steps, table, written};
use super::python::float;
use super::{
    Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span, Steps, check_rate,
};
use serde::Deserialize;

/// `lr(t) = lr * (start_factor + (end_factor - start_factor) * t / total_iters)` up to `total_iters`,
/// then `lr * end_factor`.
///
/// ```text
///   lr * end_factor |      .-----------
///                   |    /
/// lr * start_factor |  /
///                   +------|----------- t
///                   0  total_iters
/// ```
///
/// Source: PyTorch's `LinearLR`, with its defaults (a third of the rate, the rate, 5 steps) and its
/// values; a `start_factor` of 0, which PyTorch cannot divide by (pytorch/pytorch#86454), is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    /// The rate that the factors multiply, 0 or above.
    pub lr: f64,
    /// The factor at step 0, 0 or above.
    pub start_factor: f64,
    /// The factor from `total_iters` on, 0 or above.
    pub end_factor: f64,
    /// Steps from one to the other, at least 1.
    pub total_iters: u64,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "linear",
    summary: "a straight line from lr * start_factor to lr * end_factor",
    arguments: &["lr", "start_factor", "end_factor", "total_iters"],
    short: None,
    example: "lr = 0.1\nstart_factor = 1\nend_factor = 0.01\ntotal_iters = 1000",
    parse: |args| {
        let given: Written = args.with_bounds("", "lr").read()?;
        Ok(Box::new(Linear {
            lr: given.lr,
            start_factor: given.start_factor.unwrap_or(1.0 / 3.0),
            end_factor: given.end_factor.unwrap_or(1.0),
            total_iters: given.total_iters.map_or(5, Steps::get),
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lr: f64,
    start_factor: Option<f64>,
    end_factor: Option<f64>,
    total_iters: Option<Steps>,
}

impl Policy for Linear {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_rate("lr", self.lr)?;
        check_rate("start_factor", self.start_factor)?;
        check_rate("end_factor", self.end_factor)?;
        for (key, factor) in [
            ("start_factor", self.start_factor),
            ("end_factor", self.end_factor),
        ] {
            check_rate(key, self.lr * factor)?;
        }
        check_steps("total_iters", self.total_iters)
    }

    fn at(&self, step: u64) -> Rate {
        let share = share(step, self.total_iters);
        let factor = Anneal::Linear.between(self.start_factor, self.end_factor, share);
        Rate::new(self.lr * factor)
    }

    fn end(&self) -> Option<u64> {
        Some(self.total_iters)
    }

    fn length(&self) -> Option<u64> {
        Some(self.total_iters)
    }

    fn between(&self, span: &Span) -> Option<String> {
        let (lr, end, steps) = (span.lr(), span.base_lr / span.max_lr, span.steps);
        Some(format!(
            "{lr}\nstart_factor = 1\nend_factor = {end:?}\ntotal_iters = {steps}"
        ))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let [from, to] = [self.start_factor, self.end_factor].map(|factor| self.lr * factor);
        format!("linear from {from} to {to} over {} steps", self.total_iters)
    }

    fn arguments(&self) -> toml::Table {
        table([
            ("lr", self.lr.into()),
            ("start_factor", self.start_factor.into()),
            ("end_factor", self.end_factor.into()),
            ("total_iters", written(self.total_iters)),
        ])
    }
}

impl InPython for Linear {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        let n = self.total_iters;
        let [lr, start, end] = [self.lr, self.start_factor, self.end_factor].map(float);
        let share = format!("min(t, {n}) / {n}");
        let factor = Anneal::Linear.python(&start, &end, &share);
        Some(Formula::new(format!("{lr} * ({factor})")))
    }

    /// `LinearLR` takes factors from above 0 to 1.
    fn scheduler(&self, _: u64) -> Option<Scheduler> {
        let (start, end, n) = (self.start_factor, self.end_factor, self.total_iters);
        if !(start > 0.0 && start <= 1.0 && end <= 1.0) {
            return None;
        }
        let [start, end] = [start, end].map(float);
        Some(Scheduler::new(
            self.lr,
            format!("LinearLR(start_factor={start}, end_factor={end}, total_iters={n})"),
        ))
    }
}
