//! Adam, and what AdamW shares with it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Entry, Invalid, Momentum, Optimizer, ReferenceParameter, Update, UpdateSite, check_decay,
};
use crate::args::is_below_one;
use crate::error::Result;
use crate::kernel::builder::{Call, grid};
use crate::kernel::{Builder, shaders};

pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "adam",
    summary: "moving averages of the gradient and its square (torch.optim.Adam)",
    arguments: ARGUMENTS,
    short: None,
    example: "betas = [0.9, 0.99]",
    parse: |args| Ok(Box::new(args.read::<Adam>()?)),
};

pub(super) const ARGUMENTS: &[&str] = &["betas", "eps", "weight_decay"];

/// Its states, as PyTorch calls them: the averages of the gradient and of its square.
const STATES: &[&str] = &["exp_avg", "exp_avg_sq"];

/// Adam as torch.optim.Adam: weight decay is added to the gradient, and goes through the averages.
///
/// The formulas stand in `shaders/optim/adam.wgsl`. The first beta is its momentum. Source:
/// D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization" (arXiv 1412.6980), algorithm 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// What the averages of the gradient and of its square keep at each update, in [0, 1).
    #[serde(deserialize_with = "betas")]
    pub betas: [f64; 2],
    /// Added to the root of the average square, after its correction.
    pub eps: f64,
    /// Multiplies the parameters that are added to the gradient.
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// Two numbers, no more and no fewer.
pub(super) fn betas<'de, D: Deserializer<'de>>(from: D) -> Result<[f64; 2], D::Error> {
    let betas = Vec::<f64>::deserialize(from)?;
    betas.try_into().map_err(|betas: Vec<f64>| {
        D::Error::custom(format!(
            "has {} elements; expected two betas, such as [0.9, 0.999]",
            betas.len()
        ))
    })
}

/// How weight decay acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decay {
    /// As part of the gradient.
    Coupled,
    /// On the parameters alone.
    Decoupled,
}

impl Adam {
    /// What both refuse.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        for (i, beta) in self.betas.iter().enumerate() {
            if !is_below_one(*beta) {
                return Err(Invalid {
                    key: "betas",
                    message: format!("[{i}] is {beta}, but a beta lies in [0, 1)"),
                });
            }
        }
        let eps = self.eps as f32;
        if !eps.is_normal() || eps < 0.0 {
            return Err(Invalid {
                key: "eps",
                message: format!(
                    "is {}, but eps, which keeps the update finite, is a number above 0 that an \
                     f32 holds, such as 1e-8",
                    self.eps
                ),
            });
        }
        check_decay(self.weight_decay)
    }

    /// One line for people.
    pub(super) fn line(&self, name: &str) -> String {
        let [first, second] = self.betas;
        let mut text = format!("{name}, betas {first} and {second}");
        if self.eps != Self::default().eps {
            text += &format!(", eps {:e}", self.eps);
        }
        if self.weight_decay > 0.0 {
            text += &format!(", weight decay {}", self.weight_decay);
        }
        text
    }

    /// 1 - beta1^t and 1 - beta2^t: how much of a constant the averages hold after the update.
    fn corrections(&self, update: &Update) -> [f64; 2] {
        let t = update.step as f64 + 1.0;
        [update.momentum, self.betas[1]].map(|beta| 1.0 - libm::pow(beta, t))
    }

    /// The dispatch of both.
    pub(super) fn dispatch(&self, b: &mut Builder, site: &UpdateSite, decay: Decay) -> Result<()> {
        let [m, v] = [STATES[0], STATES[1]].map(|name| site.state(b, name));
        let quads = site.floats / 4;
        let call = Call::new(b.label("update"), grid(quads, 64)?)
            .place("w", site.parameters)
            .place("g", site.gradients)
            .place("m", m)
            .place("v", v)
            .in_place("w")
            .in_place("m")
            .in_place("v")
            .place("multipliers", site.multipliers)
            .place("results", site.results)
            .u32("quads", quads)
            .u32("decoupled", usize::from(decay == Decay::Decoupled))
            .u32("results_stride", site.results_stride)
            .f32("beta2", self.betas[1])
            .f32("beta2_rest", 1.0 - self.betas[1])
            .f32("eps", self.eps)
            .f32("weight_decay", self.weight_decay)
            .work(format!("{}", site.floats), 7 * 4 * site.floats)
            .flops(15 * site.floats);
        b.dispatch(&shaders::named("optim/adam"), "update", call);
        Ok(())
    }

    /// The reference of both.
    pub(super) fn step(&self, p: &mut ReferenceParameter, g: &[f64], u: &Update, decay: Decay) {
        let rate = u.lr * p.lr_mult;
        let share = self.weight_decay * p.decay_mult;
        let (beta1, beta2) = (u.momentum, self.betas[1]);
        let [correction1, correction2] = self.corrections(u);
        let (m, v) = p.state.split_at_mut(1);
        let averages = m[0].iter_mut().zip(&mut v[0]);
        for ((w, (m, v)), g) in p.w.iter_mut().zip(averages).zip(g) {
            let mut g = *g;
            match decay {
                Decay::Coupled => g += share * *w,
                Decay::Decoupled => *w *= 1.0 - rate * share,
            }
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *w -= rate / correction1 * *m / (v.sqrt() / correction2.sqrt() + self.eps);
        }
    }
}

impl Optimizer for Adam {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.check()
    }

    fn momentum(&self) -> Option<Momentum> {
        Some(Momentum {
            key: "betas[0]",
            value: self.betas[0],
        })
    }

    fn normalizes(&self) -> bool {
        true
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn describe(&self) -> String {
        self.line(self.name())
    }

    fn words(&self, update: &Update) -> [f32; 4] {
        let [first, second] = self.corrections(update);
        [1.0 - update.momentum, 1.0 / first, 1.0 / second.sqrt(), 0.0].map(|word| word as f32)
    }

    fn states(&self) -> &'static [&'static str] {
        STATES
    }

    fn update(&self, b: &mut Builder, site: &UpdateSite) -> Result<()> {
        self.dispatch(b, site, Decay::Coupled)
    }

    fn reference(&self, p: &mut ReferenceParameter, g: &[f64], update: &Update) {
        self.step(p, g, update, Decay::Coupled);
    }
}
