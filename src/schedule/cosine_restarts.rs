//! Cosine annealing with warm restarts.

use super::anneal::{Anneal, share};
use super::cosine::check_least;
use super::growth::Growth;
use super::length::{check_decay, check_steps, table, written};
use super::python::float;
use super::{
    CycleAt, Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span, Steps,
};
use serde::Deserialize;

/// `lr(t) = eta_min + (lr * gamma^c - eta_min) * (1 + cos(pi * q / T_c)) / 2`, where step `t` is step
/// `q` of cycle `c`, which has `T_c = t_0 * t_mult^c` steps.
///
/// ```text
///      lr |-.
///         |  \    --.
///         |   \      \       `--.
/// eta_min |    `-|    `---|      `---...
///         +------|--------|------------- t
///         0     t_0  t_0 + t_0 * t_mult
/// ```
///
/// Each cycle starts at its peak; `eta_min` is approached and, as in PyTorch, never used by a step.
/// `t_mult` is any growth from 1 up (the ends of cycles are rounded to whole steps); `gamma` lowers
/// the peak of each new cycle, never below `eta_min`.
///
/// Source: Loshchilov and Hutter, SGDR, arXiv 1608.03983. Equal to PyTorch's
/// `CosineAnnealingWarmRestarts`, which takes whole `T_mult` only, has no decay of the peak, and
/// called with a step finds restarts by a logarithm whose rounding misses some.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineRestarts {
    /// The rate at the start of the first cycle, 0 or above.
    pub lr: f64,
    /// Steps of the first cycle, at least 1.
    pub t_0: u64,
    /// Growth of the cycle's length, at least 1.
    pub t_mult: f64,
    /// The least rate, from 0 to `lr`.
    pub eta_min: f64,
    /// Factor on the peak for each new cycle, above 0 and at most 1.
    pub gamma: f64,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "cosine_restarts",
    summary: "half cosine waves from lr down to eta_min, again and again, each t_mult times as long",
    arguments: &["lr", "t_0", "t_mult", "eta_min", "gamma"],
    short: None,
    example: "lr = 0.1\nt_0 = 100\nt_mult = 2",
    parse: |args| {
        let given: Written = args.with_bounds("", "lr").read()?;
        Ok(Box::new(CosineRestarts {
            lr: given.lr,
            t_0: given.t_0.get(),
            t_mult: given.t_mult.unwrap_or(1.0),
            eta_min: given.eta_min,
            gamma: given.gamma.unwrap_or(1.0),
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lr: f64,
    t_0: Steps,
    t_mult: Option<f64>,
    #[serde(default)]
    eta_min: f64,
    gamma: Option<f64>,
}

impl CosineRestarts {
    fn growth(&self) -> Growth {
        Growth {
            first: self.t_0,
            factor: self.t_mult,
        }
    }
}

impl Policy for CosineRestarts {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_steps("t_0", self.t_0)?;
        self.growth().check("t_mult")?;
        check_decay("gamma", self.gamma)?;
        check_least(self.eta_min, self.lr)
    }

    fn at(&self, step: u64) -> Rate {
        let place = self.growth().place(step);
        let peak = (self.lr * libm::pow(self.gamma, place.cycle as f64)).max(self.eta_min);
        let share = share(step - place.start, place.length);
        Rate::new(Anneal::Cos.between(peak, self.eta_min, share))
    }

    fn cycle(&self, step: u64) -> Option<CycleAt> {
        Some(self.growth().cycle(step))
    }

    fn between(&self, span: &Span) -> Option<String> {
        // Three cycles, each twice as long as the one before.
        let first = span.steps.div_ceil(7);
        Some(format!("{}\nt_0 = {first}\nt_mult = 2", span.lr()))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let Self {
            lr,
            t_0,
            t_mult,
            eta_min,
            gamma,
        } = self;
        let mut text = format!("cosine_restarts from {lr} to {eta_min}, cycles of {t_0} steps");
        if *t_mult != 1.0 {
            text += &format!(" growing by {t_mult}");
        }
        if *gamma != 1.0 {
            text += &format!(", peak times {gamma} each cycle");
        }
        text
    }

    fn arguments(&self) -> toml::Table {
        table([
            ("lr", self.lr.into()),
            ("t_0", written(self.t_0)),
            ("t_mult", self.t_mult.into()),
            ("eta_min", self.eta_min.into()),
            ("gamma", self.gamma.into()),
        ])
    }
}

impl InPython for CosineRestarts {
    fn formula(&self, code: &mut Python) -> Option<Formula> {
        let mut before = self.growth().python(code.steps());
        let [lr, least] = [self.lr, self.eta_min].map(float);
        let peak = if self.gamma == 1.0 {
            lr
        } else {
            let gamma = float(self.gamma);
            before.push(format!("peak = max({lr} * {gamma} ** cycle, {least})"));
            "peak".to_owned()
        };
        Some(Formula {
            before,
            ..Formula::new(Anneal::Cos.python(&peak, &least, "(q / length)"))
        })
    }

    /// `CosineAnnealingWarmRestarts` has whole `T_mult` only and no decay.
    fn scheduler(&self, _: u64) -> Option<Scheduler> {
        if self.gamma != 1.0 || self.t_mult.fract() != 0.0 || self.t_mult > 1e9 {
            return None;
        }
        let (first, mult, least) = (self.t_0, self.t_mult as u64, float(self.eta_min));
        Some(Scheduler::new(
            self.lr,
            format!("CosineAnnealingWarmRestarts(T_0={first}, T_mult={mult}, eta_min={least})"),
        ))
    }
}
