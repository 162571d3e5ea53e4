//! Stochastic gradient descent with momentum.

use serde::{Deserialize, Serialize};

use super::{
    Entry, Invalid, Momentum, Optimizer, ReferenceParameter, Update, UpdateSite, check_decay,
};
use crate::args::is_below_one;
use crate::error::Result;
use crate::kernel::builder::{Call, grid};
use crate::kernel::{Builder, shaders};

pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "sgd",
    summary: "stochastic gradient descent with momentum (torch.optim.SGD)",
    arguments: &["momentum", "nesterov", "weight_decay", "momentum_form"],
    short: None,
    example: "momentum = 0.9",
    parse: |args| Ok(Box::new(args.read::<Sgd>()?)),
};

/// Its state, as PyTorch calls it: the velocity.
const VELOCITY: &str = "momentum_buffer";

/// Whose momentum: the two differ when the rate changes from step to step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MomentumForm {
    /// v <- momentum v + g; w <- w - lr v: a change of the rate acts on the whole velocity at once.
    #[default]
    Torch,
    /// v <- momentum v + lr g; w <- w - v: old gradients keep the rate they came with.
    Caffe,
}

/// SGD with momentum as torch.optim.SGD (dampening 0) or as Caffe's solver, with weight decay
/// added to the gradient and, in both forms, Nesterov's look ahead.
///
/// The formulas stand in `shaders/optim/sgd.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// The momentum, in [0, 1).
    pub momentum: f64,
    /// Nesterov's look ahead.
    pub nesterov: bool,
    /// Multiplies the parameters that are added to the gradient.
    pub weight_decay: f64,
    /// Whose momentum.
    pub momentum_form: MomentumForm,
}

impl Default for Sgd {
    fn default() -> Self {
        Self {
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
            momentum_form: MomentumForm::Torch,
        }
    }
}

impl Optimizer for Sgd {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        if !is_below_one(self.momentum) {
            return Err(Invalid {
                key: "momentum",
                message: format!("is {}, but a momentum lies in [0, 1)", self.momentum),
            });
        }
        if self.nesterov && self.momentum == 0.0 {
            return Err(Invalid {
                key: "nesterov",
                message: "is true, but momentum is 0: there is no velocity to look ahead along; \
                          set optimizer.momentum, or leave nesterov out"
                    .into(),
            });
        }
        check_decay(self.weight_decay)
    }

    fn momentum(&self) -> Option<Momentum> {
        Some(Momentum {
            key: "momentum",
            value: self.momentum,
        })
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn describe(&self) -> String {
        let mut text = format!("sgd, momentum {}", self.momentum);
        if self.nesterov {
            text += ", nesterov";
        }
        if self.weight_decay > 0.0 {
            text += &format!(", weight decay {}", self.weight_decay);
        }
        if self.momentum_form == MomentumForm::Caffe {
            text += ", Caffe's form";
        }
        text
    }

    fn words(&self, _update: &Update) -> [f32; 4] {
        [self.weight_decay as f32, 0.0, 0.0, 0.0]
    }

    fn states(&self) -> &'static [&'static str] {
        &[VELOCITY]
    }

    fn update(&self, b: &mut Builder, site: &UpdateSite) -> Result<()> {
        let velocity = site.state(b, VELOCITY);
        let quads = site.floats / 4;
        let call = Call::new(b.label("update"), grid(quads, 64)?)
            .place("w", site.parameters)
            .place("g", site.gradients)
            .place("v", velocity)
            .in_place("w")
            .in_place("v")
            .place("multipliers", site.multipliers)
            .place("results", site.results)
            .u32("quads", quads)
            .u32(
                "caffe",
                usize::from(self.momentum_form == MomentumForm::Caffe),
            )
            .u32("nesterov", usize::from(self.nesterov))
            .u32("results_stride", site.results_stride)
            .work(format!("{}", site.floats), 5 * 4 * site.floats)
            .flops(6 * site.floats);
        b.dispatch(&shaders::named("optim/sgd"), "update", call);
        Ok(())
    }

    fn reference(&self, p: &mut ReferenceParameter, g: &[f64], update: &Update) {
        let (rate, momentum) = (update.lr * p.lr_mult, update.momentum);
        let decay = self.weight_decay * p.decay_mult;
        for ((w, v), g) in p.w.iter_mut().zip(&mut p.state[0]).zip(g) {
            let g = g + decay * *w;
            let old = *v;
            match self.momentum_form {
                MomentumForm::Torch => {
                    *v = momentum * old + g;
                    *w -= rate * if self.nesterov { g + momentum * *v } else { *v };
                }
                MomentumForm::Caffe => {
                    *v = momentum * old + rate * g;
                    *w -= if self.nesterov {
                        (1.0 + momentum) * *v - momentum * old
                    } else {
                        *v
                    };
                }
            }
        }
    }
}
