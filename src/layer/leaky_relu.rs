//! The leaky rectified linear unit.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{
    Back, Entry, Fit, Forward, Invalid, Layer, Misfit, Node, Pass, Reference, ReferenceGradients,
    Site,
};
use crate::args::is_f32;
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Attribute, Graph};
use crate::shape::Shape;

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

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "leaky_relu",
    summary: "x where x > 0, negative_slope x else (torch.nn.LeakyReLU)",
    arguments: &["negative_slope"],
    short: Some("negative_slope"),
    example: "negative_slope = 0.1",
    parse: |args| Ok(Box::new(args.read::<LeakyRelu>()?)),
};

impl Layer for LeakyRelu {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        if is_f32(self.negative_slope) {
            return Ok(());
        }
        Err(Invalid {
            key: "negative_slope",
            message: format!("is {}, but a slope is a finite number", self.negative_slope),
        })
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit::new(*input))
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value) -> Result<Forward> {
        unary::forward(
            b,
            "layer/leaky_relu",
            x,
            unary::argument(x, self.negative_slope),
        )
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        unary::backward(
            b,
            "layer/leaky_relu",
            back,
            Saved::Input,
            unary::argument(back.dy, self.negative_slope),
        )
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let slope = ("alpha", Attribute::Float(self.negative_slope));
        Ok(g.node(&at.path, "LeakyRelu", &[x], &[slope]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for LeakyRelu {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
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

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(
            pass.x,
            dy,
            |x| if x > 0.0 { 1.0 } else { self.negative_slope },
        )
    }
}
