//! The logistic function.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{
    Back, Entry, Fit, Forward, Layer, Misfit, Node, Pass, Reference, ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

/// y = 1 / (1 + exp(-x)), as torch.nn.Sigmoid.
///
/// The shape is kept. The shader is `shaders/layer/sigmoid.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigmoid {}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "sigmoid",
    summary: "1 / (1 + exp(-x)) (torch.nn.Sigmoid)",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<Sigmoid>()?)),
};

impl Layer for Sigmoid {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit::new(*input))
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value) -> Result<Forward> {
        unary::forward(b, "layer/sigmoid", x, unary::argument(x, 0.0))
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        unary::backward(
            b,
            "layer/sigmoid",
            back,
            Saved::Output,
            unary::argument(back.dy, 0.0),
        )
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        Ok(g.node(&at.path, "Sigmoid", &[x], &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Sigmoid {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| logistic(*x)).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |x| logistic(x) * (1.0 - logistic(x)))
    }
}
