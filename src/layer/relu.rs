//! The rectified linear unit.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{
    Back, Entry, Fit, Forward, Fusion, Layer, Misfit, Node, Pass, Reference, ReferenceGradients,
    Site,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

/// y = max(x, 0), as torch.nn.ReLU; the gradient at 0 is 0. A linear layer in front applies it in
/// passing, and one behind applies its gradient.
///
/// The shape is kept. The shader is `shaders/layer/relu.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relu {}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "relu",
    summary: "max(x, 0) (torch.nn.ReLU)",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<Relu>()?)),
};

impl Layer for Relu {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit {
            fusion: Fusion::RELU,
            ..Fit::new(*input)
        })
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value) -> Result<Forward> {
        unary::forward(b, "layer/relu", x, unary::argument(x, 0.0))
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        unary::backward(
            b,
            "layer/relu",
            back,
            Saved::Output,
            unary::argument(back.dy, 0.0),
        )
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        Ok(g.node(&at.path, "Relu", &[x], &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Relu {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| x.max(0.0)).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |x| if x > 0.0 { 1.0 } else { 0.0 })
    }
}
