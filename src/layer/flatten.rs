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
/// `[C, H, W]` becomes `[C * H * W]`. Pictures lie as pixels of channels: they are put in order by
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
            Shape::Picture { .. } => Fusion::GATE,
            // Nothing is computed.
            Shape::Features(_) | Shape::Tokens { .. } => Fusion::NOTHING,
            Shape::Sequence { .. } => {
                return Err(Misfit {
                    problem: format!(
                        "takes pictures or lists, but its input is a sequence of the shape {input}"
                    ),
                    help: "put a layer in front of it that gives one list for each sample".into(),
                });
            }
        };
        Ok(Fit {
            takes_rows: true,
            fusion,
            ..Fit::new(Shape::Features(input.elements()))
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let Some(geometry) = x.geometry() else {
            return Ok(x.into());
        };
        let y = b.shaped("y", at.output());
        let invocations = b.batch() * y.matrix.quads();
        let call = call(b, "forward", invocations, &geometry, x.matrix, y.matrix)?
            .u32("gated", 0)
            .value("x", x)
            .value("y", y);
        b.dispatch(&shaders::named("layer/flatten"), "forward", call);
        Ok(y.into())
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let Some(geometry) = back.x.geometry() else {
            return Ok(Some(back.dy));
        };
        if !back.wants_dx {
            return Ok(None);
        }
        let dx = b.like("dx", back.x);
        let invocations = dx.matrix.rows * dx.matrix.quads();
        let call = call(
            b,
            "backward",
            invocations,
            &geometry,
            dx.matrix,
            back.dy.matrix,
        )?
        .u32("gated", usize::from(back.gate))
        .value("x", back.x)
        .value("dy", back.dy)
        .value("dx", dx);
        b.dispatch(&shaders::named("layer/flatten"), "backward", call);
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

fn call(
    b: &Builder,
    what: &str,
    invocations: usize,
    geometry: &Geometry,
    x: Matrix,
    y: Matrix,
) -> Result<Call> {
    Ok(Call::new(b.label(what), grid(invocations, 64)?)
        .u32("samples", b.batch())
        .u32("channels", geometry.channels)
        .u32("height", geometry.height)
        .u32("width", geometry.width)
        .u32("quads", geometry.channel_quads())
        .u32("x_stride", x.stride)
        .u32("y_stride", y.stride))
}
