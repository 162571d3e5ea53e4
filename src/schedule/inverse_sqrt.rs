//! Decay by the inverse square root of the step.

use super::length::{check_steps, table, written};
use super::python::float;
use super::{Entry, Formula, InPython, Invalid, Policy, Python, Rate, Span, Steps, check_rate};
use serde::Deserialize;

/// `lr(t) = lr / sqrt(1 + t / timescale)`.
///
/// ```text
/// lr |\
///    | `.
///    |   `--.____
///    |           `--------
///  0 +------|------------- t
///       timescale
/// ```
///
/// The rate is halved at `3 * timescale`. Source: Vaswani et al., arXiv 1706.03762, section 5.3, in
/// the form of the transformers library's `get_inverse_sqrt_schedule` after its warm-up; with one, it
/// is `warmup` around this policy. PyTorch has no such scheduler.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InverseSqrt {
    /// The rate at step 0, 0 or above.
    pub lr: f64,
    /// The step at which the rate is divided by the square root of 2, at least 1.
    pub timescale: u64,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "inverse_sqrt",
    summary: "lr over the square root of 1 + t / timescale",
    arguments: &["lr", "timescale"],
    short: None,
    example: "lr = 0.1\ntimescale = 1000",
    parse: |args| {
        let given: Written = args.with_bounds("", "lr").read()?;
        Ok(Box::new(InverseSqrt {
            lr: given.lr,
            timescale: given.timescale.map_or(10_000, Steps::get),
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lr: f64,
    timescale: Option<Steps>,
}

impl Policy for InverseSqrt {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_rate("lr", self.lr)?;
        check_steps("timescale", self.timescale)
    }

    fn at(&self, step: u64) -> Rate {
        let grown = 1.0 + step as f64 / self.timescale.max(1) as f64;
        Rate::new(self.lr / libm::sqrt(grown))
    }

    fn between(&self, span: &Span) -> Option<String> {
        Some(format!("{}\ntimescale = {}", span.lr(), span.part(10)))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        format!(
            "inverse_sqrt from {}, timescale {} steps",
            self.lr, self.timescale
        )
    }

    fn arguments(&self) -> toml::Table {
        table([
            ("lr", self.lr.into()),
            ("timescale", written(self.timescale)),
        ])
    }
}

impl InPython for InverseSqrt {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        let (lr, timescale) = (float(self.lr), self.timescale);
        Some(Formula::new(format!(
            "{lr} / math.sqrt(1 + t / {timescale})"
        )))
    }
}
