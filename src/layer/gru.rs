//! The gated recurrent unit.

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

/// r z = sigmoid(W x + b + U h + d), n = tanh(W x + b + r (U h + d)), h' = (1 - z) n + z h, as
/// torch.nn.GRU with batch_first; the output is h of every step.
///
/// Shapes: x `[steps, features]`, W `weight_ih_l0` `[3 hidden_size, features]`, U `weight_hh_l0`
/// `[3 hidden_size, hidden_size]`, b `bias_ih_l0` and d `bias_hh_l0` `[3 hidden_size]`, with the gates in
/// the order r z n; y `[steps, hidden_size]`, of two directions `[steps, 2 hidden_size]`.
///
/// W x + b of all steps is one product, and so are the gradients of W and U and that by x; a workgroup
/// goes through the steps of its samples. The shaders are `shaders/layer/gru.wgsl` and
/// `shaders/layer/recurrent.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gru(pub Recurrent);

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "gru",
    summary: "recurrence with gates that reset and update: r z n (torch.nn.GRU)",
    arguments: &ARGUMENTS,
    short: Some("hidden_size"),
    example: "hidden_size = 12",
    parse: |args| Ok(Box::new(args.read::<Gru>()?)),
};

impl Cell for Gru {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gates(&self) -> usize {
        3
    }

    fn operator(&self) -> &'static str {
        "GRU"
    }

    fn onnx_order(&self) -> &'static [usize] {
        // z r h
        &[1, 0, 2]
    }

    fn kept(&self) -> Option<&'static str> {
        Some("inner")
    }

    fn on_its_way_back(&self) -> Option<&'static str> {
        Some("dhidden")
    }

    fn gates_apart(&self) -> bool {
        true
    }

    fn advance(&self, input: &[f64], hidden: &[f64], before: States) -> States {
        let [_, z, n] = gates(input, hidden);
        States {
            h: (1.0 - z) * n + z * before.h,
            c: 0.0,
        }
    }

    fn retreat(
        &self,
        input: &[f64],
        hidden: &[f64],
        before: States,
        gradient: States,
    ) -> CellGradients {
        let [r, z, n] = gates(input, hidden);
        let dn = gradient.h * (1.0 - z) * (1.0 - n * n);
        let dz = gradient.h * (before.h - n) * z * (1.0 - z);
        let dr = dn * hidden[2] * r * (1.0 - r);
        CellGradients {
            input: vec![dr, dz, dn],
            hidden: vec![dr, dz, dn * r],
            before: States {
                h: gradient.h * z,
                c: 0.0,
            },
        }
    }
}

/// r, z and n of a unit.
fn gates(input: &[f64], hidden: &[f64]) -> [f64; 3] {
    let r = sigmoid(input[0] + hidden[0]);
    let z = sigmoid(input[1] + hidden[1]);
    [r, z, (input[2] + r * hidden[2]).tanh()]
}

impl Layer for Gru {
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

impl Reference for Gru {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        self.0.reference_forward(self, pass)
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        self.0.reference_backward(self, pass, dy)
    }
}
