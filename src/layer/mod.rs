//! Layers (floor 3): one file each, with its shape rule, its parameters, its dispatches and its
//! f64 reference; its shaders carry the same name.
//!
//! To add a layer: write `src/layer/NAME.rs` and `shaders/layer/NAME.wgsl`, and add one line to
//! [`LAYERS`] and one to [`crate::kernel::shaders::SHADERS`]. The proofs (`tests/layers/`), the
//! configuration and the help loop over the tables.

mod avg_pool2d;
mod batch_norm2d;
pub mod chain;
mod conv2d;
mod dropout;
mod flatten;
mod gelu;
mod global_avg_pool;
mod init;
mod leaky_relu;
mod linear;
mod local_response_norm;
mod max_pool2d;
mod relu;
mod residual;
mod scale;
mod sigmoid;
mod silu;
mod tanh;
mod unary;
mod window;

pub use crate::args::{Args, Entry, Invalid};
pub use avg_pool2d::AvgPool2d;
pub use batch_norm2d::BatchNorm2d;
pub use conv2d::Conv2d;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use gelu::{Approximate, Gelu};
pub use global_avg_pool::GlobalAvgPool;
pub use init::{Init, Multipliers};
pub use leaky_relu::LeakyRelu;
pub use linear::Linear;
pub use local_response_norm::LocalResponseNorm;
pub use max_pool2d::MaxPool2d;
pub use relu::Relu;
pub use residual::{Layers, Residual};
pub use scale::Scale;
pub use sigmoid::Sigmoid;
pub use silu::Silu;
pub use tanh::Tanh;
pub use window::Pair;

use dyn_clone::DynClone;

use crate::error::Result;
use crate::kernel::{Builder, Matrix, Parameter, Value};
use crate::onnx::{Graph, Place};
use crate::rng::Key;

/// Why a layer cannot take an input: what does not fit, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Both shapes and the rule that is broken.
    pub problem: String,
    /// What to do.
    pub help: String,
}

/// A trained parameter of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// Its name within the layer, PyTorch's (`weight`, `body.0.weight`).
    pub name: String,
    /// Its shape, PyTorch's (`[out_features, in_features]`).
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Init,
    /// Number of inputs that one output sums over (PyTorch's fan in).
    pub fan_in: usize,
    /// Number of outputs that one input goes to (PyTorch's fan out).
    pub fan_out: usize,
    /// Multiplies the learning rate.
    pub lr_mult: f64,
    /// Multiplies the weight decay.
    pub decay_mult: f64,
    /// How it is stored.
    pub storage: Storage,
}

/// How a parameter is stored in the flat buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// A matrix of its first dimension by the rest; a vector is one row.
    #[default]
    Rows,
    /// The weights of a convolution, `[co, ci, ky, kx]`: a row for each (ky, kx, ci), with ci padded
    /// to a multiple of four, and a column for each co.
    Taps,
}

impl Storage {
    /// The layout of a parameter of `shape`.
    #[must_use]
    pub fn matrix(self, shape: &[usize]) -> Matrix {
        match (self, shape) {
            (Self::Taps, [co, ci, ky, kx]) => Matrix::new(ky * kx * ci.next_multiple_of(4), *co),
            (_, [rows, rest @ ..]) if !rest.is_empty() => Matrix::new(*rows, rest.iter().product()),
            _ => Matrix::new(1, shape.iter().product()),
        }
    }

    /// For each stored row and column, in order, the position of its value in logical order.
    fn positions(self, shape: &[usize]) -> Vec<Option<usize>> {
        let (Self::Taps, [co, ci, ky, kx]) = (self, shape) else {
            return (0..shape.iter().product()).map(Some).collect();
        };
        let mut positions = Vec::new();
        for tap in 0..ky * kx {
            for i in 0..ci.next_multiple_of(4) {
                positions
                    .extend((0..*co).map(|o| (i < *ci).then_some((o * ci + i) * ky * kx + tap)));
            }
        }
        positions
    }

    /// Lays values in logical order out as they are stored.
    #[must_use]
    pub fn store(self, shape: &[usize], values: &[f32]) -> Vec<f32> {
        let positions = self.positions(shape);
        let rows: Vec<f32> = positions
            .iter()
            .map(|at| at.map_or(0.0, |at| values[at]))
            .collect();
        self.matrix(shape).store(&rows)
    }

    /// The reverse of [`Storage::store`].
    #[must_use]
    pub fn load(self, shape: &[usize], stored: &[f32]) -> Vec<f32> {
        let rows = self.matrix(shape).load(stored);
        let mut values = vec![0.0; shape.iter().product()];
        for (value, at) in rows.iter().zip(self.positions(shape)) {
            if let Some(at) = at {
                values[at] = *value;
            }
        }
        values
    }
}

/// State of a layer that is not trained, such as running statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct StateSpec {
    /// Its name within the layer, PyTorch's (`running_mean`).
    pub name: String,
    /// Number of values.
    pub len: usize,
    /// How it starts.
    pub initial: f32,
}

/// Where a layer stands in a network: what the layer's dispatches need to know.
#[derive(Debug, Clone)]
pub struct Site<'a> {
    /// A number that no other layer of the network has: its position, in a network without nested
    /// layers. Random words are drawn by it.
    pub position: usize,
    /// Positions from the outside in (`3`, `3.body.0`): what names begin with.
    pub path: String,
    /// Shape of one sample of the input.
    pub input: &'a [usize],
    /// Shape of one sample of the output.
    pub output: &'a [usize],
    /// The layer's parameters, in the order of [`Layer::parameters`].
    pub parameters: &'a [Parameter],
}

/// What the backward pass of a layer is given.
#[derive(Debug, Clone, Copy)]
pub struct Back {
    /// The input.
    pub x: Value,
    /// The output.
    pub y: Value,
    /// Gradient of the loss by the output.
    pub dy: Value,
    /// Whether anybody needs the gradient by the input.
    pub wants_dx: bool,
    /// Where the input is a relu's output and this layer may apply the relu's gradient itself:
    /// zero where the input is zero. Given only to layers that say [`Layer::gates_input`].
    pub gate: bool,
}

/// What the f64 reference of a layer is given.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// Number of samples.
    pub rows: usize,
    /// Shape of one sample of the input.
    pub input: &'a [usize],
    /// The input, sample by sample.
    pub x: &'a [f64],
    /// The parameters, in the order of [`Layer::parameters`], in logical order.
    pub parameters: &'a [Vec<f64>],
    /// The state, in the order of [`Layer::states`].
    pub states: &'a [Vec<f64>],
    /// Whether this is training: dropout drops.
    pub training: bool,
    /// The key of the dropout stream at this step.
    pub key: Key,
    /// The layer's own number (see [`Site::position`]).
    pub position: usize,
}

/// What the reference's backward pass gives.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceGradients {
    /// Gradient by the input.
    pub dx: Vec<f64>,
    /// Gradients by the parameters.
    pub parameters: Vec<Vec<f64>>,
}

/// A layer of a network.
///
/// Shapes are those of one sample: `[channels, height, width]` or `[features]`.
pub trait Layer: DynClone + std::fmt::Debug + Send + Sync {
    /// The layer's name in the configuration.
    fn name(&self) -> &'static str;

    /// Refuses arguments that make no layer, whatever the input.
    ///
    /// # Errors
    /// The first argument that is wrong.
    fn validate(&self) -> Result<(), Invalid> {
        Ok(())
    }

    /// Shape of the output for an input of shape `input`.
    ///
    /// # Errors
    /// If the layer cannot take such an input.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit>;

    /// All arguments, defaults included, as they would be written in the layer's table.
    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    /// The layer as a person would write it (`linear(784, 256)`).
    fn describe(&self, _input: &[usize]) -> String {
        self.name().to_owned()
    }

    /// The trained parameters for an input of shape `input`.
    fn parameters(&self, _input: &[usize]) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// State that is not trained, for an input of shape `input`.
    fn states(&self, _input: &[usize]) -> Vec<StateSpec> {
        Vec::new()
    }

    /// Fewest samples of a training step for an input of shape `input`: batch normalisation needs two
    /// values of a channel.
    fn least_samples(&self, _input: &[usize]) -> usize {
        1
    }

    /// Number of layers that have a number of their own: itself, and for nested layers those inside.
    fn leaves(&self) -> usize {
        1
    }

    /// Appends the forward pass; gives the output. With `relu` (only for layers that say
    /// [`Layer::fuses_relu`]) the output is the relu of the layer's.
    ///
    /// # Errors
    /// If the adapter cannot run it at this size.
    fn forward(&self, b: &mut Builder, site: &Site<'_>, x: Value, relu: bool) -> Result<Value>;

    /// Appends the backward pass: gradients by the parameters, and by the input where it is wanted.
    ///
    /// # Errors
    /// If the adapter cannot run it at this size.
    fn backward(&self, b: &mut Builder, site: &Site<'_>, back: &Back) -> Result<Option<Value>>;

    /// Whether the layer is the relu, which others may apply in passing.
    fn is_relu(&self) -> bool {
        false
    }

    /// Whether the layer can apply a relu to its output in passing.
    fn fuses_relu(&self) -> bool {
        false
    }

    /// Whether the layer can apply the gradient of a relu in front of it in passing, for the input
    /// `x`.
    fn gates_input(&self, _x: &Value) -> bool {
        false
    }

    /// Appends the layer in its form for evaluation to an ONNX graph: from the value `x`; gives the
    /// name of the output. The layer's parameters and states are in the graph already, under the
    /// names of [`Place::named`].
    ///
    /// # Errors
    /// A sentence, if the layer has no such form.
    fn onnx(&self, _: &mut Graph, _: &Place<'_>, _x: &str) -> Result<String, String> {
        Err(format!("the layer {} has no ONNX form", self.name()))
    }

    /// The forward pass in f64 from the definition; used by the proofs only.
    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64>;

    /// The backward pass in f64 from the definition, for the output's gradient `dy`.
    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients;
}

dyn_clone::clone_trait_object!(Layer);

/// The table of layers: the only place that lists them.
pub static LAYERS: &[Entry<dyn Layer>] = &[
    Entry {
        name: "linear",
        summary: "y = x W^T + b (torch.nn.Linear)",
        arguments: &[
            "out_features",
            "bias",
            "init",
            "bias_init",
            "lr_mult",
            "decay_mult",
        ],
        short: Some("out_features"),
        example: "out_features = 10",
        parse: |args| Ok(Box::new(args.read::<Linear>()?)),
    },
    Entry {
        name: "flatten",
        summary: "all dimensions of a sample become one (torch.nn.Flatten)",
        arguments: &[],
        short: None,
        example: "",
        parse: |args| Ok(Box::new(args.read::<Flatten>()?)),
    },
    Entry {
        name: "relu",
        summary: "max(x, 0) (torch.nn.ReLU)",
        arguments: &[],
        short: None,
        example: "",
        parse: |args| Ok(Box::new(args.read::<Relu>()?)),
    },
    Entry {
        name: "gelu",
        summary: "x P(x), P the normal distribution function (torch.nn.GELU)",
        arguments: &["approximate"],
        short: Some("approximate"),
        example: "approximate = \"tanh\"",
        parse: |args| Ok(Box::new(args.read::<Gelu>()?)),
    },
    Entry {
        name: "tanh",
        summary: "hyperbolic tangent (torch.nn.Tanh)",
        arguments: &[],
        short: None,
        example: "",
        parse: |args| Ok(Box::new(args.read::<Tanh>()?)),
    },
    Entry {
        name: "sigmoid",
        summary: "1 / (1 + exp(-x)) (torch.nn.Sigmoid)",
        arguments: &[],
        short: None,
        example: "",
        parse: |args| Ok(Box::new(args.read::<Sigmoid>()?)),
    },
    Entry {
        name: "dropout",
        summary: "zeros by chance while training (torch.nn.Dropout)",
        arguments: &["p"],
        short: Some("p"),
        example: "p = 0.5",
        parse: |args| Ok(Box::new(args.read::<Dropout>()?)),
    },
    Entry {
        name: "leaky_relu",
        summary: "x where x > 0, negative_slope x else (torch.nn.LeakyReLU)",
        arguments: &["negative_slope"],
        short: Some("negative_slope"),
        example: "negative_slope = 0.1",
        parse: |args| Ok(Box::new(args.read::<LeakyRelu>()?)),
    },
    Entry {
        name: "silu",
        summary: "x / (1 + exp(-x)) (torch.nn.SiLU)",
        arguments: &[],
        short: None,
        example: "",
        parse: |args| Ok(Box::new(args.read::<Silu>()?)),
    },
    Entry {
        name: "scale",
        summary: "factor x",
        arguments: &["factor"],
        short: Some("factor"),
        example: "factor = 0.125",
        parse: |args| Ok(Box::new(args.read::<Scale>()?)),
    },
    Entry {
        name: "batch_norm2d",
        summary: "channels of mean 0 and deviation 1 over the batch, times w, plus b (torch.nn.BatchNorm2d)",
        arguments: &[
            "eps",
            "momentum",
            "affine",
            "weight",
            "bias",
            "weight_init",
            "lr_mult",
            "decay_mult",
        ],
        short: None,
        example: "momentum = 0.1",
        parse: |args| Ok(Box::new(args.read::<BatchNorm2d>()?)),
    },
    Entry {
        name: "local_response_norm",
        summary: "x over a power of the squares nearby (torch.nn.LocalResponseNorm; within_channel as Caffe)",
        arguments: &["size", "alpha", "beta", "k", "within_channel"],
        short: Some("size"),
        example: "size = 5",
        parse: |args| Ok(Box::new(args.read::<LocalResponseNorm>()?)),
    },
    Entry {
        name: "residual",
        summary: "body(x) + shortcut(x); without a shortcut body(x) + x",
        arguments: &["body", "shortcut"],
        short: Some("body"),
        example: "body = [\"tanh\"]",
        parse: |args| Ok(Box::new(args.read::<Residual>()?)),
    },
    Entry {
        name: "max_pool2d",
        summary: "the largest value of each window (torch.nn.MaxPool2d)",
        arguments: &["kernel_size", "stride", "padding", "ceil_mode"],
        short: Some("kernel_size"),
        example: "kernel_size = 2",
        parse: |args| Ok(Box::new(args.read::<MaxPool2d>()?)),
    },
    Entry {
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
    },
    Entry {
        name: "global_avg_pool",
        summary: "the mean of each channel (torch.nn.AdaptiveAvgPool2d(1), flattened)",
        arguments: &[],
        short: None,
        example: "",
        parse: |args| Ok(Box::new(args.read::<GlobalAvgPool>()?)),
    },
    Entry {
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
    },
];
