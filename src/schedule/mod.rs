//! Learning-rate policies: pure functions of the step, but for `plateau`, which is told
//! evaluations. No wgpu, no clock, no files.
//!
//! A step is one optimizer update, counted from 0; update `t` runs at `at(t)`. Phases are computed
//! in integers, so step 10^12 is as exact as step 0, and the transcendental functions come from
//! `libm`, so a schedule has the same bits on every machine.
//!
//! To add a policy: one file here with a serde struct of its arguments, its [`Policy`] and its
//! `ENTRY`; one line in [`POLICIES`]; its check values in `tests/schedules/`.

mod anneal;
mod closure;
mod constant;
mod cosine;
mod cosine_restarts;
mod cycle;
mod cycles;
mod exp_range;
mod exponential;
mod growth;
mod halved;
mod inv;
mod inverse_sqrt;
mod length;
mod linear;
mod member;
mod multi_step;
mod one_cycle;
mod piecewise;
mod plateau;
mod polynomial;
mod python;
mod sequence;
mod sinusoidal;
mod span;
mod step;
mod triangular;
mod triangular2;
mod warmup;
mod wsd;

pub use crate::args::{Entry, Invalid, Scope, Steps};
pub use anneal::Anneal;
pub use closure::Closure;
pub use constant::Constant;
pub use cosine::Cosine;
pub use cosine_restarts::CosineRestarts;
pub use cycle::{Cycle, Position};
pub use cycles::CycleAt;
pub use exp_range::{Decay, ExpRange};
pub use exponential::Exponential;
pub use halved::halved;
pub use inv::Inv;
pub use inverse_sqrt::InverseSqrt;
pub use linear::Linear;
pub use multi_step::MultiStep;
pub use one_cycle::OneCycle;
pub use piecewise::Piecewise;
pub use plateau::Plateau;
pub use polynomial::Polynomial;
pub use python::{Formula, Framework, InPython, Names, Python, Scheduler, code};
pub use sequence::{Member, Sequence};
pub use sinusoidal::Sinusoidal;
pub use span::Span;
pub use step::Step;
pub use triangular::Triangular;
pub use triangular2::Triangular2;
pub use warmup::Warmup;
pub use wsd::{DecayType, Wsd};

use dyn_clone::DynClone;

/// The rate and the momentum of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The learning rate.
    pub lr: f64,
    /// The momentum where the policy cycles it; `None` leaves the optimizer's own.
    pub momentum: Option<f64>,
}

impl Rate {
    /// The rate `lr` under the optimizer's own momentum.
    #[must_use]
    pub fn new(lr: f64) -> Self {
        Self { lr, momentum: None }
    }
}

/// A learning-rate policy: one file each. The first five methods make one; each of the others is for
/// what not every policy has.
pub trait Policy: DynClone + std::fmt::Debug + Send + Sync {
    /// The policy's name in the configuration.
    fn name(&self) -> &'static str;
    /// Refuses values that make no schedule.
    ///
    /// # Errors
    /// The first argument that is wrong.
    fn validate(&self) -> Result<(), Invalid>;
    /// Rate and momentum of update `step`: the same answer whenever and in whatever order it is
    /// asked, for every `step`.
    fn at(&self, step: u64) -> Rate;
    /// One line for people: `triangular from 0.01 to 0.1, half cycle 938 steps`.
    fn describe(&self) -> String;
    /// All arguments, defaults included, as they would be written in `[schedule]`.
    fn arguments(&self) -> toml::Table;
    /// The cycle that `step` belongs to, where the policy has cycles.
    fn cycle(&self, _step: u64) -> Option<CycleAt> {
        None
    }
    /// The step from which the rate no longer changes, for a policy that comes to an end.
    fn end(&self) -> Option<u64> {
        None
    }
    /// How many steps the policy has, where it is made for a number of them: what stands after it in
    /// a [`Sequence`] starts there.
    fn length(&self) -> Option<u64> {
        None
    }
    /// The policies within this one, in their order, each with the step from which on its own steps
    /// count; `None` for one behind another that never ends.
    fn members(&self) -> Vec<(Option<u64>, &dyn Policy)> {
        Vec::new()
    }
    /// The momentum's range `[base_momentum, max_momentum]` where the policy cycles it; where nothing
    /// is said, that of its members.
    fn momentum_range(&self) -> Option<[f64; 2]> {
        let members = self.members();
        let ranges = members.iter().filter_map(|(_, m)| m.momentum_range());
        ranges.reduce(|[a, b], [c, d]| [a.min(c), b.max(d)])
    }
    /// Tells all evaluations so far, the first one first: how many steps were done, and the loss of the
    /// validation set. The rates follow from these alone; one more changes no rate of a step before it.
    fn observe(&mut self, _evaluations: &[(u64, f64)]) {}
    /// Whether rates depend on what [`Policy::observe`] is told; where nothing is said, whether those
    /// of a member do.
    fn reads_evaluations(&self) -> bool {
        let members = self.members();
        members.iter().any(|(_, member)| member.reads_evaluations())
    }
    /// The arguments, as TOML, of a policy of this name between two rates in a run of known length;
    /// `None` where these do not make one.
    fn between(&self, _: &Span) -> Option<String> {
        None
    }
    /// How the policy is written in Python, where it can be.
    fn python(&self) -> Option<&dyn InPython> {
        None
    }
}

dyn_clone::clone_trait_object!(Policy);

/// The table of policies: the only place that lists them.
pub static POLICIES: &[Entry<dyn Policy>] = &[
    constant::ENTRY,
    triangular::ENTRY,
    triangular2::ENTRY,
    exp_range::ENTRY,
    sinusoidal::ENTRY,
    one_cycle::ENTRY,
    cosine::ENTRY,
    cosine_restarts::ENTRY,
    linear::ENTRY,
    polynomial::ENTRY,
    exponential::ENTRY,
    step::ENTRY,
    multi_step::ENTRY,
    inverse_sqrt::ENTRY,
    inv::ENTRY,
    wsd::ENTRY,
    piecewise::ENTRY,
    plateau::ENTRY,
    warmup::ENTRY,
    sequence::ENTRY,
];

/// Refuses what no learning rate can be: negative, NaN, or not finite in the f32 of the shaders.
fn check_rate(key: &'static str, value: f64) -> Result<(), Invalid> {
    let expected = "expected a finite rate, 0 or above";
    let found = if value.is_nan() {
        "is not a number".to_owned()
    } else if value < 0.0 {
        format!("is {value}, below 0")
    } else if value.is_infinite() {
        "is infinite".to_owned()
    } else if (value as f32).is_infinite() {
        format!("is {value:e}, too large for the 32-bit floats of the shaders")
    } else {
        return Ok(());
    };
    Err(Invalid {
        key,
        message: format!("{found}; {expected}"),
    })
}
