//! Mean squared error.

use serde::{Deserialize, Serialize};

use super::{
    Entry, Loss, LossReference, LossSite, RowTargets, counting, dispatch, first_largest, numbers,
    takes_classes,
};
use crate::data::{IGNORED, Task};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "mse",
    summary: "mean squared error: of numbers, or against one-hot rows (torch.nn.MSELoss)",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<Mse>()?)),
};

/// (x - t)^2, the mean over all elements, as torch.nn.MSELoss; t are numbers, or one-hot rows where the
/// data set is about classes.
///
/// The shaders are `shaders/loss/mse_numbers.wgsl` and `shaders/loss/mse.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mse {}

impl Loss for Mse {
    fn name(&self) -> &'static str {
        "mse"
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    fn takes(&self, output: &Shape, task: &Task) -> Result<()> {
        match task {
            Task::Numbers(_) => numbers::takes(self.name(), output, task),
            _ => takes_classes(self.name(), output, task),
        }
    }

    fn forward(&self, b: &mut Builder, site: &LossSite) -> Result<Value> {
        if site.numbers {
            return numbers::dispatch(b, "loss/mse_numbers", site, |call| call);
        }
        dispatch(b, "loss/mse", site, |call| {
            call.f32("inv_cols", 1.0 / site.x.matrix.cols as f64)
        })
    }

    /// The outputs themselves, which were fitted to 0 and 1 and so estimate probabilities, cut to
    /// that range.
    fn probabilities(&self, row: &[f32]) -> Vec<f64> {
        let cut = |output: &f32| f64::from(*output).clamp(0.0, 1.0);
        row.iter().map(cut).collect()
    }

    fn onnx_head(&self, graph: &mut Graph, logits: &str, name: &str, shape: &[usize]) {
        let [low, high] = [0.0, 1.0].map(|bound| graph.number("bound", bound));
        graph.output(name, shape, "Clip", &[logits, &low, &high], &[]);
    }

    fn reference(&self, x: &[f64], classes: usize, targets: RowTargets<'_>) -> LossReference {
        let labels = match targets {
            RowTargets::Classes(labels) => labels,
            RowTargets::Numbers(_) => {
                return numbers::reference(x, classes, targets, |d| (d * d, 2.0 * d));
            }
        };
        let mut reference = LossReference::default();
        let count = counting(labels);
        for (row, label) in x.chunks_exact(classes).zip(labels) {
            if *label == IGNORED {
                reference.ignore(row);
                continue;
            }
            let mut loss = 0.0;
            for (j, x) in row.iter().enumerate() {
                let t = if j == *label as usize { 1.0 } else { 0.0 };
                loss += (x - t).powi(2) / classes as f64;
                reference.dx.push(2.0 * (x - t) / (classes as f64 * count));
            }
            reference.losses.push(loss);
            reference.chosen.push(first_largest(row));
        }
        reference
    }
}
