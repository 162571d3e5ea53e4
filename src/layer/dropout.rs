//! Dropout.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{
    Back, Entry, Fit, Forward, Invalid, Layer, Misfit, Node, Pass, Reference, ReferenceGradients,
    Site,
};
use crate::args::is_below_one;
use crate::error::Result;
use crate::kernel::{Builder, Call, Mode, Value};
use crate::onnx::Graph;
use crate::rng::uniform;
use crate::shape::Shape;

/// While training, zero with probability `p` and x / (1 - p) else, as torch.nn.Dropout (Srivastava
/// et al. 2014); while evaluating, the identity.
///
/// The mask is a function of the run's seed, the step, the layer's position and the element in PyTorch's
/// order (NCHW), so it
/// is the same whatever the chunk, and the backward pass draws it again. The shape is kept. The
/// shader is `shaders/layer/dropout.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dropout {
    /// The probability of zero, in [0, 1).
    pub p: f64,
}

impl Default for Dropout {
    fn default() -> Self {
        Self { p: 0.5 }
    }
}

impl Dropout {
    fn scale(self) -> f64 {
        1.0 / (1.0 - self.p)
    }

    fn call(self, draw: usize, x: Value, call: Call) -> Call {
        let [height, width] = x.geometry().map_or([1, 1], |g| [g.height, g.width]);
        let steps = match x.geometry() {
            Some(_) => 1,
            None => x.shape.rows(),
        };
        call.channels(x)
            .u32("steps", steps)
            .u32("height", height)
            .u32("width", width)
            .f32("p", self.p)
            .f32("scale", self.scale())
            .u32("draw", draw)
    }

    /// Appends y for a layer that drops inside: its random words are drawn by the number `draw`.
    pub(super) fn forward_as(self, b: &mut Builder, x: Value, draw: usize) -> Result<Value> {
        Ok(unary::forward(b, "layer/dropout", x, |call| self.call(draw, x, call))?.y)
    }

    /// Appends the gradient by x for that of y of [`Dropout::forward_as`].
    pub(super) fn backward_as(self, b: &mut Builder, dy: Value, draw: usize) -> Result<Value> {
        let back = Back {
            x: dy,
            y: dy,
            saved: &[],
            branches: &[],
            dy,
            wants_dx: true,
            gate: false,
        };
        let call = |call| self.call(draw, dy, call);
        let dx = unary::backward(b, "layer/dropout", &back, Saved::Nothing, call)?;
        Ok(dx.unwrap_or(dy))
    }

    /// The factor of each element of a value of `n`, drawn by the number `draw`.
    pub(super) fn factors(self, pass: &Pass<'_>, n: usize, draw: usize) -> Vec<f64> {
        let factor = |element: usize| {
            let word = pass.key.words(element as u32, draw as u32)[0];
            // The comparison that the shader makes, in f32.
            if uniform(word) < self.p as f32 {
                0.0
            } else {
                self.scale()
            }
        };
        let active = pass.training && self.p > 0.0;
        (0..n)
            .map(|element| if active { factor(element) } else { 1.0 })
            .collect()
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "dropout",
    summary: "zeros by chance while training (torch.nn.Dropout)",
    arguments: &["p"],
    short: Some("p"),
    example: "p = 0.5",
    parse: |args| Ok(Box::new(args.read::<Dropout>()?)),
};

impl Layer for Dropout {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        if is_below_one(self.p) {
            return Ok(());
        }
        Err(Invalid {
            key: "p",
            message: format!(
                "is {}, but a probability of dropping lies in [0, 1): 0 drops nothing, 1 would drop everything",
                self.p
            ),
        })
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit::new(*input))
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, _: &Shape) -> String {
        format!("dropout({})", self.p)
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        if b.mode() == Mode::Evaluate || self.p == 0.0 {
            return Ok(x.into());
        }
        unary::forward(b, "layer/dropout", x, |call| self.call(at.node.id, x, call))
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        if self.p == 0.0 {
            return Ok(Some(back.dy));
        }
        unary::backward(b, "layer/dropout", back, Saved::Nothing, |call| {
            self.call(at.node.id, back.dy, call)
        })
    }

    fn onnx(&self, _: &mut Graph, _: &Node, x: &str) -> Result<String, String> {
        Ok(x.to_owned())
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Dropout {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let mask = self.factors(pass, pass.x.len(), pass.node.id);
        pass.x.iter().zip(mask).map(|(x, m)| x * m).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let mask = self.factors(pass, pass.x.len(), pass.node.id);
        ReferenceGradients {
            dx: dy.iter().zip(mask).map(|(dy, m)| dy * m).collect(),
            parameters: Vec::new(),
        }
    }
}
