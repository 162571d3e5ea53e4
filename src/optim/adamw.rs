//! AdamW: Adam with a weight decay of its own.

use serde::{Deserialize, Serialize};

use super::adam::{ARGUMENTS, Adam, Decay};
use super::{Entry, Invalid, Momentum, Optimizer, ReferenceParameter, Update, UpdateSite};
use crate::error::Result;
use crate::kernel::Builder;

pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "adamw",
    summary: "Adam with weight decay beside the gradient (torch.optim.AdamW)",
    arguments: ARGUMENTS,
    short: None,
    example: "weight_decay = 0.1",
    parse: |args| Ok(Box::new(args.read::<AdamW>()?)),
};

/// Adam as torch.optim.AdamW: weight decay shrinks the parameters and never meets the averages.
///
/// The formulas stand in `shaders/optim/adam.wgsl`. Source: I. Loshchilov, F. Hutter, "Decoupled
/// weight decay regularization" (arXiv 1711.05101), with PyTorch's decay of `lr * weight_decay`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamW {
    /// As [`Adam::betas`].
    #[serde(deserialize_with = "super::adam::betas")]
    pub betas: [f64; 2],
    /// As [`Adam::eps`].
    pub eps: f64,
    /// The share of a parameter that is taken off it at each update, as a multiple of the rate.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        let Adam { betas, eps, .. } = Adam::default();
        Self {
            betas,
            eps,
            weight_decay: 0.01,
        }
    }
}

impl AdamW {
    fn adam(&self) -> Adam {
        let Self {
            betas,
            eps,
            weight_decay,
        } = *self;
        Adam {
            betas,
            eps,
            weight_decay,
        }
    }
}

impl Optimizer for AdamW {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.adam().check()
    }

    fn momentum(&self) -> Option<Momentum> {
        self.adam().momentum()
    }

    fn normalizes(&self) -> bool {
        true
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn describe(&self) -> String {
        self.adam().line(self.name())
    }

    fn words(&self, update: &Update) -> [f32; 4] {
        self.adam().words(update)
    }

    fn states(&self) -> &'static [&'static str] {
        self.adam().states()
    }

    fn update(&self, b: &mut Builder, site: &UpdateSite) -> Result<()> {
        self.adam().dispatch(b, site, Decay::Decoupled)
    }

    fn reference(&self, p: &mut ReferenceParameter, g: &[f64], update: &Update) {
        self.adam().step(p, g, update, Decay::Decoupled);
    }
}
