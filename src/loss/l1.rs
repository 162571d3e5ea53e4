//! Mean absolute error.

use serde::{Deserialize, Serialize};

use super::{Entry, Loss, LossReference, LossSite, RowTargets, numbers};
use crate::data::Task;
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::shape::Shape;

pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "l1",
    summary: "mean absolute error of numbers (torch.nn.L1Loss)",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<L1>()?)),
};

/// |x - t|, the mean over all elements, as torch.nn.L1Loss: its gradient is 0 where x is t.
///
/// The shader is `shaders/loss/l1.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L1 {}

impl Loss for L1 {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    fn takes(&self, output: &Shape, task: &Task) -> Result<()> {
        numbers::takes(self.name(), output, task)
    }

    fn forward(&self, b: &mut Builder, site: &LossSite) -> Result<Value> {
        numbers::dispatch(b, "loss/l1", site, |call| call)
    }

    fn reference(&self, x: &[f64], width: usize, targets: RowTargets<'_>) -> LossReference {
        numbers::reference(x, width, targets, |d| {
            (d.abs(), if d == 0.0 { 0.0 } else { d.signum() })
        })
    }
}
