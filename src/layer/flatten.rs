//! Flatten.

use serde::{Deserialize, Serialize};

use super::{
    Back, Entry, Fit, Forward, Fusion, Layer, Misfit, Node, Pass, Reference, ReferenceGradients,
    Site,
};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Geometry, Matrix, Value, shaders};
use crate::onnx::{Attribute, Graph};
use crate::shape::Shape;

/// All dimensions of a sample become one, in the order channel, row, column, as torch.nn.Flatten.
///
/// `[C, H, W]` becomes `[C * H * W]`, `[steps, features]` becomes `[steps * features]`. Pictures lie as
/// pixels of channels, sequences as a row for each step: they are put in order by
/// `shaders/layer/flatten.wgsl`. What lies flat already stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flatten {}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "flatten",
    summary: "all dimensions of a sample become one (torch.nn.Flatten)",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<Flatten>()?)),
};

impl Layer for Flatten {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let fusion = match input {
            Shape::Picture { .. } | Shape::Sequence { .. } => Fusion::GATE,
            // Nothing is computed.
            Shape::Features(_) | Shape::Tokens { .. } => Fusion::NOTHING,
        };
        Ok(Fit {
            takes_rows: !matches!(input, Shape::Sequence { .. }),
            fusion,
            ..Fit::new(Shape::Features(input.elements()))
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let Some(lie) = Lie::of(&x.shape) else {
            return Ok(x.into());
        };
        let y = b.shaped("y", at.output());
        let invocations = b.batch() * y.matrix.quads();
        let call = call(b, "forward", invocations, &lie, x.matrix, y.matrix)?
            .u32("gated", 0)
            .value("x", x)
            .value("y", y);
        b.dispatch(&shaders::named("layer/flatten"), "forward", call);
        Ok(y.into())
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let Some(lie) = Lie::of(&back.x.shape) else {
            return Ok(Some(back.dy));
        };
        if !back.wants_dx {
            return Ok(None);
        }
        let dx = b.like("dx", back.x);
        let invocations = dx.matrix.rows * dx.matrix.quads();
        let call = call(b, "backward", invocations, &lie, dx.matrix, back.dy.matrix)?
            .u32("gated", usize::from(back.gate))
            .value("x", back.x)
            .value("dy", back.dy)
            .value("dx", dx);
        b.dispatch(&shaders::named("layer/flatten"), lie.backward, call);
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        Ok(g.node(&at.path, "Flatten", &[x], &[("axis", Attribute::Int(1))]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Flatten {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        pass.x.to_vec()
    }

    fn backward(&self, _: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        ReferenceGradients {
            dx: dy.to_vec(),
            parameters: Vec::new(),
        }
    }
}

/// How samples lie that are no lists.
struct Lie {
    geometry: Geometry,
    /// Groups of four channels, and floats from pixel to pixel.
    quads: usize,
    pixel: usize,
    /// The entry point of the gradient.
    backward: &'static str,
}

impl Lie {
    /// A sequence lies as pictures of one channel do whose pixels are not padded.
    fn of(shape: &Shape) -> Option<Self> {
        if let Some(geometry) = Geometry::of(shape) {
            let quads = geometry.channel_quads();
            return Some(Self {
                geometry,
                quads,
                pixel: 4 * quads,
                backward: "backward",
            });
        }
        let Shape::Sequence { steps, features } = *shape else {
            return None;
        };
        Some(Self {
            geometry: Geometry {
                channels: 1,
                height: steps,
                width: features,
            },
            quads: features.div_ceil(4),
            pixel: 1,
            backward: "backward_steps",
        })
    }
}

fn call(
    b: &Builder,
    what: &str,
    invocations: usize,
    lie: &Lie,
    x: Matrix,
    y: Matrix,
) -> Result<Call> {
    Ok(Call::new(b.label(what), grid(invocations, 64)?)
        .u32("samples", b.batch())
        .u32("channels", lie.geometry.channels)
        .u32("height", lie.geometry.height)
        .u32("width", lie.geometry.width)
        .u32("quads", lie.quads)
        .u32("pixel", lie.pixel)
        .u32("x_stride", x.stride)
        .u32("y_stride", y.stride))
}
