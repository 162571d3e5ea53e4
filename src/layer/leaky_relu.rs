//! The leaky rectified linear unit.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{Back, Invalid, Layer, Misfit, Reference, ReferenceGradients, Site};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Attribute, Graph, Place};

/// y = x where x > 0, negative_slope * x else, as torch.nn.LeakyReLU; the gradient at 0 is
/// negative_slope.
///
/// The shape is kept. The shader is `shaders/layer/leaky_relu.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LeakyRelu {
    /// The slope below 0.
    pub negative_slope: f64,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self {
            negative_slope: 0.01,
        }
    }
}

impl Layer for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky_relu"
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.negative_slope.is_finite() {
            return Ok(());
        }
        Err(Invalid {
            key: "negative_slope",
            message: format!("is {}, but a slope is a finite number", self.negative_slope),
        })
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        Ok(input.to_vec())
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value, _: bool) -> Result<Value> {
        unary::forward(b, "layer/leaky_relu", x, |call| {
            call.f32("negative_slope", self.negative_slope)
        })
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        unary::backward(b, "layer/leaky_relu", back, Saved::Input, |call| {
            call.f32("negative_slope", self.negative_slope)
        })
    }

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        let slope = ("alpha", Attribute::Float(self.negative_slope));
        Ok(g.node(at.path, "LeakyRelu", &[x], &[slope]))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        pass.x
            .iter()
            .map(|x| {
                if *x > 0.0 {
                    *x
                } else {
                    self.negative_slope * x
                }
            })
            .collect()
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(
            pass.x,
            dy,
            |x| if x > 0.0 { 1.0 } else { self.negative_slope },
        )
    }
}
