//! Average pooling.

use serde::{Deserialize, Serialize};

use super::pool::Window;
use super::window::{Pair, picture};
use super::{
    Back, Entry, Fit, Forward, Fusion, Invalid, Layer, Misfit, Node, Pass, Reference,
    ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Attribute, Graph};
use crate::shape::Shape;

/// The mean of each window, as torch.nn.AvgPool2d; with `ceil_mode` also as Caffe's AVE pooling.
///
/// Shapes: x `[C, H, W]`, y `[C, H', W']` with H' = (H + 2 padding - kernel_size) / stride + 1,
/// rounded down, or up with `ceil_mode` (then a last window that would start beyond the picture and
/// its padding is left out). A relu behind the layer is fused, and so is the gradient
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

const SHADER: &str = "layer/avg_pool2d";
/// A bit of the uniform's flags.
const COUNT_PADDING: usize = 4;

impl AvgPool2d {
    fn flags(&self) -> usize {
        if self.count_include_pad {
            COUNT_PADDING
        } else {
            0
        }
    }

    fn window(&self) -> Window {
        Window {
            kernel: self.kernel_size,
            stride: self.stride.unwrap_or(self.kernel_size),
            padding: self.padding,
            ceil: self.ceil_mode,
        }
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "avg_pool2d",
    summary: "the mean of each window (torch.nn.AvgPool2d)",
    arguments: &[
        "kernel_size",
        "stride",
        "padding",
        "ceil_mode",
        "count_include_pad",
    ],
    short: Some("kernel_size"),
    example: "kernel_size = 2",
    parse: |args| Ok(Box::new(args.read::<AvgPool2d>()?)),
};

impl Layer for AvgPool2d {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.window().validate()
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit {
            fusion: Fusion::BOTH,
            ..Fit::new(self.window().output(input)?)
        })
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, _: &Shape) -> String {
        let window = self.window();
        format!("avg_pool2d({}, stride {})", window.kernel, window.stride)
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        self.window()
            .forward(b, at, x, (SHADER, self.flags(), false))
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        self.window().backward(b, back, (SHADER, self.flags()))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let window = self.window();
        let mut attributes = window.onnx(at).to_vec();
        attributes.push(("count_include_pad", Attribute::Int(1)));
        // The operator divides by the window's size, whatever lies outside.
        let means = g.node(&at.path, "AveragePool", &[x], &attributes);
        let size = window.kernel.0 * window.kernel.1;
        let factor = |inside: &[usize], covered: usize| size as f64 / self.divisor(inside, covered);
        let factors = window.of_plane(&at.input, &at.output(), factor);
        if factors.iter().all(|factor| *factor == 1.0) {
            return Ok(means);
        }
        let [_, height, width] = picture(&at.output());
        let shape = [1, height, width];
        let factors = g.floats(&at.named("factors"), &shape, &factors);
        Ok(g.node(&at.path, "Mul", &[&means, &factors], &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for AvgPool2d {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let (input, output) = (&pass.node.input, &pass.node.output());
        let mut y = vec![0.0; pass.samples * output.elements()];
        self.window()
            .each(pass.samples, input, output, |at, inside, covered| {
                let sum: f64 = inside.iter().map(|i| pass.x[*i]).sum();
                y[at] = sum / self.divisor(inside, covered);
            });
        y
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let (input, output) = (&pass.node.input, &pass.node.output());
        let mut dx = vec![0.0; pass.x.len()];
        self.window()
            .each(pass.samples, input, output, |at, inside, covered| {
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
