//! One cycle and a tail: super-convergence.

use super::anneal::{Anneal, share};
use super::cycle::check_momentum;
use super::length::{or_run, table, written};
use super::python::{boolean, float};
use super::{
    Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span, Steps, check_rate,
};
use serde::Deserialize;

/// Up to `max_lr` and down to almost nothing. With `N = total_steps`, the peak at the whole step
/// `p` nearest to `pct_start * N - 1`, and `a` the way from one value to the next (`anneal_strategy`):
///
/// - two phases: `lr(t) = a(initial -> max_lr)` for `t` from 0 to `p`, `a(max_lr -> min)` from `p` to
///   `N - 1`;
/// - `three_phase`: up to `p`, back to `initial` at `2 p`, then `a(initial -> min)` to `N - 1`;
///
/// where `initial = max_lr / div_factor` and `min = initial / final_div_factor`.
///
/// ```text
///  max_lr |     .-.                  |     /\            three_phase, linear
///         |   .'   `.                |    /  \
///         |  /       `-.             |   /    \
/// initial |-'           `-.          |  /      `-.
///     min |                `-----    |            `-------
///         +-----|----------|-----    +----|----|-----|----- t
///         0     p        N - 1       0    p   2 p  N - 1
/// ```
///
/// Momentum goes the other way, from `max_momentum` to `base_momentum` at the peak and back, unless
/// `cycle_momentum` is off. After step `N - 1` the last value holds. `total_steps` is the length of the
/// run unless set.
///
/// Source: L. N. Smith, arXiv 1708.07120 and 1803.09820 (three phases there). Equal to PyTorch's
/// `OneCycleLR` where `pct_start * N` is whole. Elsewhere PyTorch's peak falls between two steps and
/// is missed; here it goes to the nearest step. PyTorch's rate rises again or turns negative after
/// its end, and its third phase is lost without a word where `pct_start` is above a half: refused
/// here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneCycle {
    /// The rate at the peak, above 0.
    pub max_lr: f64,
    /// Steps in all, at least 3.
    pub total_steps: u64,
    /// The share of the steps that the rise takes, above 0 and below 1.
    pub pct_start: f64,
    /// The form of rise and fall.
    pub anneal_strategy: Anneal,
    /// Whether momentum cycles against the rate and replaces the optimizer's own.
    pub cycle_momentum: bool,
    /// The momentum at the peak, in [0, 1).
    pub base_momentum: f64,
    /// The momentum at the start and at the end, in [0, 1), at least `base_momentum`.
    pub max_momentum: f64,
    /// `max_lr / div_factor` is the rate at the start; at least 1.
    pub div_factor: f64,
    /// The rate at the start over this is the rate at the end; at least 1.
    pub final_div_factor: f64,
    /// Down to the rate of the start first, as long as up, then to the end.
    pub three_phase: bool,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "one_cycle",
    summary: "up to max_lr and down to almost nothing, momentum against it",
    arguments: &[
        "max_lr",
        "total_steps",
        "pct_start",
        "anneal_strategy",
        "cycle_momentum",
        "base_momentum",
        "max_momentum",
        "div_factor",
        "final_div_factor",
        "three_phase",
    ],
    short: None,
    example: "max_lr = 0.1\ntotal_steps = 1000",
    parse: |args| {
        let args = args.with_bounds("", "max_lr");
        let run = args.scope();
        let given: Written = args.read()?;
        Ok(Box::new(OneCycle {
            max_lr: given.max_lr,
            total_steps: or_run(given.total_steps, run, "total_steps")?,
            pct_start: given.pct_start.unwrap_or(0.3),
            anneal_strategy: given.anneal_strategy,
            cycle_momentum: given.cycle_momentum.unwrap_or(true),
            base_momentum: given.base_momentum.unwrap_or(0.85),
            max_momentum: given.max_momentum.unwrap_or(0.95),
            div_factor: given.div_factor.unwrap_or(25.0),
            final_div_factor: given.final_div_factor.unwrap_or(1e4),
            three_phase: given.three_phase,
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    max_lr: f64,
    total_steps: Option<Steps>,
    pct_start: Option<f64>,
    #[serde(default)]
    anneal_strategy: Anneal,
    cycle_momentum: Option<bool>,
    base_momentum: Option<f64>,
    max_momentum: Option<f64>,
    div_factor: Option<f64>,
    final_div_factor: Option<f64>,
    #[serde(default)]
    three_phase: bool,
}

impl OneCycle {
    /// The step of the peak.
    #[must_use]
    pub fn peak(&self) -> u64 {
        let wanted = (self.pct_start * self.total_steps as f64).round() as u64;
        // A rise and a fall of at least a step.
        wanted.saturating_sub(1).clamp(1, self.last().max(2) - 1)
    }

    fn last(&self) -> u64 {
        self.total_steps.saturating_sub(1)
    }

    /// The phase of `step`, from 0, and how far it is through it.
    fn phase(&self, step: u64) -> (u8, f64) {
        let peak = self.peak();
        if step <= peak {
            return (0, share(step, peak));
        }
        if !self.three_phase {
            return (1, share(step - peak, self.last().saturating_sub(peak)));
        }
        if step <= 2 * peak {
            return (1, share(step - peak, peak));
        }
        (
            2,
            share(step - 2 * peak, self.last().saturating_sub(2 * peak)),
        )
    }

    fn check_phases(&self) -> Result<(), Invalid> {
        let Self {
            total_steps,
            pct_start,
            ..
        } = *self;
        if total_steps < 3 {
            return Err(Invalid {
                key: "total_steps",
                message: format!(
                    "is {total_steps}; expected at least 3 steps: a start, a peak and an end"
                ),
            });
        }
        if !(pct_start > 0.0 && pct_start < 1.0) {
            return Err(Invalid {
                key: "pct_start",
                message: format!(
                    "is {pct_start}; expected a share of the steps above 0 and below 1 (0.3, not 30)"
                ),
            });
        }
        if self.three_phase && 2 * self.peak() >= self.last() {
            return Err(Invalid {
                key: "pct_start",
                message: format!(
                    "is {pct_start}, which leaves no step for the third phase: rise and fall of {} \
                     steps each fill all {total_steps}; expected less than 0.5 with three_phase",
                    self.peak()
                ),
            });
        }
        Ok(())
    }
}

impl Policy for OneCycle {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_rate("max_lr", self.max_lr)?;
        self.check_phases()?;
        for (key, factor) in [
            ("div_factor", self.div_factor),
            ("final_div_factor", self.final_div_factor),
        ] {
            if !(factor >= 1.0 && factor.is_finite()) {
                return Err(Invalid {
                    key,
                    message: format!("is {factor}; expected a divisor of 1 or more"),
                });
            }
        }
        check_momentum(self.base_momentum, self.max_momentum)
    }

    fn at(&self, step: u64) -> Rate {
        let initial = self.max_lr / self.div_factor;
        let min = initial / self.final_div_factor;
        let (phase, share) = self.phase(step);
        let (base, top) = (self.base_momentum, self.max_momentum);
        let [rates, momentums] = match (phase, self.three_phase) {
            (0, _) => [[initial, self.max_lr], [top, base]],
            (1, false) => [[self.max_lr, min], [base, top]],
            (1, true) => [[self.max_lr, initial], [base, top]],
            _ => [[initial, min], [top, top]],
        };
        let between = |[from, to]: [f64; 2]| self.anneal_strategy.between(from, to, share);
        Rate {
            lr: between(rates),
            momentum: self.cycle_momentum.then(|| between(momentums)),
        }
    }

    fn end(&self) -> Option<u64> {
        Some(self.last())
    }

    fn length(&self) -> Option<u64> {
        Some(self.total_steps)
    }

    fn momentum_range(&self) -> Option<[f64; 2]> {
        let range = [self.base_momentum, self.max_momentum];
        self.cycle_momentum.then_some(range)
    }

    fn between(&self, span: &Span) -> Option<String> {
        let (max, steps) = (span.max_lr, span.steps);
        let divisor = (max / span.base_lr).clamp(1.0, 1e6);
        Some(format!(
            "max_lr = {max:?}\ntotal_steps = {steps}\ndiv_factor = {divisor:?}"
        ))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let momentum = if self.cycle_momentum {
            format!(
                ", momentum {} to {} against it",
                self.max_momentum, self.base_momentum
            )
        } else {
            String::new()
        };
        format!(
            "one_cycle from {} to {} at step {} and down, {} steps{momentum}",
            // As many digits as the device knows.
            (self.max_lr / self.div_factor) as f32,
            self.max_lr,
            self.peak(),
            self.total_steps
        )
    }

    fn arguments(&self) -> toml::Table {
        table([
            ("max_lr", self.max_lr.into()),
            ("total_steps", written(self.total_steps)),
            ("pct_start", self.pct_start.into()),
            ("anneal_strategy", self.anneal_strategy.name().into()),
            ("cycle_momentum", self.cycle_momentum.into()),
            ("base_momentum", self.base_momentum.into()),
            ("max_momentum", self.max_momentum.into()),
            ("div_factor", self.div_factor.into()),
            ("final_div_factor", self.final_div_factor.into()),
            ("three_phase", self.three_phase.into()),
        ])
    }
}

impl InPython for OneCycle {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        let (peak, last) = (self.peak(), self.last());
        let phases = if self.three_phase { 2 } else { 1 };
        let (turn, left) = (phases * peak, last.saturating_sub(phases * peak));
        let back = match self.three_phase {
            true => format!("(t - {peak}) / {peak} if t <= {turn} else "),
            false => String::new(),
        };
        let share = format!(
            "share = t / {peak} if t <= {peak} else {back}min(t - {turn}, {left}) / {left}"
        );
        let initial = self.max_lr / self.div_factor;
        let rates = [initial, self.max_lr, initial / self.final_div_factor];
        let momentums = [self.max_momentum, self.base_momentum, self.max_momentum];
        let phases = |values: [f64; 3]| {
            let [start, top, end] = values.map(float);
            let way = |from: &str, to: &str| self.anneal_strategy.python(from, to, "share");
            let up = format!("{} if t <= {peak} else", way(&start, &top));
            match self.three_phase {
                true => format!(
                    "{up} {} if t <= {turn} else {}",
                    way(&top, &start),
                    way(&start, &end)
                ),
                false => format!("{up} {}", way(&top, &end)),
            }
        };
        Some(Formula {
            before: vec![share],
            rate: phases(rates),
            momentum: self.cycle_momentum.then(|| phases(momentums)),
        })
    }

    /// `OneCycleLR` meets its peak only at a whole step, and raises an error after its end.
    fn scheduler(&self, steps: u64) -> Option<Scheduler> {
        let peak = self.pct_start * self.total_steps as f64 - 1.0;
        if (peak - self.peak() as f64).abs() > 1e-9 || steps > self.total_steps {
            return None;
        }
        let [max, pct, div, end] = [
            self.max_lr,
            self.pct_start,
            self.div_factor,
            self.final_div_factor,
        ]
        .map(float);
        let [low, high] = [self.base_momentum, self.max_momentum].map(float);
        let [cycles, three] = [self.cycle_momentum, self.three_phase].map(boolean);
        let (n, way) = (self.total_steps, self.anneal_strategy.name());
        let call = format!(
            "OneCycleLR(max_lr={max}, total_steps={n}, pct_start={pct}, \
             anneal_strategy=\"{way}\", cycle_momentum={cycles}, base_momentum={low}, \
             max_momentum={high}, div_factor={div}, final_div_factor={end}, three_phase={three})"
        );
        Some(Scheduler::new(self.max_lr, call))
    }
}
