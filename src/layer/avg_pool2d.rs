//! Average pooling.

use serde::{Deserialize, Serialize};

use super::window::{Pair, Window};
use super::{Back, Invalid, Layer, Misfit, Reference, ReferenceGradients, Site};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Value, shaders};
use crate::onnx::{Attribute, Graph, Place};

/// The mean of each window, as torch.nn.AvgPool2d; with `ceil_mode` also as Caffe's AVE pooling.
///
/// Shapes: x `[C, H, W]`, y `[C, H', W']` with H' = (H + 2 padding - kernel_size) / stride + 1,
/// rounded down, or up with `ceil_mode` (then a last window that would start beyond the picture and
/// its padding is left out). A relu behind the layer is applied in passing, and so is the gradient
/// of a relu in front. The shader is `shaders/layer/avg_pool2d.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvgPool2d {
    /// Rows and columns of the window.
    pub kernel_size: Pair,
    /// Distance of windows; the window's size where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Pair>,
    /// Border around the picture, at most half the window (zeros).
    #[serde(default = "none")]
    pub padding: Pair,
    /// Whether windows may reach beyond the end.
    #[serde(default)]
    pub ceil_mode: bool,
    /// Whether the cells of the padding count in the mean (PyTorch's default; cells beyond the padding
    /// never count).
    #[serde(default = "yes")]
    pub count_include_pad: bool,
}

fn none() -> Pair {
    Pair(0, 0)
}

fn yes() -> bool {
    true
}

/// Bits of the uniform's flags.
const RELU: usize = 1;
const GATE: usize = 2;
const COUNT_PADDING: usize = 4;

impl AvgPool2d {
    fn window(&self) -> Window {
        Window {
            kernel: self.kernel_size,
            stride: self.stride.unwrap_or(self.kernel_size),
            padding: self.padding,
            ceil: self.ceil_mode,
        }
    }
}

impl Layer for AvgPool2d {
    fn name(&self) -> &'static str {
        "avg_pool2d"
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
        format!("avg_pool2d({}, stride {})", window.kernel, window.stride)
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn gates_input(&self, _: &Value) -> bool {
        true
    }

    fn forward(&self, b: &mut Builder, site: &Site<'_>, x: Value, relu: bool) -> Result<Value> {
        let y = b.shaped("y", site.output);
        let counting = if self.count_include_pad {
            COUNT_PADDING
        } else {
            0
        };
        let flags = counting + if relu { RELU } else { 0 };
        let call = Call::new(
            b.label("forward"),
            grid(y.matrix.rows * y.matrix.quads(), 64)?,
        )
        .u32("rows", y.matrix.rows)
        .u32("flags", flags)
        .value("x", x)
        .value("y", y);
        let call = self.window().call(call, x, y);
        b.dispatch(&shaders::named("layer/avg_pool2d"), "forward", call);
        Ok(y)
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        if !back.wants_dx {
            return Ok(None);
        }
        let dx = b.like("dx", back.x);
        let flags = if back.gate { GATE } else { 0 };
        let flags = flags
            + if self.count_include_pad {
                COUNT_PADDING
            } else {
                0
            };
        let owners = self.window().owners(dx);
        let call = Call::new(b.label("backward"), grid(owners.invocations, 64)?)
            .u32("rows", owners.rows)
            .u32("flags", flags)
            .value("x", back.x)
            .value("dy", back.dy)
            .value("dx", dx);
        let call = self.window().call(call, dx, back.dy);
        b.dispatch(&shaders::named("layer/avg_pool2d"), owners.entry, call);
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        let window = self.window();
        let mut attributes = window.onnx(at).to_vec();
        attributes.push(("count_include_pad", Attribute::Int(1)));
        // The operator divides by the window's size, whatever lies outside.
        let means = g.node(at.path, "AveragePool", &[x], &attributes);
        let size = window.kernel.0 * window.kernel.1;
        let factor = |inside: &[usize], covered: usize| size as f64 / self.divisor(inside, covered);
        let factors = window.of_plane(at.input, at.output, factor);
        if factors.iter().all(|factor| *factor == 1.0) {
            return Ok(means);
        }
        let shape = [1, at.output[1], at.output[2]];
        let factors = g.floats(&at.named("factors"), &shape, &factors);
        Ok(g.node(at.path, "Mul", &[&means, &factors], &[]))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        let output = self.output_shape(pass.input).unwrap_or_default();
        let mut y = vec![0.0; pass.rows * output.iter().product::<usize>()];
        self.window()
            .each(pass.rows, pass.input, &output, |at, inside, covered| {
                let sum: f64 = inside.iter().map(|i| pass.x[*i]).sum();
                y[at] = sum / self.divisor(inside, covered);
            });
        y
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        let output = self.output_shape(pass.input).unwrap_or_default();
        let mut dx = vec![0.0; pass.x.len()];
        self.window()
            .each(pass.rows, pass.input, &output, |at, inside, covered| {
                for i in inside {
                    dx[*i] += dy[at] / self.divisor(inside, covered);
                }
            });
        ReferenceGradients {
            dx,
            parameters: Vec::new(),
        }
    }
}

impl AvgPool2d {
    fn divisor(&self, inside: &[usize], covered: usize) -> f64 {
        if self.count_include_pad {
            covered as f64
        } else {
            inside.len() as f64
        }
    }
}
