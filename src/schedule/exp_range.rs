//! The triangular policy under an exponential decay per step.

use super::cycle::{self, Cycle};
use super::python::float;
use super::{
    CycleAt, Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span, Steps,
};
use serde::{Deserialize, Serialize};

/// A triangle that shrinks by the factor `gamma` at every step, in one of two forms
/// (`s` is the height of [`Triangular`](super::Triangular), `t` the step counted from the start of
/// training, not of the cycle):
///
/// - [`Decay::Amplitude`] (the default): `lr(t) = base_lr + (max_lr - base_lr) * s * gamma^t`;
/// - [`Decay::Both`]: `lr(t) = (base_lr + (max_lr - base_lr) * s) * gamma^t`, the floor sinks too.
///
/// ```text
///  max_lr |   .                 "amplitude"      |   .                       "both"
///         |  / \                                 |  / \
///         | /   \  / \   / \                     | /   \  / \
/// base_lr |/     \/   \_/   \_..                 |/     \/   \  .-.
///         +-------------------- t                +------------\/---\__.. t
/// ```
///
/// Step 0 is exactly `base_lr` in both forms. At the low points of `"amplitude"` the rate is
/// exactly `base_lr`, at those of `"both"` `base_lr * gamma^t`; at the peaks `gamma^t` has its share
/// already, so `max_lr` itself is reached with `gamma = 1` only. In the end the rate is `base_lr`
/// or 0: the power underflows, it never overflows. Momentum, where it is cycled, swings by
/// `s * gamma^t` in both forms, so late in training it rests at `max_momentum`.
///
/// Sources: `"amplitude"` is PyTorch's `CyclicLR(mode="exp_range")` and Kenstler's
/// `clr_callback.py` (PyTorch's text says "since start of cycle", its code counts all steps);
/// `"both"` is the text of L. N. Smith, arXiv 1506.01186, section 3.1, where each boundary value
/// declines by the factor gamma^iteration.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(from = "Written")]
pub struct ExpRange {
    /// Bounds, lengths and momentum.
    pub cycle: Cycle,
    /// The factor per step, above 0 and at most 1. For a share `f` of the swing that is left after
    /// `n` steps: `f^(1/n)`.
    pub gamma: f64,
    /// What decays.
    pub decay: Decay,
}

/// What `gamma^t` multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// The swing above `base_lr` (PyTorch).
    #[default]
    Amplitude,
    /// The whole rate, `base_lr` included (Smith's paper).
    Both,
}

impl Decay {
    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amplitude => "amplitude",
            Self::Both => "both",
        }
    }
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "exp_range",
    summary: "triangular, shrinking by the factor gamma at every step",
    arguments: &[
        "base_lr",
        "max_lr",
        "step_size_up",
        "step_size_down",
        "gamma",
        "decay",
        "cycle_momentum",
        "base_momentum",
        "max_momentum",
        "cycle_mul",
        "cycle_decay",
    ],
    short: None,
    example: "base_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 938\ngamma = 0.9998\ndecay = \"both\"",
    parse: |args| Ok(Box::new(args.read::<ExpRange>()?)),
};

impl Policy for ExpRange {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.cycle.validate()?;
        if self.gamma > 0.0 && self.gamma <= 1.0 {
            return Ok(());
        }
        Err(Invalid {
            key: "gamma",
            message: format!(
                "is {}; expected a factor per step above 0 and at most 1, such as 0.9999 (1 is no \
                 decay)",
                self.gamma
            ),
        })
    }

    fn at(&self, step: u64) -> Rate {
        let at = self.cycle.position(step);
        let height = at.height * self.cycle.left(at.cycle);
        let power = libm::pow(self.gamma, step as f64);
        let decayed = self.cycle.rate(height * power);
        match self.decay {
            Decay::Amplitude => decayed,
            Decay::Both => Rate {
                lr: self.cycle.rate(height).lr * power,
                ..decayed
            },
        }
    }

    fn cycle(&self, step: u64) -> Option<CycleAt> {
        Some(self.cycle.growth().cycle(step))
    }

    fn momentum_range(&self) -> Option<[f64; 2]> {
        self.cycle.momentum_range()
    }

    fn between(&self, span: &Span) -> Option<String> {
        // A tenth of the swing is left at the end.
        Some(format!("{}\ngamma = {:?}", span.cycle(), span.reach(0.1)))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let what = match self.decay {
            Decay::Amplitude => "swing",
            Decay::Both => "rate",
        };
        let cycle = self.cycle.describe(ENTRY.name);
        format!("{cycle}, {what} times {} each step", self.gamma)
    }

    fn arguments(&self) -> toml::Table {
        let mut table = self.cycle.arguments();
        table.insert("gamma".to_owned(), self.gamma.into());
        table.insert("decay".to_owned(), self.decay.name().into());
        table
    }
}

impl InPython for ExpRange {
    fn formula(&self, code: &mut Python) -> Option<Formula> {
        let power = format!("{} ** t", float(self.gamma));
        let mut formula = self.cycle.python(code, &format!("height * {power}"));
        if self.decay == Decay::Both {
            // (base + (max - base) * height) * power, of the swing that has the power already.
            let [base, max] = [self.cycle.base_lr, self.cycle.max_lr].map(float);
            formula.rate = format!("{base} * {power} + ({max} - {base}) * swing");
        }
        Some(formula)
    }

    fn scheduler(&self, _: u64) -> Option<Scheduler> {
        let amplitude = self.decay == Decay::Amplitude;
        amplitude.then(|| self.cycle.pytorch(ENTRY.name, Some(self.gamma)))?
    }
}

/// [`ExpRange`] as it is written: defaults not yet filled in. (The arguments of [`Cycle`] stand here
/// again because serde cannot flatten a struct and still refuse unknown keys at their place.)
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    base_lr: f64,
    max_lr: f64,
    step_size_up: Option<Steps>,
    step_size_down: Option<Steps>,
    gamma: Option<f64>,
    #[serde(default)]
    decay: Decay,
    #[serde(default)]
    cycle_momentum: bool,
    base_momentum: Option<f64>,
    max_momentum: Option<f64>,
    cycle_mul: Option<f64>,
    cycle_decay: Option<f64>,
}

impl From<Written> for ExpRange {
    fn from(written: Written) -> Self {
        let step_size_up = written.step_size_up.map_or(cycle::STEP_SIZE, Steps::get);
        Self {
            cycle: Cycle {
                base_lr: written.base_lr,
                max_lr: written.max_lr,
                step_size_up,
                step_size_down: written.step_size_down.map_or(step_size_up, Steps::get),
                cycle_momentum: written.cycle_momentum,
                base_momentum: written.base_momentum.unwrap_or(cycle::BASE_MOMENTUM),
                max_momentum: written.max_momentum.unwrap_or(cycle::MAX_MOMENTUM),
                cycle_mul: written.cycle_mul.unwrap_or(1.0),
                cycle_decay: written.cycle_decay.unwrap_or(1.0),
            },
            gamma: written.gamma.unwrap_or(1.0),
            decay: written.decay,
        }
    }
}
