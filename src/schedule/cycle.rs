//! What the cyclical policies share: their arguments and the arithmetic of the phase.
//!
//! The phase is an integer. Implementations that compute `floor(1 + t / T)` in floating point miss
//! the peak by rounding and, in f32, lose the cycle altogether after some 10^7 steps.

use super::anneal::Anneal;
use super::growth::Growth;
use super::length::check_decay;
use super::python::{boolean, float};
use super::{Formula, Invalid, Python, Rate, Scheduler, Steps, check_rate};
use crate::args::is_below_one;
use serde::Deserialize;

/// The arguments of a cyclical policy, named as in PyTorch's `CyclicLR`.
///
/// ```
/// use wavetrain::schedule::{Cycle, Policy, Triangular};
///
/// let policy = Triangular(Cycle::new(0.01, 0.1, 938));
/// assert_eq!(policy.at(938).lr, 0.1);
///
/// let with_momentum = Cycle { cycle_momentum: true, ..Cycle::new(0.01, 0.1, 938) };
/// assert_eq!(Triangular(with_momentum).at(938).momentum, Some(0.8));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(from = "Written")]
pub struct Cycle {
    /// The rate at the start of each cycle, 0 or above.
    pub base_lr: f64,
    /// The rate at the peak of the (first) cycle, above `base_lr`.
    pub max_lr: f64,
    /// Steps from the start of a cycle to its peak, at least 1.
    pub step_size_up: u64,
    /// Steps from the peak to the end of the cycle, at least 1.
    pub step_size_down: u64,
    /// Whether momentum cycles against the rate and replaces the optimizer's own.
    pub cycle_momentum: bool,
    /// The momentum at the peak of the rate, in [0, 1).
    pub base_momentum: f64,
    /// The momentum at the start of each cycle, in [0, 1), at least `base_momentum`.
    pub max_momentum: f64,
    /// Growth: each cycle is this many times as long as the one before, at least 1. The step of the
    /// peak is rounded.
    pub cycle_mul: f64,
    /// Factor on the swing for each new cycle, above 0 and at most 1.
    pub cycle_decay: f64,
}

/// The names of [`Cycle`]'s arguments, in the order in which they are shown.
pub(super) const ARGUMENTS: &[&str] = &[
    "base_lr",
    "max_lr",
    "step_size_up",
    "step_size_down",
    "cycle_momentum",
    "base_momentum",
    "max_momentum",
    "cycle_mul",
    "cycle_decay",
];

pub(super) const STEP_SIZE: u64 = 2000;
pub(super) const BASE_MOMENTUM: f64 = 0.8;
pub(super) const MAX_MOMENTUM: f64 = 0.9;

/// Where a step lies in its cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// The cycle, from 0.
    pub cycle: u64,
    /// The way from the start (0) up to the peak (1) and down again, linear in the steps:
    /// exactly 0 at the start of a cycle and exactly 1 at its peak.
    pub height: f64,
}

impl Cycle {
    /// A cycle with equal halves of `step_size` steps and no momentum cycling.
    #[must_use]
    pub fn new(base_lr: f64, max_lr: f64, step_size: u64) -> Self {
        Self {
            base_lr,
            max_lr,
            step_size_up: step_size,
            step_size_down: step_size,
            cycle_momentum: false,
            base_momentum: BASE_MOMENTUM,
            max_momentum: MAX_MOMENTUM,
            cycle_mul: 1.0,
            cycle_decay: 1.0,
        }
    }

    /// Steps of the first cycle, `T = step_size_up + step_size_down`; of every cycle, unless they
    /// grow.
    #[must_use]
    pub fn period(&self) -> u64 {
        self.step_size_up.saturating_add(self.step_size_down).max(1)
    }

    /// Where `step` lies: `c = t div T`, `q = t mod T` and `height = q / up` while rising,
    /// `(T - q) / down` while falling.
    #[must_use]
    pub fn position(&self, step: u64) -> Position {
        let period = self.period();
        let growth = self.growth();
        let place = growth.place(step);
        let (up, down) = if growth.is_even() {
            (self.step_size_up, self.step_size_down)
        } else {
            let share = self.step_size_up as f64 / period as f64;
            let up = (share * place.length as f64).round() as u64;
            let up = up.clamp(1, place.length.max(2) - 1);
            (up, place.length - up)
        };
        let q = step - place.start;
        // Whole numbers up to here, so both turns are exact: 0 / up and down / down.
        let height = if q < up {
            q as f64 / up as f64
        } else {
            (place.length - q) as f64 / down as f64
        };
        Position {
            cycle: place.cycle,
            height,
        }
    }

    pub(super) fn growth(&self) -> Growth {
        Growth {
            first: self.period(),
            factor: self.cycle_mul,
        }
    }

    /// What is left of the swing in cycle `cycle`: `cycle_decay^cycle`.
    #[must_use]
    pub fn left(&self, cycle: u64) -> f64 {
        if self.cycle_decay == 1.0 {
            return 1.0;
        }
        libm::pow(self.cycle_decay, cycle as f64)
    }

    /// Rate and momentum at `swing` in [0, 1], the share of the way from base to max:
    /// `lr = base_lr + (max_lr - base_lr) * swing` and
    /// `momentum = max_momentum - (max_momentum - base_momentum) * swing`; both give their
    /// constants at 0 and 1 and never leave their bounds.
    #[must_use]
    pub fn rate(&self, swing: f64) -> Rate {
        Rate {
            lr: between(self.base_lr, self.max_lr, swing),
            momentum: self
                .cycle_momentum
                .then(|| between(self.max_momentum, self.base_momentum, swing)),
        }
    }

    /// The closed form in Python; `swing` is an expression of `height`, `cycle` and `t`, without
    /// `cycle_decay`.
    pub(super) fn python(&self, code: &Python, swing: &str) -> Formula {
        let mut before = self.growth().python(code.steps());
        let (up, down) = (self.step_size_up, self.step_size_down);
        if self.growth().is_even() {
            before.push(format!(
                "height = q / {up} if q < {up} else (length - q) / {down}"
            ));
        } else {
            let share = float(up as f64 / self.period() as f64);
            before.push(format!(
                "up = min(max(int({share} * length + 0.5), 1), length - 1)"
            ));
            before.push("height = q / up if q < up else (length - q) / (length - up)".to_owned());
        }
        let decay = match self.cycle_decay {
            1.0 => String::new(),
            decay => format!(" * {} ** cycle", float(decay)),
        };
        before.push(format!("swing = {swing}{decay}"));
        let way = |from, to| Anneal::Linear.python(&float(from), &float(to), "swing");
        let momentum = || way(self.max_momentum, self.base_momentum);
        Formula {
            before,
            rate: way(self.base_lr, self.max_lr),
            momentum: self.cycle_momentum.then(momentum),
        }
    }

    /// PyTorch's `CyclicLR`, which has no growth and no `cycle_decay`.
    pub(super) fn pytorch(&self, mode: &str, gamma: Option<f64>) -> Option<Scheduler> {
        if self.cycle_decay != 1.0 || !self.growth().is_even() {
            return None;
        }
        let [base, max] = [self.base_lr, self.max_lr].map(float);
        let [low, high] = [self.base_momentum, self.max_momentum].map(float);
        let (up, down) = (self.step_size_up, self.step_size_down);
        let cycles = boolean(self.cycle_momentum);
        let gamma = gamma.map_or(String::new(), |gamma| format!(", gamma={}", float(gamma)));
        let momentum = match self.cycle_momentum {
            true => format!(", base_momentum={low}, max_momentum={high}"),
            false => String::new(),
        };
        let call = format!(
            "CyclicLR(base_lr={base}, max_lr={max}, step_size_up={up}, step_size_down={down}, \
             mode=\"{mode}\"{gamma}, cycle_momentum={cycles}{momentum})"
        );
        Some(Scheduler::new(self.base_lr, call))
    }

    /// The momentum's range where it is cycled.
    #[must_use]
    pub fn momentum_range(&self) -> Option<[f64; 2]> {
        self.cycle_momentum
            .then_some([self.base_momentum, self.max_momentum])
    }

    /// Refuses values that make no cycle.
    ///
    /// # Errors
    /// The first argument that is wrong.
    pub fn validate(&self) -> Result<(), Invalid> {
        check_rate("base_lr", self.base_lr)?;
        check_rate("max_lr", self.max_lr)?;
        let Self {
            base_lr, max_lr, ..
        } = *self;
        if base_lr == max_lr {
            return Err(Invalid {
                key: "max_lr",
                message: format!(
                    "is {max_lr}, the same as base_lr, so the rate would not move; raise max_lr \
                     above base_lr, or use policy = \"constant\" with lr = {max_lr}"
                ),
            });
        }
        if base_lr > max_lr {
            return Err(Invalid {
                key: "max_lr",
                message: format!(
                    "is {max_lr}, below base_lr = {base_lr}; expected base_lr < max_lr (are the \
                     two swapped?)"
                ),
            });
        }
        self.validate_steps()?;
        self.growth().check("cycle_mul")?;
        check_decay("cycle_decay", self.cycle_decay)?;
        self.validate_momentum()
    }

    fn validate_steps(&self) -> Result<(), Invalid> {
        for (key, steps) in [
            ("step_size_up", self.step_size_up),
            ("step_size_down", self.step_size_down),
        ] {
            if steps == 0 {
                return Err(Invalid {
                    key,
                    message: "is 0; expected at least 1 step (a step is one batch)".to_owned(),
                });
            }
        }
        // TOML's integers end here, and a cycle this long has never been seen to end.
        let longest = i64::MAX as u64;
        match self.step_size_up.checked_add(self.step_size_down) {
            Some(period) if period <= longest => Ok(()),
            _ => Err(Invalid {
                key: "step_size_up",
                message: format!(
                    "is {}, which together with step_size_down = {} makes a cycle of more than \
                     {longest} steps; expected a cycle that fits into a 64-bit integer",
                    self.step_size_up, self.step_size_down
                ),
            }),
        }
    }

    fn validate_momentum(&self) -> Result<(), Invalid> {
        check_momentum(self.base_momentum, self.max_momentum)
    }

    /// `NAME from 0.01 to 0.1, half cycle 938 steps`, with what differs from the plain case.
    pub(super) fn describe(&self, name: &str) -> String {
        let (up, down) = (self.step_size_up, self.step_size_down);
        let halves = if up == down {
            format!("half cycle {up} steps")
        } else {
            format!("{up} steps up and {down} down")
        };
        let momentum = if self.cycle_momentum {
            format!(
                ", momentum {} to {} against it",
                self.max_momentum, self.base_momentum
            )
        } else {
            String::new()
        };
        let growth = match self.cycle_mul {
            1.0 => String::new(),
            mul => format!(", each cycle {mul} times as long"),
        };
        let decay = match self.cycle_decay {
            1.0 => String::new(),
            decay => format!(", swing times {decay} each cycle"),
        };
        format!(
            "{name} from {} to {}, {halves}{growth}{decay}{momentum}",
            self.base_lr, self.max_lr
        )
    }

    /// All arguments as they would be written.
    #[must_use]
    pub fn arguments(&self) -> toml::Table {
        let steps = |n: u64| i64::try_from(n).unwrap_or(i64::MAX).into();
        let values: [toml::Value; 9] = [
            self.base_lr.into(),
            self.max_lr.into(),
            steps(self.step_size_up),
            steps(self.step_size_down),
            self.cycle_momentum.into(),
            self.base_momentum.into(),
            self.max_momentum.into(),
            self.cycle_mul.into(),
            self.cycle_decay.into(),
        ];
        let names = ARGUMENTS.iter().map(|&name| name.to_owned());
        names.zip(values).collect()
    }
}

/// Refuses momentums outside [0, 1) and a range that is upside down.
pub(super) fn check_momentum(base: f64, max: f64) -> Result<(), Invalid> {
    for (key, value) in [("base_momentum", base), ("max_momentum", max)] {
        // In f32, too: a momentum that rounds to 1 never forgets a gradient.
        if !is_below_one(value) {
            return Err(Invalid {
                key,
                message: format!("is {value}; expected a momentum from 0 to below 1"),
            });
        }
    }
    if base > max {
        return Err(Invalid {
            key: "base_momentum",
            message: format!(
                "is {base}, above max_momentum = {max}; expected base_momentum, the momentum at \
                 the peak of the rate, to be the lower one"
            ),
        });
    }
    Ok(())
}

/// `from + (to - from) * share`, exact at both ends.
///
/// At 1 the rounded difference need not lead back to `to` (`0.9 - (0.9 - 0.1) != 0.1`). Below 1 it
/// cannot pass it: the largest product is the float before the difference, which no rounding makes
/// longer than the true way.
fn between(from: f64, to: f64, share: f64) -> f64 {
    if share == 1.0 {
        to
    } else {
        from + (to - from) * share
    }
}

/// [`Cycle`] as it is written: defaults not yet filled in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    base_lr: f64,
    max_lr: f64,
    step_size_up: Option<Steps>,
    step_size_down: Option<Steps>,
    #[serde(default)]
    cycle_momentum: bool,
    base_momentum: Option<f64>,
    max_momentum: Option<f64>,
    cycle_mul: Option<f64>,
    cycle_decay: Option<f64>,
}

impl From<Written> for Cycle {
    fn from(written: Written) -> Self {
        let step_size_up = written.step_size_up.map_or(STEP_SIZE, Steps::get);
        Self {
            base_lr: written.base_lr,
            max_lr: written.max_lr,
            step_size_up,
            step_size_down: written.step_size_down.map_or(step_size_up, Steps::get),
            cycle_momentum: written.cycle_momentum,
            base_momentum: written.base_momentum.unwrap_or(BASE_MOMENTUM),
            max_momentum: written.max_momentum.unwrap_or(MAX_MOMENTUM),
            cycle_mul: written.cycle_mul.unwrap_or(1.0),
            cycle_decay: written.cycle_decay.unwrap_or(1.0),
        }
    }
}
