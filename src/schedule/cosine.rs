//! Cosine annealing: from the rate to its least value along half a wave.

use super::anneal::{Anneal, share};
use super::length::{check_steps, or_run, table, written};
use super::python::float;
use super::{
    Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span, Steps, check_rate,
};
use serde::Deserialize;

/// `lr(t) = eta_min + (lr - eta_min) * (1 + cos(pi * t / t_max)) / 2` up to `t_max`, then `eta_min`.
///
/// ```text
///      lr |--.
///         |    \
///         |     \
/// eta_min |      `--._________
///         +----------|-------- t
///         0        t_max
/// ```
///
/// Exactly `lr` at step 0 and `eta_min` from `t_max` on. Source: Loshchilov and Hutter, SGDR, arXiv
/// 1608.03983, equation 5 without restarts. Equal to PyTorch's `CosineAnnealingLR` up to `T_max`;
/// PyTorch's rate climbs again after it (pytorch/pytorch#40971), this one stays. `t_max` is the length
/// of the run unless set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cosine {
    /// The rate at the start, 0 or above.
    pub lr: f64,
    /// Steps until the least rate, at least 1.
    pub t_max: u64,
    /// The least rate, from 0 to `lr`.
    pub eta_min: f64,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "cosine",
    summary: "half a cosine wave from lr down to eta_min",
    arguments: &["lr", "t_max", "eta_min"],
    short: None,
    example: "lr = 0.1\nt_max = 1000",
    parse: |args| {
        let args = args.with_bounds("", "lr");
        let run = args.scope();
        let given: Written = args.read()?;
        Ok(Box::new(Cosine {
            lr: given.lr,
            t_max: or_run(given.t_max, run, "t_max")?,
            eta_min: given.eta_min,
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lr: f64,
    t_max: Option<Steps>,
    #[serde(default)]
    eta_min: f64,
}

/// Refuses a least rate above the rate.
pub(super) fn check_least(eta_min: f64, lr: f64) -> Result<(), Invalid> {
    check_rate("lr", lr)?;
    check_rate("eta_min", eta_min)?;
    if eta_min <= lr {
        return Ok(());
    }
    Err(Invalid {
        key: "eta_min",
        message: format!("is {eta_min}, above lr = {lr}; expected the lowest rate, from 0 to lr"),
    })
}

impl Policy for Cosine {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_steps("t_max", self.t_max)?;
        check_least(self.eta_min, self.lr)
    }

    fn at(&self, step: u64) -> Rate {
        let share = share(step, self.t_max);
        Rate::new(Anneal::Cos.between(self.lr, self.eta_min, share))
    }

    fn end(&self) -> Option<u64> {
        Some(self.t_max)
    }

    fn length(&self) -> Option<u64> {
        Some(self.t_max)
    }

    fn between(&self, span: &Span) -> Option<String> {
        Some(format!("{}\nt_max = {}", span.lr(), span.steps))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let Self { lr, t_max, eta_min } = self;
        format!("cosine from {lr} to {eta_min} over {t_max} steps")
    }

    fn arguments(&self) -> toml::Table {
        table([
            ("lr", self.lr.into()),
            ("t_max", written(self.t_max)),
            ("eta_min", self.eta_min.into()),
        ])
    }
}

impl InPython for Cosine {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        let ([lr, least], n) = ([self.lr, self.eta_min].map(float), self.t_max);
        let share = format!("min(t, {n}) / {n}");
        Some(Formula::new(Anneal::Cos.python(&lr, &least, &share)))
    }

    /// After `T_max` PyTorch's rate rises again.
    fn scheduler(&self, steps: u64) -> Option<Scheduler> {
        let (n, least) = (self.t_max, float(self.eta_min));
        let call = format!("CosineAnnealingLR(T_max={n}, eta_min={least})");
        (steps <= n.saturating_add(1)).then(|| Scheduler::new(self.lr, call))
    }
}
