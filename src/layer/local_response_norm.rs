//! Local response normalisation.

use serde::{Deserialize, Serialize};

use super::window::{keeps_pictures, picture};
use super::{
    Back, Entry, Fit, Forward, Fusion, Invalid, Layer, Misfit, Node, Pass, Reference,
    ReferenceGradients, Site,
};
use crate::args::is_f32;
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Geometry, Value, shaders};
use crate::onnx::{Attribute, Graph};
use crate::shape::Shape;

/// y = x / s^beta with s = k + alpha times the mean of x^2 over a window.
///
/// Across channels, as torch.nn.LocalResponseNorm: the window of channel c is the channels
/// c - size / 2 to c + (size - 1) / 2 of the same pixel (both divisions rounded down), and the mean is
/// the sum over those that exist, divided by size.
///
/// With `within_channel`, as Caffe's LRN layer with `norm_region: WITHIN_CHANNEL`: the window is the
/// size x size pixels of the same channel around the pixel, the picture padded with zeros, and the
/// mean is the sum divided by size^2; s starts from 1.
///
/// dx = dy s^-beta - 2 alpha beta / n x (sum of dy y / s over the windows that hold the element), with
/// n = size or size^2. The shape is kept. The gradient of a relu in front is fused.
///
/// With beta = 3/4 the power is made of two square roots and is exact to a few units in the last
/// place; else of exp and log, whose error is that of the driver's log near 1: relative to y about
/// beta * 1.2e-6. The shader is `shaders/layer/local_response_norm.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalResponseNorm {
    /// Channels of a window; pixels of its side with `within_channel`.
    pub size: usize,
    /// Multiplies the mean of squares.
    #[serde(default = "alpha")]
    pub alpha: f64,
    /// The power.
    #[serde(default = "beta")]
    pub beta: f64,
    /// What is added to the mean of squares.
    #[serde(default = "k")]
    pub k: f64,
    /// Whether windows lie within a channel, as Caffe's, instead of across channels.
    #[serde(default)]
    pub within_channel: bool,
}

fn alpha() -> f64 {
    1e-4
}

fn beta() -> f64 {
    0.75
}

fn k() -> f64 {
    1.0
}

/// Largest side of a window within a channel: an invocation goes through 243 x 246 pixels at most,
/// and some drivers silently stop after 65,535 loop iterations.
const LARGEST_WITHIN: usize = 243;
/// Largest window across channels: four channels an iteration.
const LARGEST_ACROSS: usize = 200_000;
/// Invocations of a workgroup in the shader.
const GROUP: usize = 64;
const SHADER: &str = "layer/local_response_norm";

impl LocalResponseNorm {
    /// A layer with windows of `size` and PyTorch's defaults.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self {
            size,
            alpha: alpha(),
            beta: beta(),
            k: k(),
            within_channel: false,
        }
    }

    /// alpha over the number of elements of a window.
    fn share(&self) -> f64 {
        let elements = match self.within_channel {
            false => self.size,
            true => self.size * self.size,
        };
        self.alpha / elements as f64
    }

    /// Appends the means of x^2 over the windows: a pool over pixels, or over channels where these
    /// are laid out as rows.
    fn onnx_means(&self, g: &mut Graph, at: &Node, x: &str) -> String {
        let [before, after] = self.reach();
        let squares = g.node(&at.path, "Mul", &[x, x], &[]);
        let pool = |kernel: [usize; 2], pads: [usize; 4]| {
            [
                ("kernel_shape", Attribute::Ints(kernel.to_vec())),
                ("pads", Attribute::Ints(pads.to_vec())),
                ("count_include_pad", Attribute::Int(1)),
            ]
        };
        if self.within_channel {
            let pool = pool([self.size; 2], [before, before, after, after]);
            return g.node(&at.path, "AveragePool", &[&squares], &pool);
        }
        let [channels, height, width] = picture(&at.input);
        let rows = g.shape(&at.named("rows"), &[1, channels, height * width]);
        let rows = g.node(&at.path, "Reshape", &[&squares, &rows], &[]);
        let pool = pool([self.size, 1], [before, 0, after, 0]);
        let means = g.node(&at.path, "AveragePool", &[&rows], &pool);
        let shape = g.shape(&at.named("shape"), &at.input.dims());
        g.node(&at.path, "Reshape", &[&means, &shape], &[])
    }

    /// How far a window reaches below and above: channels, or rows and columns.
    fn reach(&self) -> [usize; 2] {
        match self.within_channel {
            false => [self.size / 2, (self.size - 1) / 2],
            true => [(self.size - 1) / 2; 2],
        }
    }

    /// A dispatch over pixels, or over windows; `gated` for the gradient of a relu in front.
    fn call(
        &self,
        b: &Builder,
        at: &Site<'_>,
        what: &str,
        x: Value,
        (is_window, gated): (bool, bool),
    ) -> Result<Call> {
        let Some(geometry) = Geometry::of(at.input()) else {
            return Err(at.defect("has no pictures as its input"));
        };
        let quads = geometry.channel_quads();
        // Windows within a channel: four pixels an invocation.
        let pixels = match is_window && self.within_channel {
            true => geometry.width.div_ceil(4),
            false => geometry.width,
        };
        let [before, after] = self.reach();
        let invocations = x.matrix.rows * pixels * quads;
        Ok(Call::new(b.label(what), grid(invocations, GROUP)?)
            .u32("rows", x.matrix.rows)
            .u32("stride", x.matrix.stride / 4)
            .u32("quads", quads)
            .u32("width", geometry.width)
            .u32("height", geometry.height)
            .u32("before", before)
            .u32("after", after)
            .u32("gated", usize::from(gated))
            .f32("share", self.share())
            .f32("beta", self.beta)
            .f32("k", self.k))
    }

    /// The window of element `i` of a list of samples of shape `input`: positions in the list.
    fn window(&self, input: &Shape, i: usize) -> Vec<usize> {
        let [channels, height, width] = picture(input);
        let plane = height * width;
        let [before, after] = self.reach();
        let range = |at: usize, end: usize| at.saturating_sub(before)..(at + after + 1).min(end);
        let (c, h, w) = (i / plane % channels, i / width % height, i % width);
        if self.within_channel {
            let first = i - h * width - w;
            let rows = range(h, height);
            let of_row = |row| range(w, width).map(move |column| first + row * width + column);
            return rows.flat_map(of_row).collect();
        }
        let first = i - c * plane;
        range(c, channels).map(|c| first + c * plane).collect()
    }

    /// s of all elements.
    fn brackets(&self, pass: &Pass<'_>) -> Vec<f64> {
        let bracket = |i| {
            let window = self.window(&pass.node.input, i);
            let squares: f64 = window.iter().map(|j| pass.x[*j] * pass.x[*j]).sum();
            self.k + self.share() * squares
        };
        (0..pass.x.len()).map(bracket).collect()
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "local_response_norm",
    summary: "x over a power of the squares nearby (torch.nn.LocalResponseNorm; within_channel as Caffe)",
    arguments: &["size", "alpha", "beta", "k", "within_channel"],
    short: Some("size"),
    example: "size = 5",
    parse: |args| Ok(Box::new(args.read::<LocalResponseNorm>()?)),
};

impl Layer for LocalResponseNorm {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        let wrong = |key, message: String| Err(Invalid { key, message });
        let largest = match self.within_channel {
            false => LARGEST_ACROSS,
            true => LARGEST_WITHIN,
        };
        if !(1..=largest).contains(&self.size) {
            let message = format!(
                "is {}, but a window has a size of 1 to {largest}",
                self.size
            );
            return wrong("size", message);
        }
        if self.within_channel && self.size.is_multiple_of(2) {
            let message = format!(
                "is {}, but a window within a channel is centred on its pixel: its size is odd",
                self.size
            );
            return wrong("size", message);
        }
        if self.within_channel && self.k != 1.0 {
            let message = format!(
                "is {}, but with within_channel = true the sum starts from 1, as in Caffe: leave k out",
                self.k
            );
            return wrong("k", message);
        }
        // As the shader sees it: 1e-50 is 0 there, and 0 / 0 where x is 0.
        let k = self.k as f32;
        if !k.is_normal() || k < 0.0 {
            let message = format!("is {}, but k is a finite number above 0", self.k);
            return wrong("k", message);
        }
        for (key, value) in [("alpha", self.alpha), ("beta", self.beta)] {
            if !is_f32(value) || value < 0.0 {
                return wrong(
                    key,
                    format!("is {value}, but {key} is a finite number from 0 up"),
                );
            }
        }
        Ok(())
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        keeps_pictures(input)?;
        Ok(Fit {
            fusion: Fusion::GATE,
            ..Fit::new(*input)
        })
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, _: &Shape) -> String {
        let within = if self.within_channel {
            ", within channel"
        } else {
            ""
        };
        format!("local_response_norm({}{within})", self.size)
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let s = b.like("s", x);
        let y = b.like("y", x);
        let elements = x.matrix.rows * x.matrix.cols;
        let call = self
            .call(b, at, "forward", x, (true, false))?
            .value("x", x)
            .value("s", s)
            .value("y", y)
            .flops(elements * 2 * self.reach().iter().sum::<usize>());
        let entry = match self.within_channel {
            false => "forward_across",
            true => "forward_within",
        };
        b.dispatch(&shaders::named(SHADER), entry, call);
        Ok(Forward {
            saved: vec![s],
            ..Forward::from(y)
        })
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        if !back.wants_dx {
            return Ok(None);
        }
        let &[s] = back.saved else {
            return Err(at.defect("has no forward pass in front of its backward pass"));
        };
        let elements = back.x.matrix.rows * back.x.matrix.cols;
        let r = b.like("dy y / s", back.x);
        let call = self
            .call(b, at, "ratio", back.x, (false, false))?
            .value("dy", back.dy)
            .value("saved_y", back.y)
            .value("saved_s", s)
            .value("new_r", r)
            .flops(2 * elements);
        b.dispatch(&shaders::named(SHADER), "ratio", call);
        let dx = b.like("dx", back.x);
        let call = self
            .call(b, at, "backward", back.x, (true, back.gate))?
            .value("x", back.x)
            .value("dy", back.dy)
            .value("saved_s", s)
            .value("r", r)
            .value("dx", dx)
            .flops(elements * (6 + self.reach().iter().sum::<usize>()));
        let entry = match self.within_channel {
            false => "backward_across",
            true => "backward_within",
        };
        b.dispatch(&shaders::named(SHADER), entry, call);
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        if !self.within_channel && self.size % 2 == 1 {
            // The operator is defined for even sizes too, but its windows lean to the other side.
            let attributes = [
                ("size", Attribute::Int(self.size)),
                ("alpha", Attribute::Float(self.alpha)),
                ("beta", Attribute::Float(self.beta)),
                ("bias", Attribute::Float(self.k)),
            ];
            return Ok(g.node(&at.path, "LRN", &[x], &attributes));
        }
        let means = self.onnx_means(g, at, x);
        let numbers = [
            self.alpha,
            if self.within_channel { 1.0 } else { self.k },
            self.beta,
        ];
        let numbers = numbers.map(|value| g.number(&at.named("norm"), value));
        let share = g.node(&at.path, "Mul", &[&means, &numbers[0]], &[]);
        let s = g.node(&at.path, "Add", &[&share, &numbers[1]], &[]);
        let power = g.node(&at.path, "Pow", &[&s, &numbers[2]], &[]);
        Ok(g.node(&at.path, "Div", &[x, &power], &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for LocalResponseNorm {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let brackets = self.brackets(pass);
        let y = pass.x.iter().zip(&brackets);
        y.map(|(x, s)| x * s.powf(-self.beta)).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let brackets = self.brackets(pass);
        let mut dx = vec![0.0; pass.x.len()];
        for (j, s) in brackets.iter().enumerate() {
            // y_j = x_j s_j^-beta depends on x_j, and through s_j on each x of its window.
            dx[j] += dy[j] * s.powf(-self.beta);
            let through = -self.beta * dy[j] * pass.x[j] * s.powf(-self.beta - 1.0);
            for i in self.window(&pass.node.input, j) {
                dx[i] += through * self.share() * 2.0 * pass.x[i];
            }
        }
        ReferenceGradients {
            dx,
            parameters: Vec::new(),
        }
    }
}
