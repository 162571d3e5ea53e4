//! Warm up, stay, decay.

use super::anneal::share;
use super::length::{check_steps, or_run, table, written};
use super::python::float;
use super::{Entry, Formula, InPython, Invalid, Policy, Python, Rate, Span, Steps, check_rate};
use serde::{Deserialize, Serialize};

/// `lr(t) = lr * t / warmup_steps` while warming up, `lr` until `total_steps - decay_steps`, then
/// `lr(t) = min_lr + (lr - min_lr) * d(q)` with `q` from 0 to 1 over the `decay_steps`, and `min_lr`
/// from `total_steps` on. `d` is `decay_type`: `"linear"` `1 - q`, `"cosine"` `(1 + cos(pi q)) / 2`,
/// `"1-sqrt"` `1 - sqrt(q)`, `"square"` `1 - q^2`.
///
/// ```text
///     lr |  .---------------.
///        | /                 \
///        |/                   \
/// min_lr |                     `-----
///        +--|---------------|--|----- t
///        warmup_steps   decay_steps
/// ```
///
/// `total_steps` is the length of the run unless set, `decay_steps` a tenth of it, `warmup_steps` 0
/// (with a warm-up the first step has rate 0, as in the sources; `warmup` around a policy has not).
/// Source: Hu et al., MiniCPM, arXiv 2404.06395; the forms of the decay: Haegele et al., arXiv
/// 2405.18392, and the transformers library's `get_wsd_schedule`. PyTorch has no such scheduler.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wsd {
    /// The rate of the stable part, 0 or above.
    pub lr: f64,
    /// Steps in all.
    pub total_steps: u64,
    /// Steps of the rise from 0.
    pub warmup_steps: u64,
    /// Steps of the fall, at least 1.
    pub decay_steps: u64,
    /// The form of the fall.
    pub decay_type: DecayType,
    /// The rate at the end, from 0 to `lr`.
    pub min_lr: f64,
}

/// The form of the last part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecayType {
    /// `1 - q`: the trapezoid.
    Linear,
    /// `(1 + cos(pi q)) / 2`.
    #[default]
    Cosine,
    /// `1 - sqrt(q)`.
    #[serde(rename = "1-sqrt")]
    OneMinusSqrt,
    /// `1 - q^2`.
    Square,
}

impl DecayType {
    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Cosine => "cosine",
            Self::OneMinusSqrt => "1-sqrt",
            Self::Square => "square",
        }
    }

    fn python(self) -> &'static str {
        match self {
            Self::Linear => "(1 - q)",
            Self::Cosine => "(1 + math.cos(math.pi * q)) / 2",
            Self::OneMinusSqrt => "(1 - math.sqrt(q))",
            Self::Square => "(1 - q * q)",
        }
    }

    fn left(self, q: f64) -> f64 {
        match self {
            Self::Linear => 1.0 - q,
            Self::Cosine => (1.0 + libm::cos(std::f64::consts::PI * q)) / 2.0,
            Self::OneMinusSqrt => 1.0 - libm::sqrt(q),
            Self::Square => 1.0 - q * q,
        }
    }
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "wsd",
    summary: "warm up, stay at lr, decay to min_lr at the end",
    arguments: &[
        "lr",
        "total_steps",
        "warmup_steps",
        "decay_steps",
        "decay_type",
        "min_lr",
    ],
    short: None,
    example: "lr = 0.1\ntotal_steps = 1000\nwarmup_steps = 100\ndecay_steps = 200",
    parse: |args| {
        let args = args.with_bounds("", "lr");
        let run = args.scope();
        let given: Written = args.read()?;
        let total_steps = or_run(given.total_steps, run, "total_steps")?;
        Ok(Box::new(Wsd {
            lr: given.lr,
            total_steps,
            warmup_steps: given.warmup_steps.map_or(0, Steps::get),
            decay_steps: given
                .decay_steps
                .map_or((total_steps / 10).max(1), Steps::get),
            decay_type: given.decay_type,
            min_lr: given.min_lr,
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lr: f64,
    total_steps: Option<Steps>,
    warmup_steps: Option<Steps>,
    decay_steps: Option<Steps>,
    #[serde(default)]
    decay_type: DecayType,
    #[serde(default)]
    min_lr: f64,
}

impl Policy for Wsd {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_rate("lr", self.lr)?;
        check_rate("min_lr", self.min_lr)?;
        if self.min_lr > self.lr {
            return Err(Invalid {
                key: "min_lr",
                message: format!(
                    "is {}, above lr = {}; expected 0 to lr",
                    self.min_lr, self.lr
                ),
            });
        }
        check_steps("total_steps", self.total_steps)?;
        check_steps("decay_steps", self.decay_steps)?;
        let parts = self.warmup_steps.saturating_add(self.decay_steps);
        if parts > self.total_steps {
            return Err(Invalid {
                key: "decay_steps",
                message: format!(
                    "is {}, which with warmup_steps = {} is more than total_steps = {}; expected \
                     parts that fit into the whole",
                    self.decay_steps, self.warmup_steps, self.total_steps
                ),
            });
        }
        Ok(())
    }

    fn at(&self, step: u64) -> Rate {
        if step < self.warmup_steps {
            return Rate::new(self.lr * share(step, self.warmup_steps));
        }
        let falls = self.total_steps.saturating_sub(self.decay_steps);
        let q = share(step.saturating_sub(falls), self.decay_steps);
        if q == 1.0 {
            return Rate::new(self.min_lr);
        }
        let left = self.decay_type.left(q);
        let lr = self.min_lr + (self.lr - self.min_lr) * left;
        Rate::new(if left == 1.0 { self.lr } else { lr })
    }

    fn end(&self) -> Option<u64> {
        Some(self.total_steps)
    }

    fn length(&self) -> Option<u64> {
        Some(self.total_steps)
    }

    fn between(&self, span: &Span) -> Option<String> {
        let (lr, steps) = (span.lr(), span.steps);
        let (warm, decay) = (steps / 20, span.part(5));
        Some(format!(
            "{lr}\ntotal_steps = {steps}\nwarmup_steps = {warm}\ndecay_steps = {decay}"
        ))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        format!(
            "wsd at {}, {} steps up, then until {} of {} steps, {} down to {}",
            self.lr,
            self.warmup_steps,
            self.total_steps.saturating_sub(self.decay_steps),
            self.total_steps,
            self.decay_type.name(),
            self.min_lr
        )
    }

    fn arguments(&self) -> toml::Table {
        table([
            ("lr", self.lr.into()),
            ("total_steps", written(self.total_steps)),
            ("warmup_steps", written(self.warmup_steps)),
            ("decay_steps", written(self.decay_steps)),
            ("decay_type", self.decay_type.name().into()),
            ("min_lr", self.min_lr.into()),
        ])
    }
}

impl InPython for Wsd {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        let falls = self.total_steps.saturating_sub(self.decay_steps);
        let (warm, decay) = (self.warmup_steps, self.decay_steps);
        let [lr, least] = [self.lr, self.min_lr].map(float);
        let rises = match warm {
            0 => String::new(),
            _ => format!("{lr} * (t / {warm}) if t < {warm} else "),
        };
        let left = self.decay_type.python();
        Some(Formula {
            before: vec![format!("q = min(max(t - {falls}, 0), {decay}) / {decay}")],
            ..Formula::new(format!("{rises}{least} + ({lr} - {least}) * {left}"))
        })
    }
}
