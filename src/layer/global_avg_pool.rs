//! Global average pooling.

use serde::{Deserialize, Serialize};

use super::window::not_pictures;
use super::{Back, Layer, Misfit, Reference, ReferenceGradients, Site};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Geometry, Value, shaders};
use crate::onnx::{Attribute, Graph, Place};

/// The mean of each channel over the whole picture, as torch.nn.AdaptiveAvgPool2d(1) and
/// torch.nn.Flatten.
///
/// Shapes: x `[C, H, W]`, y `[C]`. The gradient of a relu in front is applied in passing. The shader is
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

impl Layer for GlobalAvgPool {
    fn name(&self) -> &'static str {
        "global_avg_pool"
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        match Geometry::of(input) {
            Some(geometry) => Ok(vec![geometry.channels]),
            None => Err(not_pictures(input)),
        }
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    fn gates_input(&self, _: &Value) -> bool {
        true
    }

    fn forward(&self, b: &mut Builder, site: &Site<'_>, x: Value, _: bool) -> Result<Value> {
        let Some(geometry) = x.geometry else {
            return Ok(x);
        };
        let y = b.shaped("y", site.output);
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
        Ok(y)
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        let (true, Some(geometry)) = (back.wants_dx, back.x.geometry) else {
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

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        let means = g.node(at.path, "GlobalAveragePool", &[x], &[]);
        Ok(g.node(
            at.path,
            "Flatten",
            &[&means],
            &[("axis", Attribute::Int(1))],
        ))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        let plane = pass.input[1] * pass.input[2];
        let mean = |values: &[f64]| values.iter().sum::<f64>() / plane as f64;
        pass.x.chunks_exact(plane).map(mean).collect()
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        let plane = pass.input[1] * pass.input[2];
        let spread = |dy: &f64| vec![dy / plane as f64; plane];
        ReferenceGradients {
            dx: dy.iter().flat_map(spread).collect(),
            parameters: Vec::new(),
        }
    }
}
