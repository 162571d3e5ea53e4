//! The plain recurrent layer.

use serde::{Deserialize, Serialize};

use super::recurrent::{Cell, CellGradients, RELU, Recurrent, States, one, yes};
use super::{
    Back, Entry, Fit, Forward, Init, Invalid, Layer, Misfit, Multipliers, Node, Pass, Reference,
    ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

/// h' = tanh(W x + b + U h + d), or max(.., 0), as torch.nn.RNN with batch_first; the output is h of every
/// step.
///
/// Shapes: x `[steps, features]`, W `weight_ih_l0` `[hidden_size, features]`, U `weight_hh_l0`
/// `[hidden_size, hidden_size]`, b `bias_ih_l0` and d `bias_hh_l0` `[hidden_size]`; y
/// `[steps, hidden_size]`, of two directions `[steps, 2 hidden_size]`.
///
/// W x + b of all steps is one product, and so are the gradients of W and U and that by x; a workgroup
/// goes through the steps of its samples. The shaders are `shaders/layer/rnn.wgsl` and
/// `shaders/layer/recurrent.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rnn {
    /// Numbers of h: the width of the output, of each direction.
    pub hidden_size: usize,
    /// The function that makes h.
    #[serde(default)]
    pub nonlinearity: Nonlinearity,
    /// Layers on top of each other.
    #[serde(default = "one")]
    pub num_layers: usize,
    /// Whether a second recurrence goes through the steps backwards; both outputs stand side by side.
    #[serde(default)]
    pub bidirectional: bool,
    /// The probability of zero in the outputs of all layers but the last while training, in [0, 1).
    #[serde(default)]
    pub dropout: f64,
    /// Whether there are biases: one for the input, one for h.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weights start, as in [`Recurrent`].
    #[serde(default)]
    pub init: Init,
    /// Multipliers of the learning rate.
    #[serde(default)]
    pub lr_mult: Multipliers,
    /// Multipliers of the weight decay.
    #[serde(default)]
    pub decay_mult: Multipliers,
    /// Whether the states go on from batch to batch; no argument.
    #[serde(skip)]
    pub carried: bool,
}

/// The function that makes h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nonlinearity {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// max(x, 0).
    Relu,
}

impl Rnn {
    /// Of `hidden_size` units, with the defaults.
    #[must_use]
    pub fn new(hidden_size: usize) -> Self {
        Self {
            hidden_size,
            nonlinearity: Nonlinearity::Tanh,
            num_layers: 1,
            bidirectional: false,
            dropout: 0.0,
            bias: true,
            init: Init::Torch,
            lr_mult: Multipliers::default(),
            decay_mult: Multipliers::default(),
            carried: false,
        }
    }

    /// The arguments that all recurrent layers have.
    fn settings(&self) -> Recurrent {
        Recurrent {
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
            bias: self.bias,
            init: self.init,
            lr_mult: self.lr_mult,
            decay_mult: self.decay_mult,
            carried: self.carried,
        }
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "rnn",
    summary: "h' = tanh(W x + U h) (torch.nn.RNN)",
    arguments: &[
        "hidden_size",
        "nonlinearity",
        "num_layers",
        "bidirectional",
        "dropout",
        "bias",
        "init",
        "lr_mult",
        "decay_mult",
    ],
    short: Some("hidden_size"),
    example: "hidden_size = 12",
    parse: |args| Ok(Box::new(args.read::<Rnn>()?)),
};

impl Cell for Rnn {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gates(&self) -> usize {
        1
    }

    fn operator(&self) -> &'static str {
        "RNN"
    }

    fn onnx_order(&self) -> &'static [usize] {
        &[0]
    }

    fn flags(&self) -> usize {
        match self.nonlinearity {
            Nonlinearity::Tanh => 0,
            Nonlinearity::Relu => RELU,
        }
    }

    fn onnx_activation(&self) -> Option<&'static str> {
        (self.nonlinearity == Nonlinearity::Relu).then_some("Relu")
    }

    fn advance(&self, input: &[f64], hidden: &[f64], _: States) -> States {
        let sum = input[0] + hidden[0];
        let h = match self.nonlinearity {
            Nonlinearity::Tanh => sum.tanh(),
            Nonlinearity::Relu => sum.max(0.0),
        };
        States { h, c: 0.0 }
    }

    fn retreat(
        &self,
        input: &[f64],
        hidden: &[f64],
        before: States,
        gradient: States,
    ) -> CellGradients {
        let h = self.advance(input, hidden, before).h;
        let slope = match self.nonlinearity {
            Nonlinearity::Tanh => 1.0 - h * h,
            Nonlinearity::Relu if h > 0.0 => 1.0,
            Nonlinearity::Relu => 0.0,
        };
        let all = vec![gradient.h * slope];
        CellGradients {
            input: all.clone(),
            hidden: all,
            before: States::default(),
        }
    }
}

impl Layer for Rnn {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.settings().validate()
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, input: &Shape) -> String {
        self.settings().describe(self, input)
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        self.settings().fit(self, input)
    }

    fn carry(&mut self) {
        self.carried = true;
    }

    fn looks_ahead(&self) -> Option<&'static str> {
        self.settings().looks_ahead()
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        self.settings().forward(self, b, at, x)
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        self.settings().backward(self, b, at, back)
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        Ok(self.settings().onnx(self, g, at, x))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Rnn {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        self.settings().reference_forward(self, pass)
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        self.settings().reference_backward(self, pass, dy)
    }
}
