//! The hyperbolic tangent.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{Back, Layer, Misfit, Reference, ReferenceGradients, Site};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Graph, Place};

/// y = tanh(x), as torch.nn.Tanh.
///
/// The shape is kept. The shader is `shaders/layer/tanh.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tanh {}

impl Layer for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        Ok(input.to_vec())
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value, _: bool) -> Result<Value> {
        unary::forward(b, "layer/tanh", x, |call| call)
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        unary::backward(b, "layer/tanh", back, Saved::Output, |call| call)
    }

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        Ok(g.node(at.path, "Tanh", &[x], &[]))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| x.tanh()).collect()
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |x| 1.0 - x.tanh().powi(2))
    }
}
