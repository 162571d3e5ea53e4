//! What recurrent layers share: arguments, parameters, layers on top of each other, two directions.
//! A layer's own file says what its cell is ([`Cell`]).

mod graph;
mod input;
mod lanes;
mod reference;
mod work;

use serde::{Deserialize, Serialize};

pub(super) use reference::{CellGradients, States, sigmoid};
pub(super) use work::{RELU, Saved};

use super::dropout::Dropout;
use super::embedding::Rows;
use super::spec::Fusion;
use super::window::WIDEST;
use super::{
    Back, Fit, Forward, Init, Invalid, Misfit, Multipliers, ParameterSpec, Pass,
    ReferenceGradients, Site, StateKind, StateSpec, Storage,
};
use crate::args::is_below_one;
use crate::error::Result;
use crate::kernel::{Builder, Element, Mode, Value};
use crate::shape::Shape;
use work::Work;

/// The most units of a direction: far above any net's, and few enough that one step of one workgroup
/// stays below [`crate::kernel::builder::MAX_ITERATIONS`].
const MOST_UNITS: usize = 16_384;

/// The most layers on top of each other.
const MOST_LAYERS: usize = 64;

/// The arguments that all recurrent layers have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurrent {
    /// Numbers of h: the width of the output, of each direction.
    pub hidden_size: usize,
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
    /// How the weights start; where nothing is said, weights and biases uniform within
    /// 1 / sqrt(hidden_size), as torch.nn does.
    #[serde(default)]
    pub init: Init,
    /// Multipliers of the learning rate.
    #[serde(default)]
    pub lr_mult: Multipliers,
    /// Multipliers of the weight decay.
    #[serde(default)]
    pub decay_mult: Multipliers,
    /// Whether the states go on from batch to batch; no argument, see
    /// [`Layer::carry`](super::Layer::carry).
    #[serde(skip)]
    pub carried: bool,
}

pub(super) fn one() -> usize {
    1
}

pub(super) fn yes() -> bool {
    true
}

/// The names of [`Recurrent`]'s arguments.
pub(super) const ARGUMENTS: [&str; 8] = [
    "hidden_size",
    "num_layers",
    "bidirectional",
    "dropout",
    "bias",
    "init",
    "lr_mult",
    "decay_mult",
];

/// What a layer's cell is.
pub(super) trait Cell {
    /// The layer's name, and its shader's within `shaders/layer`.
    fn name(&self) -> &'static str;

    /// Number of gates.
    fn gates(&self) -> usize;

    /// The operator of ONNX.
    fn operator(&self) -> &'static str;

    /// ONNX's order of the gates: for each of its gates the number of PyTorch's.
    fn onnx_order(&self) -> &'static [usize];

    /// The names of its states.
    fn states(&self) -> &'static [&'static str] {
        &["h"]
    }

    /// What it keeps besides the gates, by the name in its shader.
    fn kept(&self) -> Option<&'static str> {
        None
    }

    /// What of a unit's gradient goes past the gates to the step in front, by the name in its shader.
    fn on_its_way_back(&self) -> Option<&'static str> {
        None
    }

    /// Whether the gradients by the input's and by h's part of the gates differ.
    fn gates_apart(&self) -> bool {
        false
    }

    /// ONNX's name of the cell's function, where it is not the operator's own.
    fn onnx_activation(&self) -> Option<&'static str> {
        None
    }

    /// Flags of the shader.
    fn flags(&self) -> usize {
        0
    }

    /// A unit's step in f64: the new states from what the input and h give to each gate.
    fn advance(&self, input: &[f64], hidden: &[f64], before: States) -> States;

    /// The gradients of a unit's step for those by the new states.
    fn retreat(
        &self,
        input: &[f64],
        hidden: &[f64],
        before: States,
        gradient: States,
    ) -> CellGradients;
}

/// A layer and a direction within it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) layer: usize,
    pub(super) reverse: bool,
}

impl Run {
    /// A parameter's or a state's name: `weight_ih_l0_reverse`.
    fn named(self, name: &str) -> String {
        let reverse = if self.reverse { "_reverse" } else { "" };
        format!("{name}_l{}{reverse}", self.layer)
    }

    /// What stands in front of the names of dispatches and values.
    fn label(self, what: &str) -> String {
        let reverse = if self.reverse { " reverse" } else { "" };
        format!("l{}{reverse} {what}", self.layer)
    }
}

impl Recurrent {
    /// As [`Layer::looks_ahead`](super::Layer::looks_ahead).
    pub(super) fn looks_ahead(&self) -> Option<&'static str> {
        self.bidirectional.then_some("a bidirectional layer")
    }

    /// Of `hidden_size` units, with the defaults.
    #[must_use]
    pub fn new(hidden_size: usize) -> Self {
        Self {
            hidden_size,
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

    fn directions(&self) -> impl Iterator<Item = bool> + use<> {
        let all = if self.bidirectional { 2 } else { 1 };
        [false, true].into_iter().take(all)
    }

    /// The runs of a layer.
    fn runs(&self, layer: usize) -> impl Iterator<Item = Run> + use<> {
        self.directions().map(move |reverse| Run { layer, reverse })
    }

    /// Width of a layer's output.
    fn width(&self) -> usize {
        self.hidden_size * self.directions().count()
    }

    /// Width of a layer's input, where the first one's is `input`.
    fn input(&self, input: usize, layer: usize) -> usize {
        if layer == 0 { input } else { self.width() }
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        let wrong = |key, message| Err(Invalid { key, message });
        if !(1..=MOST_UNITS).contains(&self.hidden_size) {
            let message = format!(
                "is {}, but a recurrent layer has 1 to {MOST_UNITS} units",
                self.hidden_size
            );
            return wrong("hidden_size", message);
        }
        if !(1..=MOST_LAYERS).contains(&self.num_layers) {
            let message = format!(
                "is {}, but 1 to {MOST_LAYERS} layers stand on top of each other",
                self.num_layers
            );
            return wrong("num_layers", message);
        }
        if !is_below_one(self.dropout) {
            let message = format!(
                "is {}, but a probability of dropping lies in [0, 1): 0 drops nothing, 1 would drop everything",
                self.dropout
            );
            return wrong("dropout", message);
        }
        if self.dropout > 0.0 && self.num_layers == 1 {
            let message = format!(
                "is {}, but it drops between layers, and num_layers is 1; put \"dropout\" behind the layer",
                self.dropout
            );
            return wrong("dropout", message);
        }
        self.init.validate("init")?;
        self.lr_mult.validate("lr_mult")?;
        self.decay_mult.validate("decay_mult")
    }

    pub(super) fn describe(&self, cell: &dyn Cell, input: &Shape) -> String {
        let mut text = format!("{}({}, {}", cell.name(), input.features(), self.hidden_size);
        if self.num_layers > 1 {
            text.push_str(&format!(", {} layers", self.num_layers));
        }
        if self.bidirectional {
            text.push_str(", bidirectional");
        }
        if !self.bias {
            text.push_str(", no bias");
        }
        text.push(')');
        text
    }

    pub(super) fn fit(&self, cell: &dyn Cell, input: &Shape) -> Result<Fit, Misfit> {
        let Shape::Sequence { steps, features } = *input else {
            return Err(not_a_sequence(input));
        };
        if features == 0 || features > WIDEST || steps == 0 {
            return Err(Misfit {
                problem: format!(
                    "takes 1 to {WIDEST} features of at least one step, but its input has the shape {input}"
                ),
                help: "give it samples of the shape [steps, features]".into(),
            });
        }
        let mut fit = Fit::new(input.with_features(self.width()));
        fit.fusion = Fusion {
            takes_table: true,
            ..Fusion::NOTHING
        };
        for layer in 0..self.num_layers {
            for run in self.runs(layer) {
                let inputs = self.input(features, layer);
                fit.parameters.extend(self.parameters(cell, run, inputs));
                if self.carried {
                    fit.states.extend(self.states(cell, run));
                }
            }
        }
        Ok(fit)
    }

    /// The parameters of a run, in PyTorch's order.
    fn parameters(&self, cell: &dyn Cell, run: Run, inputs: usize) -> Vec<ParameterSpec> {
        let rows = cell.gates() * self.hidden_size;
        let of_torch = self.init == Init::Torch;
        let weight = |name: &str, columns: usize| ParameterSpec {
            name: run.named(name),
            shape: vec![rows, columns],
            init: self.init,
            // torch.nn draws all of them within 1 / sqrt(hidden_size).
            fan_in: if of_torch { self.hidden_size } else { columns },
            fan_out: rows,
            lr_mult: self.lr_mult.weight,
            decay_mult: self.decay_mult.weight,
            storage: Storage::Blocks(cell.gates()),
            zero_row: None,
            tied: None,
        };
        let bias = |name: &str| ParameterSpec {
            shape: vec![rows],
            init: self.init.of_bias(),
            lr_mult: self.lr_mult.bias,
            decay_mult: self.decay_mult.bias,
            ..weight(name, self.hidden_size)
        };
        let mut all = vec![
            weight("weight_ih", inputs),
            weight("weight_hh", self.hidden_size),
        ];
        if self.bias {
            all.extend([bias("bias_ih"), bias("bias_hh")]);
        }
        all
    }

    fn states<'a>(
        &'a self,
        cell: &'a dyn Cell,
        run: Run,
    ) -> impl Iterator<Item = StateSpec> + use<'a> {
        cell.states().iter().map(move |name| StateSpec {
            name: run.named(name),
            len: self.hidden_size,
            initial: 0.0,
            kind: StateKind::Carried,
        })
    }

    /// The dropout in front of a layer, where there is one.
    fn dropout(&self, layer: usize) -> Option<Dropout> {
        (layer > 0 && self.dropout > 0.0).then_some(Dropout { p: self.dropout })
    }

    pub(super) fn forward(
        &self,
        cell: &dyn Cell,
        b: &mut Builder,
        at: &Site<'_>,
        x: Value,
    ) -> Result<Forward> {
        let mut saved = Vec::new();
        let mut y = x;
        for layer in 0..self.num_layers {
            if let Some(dropout) = self.dropout(layer)
                && b.mode() != Mode::Evaluate
            {
                y = dropout.forward_as(b, y, draw(at.node.id, layer))?;
            }
            saved.push(y);
            let mut outputs = Vec::new();
            for run in self.runs(layer) {
                let work = Work::new(self, cell, at, run);
                let (output, kept) = work.forward(b, y)?;
                outputs.push(output);
                kept.push_onto(&mut saved);
            }
            y = match outputs[..] {
                [first, second] => {
                    let shape = at.output();
                    work::join(b, shape, [first, second])?
                }
                _ => outputs[0],
            };
        }
        Ok(Forward {
            saved,
            ..Forward::from(y)
        })
    }

    pub(super) fn backward(
        &self,
        cell: &dyn Cell,
        b: &mut Builder,
        at: &Site<'_>,
        back: &Back<'_>,
    ) -> Result<Option<Value>> {
        let kept = Saved::count(cell);
        let of_layer = 1 + self.directions().count() * kept;
        let mut dy = back.dy;
        for layer in (0..self.num_layers).rev() {
            let Some(([x], saved)) = back
                .saved
                .get(layer * of_layer..(layer + 1) * of_layer)
                .and_then(|all| all.split_first_chunk())
            else {
                return Err(at.defect("has no forward pass in front of its backward pass"));
            };
            // Tokens have no gradient; their table is this layer's business.
            let equal = match (x.element, at.node.fused.table) {
                (Element::U32, Some(table)) => {
                    let (tokens, table) = (*x, table.matrix);
                    Some(Rows { tokens, table }.links(b)?)
                }
                _ => None,
            };
            let wants_dx = layer > 0 || back.wants_dx && equal.is_none();
            let dx = wants_dx.then(|| b.like("dx", *x));
            for (run, saved) in self.runs(layer).zip(saved.chunks_exact(kept)) {
                let work = Work::new(self, cell, at, run);
                let own = match self.bidirectional {
                    true => work::split(b, at.output(), dy, self.hidden_size, run.reverse)?,
                    false => dy,
                };
                work.backward(b, [*x, own], &Saved::of(saved), equal, dx)?;
            }
            match dx {
                Some(dx) => dy = dx,
                None => return Ok(None),
            }
            if let Some(dropout) = self.dropout(layer) {
                dy = dropout.backward_as(b, dy, draw(at.node.id, layer))?;
            }
        }
        Ok(Some(dy))
    }

    pub(super) fn reference_forward(&self, cell: &dyn Cell, pass: &Pass<'_>) -> Vec<f64> {
        reference::forward(self, cell, pass)
    }

    pub(super) fn reference_backward(
        &self,
        cell: &dyn Cell,
        pass: &Pass<'_>,
        dy: &[f64],
    ) -> ReferenceGradients {
        reference::backward(self, cell, pass, dy)
    }
}

/// The number by which the random words in front of a layer are drawn: no other layer of a network
/// has it, as long as there are fewer than 2^20.
fn draw(id: usize, layer: usize) -> usize {
    id + (layer << 20)
}

fn not_a_sequence(input: &Shape) -> Misfit {
    let help = match input {
        Shape::Picture { .. } => {
            "give it samples of the shape [steps, features]: of a picture of one channel each row is a \
             step"
        }
        _ => {
            "give it samples of the shape [steps, features], or put an embedding in front of it where the \
             numbers are words"
        }
    };
    Misfit {
        problem: format!("takes sequences [steps, features], but its input has the shape {input}"),
        help: help.into(),
    }
}
