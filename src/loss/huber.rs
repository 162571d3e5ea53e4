//! Huber's loss.

use serde::{Deserialize, Serialize};

use super::{Entry, Invalid, Loss, LossReference, LossSite, RowTargets, numbers};
use crate::data::Task;
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::shape::Shape;

pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "huber",
    summary: "squared error near, absolute error far from the target (torch.nn.HuberLoss)",
    arguments: &["delta"],
    short: None,
    example: "delta = 0.5",
    parse: |args| Ok(Box::new(args.read::<Huber>()?)),
};

/// (x - t)^2 / 2 where |x - t| is at most delta, delta (|x - t| - delta / 2) beyond, the mean over all
/// elements, as torch.nn.HuberLoss (Huber 1964, "Robust estimation of a location parameter"). Targets have
/// a deviation of 1 by then: delta counts in it.
///
/// The shader is `shaders/loss/huber.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Huber {
    /// Up to which distance it is quadratic; above 0.
    pub delta: f64,
}

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0 }
    }
}

impl Loss for Huber {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        // As the shader has it.
        let delta = self.delta as f32;
        if delta > 0.0 && delta.is_finite() {
            return Ok(());
        }
        Err(Invalid {
            key: "delta",
            message: format!(
                "is {}, but the distance up to which the loss is quadratic is above 0 and finite",
                self.delta
            ),
        })
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn takes(&self, output: &Shape, task: &Task) -> Result<()> {
        numbers::takes(self.name(), output, task)
    }

    fn forward(&self, b: &mut Builder, site: &LossSite) -> Result<Value> {
        numbers::dispatch(b, "loss/huber", site, |call| call.f32("delta", self.delta))
    }

    fn reference(&self, x: &[f64], width: usize, targets: RowTargets<'_>) -> LossReference {
        let delta = self.delta;
        numbers::reference(x, width, targets, |d| match d.abs() <= delta {
            true => (d * d / 2.0, d),
            false => (delta * (d.abs() - delta / 2.0), delta * d.signum()),
        })
    }
}
