//! Optimizers: one file each, with its dispatch and its f64 reference; the shader carries
//! the same name.
//!
//! What an optimizer is told of an update ([`Update`]) is the same for all: how many updates lie
//! between it and moments of zero, the rate, and the momentum, by which each optimizer means the
//! argument that it names ([`Momentum::key`]) and that a schedule may cycle.

pub mod accumulate;
mod adam;
mod adamw;
pub mod clip_norm;
pub mod decay_on;
pub mod gradient_norm;
pub mod lr_mult;
mod sgd;

pub use crate::args::{Entry, Invalid};
pub use adam::Adam;
pub use adamw::AdamW;
pub use sgd::{MomentumForm, Sgd};

use dyn_clone::DynClone;

use crate::args::is_f32;
use crate::error::Result;
use crate::kernel::Builder;
use crate::kernel::plan::{Bound, Key};

/// What an optimizer is told of one update, in f64.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// Updates before this one since the optimizer's states were zero: 0 for the first.
    pub step: u64,
    /// The learning rate.
    pub lr: f64,
    /// The momentum: the schedule's where it cycles it, or else the optimizer's own
    /// ([`Optimizer::momentum`]); 0 for an optimizer without one.
    pub momentum: f64,
}

/// The argument of an optimizer that is its momentum: the one that a schedule may cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Momentum {
    /// Where it stands in `[optimizer]` (`momentum`, `betas[0]`).
    pub key: &'static str,
    /// Its value, in [0, 1).
    pub value: f64,
}

/// What an optimizer's dispatch is given.
#[derive(Debug, Clone, Copy)]
pub struct UpdateSite {
    /// All parameters, flat.
    pub parameters: Bound,
    /// All gradients, with the same offsets.
    pub gradients: Bound,
    /// (lr_mult, decay_mult) for each block of 64 parameters.
    pub multipliers: Bound,
    /// What the chunk returns; the optimizer writes the rate and the momentum that it used to the
    /// first place of its step.
    pub results: Bound,
    /// Places (pairs of floats) between the results of two steps.
    pub results_stride: usize,
    /// Number of parameters with padding: a multiple of 64.
    pub floats: usize,
}

impl UpdateSite {
    /// The buffer of the optimizer's state `name`, as long as the parameters.
    pub fn state(&self, b: &mut Builder, name: &'static str) -> Bound {
        b.shared(Key::Optimizer(name), 4 * self.floats as u64)
    }
}

/// One parameter as the f64 reference sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceParameter {
    /// The values.
    pub w: Vec<f64>,
    /// The optimizer's states, one vector for each, in the order of [`Optimizer::states`].
    pub state: Vec<Vec<f64>>,
    /// Multiplies the rate.
    pub lr_mult: f64,
    /// Multiplies the weight decay.
    pub decay_mult: f64,
}

/// An optimizer: how gradients change the parameters.
pub trait Optimizer: DynClone + std::fmt::Debug + Send + Sync {
    /// The optimizer's name in the configuration.
    fn name(&self) -> &'static str;

    /// Refuses arguments that make no optimizer.
    ///
    /// # Errors
    /// The first argument that is wrong.
    fn validate(&self) -> Result<(), Invalid> {
        Ok(())
    }

    /// The momentum as configured, and where; `None` for an optimizer without one.
    fn momentum(&self) -> Option<Momentum>;

    /// Whether it divides a gradient by its own size, so that it moves a parameter by about the rate,
    /// however small the gradient is.
    fn normalizes(&self) -> bool {
        false
    }

    /// All arguments, defaults included, as they would be written in `[optimizer]`.
    fn arguments(&self) -> toml::Table;

    /// One line for people (`sgd, momentum 0.9`).
    fn describe(&self) -> String;

    /// The optimizer's own four words of the step uniform, computed in f64.
    fn words(&self, update: &Update) -> [f32; 4];

    /// The names of its states (PyTorch's), each as long as the parameters and zero at first.
    fn states(&self) -> &'static [&'static str];

    /// Appends the update: one dispatch for the whole model.
    ///
    /// # Errors
    /// If the adapter cannot run it at this size.
    fn update(&self, b: &mut Builder, site: &UpdateSite) -> Result<()>;

    /// One update of one parameter in f64 from the definition; used by the proofs only.
    fn reference(&self, p: &mut ReferenceParameter, g: &[f64], update: &Update);
}

dyn_clone::clone_trait_object!(Optimizer);

/// Refuses a weight decay that is none.
fn check_decay(weight_decay: f64) -> Result<(), Invalid> {
    if weight_decay >= 0.0 && is_f32(weight_decay) {
        return Ok(());
    }
    Err(Invalid {
        key: "weight_decay",
        message: format!(
            "is {weight_decay}, but a decay is a finite number from 0 up, also as an f32"
        ),
    })
}

/// The table of optimizers: the only place that lists them.
pub static OPTIMIZERS: &[Entry<dyn Optimizer>] = &[sgd::ENTRY, adam::ENTRY, adamw::ENTRY];
