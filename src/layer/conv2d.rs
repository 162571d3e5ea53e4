//! The convolution.

use serde::{Deserialize, Serialize};

use super::window::{self, Pair, not_pictures, picture};
use super::{
    Back, Entry, Fit, Forward, Fusion, Init, Invalid, Layer, Misfit, Multipliers, Node,
    ParameterSpec, Pass, Reference, ReferenceGradients, Site, Storage,
};
use crate::error::Result;
use crate::kernel::{Builder, Geometry, Value};
use crate::onnx::{Attribute, Graph};
use crate::product::Convolution;
use crate::product::conv::ConvShape;
use crate::shape::Shape;

/// `y[o][p] = b[o] + sum over i and taps of w[o][i][tap] x[i][p stride + tap - padding]`, as
/// torch.nn.Conv2d.
///
/// Shapes: x `[in_channels, H, W]`, w `[out_channels, in_channels, kh, kw]`, b `[out_channels]`,
/// y `[out_channels, H', W']` with H' = (H + 2 padding - kh) / stride + 1, rounded down. The bias and
/// a relu behind the layer are fused, and so is the gradient of a relu in front. The
/// kernels are those of `product::conv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// Channels of the output.
    pub out_channels: usize,
    /// Rows and columns of the kernel.
    pub kernel_size: Pair,
    /// Distance of the kernel's places.
    #[serde(default = "one")]
    pub stride: Pair,
    /// Border of zeros around the picture.
    #[serde(default = "none")]
    pub padding: Pair,
    /// Distance of the kernel's taps: only 1.
    #[serde(default = "one", skip_serializing)]
    pub dilation: Pair,
    /// Groups of channels: only 1.
    #[serde(default = "group", skip_serializing)]
    pub groups: usize,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weights start.
    #[serde(default)]
    pub init: Init,
    /// How the bias starts: like torch.nn.Conv2d's with `init = "torch"`, at 0 else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias_init: Option<Init>,
    /// Multipliers of the learning rate.
    #[serde(default)]
    pub lr_mult: Multipliers,
    /// Multipliers of the weight decay.
    #[serde(default)]
    pub decay_mult: Multipliers,
}

fn yes() -> bool {
    true
}

fn one() -> Pair {
    Pair(1, 1)
}

fn none() -> Pair {
    Pair(0, 0)
}

fn group() -> usize {
    1
}

impl Conv2d {
    /// The convolution of `samples` pictures; callers have checked that it fits.
    fn shape(&self, samples: usize, input: &Geometry) -> ConvShape {
        ConvShape {
            n: samples as u32,
            ci: input.channels as u32,
            h: input.height as u32,
            w: input.width as u32,
            co: self.out_channels as u32,
            ky: self.kernel_size.0 as u32,
            kx: self.kernel_size.1 as u32,
            sy: self.stride.0 as u32,
            sx: self.stride.1 as u32,
            py: self.padding.0 as u32,
            px: self.padding.1 as u32,
        }
    }

    /// Shape of the output for pictures of a shape.
    fn output(&self, g: &Geometry) -> Result<Shape, Misfit> {
        let along = |size: usize, kernel: usize, stride: usize, padding: usize| {
            Some((size + 2 * padding).checked_sub(kernel)? / stride + 1)
        };
        let rows = along(g.height, self.kernel_size.0, self.stride.0, self.padding.0);
        let columns = along(g.width, self.kernel_size.1, self.stride.1, self.padding.1);
        match (rows, columns) {
            (Some(height), Some(width)) => Ok(Shape::Picture {
                channels: self.out_channels,
                height,
                width,
            }),
            _ => Err(Misfit {
                problem: format!(
                    "its kernel of {} is larger than the {}x{} map with padding {}",
                    self.kernel_size, g.height, g.width, self.padding
                ),
                help:
                    "use a smaller kernel_size, more padding, or fewer layers that shrink the map"
                        .into(),
            }),
        }
    }

    /// Weight and bias for `inputs` channels.
    fn parameters(&self, inputs: usize) -> Vec<ParameterSpec> {
        let Pair(kh, kw) = self.kernel_size;
        let weight = ParameterSpec {
            name: "weight".into(),
            shape: vec![self.out_channels, inputs, kh, kw],
            init: self.init,
            fan_in: inputs * kh * kw,
            fan_out: self.out_channels * kh * kw,
            lr_mult: self.lr_mult.weight,
            decay_mult: self.decay_mult.weight,
            storage: Storage::Taps,
            zero_row: None,
            tied: None,
        };
        let bias = ParameterSpec {
            name: "bias".into(),
            shape: vec![self.out_channels],
            init: self.bias_init.unwrap_or(self.init.of_bias()),
            lr_mult: self.lr_mult.bias,
            decay_mult: self.decay_mult.bias,
            storage: Storage::Rows,
            ..weight.clone()
        };
        std::iter::once(weight)
            .chain(self.bias.then_some(bias))
            .collect()
    }

    fn convolution(&self, b: &Builder, at: &Site<'_>) -> Result<Convolution> {
        let input = Geometry::of(at.input());
        let input = input.ok_or_else(|| at.defect("has no pictures as its input"))?;
        Ok(Convolution {
            shape: self.shape(b.batch(), &input),
            weight: at.parameter("weight")?,
            bias: at.find("bias"),
        })
    }

    /// Calls `each(y, x, w)` with the positions of a result, a value and a weight that meet.
    fn each(
        &self,
        rows: usize,
        input: &Shape,
        output: &Shape,
        mut each: impl FnMut(usize, usize, usize),
    ) {
        let [ci, h, w] = picture(input);
        let [co, ho, wo] = picture(output);
        let Pair(kh, kw) = self.kernel_size;
        for (n, o) in (0..rows).flat_map(|n| (0..co).map(move |o| (n, o))) {
            for (oy, ox) in (0..ho).flat_map(|oy| (0..wo).map(move |ox| (oy, ox))) {
                let at = ((n * co + o) * ho + oy) * wo + ox;
                for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                    let y = (oy * self.stride.0 + ky).wrapping_sub(self.padding.0);
                    let x = (ox * self.stride.1 + kx).wrapping_sub(self.padding.1);
                    if y >= h || x >= w {
                        continue;
                    }
                    for i in 0..ci {
                        let value = ((n * ci + i) * h + y) * w + x;
                        each(at, value, ((o * ci + i) * kh + ky) * kw + kx);
                    }
                }
            }
        }
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "conv2d",
    summary: "convolution (torch.nn.Conv2d)",
    arguments: &[
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
        "bias",
        "init",
        "bias_init",
        "lr_mult",
        "decay_mult",
    ],
    short: None,
    example: "out_channels = 4\nkernel_size = 3\npadding = 1",
    parse: |args| Ok(Box::new(args.read::<Conv2d>()?)),
};

impl Layer for Conv2d {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        let wrong = |key, message: &str| {
            Err(Invalid {
                key,
                message: message.to_owned(),
            })
        };
        if self.out_channels == 0 {
            return wrong("out_channels", "is 0, but a layer has at least one channel");
        }
        if self.out_channels > window::WIDEST {
            return wrong(
                "out_channels",
                &format!(
                    "is {}; expected at most {}: no adapter holds more",
                    self.out_channels,
                    window::WIDEST
                ),
            );
        }
        if self.groups != 1 {
            return wrong("groups", "is not 1: grouped convolutions are not there yet");
        }
        if self.dilation != one() {
            return wrong(
                "dilation",
                "is not 1: dilated convolutions are not there yet",
            );
        }
        window::check("kernel_size", self.kernel_size, false)?;
        window::check("stride", self.stride, false)?;
        window::check("padding", self.padding, true)?;
        self.init.validate("init")?;
        if let Some(init) = self.bias_init {
            init.validate("bias_init")?;
        }
        self.lr_mult.validate("lr_mult")?;
        self.decay_mult.validate("decay_mult")
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, input: &Shape) -> String {
        let [inputs, ..] = picture(input);
        let mut text = format!(
            "conv2d({inputs}, {}, {}",
            self.out_channels, self.kernel_size
        );
        if self.stride != one() {
            text += &format!(", stride {}", self.stride);
        }
        if self.padding != none() {
            text += &format!(", padding {}", self.padding);
        }
        if !self.bias {
            text += ", no bias";
        }
        text + ")"
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let g = Geometry::of(input).ok_or_else(|| not_pictures(input))?;
        Ok(Fit {
            parameters: self.parameters(g.channels),
            fusion: Fusion::BOTH,
            ..Fit::new(self.output(&g)?)
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let y = b.shaped("y", at.output());
        let convolution = self.convolution(b, at)?;
        b.convolve(&convolution, x, y, at.relu());
        Ok(y.into())
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let convolution = self.convolution(b, at)?;
        b.convolve_weight(&convolution, back.x, back.dy)?;
        if !back.wants_dx {
            return Ok(None);
        }
        let dx = b.like("dx", back.x);
        b.convolve_input(&convolution, back.x, back.dy, dx, back.gate);
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let (weight, bias) = (at.tensor("weight"), at.tensor("bias"));
        let inputs = [x, &weight, &bias];
        let inputs = &inputs[..2 + usize::from(self.bias)];
        let Pair(rows, columns) = self.padding;
        let pads = vec![rows, columns, rows, columns];
        let attributes = [
            ("kernel_shape", self.kernel_size.onnx()),
            ("strides", self.stride.onnx()),
            ("pads", Attribute::Ints(pads)),
        ];
        Ok(g.node(&at.path, "Conv", inputs, &attributes))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Conv2d {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let (input, output) = (&pass.node.input, &pass.node.output());
        let plane = output.plane();
        let bias = pass.parameter("bias");
        let bias = |at: usize| bias.map_or(0.0, |bias| bias[at / plane % self.out_channels]);
        let count = pass.samples * output.elements();
        let mut y: Vec<f64> = (0..count).map(bias).collect();
        let w = pass.parameter("weight").unwrap_or_default();
        self.each(pass.samples, input, output, |at, value, weight| {
            y[at] += pass.x[value] * w[weight];
        });
        y
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let (input, output) = (&pass.node.input, &pass.node.output());
        let plane = output.plane();
        let w = pass.parameter("weight").unwrap_or_default();
        let mut dx = vec![0.0; pass.x.len()];
        let mut dw = vec![0.0; w.len()];
        let mut db = vec![0.0; self.out_channels];
        for (at, dy) in dy.iter().enumerate() {
            db[at / plane % self.out_channels] += dy;
        }
        self.each(pass.samples, input, output, |at, value, weight| {
            dx[value] += dy[at] * w[weight];
            dw[weight] += dy[at] * pass.x[value];
        });
        let parameters = if self.bias { vec![dw, db] } else { vec![dw] };
        ReferenceGradients { dx, parameters }
    }
}
