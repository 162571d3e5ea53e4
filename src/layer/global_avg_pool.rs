//! Global average pooling.

use serde::{Deserialize, Serialize};

use super::window::not_pictures;
use super::{
    Back, Entry, Fit, Forward, Fusion, Layer, Misfit, Node, Pass, Reference, ReferenceGradients,
    Site,
};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Geometry, Value, shaders};
use crate::onnx::{Attribute, Graph};
use crate::shape::Shape;

/// The mean of each channel over the whole picture, as torch.nn.AdaptiveAvgPool2d(1) and
/// torch.nn.Flatten.
///
/// Shapes: x `[C, H, W]`, y `[C]`. The gradient of a relu in front is fused. The shader is
/// `shaders/layer/global_avg_pool.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalAvgPool {}

fn call(call: Call, geometry: &Geometry, samples: usize, x: Value, y: Value) -> Call {
    call.u32("samples", samples)
        .u32("height", geometry.height)
        .u32("width", geometry.width)
        .u32("quads", geometry.channel_quads())
        .u32("x_stride", x.matrix.stride / 4)
        .u32("y_stride", y.matrix.stride / 4)
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "global_avg_pool",
    summary: "the mean of each channel (torch.nn.AdaptiveAvgPool2d(1), flattened)",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<GlobalAvgPool>()?)),
};

impl Layer for GlobalAvgPool {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let geometry = Geometry::of(input).ok_or_else(|| not_pictures(input))?;
        Ok(Fit {
            fusion: Fusion::GATE,
            ..Fit::new(Shape::Features(geometry.channels))
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let Some(geometry) = x.geometry() else {
            return Ok(x.into());
        };
        let y = b.shaped("y", at.output());
        let dispatch = Call::new(
            b.label("forward"),
            grid(b.batch() * geometry.channel_quads(), 64)?,
        )
        .u32("flags", 0)
        .value("x", x)
        .value("y", y);
        let dispatch = call(dispatch, &geometry, b.batch(), x, y);
        b.dispatch(
            &shaders::named("layer/global_avg_pool"),
            "forward",
            dispatch,
        );
        Ok(y.into())
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let (true, Some(geometry)) = (back.wants_dx, back.x.geometry()) else {
            return Ok(None);
        };
        let dx = b.like("dx", back.x);
        let dispatch = Call::new(
            b.label("backward"),
            grid(dx.matrix.rows * dx.matrix.quads(), 64)?,
        )
        .u32("flags", if back.gate { 2 } else { 0 })
        .value("x", back.x)
        .value("dy", back.dy)
        .value("dx", dx);
        let dispatch = call(dispatch, &geometry, b.batch(), dx, back.dy);
        b.dispatch(
            &shaders::named("layer/global_avg_pool"),
            "backward",
            dispatch,
        );
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let means = g.node(&at.path, "GlobalAveragePool", &[x], &[]);
        Ok(g.node(
            &at.path,
            "Flatten",
            &[&means],
            &[("axis", Attribute::Int(1))],
        ))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for GlobalAvgPool {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let plane = pass.node.input.plane();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / plane as f64;
        pass.x.chunks_exact(plane).map(mean).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let plane = pass.node.input.plane();
        let spread = |dy: &f64| vec![dy / plane as f64; plane];
        ReferenceGradients {
            dx: dy.iter().flat_map(spread).collect(),
            parameters: Vec::new(),
        }
    }
}
