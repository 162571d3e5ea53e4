//! A constant factor.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{Back, Invalid, Layer, Misfit, Reference, ReferenceGradients, Site};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Graph, Place};

/// y = factor * x.
///
/// The shape is kept. The shader is `shaders/layer/scale.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scale {
    /// The factor.
    pub factor: f64,
}

impl Default for Scale {
    fn default() -> Self {
        Self { factor: 1.0 }
    }
}

impl Layer for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.factor.is_finite() {
            return Ok(());
        }
        Err(Invalid {
            key: "factor",
            message: format!("is {}, but a factor is a finite number", self.factor),
        })
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        Ok(input.to_vec())
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value, _: bool) -> Result<Value> {
        unary::forward(b, "layer/scale", x, |call| call.f32("factor", self.factor))
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        unary::backward(b, "layer/scale", back, Saved::Nothing, |call| {
            call.f32("factor", self.factor)
        })
    }

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        let factor = g.number(&at.named("factor"), self.factor);
        Ok(g.node(at.path, "Mul", &[x, &factor], &[]))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| self.factor * x).collect()
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |_| self.factor)
    }
}
