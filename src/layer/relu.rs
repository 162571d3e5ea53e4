//! The rectified linear unit.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{Back, Layer, Misfit, Reference, ReferenceGradients, Site};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Graph, Place};

/// y = max(x, 0), as torch.nn.ReLU; the gradient at 0 is 0. A linear layer in front applies it in
/// passing, and one behind applies its gradient.
///
/// The shape is kept. The shader is `shaders/layer/relu.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relu {}

impl Layer for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        Ok(input.to_vec())
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value, _: bool) -> Result<Value> {
        unary::forward(b, "layer/relu", x, |call| call)
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        unary::backward(b, "layer/relu", back, Saved::Output, |call| call)
    }

    fn is_relu(&self) -> bool {
        true
    }

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        Ok(g.node(at.path, "Relu", &[x], &[]))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| x.max(0.0)).collect()
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |x| if x > 0.0 { 1.0 } else { 0.0 })
    }
}
