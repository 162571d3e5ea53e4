//! A constant factor.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{
    Back, Entry, Fit, Forward, Invalid, Layer, Misfit, Node, Pass, Reference, ReferenceGradients,
    Site,
};
use crate::args::is_f32;
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

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

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "scale",
    summary: "factor x",
    arguments: &["factor"],
    short: Some("factor"),
    example: "factor = 0.125",
    parse: |args| Ok(Box::new(args.read::<Scale>()?)),
};

impl Layer for Scale {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        if is_f32(self.factor) {
            return Ok(());
        }
        Err(Invalid {
            key: "factor",
            message: format!("is {}, but a factor is a finite number", self.factor),
        })
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit::new(*input))
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value) -> Result<Forward> {
        unary::forward(b, "layer/scale", x, unary::argument(x, self.factor))
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        unary::backward(
            b,
            "layer/scale",
            back,
            Saved::Idle,
            unary::argument(back.dy, self.factor),
        )
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let factor = g.number(&at.named("factor"), self.factor);
        Ok(g.node(&at.path, "Mul", &[x, &factor], &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Scale {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| self.factor * x).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |_| self.factor)
    }
}
