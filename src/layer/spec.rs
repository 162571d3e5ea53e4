//! What a layer says of itself when it is fitted to its input: what it trains and keeps, and what it
//! does together with its neighbours.

use super::{Init, Storage};
use crate::rng::{Key, Stream};

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
    /// Its name within the layer, PyTorch's (`weight`).
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
    /// A row that starts at 0 (of an embedding that of what fills up).
    pub zero_row: Option<usize>,
    /// The full name (`0.weight`) of a parameter in front that this one is: tied weights are one
    /// stretch under two names, and their gradients are added. It starts, and has multipliers, as
    /// that one; files hold it under both names.
    pub tied: Option<String>,
}

impl ParameterSpec {
    /// The first values of a parameter, in logical order: a function of the run's seed and the
    /// parameter's position in the model alone, the same bits on every machine.
    #[must_use]
    pub fn initial_values(&self, seed: u64, position: usize) -> Vec<f32> {
        let n: usize = self.shape.iter().product();
        let key = Key::new(seed, Stream::Init, position as u64);
        let fan_in = self.fan_in.max(1) as f64;
        let both = fan_in + self.fan_out as f64;
        let uniform = |bound: f64| -> Vec<f32> {
            let value = |i: usize| {
                let word = key.words(i as u32, 0)[0];
                ((f64::from(word) + 0.5) / 2_147_483_648.0 - 1.0) * bound
            };
            (0..n).map(|i| value(i) as f32).collect()
        };
        let normal = |std: f64| -> Vec<f32> {
            (0..n)
                .map(|i| (key.normals(i as u32, 0)[0] * std) as f32)
                .collect()
        };
        let mut values = match self.init {
            Init::Torch => uniform(libm::sqrt(1.0 / fan_in)),
            Init::KaimingUniform => uniform(libm::sqrt(6.0 / fan_in)),
            Init::KaimingNormal => normal(libm::sqrt(2.0 / fan_in)),
            Init::XavierUniform => uniform(libm::sqrt(6.0 / both)),
            Init::XavierNormal => normal(libm::sqrt(2.0 / both)),
            Init::Normal(std) => normal(std),
            Init::Constant(value) => vec![value as f32; n],
        };
        if let Some(row) = self.zero_row {
            let width = n / self.shape[0].max(1);
            values[row * width..(row + 1) * width].fill(0.0);
        }
        values
    }
}

/// What becomes of a layer's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateKind {
    /// Stays as it starts, and is part of the weights.
    Fixed,
    /// A statistic of the batches, part of the weights; one pass over the samples renews it.
    Running,
    /// A row for each sample of a batch, carried from one batch to the next: training and evaluation
    /// each have their own, and files of weights have none.
    Carried,
}

/// State of a layer that is not trained, such as running statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct StateSpec {
    /// Its name within the layer, PyTorch's (`running_mean`).
    pub name: String,
    /// Number of values; of a carried state, for each sample.
    pub len: usize,
    /// How it starts.
    pub initial: f32,
    /// What becomes of it.
    pub kind: StateKind,
}

/// What a layer can do together with its neighbours: in one dispatch with the relu behind it or in
/// front of it, or for each token of a table instead of each position. The chain decides from what
/// neighbours say here (see [`Node::fused`](super::Node::fused)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fusion {
    /// Whether the layer is the relu, which neighbours may take over.
    pub is_relu: bool,
    /// Whether it can apply a relu behind it to its output, as an epilogue.
    pub epilogue: bool,
    /// Whether it can apply the gradient of a relu in front of it to the gradient by its input.
    pub gate: bool,
    /// The parameter whose rows, one for each token, are its output, where a layer behind may take
    /// tokens and parameter instead.
    pub table: Option<&'static str>,
    /// Whether it can take tokens and the table of a layer in front.
    pub takes_table: bool,
}

impl Fusion {
    /// Nothing: what holds where a layer says nothing.
    pub const NOTHING: Self = Self {
        is_relu: false,
        epilogue: false,
        gate: false,
        table: None,
        takes_table: false,
    };
    /// The layer is the relu itself.
    pub const RELU: Self = Self {
        is_relu: true,
        ..Self::NOTHING
    };
    /// The gradient of a relu in front.
    pub const GATE: Self = Self {
        gate: true,
        ..Self::NOTHING
    };
    /// A relu behind, and the gradient of one in front.
    pub const BOTH: Self = Self {
        epilogue: true,
        gate: true,
        ..Self::NOTHING
    };
}
