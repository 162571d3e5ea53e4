//! The triangular policy: straight up, straight down, for ever.

use super::cycle::ARGUMENTS;
use super::{
    Cycle, CycleAt, Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span,
};

/// `lr(t) = base_lr + (max_lr - base_lr) * s`, where in the cycle `c = t div T` of
/// `T = step_size_up + step_size_down` steps and at `q = t mod T`
/// `s = q / step_size_up` while rising and `(T - q) / step_size_down` while falling.
///
/// ```text
///  max_lr |   /\      /\      /\
///         |  /  \    /  \    /  \
///         | /    \  /    \  /    \
/// base_lr |/      \/      \/      \
///         +---|---|---|---|------- t
///         0   up  T
/// ```
///
/// At step 0 and at every multiple of `T` exactly `base_lr`, at `q = step_size_up` exactly
/// `max_lr`; it goes on as long as training does.
///
/// Source: L. N. Smith, "Cyclical learning rates for training neural networks" (arXiv 1506.01186),
/// section 3.1. Equal to PyTorch's `CyclicLR(mode="triangular")` and, with equal halves, to
/// Kenstler's `clr_callback.py` and Smith's Caffe patch, apart from the rounding of their
/// floating-point phases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Triangular(
    /// Bounds, lengths and momentum.
    pub Cycle,
);

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "triangular",
    summary: "straight from base_lr to max_lr and back, for ever",
    arguments: ARGUMENTS,
    short: None,
    example: "base_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 938",
    parse: |args| Ok(Box::new(Triangular(args.read()?))),
};

impl Policy for Triangular {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.0.validate()
    }

    fn at(&self, step: u64) -> Rate {
        let at = self.0.position(step);
        self.0.rate(at.height * self.0.left(at.cycle))
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
        self.0.describe(ENTRY.name)
    }

    fn arguments(&self) -> toml::Table {
        self.0.arguments()
    }
}

impl InPython for Triangular {
    fn formula(&self, code: &mut Python) -> Option<Formula> {
        Some(self.0.python(code, "height"))
    }

    fn scheduler(&self, _: u64) -> Option<Scheduler> {
        self.0.pytorch(ENTRY.name, None)
    }
}
