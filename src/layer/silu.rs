//! The sigmoid linear unit.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{Back, Layer, Misfit, Reference, ReferenceGradients, Site};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Graph, Place};

/// y = x / (1 + exp(-x)), as torch.nn.SiLU.
///
/// The shape is kept. The shader is `shaders/layer/silu.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silu {}

impl Layer for Silu {
    fn name(&self) -> &'static str {
        "silu"
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        Ok(input.to_vec())
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value, _: bool) -> Result<Value> {
        unary::forward(b, "layer/silu", x, |call| call)
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        unary::backward(b, "layer/silu", back, Saved::Input, |call| call)
    }

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        let share = g.node(at.path, "Sigmoid", &[x], &[]);
        Ok(g.node(at.path, "Mul", &[x, &share], &[]))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| x / (1.0 + (-x).exp())).collect()
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |x| {
            let s = 1.0 / (1.0 + (-x).exp());
            s + x * s * (1.0 - s)
        })
    }
}
