//! Max pooling.

use serde::{Deserialize, Serialize};

use super::pool::Window;
use super::window::Pair;
use super::{
    Back, Entry, Fit, Forward, Fusion, Invalid, Layer, Misfit, Node, Pass, Reference,
    ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

/// The largest value of each window, as torch.nn.MaxPool2d; the gradient goes to the first of equal
/// largest values.
///
/// Shapes: x `[C, H, W]`, y `[C, H', W']` with H' = (H + 2 padding - kernel_size) / stride + 1,
/// rounded down, or up with `ceil_mode` (then a last window that would start beyond the picture and
/// its padding is left out). A relu behind the layer is fused, and so is the gradient
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

const SHADER: &str = "layer/max_pool2d";

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

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "max_pool2d",
    summary: "the largest value of each window (torch.nn.MaxPool2d)",
    arguments: &["kernel_size", "stride", "padding", "ceil_mode"],
    short: Some("kernel_size"),
    example: "kernel_size = 2",
    parse: |args| Ok(Box::new(args.read::<MaxPool2d>()?)),
};

impl Layer for MaxPool2d {
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
        format!("max_pool2d({}, stride {})", window.kernel, window.stride)
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        self.window().forward(b, at, x, (SHADER, 0, true))
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        self.window().backward(b, back, (SHADER, 0))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let attributes = self.window().onnx(at);
        Ok(g.node(&at.path, "MaxPool", &[x], &attributes))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for MaxPool2d {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let (input, output) = (&pass.node.input, &pass.node.output());
        let mut y = vec![0.0; pass.samples * output.elements()];
        self.window()
            .each(pass.samples, input, output, |at, inside, _| {
                y[at] = pass.x[chosen(pass.x, inside)];
            });
        y
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let (input, output) = (&pass.node.input, &pass.node.output());
        let mut dx = vec![0.0; pass.x.len()];
        self.window()
            .each(pass.samples, input, output, |at, inside, _| {
                dx[chosen(pass.x, inside)] += dy[at];
            });
        ReferenceGradients {
            dx,
            parameters: Vec::new(),
        }
    }
}

/// Which of the positions `inside`, the first of several, has the largest value.
fn chosen(x: &[f64], inside: &[usize]) -> usize {
    let larger = |best, at| if x[at] > x[best] { at } else { best };
    inside.iter().copied().reduce(larger).unwrap_or_default()
}
