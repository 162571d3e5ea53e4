//! The sigmoid linear unit.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{
    Back, Entry, Fit, Forward, Layer, Misfit, Node, Pass, Reference, ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

/// y = x / (1 + exp(-x)), as torch.nn.SiLU.
///
/// The shape is kept. The shader is `shaders/layer/silu.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silu {}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "silu",
    summary: "x / (1 + exp(-x)) (torch.nn.SiLU)",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<Silu>()?)),
};

impl Layer for Silu {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit::new(*input))
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value) -> Result<Forward> {
        unary::forward(b, "layer/silu", x, unary::argument(x, 0.0))
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        unary::backward(
            b,
            "layer/silu",
            back,
            Saved::Input,
            unary::argument(back.dy, 0.0),
        )
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let share = g.node(&at.path, "Sigmoid", &[x], &[]);
        Ok(g.node(&at.path, "Mul", &[x, &share], &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Silu {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| x / (1.0 + (-x).exp())).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |x| {
            let s = 1.0 / (1.0 + (-x).exp());
            s + x * s * (1.0 - s)
        })
    }
}
