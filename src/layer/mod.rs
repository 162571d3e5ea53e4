//! Layers: one file each, with what it says when it is fitted, its dispatches and its f64
//! reference; its shaders carry the same name.
//!
//! To add a layer: write `src/layer/NAME.rs` and `shaders/layer/NAME.wgsl`, and add one line to
//! [`LAYERS`] and one to [`crate::kernel::shaders::SHADERS`]. The proofs (`tests/proofs/`), the
//! configuration and the help loop over the tables.

mod avg_pool2d;
mod batch_norm2d;
pub mod chain;
mod conv2d;
mod dropout;
mod embedding;
mod flatten;
mod gelu;
mod global_avg_pool;
mod gru;
mod image_rows;
mod init;
mod last;
mod layer_norm;
mod layers;
mod leaky_relu;
mod linear;
mod local_response_norm;
mod lstm;
mod max_pool2d;
mod multihead_attention;
mod node;
mod pool;
mod positional_embedding;
mod recurrent;
mod relu;
mod repeat;
mod residual;
mod rms_norm;
mod rnn;
mod scale;
mod sigmoid;
mod silu;
mod spec;
mod storage;
mod tanh;
mod unary;
mod window;

pub use crate::args::{Args, Entry, Invalid};
pub use avg_pool2d::AvgPool2d;
pub use batch_norm2d::BatchNorm2d;
pub use conv2d::Conv2d;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use gelu::{Approximate, Gelu};
pub use global_avg_pool::GlobalAvgPool;
pub use gru::Gru;
pub use image_rows::ImageRows;
pub use init::{Init, Multipliers};
pub use last::Last;
pub use layer_norm::LayerNorm;
pub use layers::Layers;
pub use leaky_relu::LeakyRelu;
pub use linear::{Linear, OUTPUTS};
pub use local_response_norm::LocalResponseNorm;
pub use lstm::Lstm;
pub use max_pool2d::MaxPool2d;
pub use multihead_attention::MultiheadAttention;
pub use node::{Branch, Chain, Fit, Fused, Inventory, NamedParameter, Node, Site, Unfit};
pub use positional_embedding::{PositionalEmbedding, Positions};
pub use recurrent::Recurrent;
pub use relu::Relu;
pub use repeat::Repeat;
pub use residual::Residual;
pub use rms_norm::RmsNorm;
pub use rnn::{Nonlinearity, Rnn};
pub use scale::Scale;
pub use sigmoid::Sigmoid;
pub use silu::Silu;
pub use spec::{Fusion, Misfit, ParameterSpec, StateKind, StateSpec};
pub use storage::Storage;
pub use tanh::Tanh;
pub use window::Pair;

use dyn_clone::DynClone;

use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::rng::Key;
use crate::shape::Shape;
use chain::Trace;

/// What the forward pass of a layer gives.
#[derive(Debug, Clone)]
pub struct Forward {
    /// The output.
    pub y: Value,
    /// Values that the backward pass reads besides input and output.
    pub saved: Vec<Value>,
    /// The passes of the layers inside, branch by branch.
    pub branches: Vec<Trace>,
}

impl From<Value> for Forward {
    /// A pass that saves nothing but its output.
    fn from(y: Value) -> Self {
        Self {
            y,
            saved: Vec::new(),
            branches: Vec::new(),
        }
    }
}

/// What the backward pass of a layer is given.
#[derive(Debug, Clone, Copy)]
pub struct Back<'a> {
    /// The input.
    pub x: Value,
    /// The output.
    pub y: Value,
    /// What the forward pass saved.
    pub saved: &'a [Value],
    /// The passes of the layers inside.
    pub branches: &'a [Trace],
    /// Gradient of the loss by the output.
    pub dy: Value,
    /// Whether anybody needs the gradient by the input.
    pub wants_dx: bool,
    /// Whether the input is a relu's output and the layer is to apply the relu's gradient: zero
    /// where the input is zero. Only where it says so in [`Fusion::gate`].
    pub gate: bool,
}

/// What the f64 reference of a layer is given.
#[derive(Debug, Clone, Copy)]
pub struct Pass<'a> {
    /// The layer and its place.
    pub node: &'a Node,
    /// Number of samples.
    pub samples: usize,
    /// The input, sample by sample.
    pub x: &'a [f64],
    /// All parameters of the network, as in [`Inventory::parameters`], in logical order.
    pub parameters: &'a [Vec<f64>],
    /// All its states, as in [`Inventory::states`].
    pub states: &'a [Vec<f64>],
    /// Whether this is training: dropout drops.
    pub training: bool,
    /// The key of the dropout stream at this step.
    pub key: Key,
}

impl<'a> Pass<'a> {
    /// The same pass for another layer and its input.
    #[must_use]
    pub fn at<'b>(&self, node: &'b Node, x: &'b [f64]) -> Pass<'b>
    where
        'a: 'b,
    {
        Pass { node, x, ..*self }
    }

    /// One of the layer's parameters by its name, where the layer has it.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a [f64]> {
        let position = self.node.fit.parameters.iter().position(|p| p.name == name);
        let own = &self.parameters[self.node.parameters.clone()];
        position.map(|position| &own[position][..])
    }

    /// One of the layer's states by its name, where the layer has it.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<&'a [f64]> {
        let position = self.node.fit.states.iter().position(|s| s.name == name);
        let own = &self.states[self.node.states.clone()];
        position.map(|position| &own[position][..])
    }
}

/// What the reference's backward pass gives.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceGradients {
    /// Gradient by the input.
    pub dx: Vec<f64>,
    /// Gradients by the layer's own parameters, then those of the layers inside, in order.
    pub parameters: Vec<Vec<f64>>,
}

/// A layer in f64, written for clarity from the definition: its kernels' twin, used by the proofs
/// only.
pub trait Reference {
    /// The output.
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64>;

    /// The gradients for the output's gradient `dy`.
    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients;
}

/// A layer of a network.
pub trait Layer: DynClone + std::fmt::Debug + Send + Sync + 'static {
    /// The layer's name in the configuration.
    fn name(&self) -> &'static str;

    /// Refuses arguments that make no layer, whatever the input.
    ///
    /// # Errors
    /// The first argument that is wrong.
    fn validate(&self) -> Result<(), Invalid> {
        Ok(())
    }

    /// All arguments, defaults included, as they would be written in the layer's table.
    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    /// The layer as a person would write it (`linear(784, 256)`).
    fn describe(&self, _input: &Shape) -> String {
        self.name().to_owned()
    }

    /// Fits the layer to samples of shape `input`: its output, what it trains and keeps, what it
    /// does with its neighbours, the layers inside. Asked once for each place in a network.
    ///
    /// # Errors
    /// If the layer cannot take such an input.
    fn fit(&self, input: &Shape) -> Result<Fit, Misfit>;

    /// Has the layer carry its states on from batch to batch, where it has any (recurrent layers): it
    /// is asked for before it is fitted. Its [`Fit`] then has them as [`StateKind::Carried`]; a training
    /// step goes on from them where `step.carry` is 1, from zero where it is 0, and leaves those of its
    /// last step.
    fn carry(&mut self) {}

    /// Takes what was left to the data, of which a network has `outputs` outputs: it is told before it is
    /// fitted, where it is a layer of the network itself.
    fn suit(&mut self, _outputs: usize) {}

    /// Has the layer leave its running statistics as they are while it trains, where it has any.
    fn keep_statistics(&mut self) {}

    /// What of the layer, in words, shows steps of a sequence to the steps before them, where anything
    /// does: a net of such layers sees the token that it is to predict.
    fn looks_ahead(&self) -> Option<&'static str> {
        None
    }

    /// Appends the forward pass.
    ///
    /// # Errors
    /// If the adapter cannot run it at this size.
    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward>;

    /// Appends the backward pass: gradients by the parameters, and by the input where it is wanted.
    ///
    /// # Errors
    /// If the adapter cannot run it at this size.
    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>>;

    /// Appends the layer in its form for evaluation to an ONNX graph: from the value `x`; gives the
    /// name of the output. The layer's parameters and states are in the graph already, under the
    /// names of [`Node::tensor`].
    ///
    /// # Errors
    /// A sentence, if the layer has no such form.
    fn onnx(&self, _: &mut Graph, _: &Node, _x: &str) -> Result<String, String> {
        Err(format!("the layer {} has no ONNX form", self.name()))
    }

    /// The layer in f64: `self`, with a [`Reference`] beside the layer.
    fn reference(&self) -> &dyn Reference;
}

dyn_clone::clone_trait_object!(Layer);

/// The table of layers: the only place that lists them.
pub static LAYERS: &[Entry<dyn Layer>] = &[
    linear::ENTRY,
    flatten::ENTRY,
    relu::ENTRY,
    gelu::ENTRY,
    tanh::ENTRY,
    sigmoid::ENTRY,
    dropout::ENTRY,
    leaky_relu::ENTRY,
    silu::ENTRY,
    scale::ENTRY,
    batch_norm2d::ENTRY,
    local_response_norm::ENTRY,
    residual::ENTRY,
    max_pool2d::ENTRY,
    avg_pool2d::ENTRY,
    global_avg_pool::ENTRY,
    conv2d::ENTRY,
    embedding::ENTRY,
    lstm::ENTRY,
    gru::ENTRY,
    rnn::ENTRY,
    layer_norm::ENTRY,
    rms_norm::ENTRY,
    multihead_attention::ENTRY,
    positional_embedding::ENTRY,
    repeat::ENTRY,
    image_rows::ENTRY,
    last::ENTRY,
];
