//! The last step of a sequence.

use serde::{Deserialize, Serialize};

use super::{
    Back, Entry, Fit, Forward, Layer, Misfit, Node, Pass, Reference, ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Value, shaders};
use crate::onnx::{Attribute, Graph};
use crate::shape::Shape;

/// y = the last step of x: `[steps, features]` becomes `[features]`.
///
/// The gradient by the other steps is 0. The shader is `shaders/layer/last.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Last {}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "last",
    summary: "the last step of a sequence",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<Last>()?)),
};

/// A dispatch for each quad of `over`, between a sequence and its last steps.
fn call(b: &Builder, what: &str, over: Value, [sequence, last]: [Value; 2]) -> Result<Call> {
    let invocations = over.matrix.rows * over.matrix.quads();
    Ok(Call::new(b.label(what), grid(invocations, 64)?)
        .u32("samples", last.matrix.rows)
        .u32("steps", sequence.shape.rows())
        .u32("cols", last.matrix.cols)
        .u32("stride", last.matrix.stride / 4))
}

impl Layer for Last {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        match *input {
            Shape::Sequence { steps, features } if steps > 0 => {
                Ok(Fit::new(Shape::Features(features)))
            }
            _ => Err(super::window::not_sequences(input)),
        }
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let y = b.shaped("y", at.output());
        let call = call(b, "forward", y, [x, y])?.value("x", x).value("y", y);
        b.dispatch(&shaders::named("layer/last"), "forward", call);
        Ok(y.into())
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        if !back.wants_dx {
            return Ok(None);
        }
        let dx = b.like("dx", back.x);
        let call = call(b, "backward", dx, [dx, back.dy])?
            .value("dy", back.dy)
            .value("dx", dx);
        b.dispatch(&shaders::named("layer/last"), "backward", call);
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let index = g.whole(&at.named("index"), at.input.rows().saturating_sub(1));
        let axis = [("axis", Attribute::Int(1))];
        Ok(g.node(&at.path, "Gather", &[x, &index], &axis))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Last {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let features = pass.node.input.features();
        let samples = pass.x.chunks_exact(pass.node.input.elements());
        let last = samples.flat_map(|sample| &sample[sample.len() - features..]);
        last.copied().collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let features = pass.node.input.features();
        let mut dx = vec![0.0; pass.x.len()];
        let samples = dx.chunks_exact_mut(pass.node.input.elements());
        for (dx, dy) in samples.zip(dy.chunks_exact(features)) {
            let first = dx.len() - features;
            dx[first..].copy_from_slice(dy);
        }
        ReferenceGradients {
            dx,
            parameters: Vec::new(),
        }
    }
}
