//! Optimizers (floor 3): one file each, with its dispatch and its f64 reference; the shader carries
//! the same name.

pub mod accumulate;
pub mod gradient_norm;
mod sgd;

pub use crate::args::{Entry, Invalid};
pub use sgd::{MomentumForm, Sgd};

use dyn_clone::DynClone;

use crate::error::Result;
use crate::kernel::Builder;
use crate::kernel::plan::Bound;

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

/// One parameter as the f64 reference sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceParameter {
    /// The values.
    pub w: Vec<f64>,
    /// The optimizer's state, one vector for each of its buffers.
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

    /// The momentum as configured; `None` for an optimizer without one.
    fn momentum(&self) -> Option<f64>;

    /// All arguments, defaults included, as they would be written in `[optimizer]`.
    fn arguments(&self) -> toml::Table;

    /// One line for people (`sgd, momentum 0.9`).
    fn describe(&self) -> String;

    /// The optimizer's own four words of the step uniform, computed in f64 for update `step`.
    fn words(&self, step: u64) -> [f32; 4];

    /// Number of state buffers, each as long as the parameters.
    fn states(&self) -> usize;

    /// Appends the update: one dispatch for the whole model.
    ///
    /// # Errors
    /// If the adapter cannot run it at this size.
    fn update(&self, b: &mut Builder, site: &UpdateSite) -> Result<()>;

    /// One update of one parameter in f64 from the definition; used by the proofs only.
    fn reference(&self, p: &mut ReferenceParameter, g: &[f64], lr: f64, momentum: f64);
}

dyn_clone::clone_trait_object!(Optimizer);

/// The table of optimizers: the only place that lists them.
pub static OPTIMIZERS: &[Entry<dyn Optimizer>] = &[Entry {
    name: "sgd",
    summary: "stochastic gradient descent with momentum (torch.optim.SGD)",
    arguments: &["momentum", "nesterov", "weight_decay", "momentum_form"],
    short: None,
    example: "momentum = 0.9",
    parse: |args| Ok(Box::new(args.read::<Sgd>()?)),
}];
