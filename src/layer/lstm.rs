//! Long short-term memory.

use serde::{Deserialize, Serialize};

use super::recurrent::{ARGUMENTS, Cell, CellGradients, Recurrent, States, sigmoid};
use super::{
    Back, Entry, Fit, Forward, Invalid, Layer, Misfit, Node, Pass, Reference, ReferenceGradients,
    Site,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

/// i f o = sigmoid(W x + b + U h + d), g = tanh(the same), c' = f c + i g, h' = o tanh(c'), as
/// torch.nn.LSTM with batch_first; the output is h of every step.
///
/// Shapes: x `[steps, features]`, W `weight_ih_l0` `[4 hidden_size, features]`, U `weight_hh_l0`
/// `[4 hidden_size, hidden_size]`, b `bias_ih_l0` and d `bias_hh_l0` `[4 hidden_size]`, with the gates in
/// the order i f g o; y `[steps, hidden_size]`, of two directions `[steps, 2 hidden_size]`.
///
/// W x + b of all steps is one product, and so are the gradients of W and U and that by x; a workgroup
/// goes through the steps of its samples. The shaders are `shaders/layer/lstm.wgsl` and
/// `shaders/layer/recurrent.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lstm(pub Recurrent);

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "lstm",
    summary: "recurrence with cells that remember: i f g o (torch.nn.LSTM)",
    arguments: &ARGUMENTS,
    short: Some("hidden_size"),
    example: "hidden_size = 12",
    parse: |args| Ok(Box::new(args.read::<Lstm>()?)),
};

impl Cell for Lstm {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gates(&self) -> usize {
        4
    }

    fn operator(&self) -> &'static str {
        "LSTM"
    }

    fn onnx_order(&self) -> &'static [usize] {
        // i o f c
        &[0, 3, 1, 2]
    }

    fn states(&self) -> &'static [&'static str] {
        &["h", "c"]
    }

    fn kept(&self) -> Option<&'static str> {
        Some("cells")
    }

    fn on_its_way_back(&self) -> Option<&'static str> {
        Some("dcells")
    }

    fn advance(&self, input: &[f64], hidden: &[f64], before: States) -> States {
        let [i, f, g, o] = gates(input, hidden);
        let c = f * before.c + i * g;
        States { h: o * c.tanh(), c }
    }

    fn retreat(
        &self,
        input: &[f64],
        hidden: &[f64],
        before: States,
        gradient: States,
    ) -> CellGradients {
        let [i, f, g, o] = gates(input, hidden);
        let t = (f * before.c + i * g).tanh();
        let dc = gradient.c + gradient.h * o * (1.0 - t * t);
        let all = vec![
            dc * g * i * (1.0 - i),
            dc * before.c * f * (1.0 - f),
            dc * i * (1.0 - g * g),
            gradient.h * t * o * (1.0 - o),
        ];
        CellGradients {
            input: all.clone(),
            hidden: all,
            before: States { h: 0.0, c: dc * f },
        }
    }
}

/// i, f, g and o of a unit.
fn gates(input: &[f64], hidden: &[f64]) -> [f64; 4] {
    let sum = |gate: usize| input[gate] + hidden[gate];
    [
        sigmoid(sum(0)),
        sigmoid(sum(1)),
        sum(2).tanh(),
        sigmoid(sum(3)),
    ]
}

impl Layer for Lstm {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.0.validate()
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, input: &Shape) -> String {
        self.0.describe(self, input)
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        self.0.fit(self, input)
    }

    fn carry(&mut self) {
        self.0.carried = true;
    }

    fn looks_ahead(&self) -> Option<&'static str> {
        self.0.looks_ahead()
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        self.0.forward(self, b, at, x)
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        self.0.backward(self, b, at, back)
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        Ok(self.0.onnx(self, g, at, x))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Lstm {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        self.0.reference_forward(self, pass)
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        self.0.reference_backward(self, pass, dy)
    }
}
