//! The logistic function.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{Back, Layer, Misfit, Reference, ReferenceGradients, Site};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Graph, Place};

/// y = 1 / (1 + exp(-x)), as torch.nn.Sigmoid.
///
/// The shape is kept. The shader is `shaders/layer/sigmoid.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigmoid {}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Layer for Sigmoid {
    fn name(&self) -> &'static str {
        "sigmoid"
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        Ok(input.to_vec())
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value, _: bool) -> Result<Value> {
        unary::forward(b, "layer/sigmoid", x, |call| call.channels(x))
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        unary::backward(b, "layer/sigmoid", back, Saved::Output, |call| {
            call.channels(back.dy)
        })
    }

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        Ok(g.node(at.path, "Sigmoid", &[x], &[]))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| logistic(*x)).collect()
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |x| logistic(x) * (1.0 - logistic(x)))
    }
}
