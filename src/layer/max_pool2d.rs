//! Max pooling.

use serde::{Deserialize, Serialize};

use super::window::{Pair, Window};
use super::{Back, Invalid, Layer, Misfit, Reference, ReferenceGradients, Site};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Value, shaders};
use crate::onnx::{Graph, Place};

/// The largest value of each window, as torch.nn.MaxPool2d; the gradient goes to the first of equal
/// largest values.
///
/// Shapes: x `[C, H, W]`, y `[C, H', W']` with H' = (H + 2 padding - kernel_size) / stride + 1,
/// rounded down, or up with `ceil_mode` (then a last window that would start beyond the picture and
/// its padding is left out). A relu behind the layer is applied in passing, and so is the gradient
/// of a relu in front. The shader is `shaders/layer/max_pool2d.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool2d {
    /// Rows and columns of the window.
    pub kernel_size: Pair,
    /// Distance of windows; the window's size where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Pair>,
    /// Border around the picture, at most half the window (it never wins).
    #[serde(default = "none")]
    pub padding: Pair,
    /// Whether windows may reach beyond the end.
    #[serde(default)]
    pub ceil_mode: bool,
}

fn none() -> Pair {
    Pair(0, 0)
}

/// Bits of the uniform's flags.
const RELU: usize = 1;
const GATE: usize = 2;

impl MaxPool2d {
    fn window(&self) -> Window {
        Window {
            kernel: self.kernel_size,
            stride: self.stride.unwrap_or(self.kernel_size),
            padding: self.padding,
            ceil: self.ceil_mode,
        }
    }
}

impl Layer for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.window().validate()
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        self.window().output(input)
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, _: &[usize]) -> String {
        let window = self.window();
        format!("max_pool2d({}, stride {})", window.kernel, window.stride)
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn gates_input(&self, _: &Value) -> bool {
        true
    }

    fn forward(&self, b: &mut Builder, site: &Site<'_>, x: Value, relu: bool) -> Result<Value> {
        let y = b.shaped("y", site.output);
        let taps = b.like("taps", y);
        b.remember(&site.path, &[vec![taps]]);
        let flags = if relu { RELU } else { 0 };
        let call = Call::new(
            b.label("forward"),
            grid(y.matrix.rows * y.matrix.quads(), 64)?,
        )
        .u32("rows", y.matrix.rows)
        .u32("flags", flags)
        .value("x", x)
        .value("y", y)
        .value("taps", taps);
        let call = self.window().call(call, x, y);
        b.dispatch(&shaders::named("layer/max_pool2d"), "forward", call);
        Ok(y)
    }

    fn backward(&self, b: &mut Builder, site: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        if !back.wants_dx {
            return Ok(None);
        }
        let dx = b.like("dx", back.x);
        let flags = if back.gate { GATE } else { 0 };
        let taps = b.recall(&site.path)[0][0];
        let owners = self.window().owners(dx);
        let call = Call::new(b.label("backward"), grid(owners.invocations, 64)?)
            .u32("rows", owners.rows)
            .u32("flags", flags)
            .value("x", back.x)
            .value("dy", back.dy)
            .value("dx", dx)
            .value("chosen", taps);
        let call = self.window().call(call, dx, back.dy);
        b.dispatch(&shaders::named("layer/max_pool2d"), owners.entry, call);
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        let attributes = self.window().onnx(at);
        Ok(g.node(at.path, "MaxPool", &[x], &attributes))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        let output = self.output_shape(pass.input).unwrap_or_default();
        let mut y = vec![0.0; pass.rows * output.iter().product::<usize>()];
        self.window()
            .each(pass.rows, pass.input, &output, |at, inside, _| {
                y[at] = pass.x[first_largest(pass.x, inside)];
            });
        y
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        let output = self.output_shape(pass.input).unwrap_or_default();
        let mut dx = vec![0.0; pass.x.len()];
        self.window()
            .each(pass.rows, pass.input, &output, |at, inside, _| {
                dx[first_largest(pass.x, inside)] += dy[at];
            });
        ReferenceGradients {
            dx,
            parameters: Vec::new(),
        }
    }
}

/// The first of the positions `inside` whose value is the largest.
fn first_largest(x: &[f64], inside: &[usize]) -> usize {
    let mut best = inside[0];
    for at in inside {
        if x[*at] > x[best] {
            best = *at;
        }
    }
    best
}
