//! The cosine-shaped cycle (Hann window): smooth at both ends.

use super::cycle::ARGUMENTS;
use super::{Cycle, CycleAt, Entry, Formula, InPython, Invalid, Policy, Python, Rate, Span};

/// `lr(t) = base_lr + (max_lr - base_lr) * s` with `s = (1 - cos(pi * q / step_size_up)) / 2` while
/// rising and `(1 + cos(pi * (q - step_size_up) / step_size_down)) / 2` while falling,
/// `q = t mod T`.
///
/// ```text
///  max_lr |    _.._          _.._
///         |   /    \        /    \
///         |  /      \      /      \
/// base_lr |-'        '-..-'        '-
///         +-----|------|------------- t
///         0     up     T
/// ```
///
/// The same bounds, peaks and period as [`Triangular`](super::Triangular) with the same arguments:
/// exactly `base_lr` at step 0 and every multiple of `T`, exactly `max_lr` at the peaks, equal to
/// it half-way up and down; the same mean rate; level where it turns.
///
/// Source: L. N. Smith, arXiv 1506.01186, section 3.1, who names the Hann window among the shapes
/// that train as well as the triangle. PyTorch has it only as a sequence of `CosineAnnealingLR`
/// halves. (The rectified sine `|sin|` of LRBench and the scaled triangle of Kenstler's "custom"
/// example are other curves.)
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sinusoidal(
    /// Bounds, lengths and momentum.
    pub Cycle,
);

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "sinusoidal",
    summary: "from base_lr to max_lr and back along a cosine, smooth where it turns",
    arguments: ARGUMENTS,
    short: None,
    example: "base_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 938",
    parse: |args| Ok(Box::new(Sinusoidal(args.read()?))),
};

impl Policy for Sinusoidal {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.0.validate()
    }

    fn at(&self, step: u64) -> Rate {
        // (1 - cos x) / 2 = sin^2(x / 2), which does not cancel near the low point; sin(pi / 2)
        // and sin(0) are exact.
        let at = self.0.position(step);
        let sine = libm::sin(core::f64::consts::FRAC_PI_2 * at.height);
        self.0.rate(sine * sine * self.0.left(at.cycle))
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

impl InPython for Sinusoidal {
    fn formula(&self, code: &mut Python) -> Option<Formula> {
        Some(self.0.python(code, "math.sin(math.pi / 2 * height) ** 2"))
    }
}
