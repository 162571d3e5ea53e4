//! A picture as a sequence of its rows.

use serde::{Deserialize, Serialize};

use super::{
    Back, Entry, Fit, Forward, Layer, Misfit, Node, Pass, Reference, ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Geometry, Value, shaders};
use crate::layer::window::{not_pictures, picture};
use crate::onnx::{Attribute, Graph};
use crate::shape::Shape;

/// Rows of pixels become steps: `[C, H, W]` becomes H steps of C * W numbers, channel by channel the
/// pixels of a row.
///
/// The shader is `shaders/layer/image_rows.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRows {}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "image_rows",
    summary: "a picture as a sequence of its rows",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<ImageRows>()?)),
};

/// A dispatch for each quad of `over`, between pictures and rows.
fn call(b: &Builder, what: &str, over: Value, [pictures, rows]: [Value; 2]) -> Result<Call> {
    let [channels, _, width] = picture(&pictures.shape);
    let quads = Geometry::of(&pictures.shape).map_or(0, |geometry| geometry.channel_quads());
    let invocations = over.matrix.rows * over.matrix.quads();
    Ok(Call::new(b.label(what), grid(invocations, 64)?)
        .u32("rows", rows.matrix.rows)
        .u32("channels", channels)
        .u32("width", width)
        .u32("quads", quads)
        .u32("x_stride", pictures.matrix.stride)
        .u32("y_stride", rows.matrix.stride))
}

impl Layer for ImageRows {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let Shape::Picture {
            channels,
            height,
            width,
        } = *input
        else {
            return Err(not_pictures(input));
        };
        Ok(Fit::new(Shape::Sequence {
            steps: height,
            features: channels.saturating_mul(width),
        }))
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let y = b.shaped("y", at.output());
        let call = call(b, "forward", y, [x, y])?.value("x", x).value("y", y);
        b.dispatch(&shaders::named("layer/image_rows"), "forward", call);
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
        b.dispatch(&shaders::named("layer/image_rows"), "backward", call);
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let order = ("perm", Attribute::Ints(vec![0, 2, 1, 3]));
        let rows = g.node(&at.path, "Transpose", &[x], &[order]);
        let shape = g.shape(&at.named("rows"), &at.output().dims());
        Ok(g.node(&at.path, "Reshape", &[&rows, &shape], &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

/// Where number `i` of the output lies in the input, both in PyTorch's order.
fn origin(pass: &Pass<'_>, i: usize) -> usize {
    let [channels, height, width] = picture(&pass.node.input);
    let (w, c) = (i % width, i / width % channels);
    let (h, n) = (
        i / (width * channels) % height,
        i / (width * channels * height),
    );
    ((n * channels + c) * height + h) * width + w
}

impl Reference for ImageRows {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let all = 0..pass.x.len();
        all.map(|i| pass.x[origin(pass, i)]).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let mut dx = vec![0.0; dy.len()];
        for (i, dy) in dy.iter().enumerate() {
            dx[origin(pass, i)] = *dy;
        }
        ReferenceGradients {
            dx,
            parameters: Vec::new(),
        }
    }
}
