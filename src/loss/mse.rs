//! Mean squared error.

use serde::{Deserialize, Serialize};

use super::{Loss, LossReference, LossSite, dispatch, first_largest};
use crate::error::Result;
use crate::kernel::{Builder, Value};

/// (x - t)^2 against one-hot rows t, the mean over all elements, as torch.nn.MSELoss.
///
/// The shader is `shaders/loss/mse.wgsl`.
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

    fn forward(&self, b: &mut Builder, site: &LossSite) -> Result<Value> {
        dispatch(b, "loss/mse", site, |call| {
            call.f32("inv_cols", 1.0 / site.x.matrix.cols as f64)
        })
    }

    fn reference(&self, x: &[f64], classes: usize, labels: &[u32]) -> LossReference {
        let mut reference = LossReference {
            losses: Vec::new(),
            chosen: Vec::new(),
            dx: Vec::new(),
        };
        for (row, label) in x.chunks_exact(classes).zip(labels) {
            let mut loss = 0.0;
            for (j, x) in row.iter().enumerate() {
                let t = if j == *label as usize { 1.0 } else { 0.0 };
                loss += (x - t).powi(2) / classes as f64;
                reference
                    .dx
                    .push(2.0 * (x - t) / (classes * labels.len()) as f64);
            }
            reference.losses.push(loss);
            reference.chosen.push(first_largest(row));
        }
        reference
    }
}
