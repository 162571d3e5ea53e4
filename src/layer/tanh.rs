//! The hyperbolic tangent.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{
    Back, Entry, Fit, Forward, Layer, Misfit, Node, Pass, Reference, ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

/// y = tanh(x), as torch.nn.Tanh.
///
/// The shape is kept. The shader is `shaders/layer/tanh.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tanh {}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "tanh",
    summary: "hyperbolic tangent (torch.nn.Tanh)",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<Tanh>()?)),
};

impl Layer for Tanh {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit::new(*input))
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value) -> Result<Forward> {
        unary::forward(b, "layer/tanh", x, unary::argument(x, 0.0))
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        unary::backward(
            b,
            "layer/tanh",
            back,
            Saved::Output,
            unary::argument(back.dy, 0.0),
        )
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        Ok(g.node(&at.path, "Tanh", &[x], &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Tanh {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| x.tanh()).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |x| 1.0 - x.tanh().powi(2))
    }
}
