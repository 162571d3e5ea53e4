//! The triangular policy whose swing is halved after each cycle.

use super::cycle::ARGUMENTS;
use super::{
    Cycle, CycleAt, Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span,
};

/// `lr(t) = base_lr + (max_lr - base_lr) * s / 2^c`: [`Triangular`](super::Triangular) with half
/// the swing in each new cycle `c` (from 0).
///
/// ```text
///  max_lr |   /\
///         |  /  \
///         | /    \    /\
/// base_lr |/      \/      \__/\_____
///         +---|---|---|---|--------- t
///         0   up  T
/// ```
///
/// Exactly `base_lr` at every multiple of `T`, exactly `max_lr` at the first peak; the peak of
/// cycle `c` is `base_lr + (max_lr - base_lr) / 2^c`. Halving happens at the low point, so the
/// curve has no jump. After 10 cycles 0.1 % of the swing is left, in the end none: the power
/// underflows to 0. (PyTorch 2.15 raises `OverflowError` in cycle 1025, pytorch/pytorch#52989.)
/// Momentum, where it is cycled, swings by the same halved share.
///
/// Source: L. N. Smith, arXiv 1506.01186, section 3.1. Equal to PyTorch's
/// `CyclicLR(mode="triangular2")` and Kenstler's `clr_callback.py`, which write `1 / 2^(c - 1)` with
/// cycles counted from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Triangular2(
    /// Bounds, lengths and momentum.
    pub Cycle,
);

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "triangular2",
    summary: "triangular, with half the swing in each new cycle",
    arguments: ARGUMENTS,
    short: None,
    example: "base_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 938",
    parse: |args| Ok(Box::new(Triangular2(args.read()?))),
};

impl Policy for Triangular2 {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.0.validate()
    }

    fn at(&self, step: u64) -> Rate {
        let position = self.0.position(step);
        // 2^-1075 is 0 in f64, so a larger exponent changes nothing.
        let halvings = position.cycle.min(1075) as i32;
        let left = self.0.left(position.cycle);
        self.0.rate(libm::ldexp(position.height * left, -halvings))
    }

    fn cycle(&self, step: u64) -> Option<CycleAt> {
        Some(self.0.growth().cycle(step))
    }

    fn momentum_range(&self) -> Option<[f64; 2]> {
        self.0.momentum_range()
    }

    fn between(&self, span: &Span) -> Option<String> {
        Some(span.cycle())
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        format!("{}, halved each cycle", self.0.describe(ENTRY.name))
    }

    fn arguments(&self) -> toml::Table {
        self.0.arguments()
    }
}

impl InPython for Triangular2 {
    fn formula(&self, code: &mut Python) -> Option<Formula> {
        Some(self.0.python(code, "height * 0.5 ** cycle"))
    }

    fn scheduler(&self, _: u64) -> Option<Scheduler> {
        self.0.pytorch(ENTRY.name, None)
    }
}
