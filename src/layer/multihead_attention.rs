//! Attention of the steps of a sequence to each other.

use serde::{Deserialize, Serialize};

mod reference;

use super::{
    Back, Entry, Fit, Forward, Init, Invalid, Layer, Misfit, Multipliers, Node, ParameterSpec,
    Pass, Reference, ReferenceGradients, Site, Storage,
};
use crate::args::is_below_one;
use crate::error::Result;
use crate::kernel::{Builder, Mode, Value};
use crate::onnx::{Attribute, Graph};
use crate::product::attention::most_steps;
use crate::product::{Attention, Product, matmul::Form};
use crate::shape::Shape;

/// Self-attention with several heads, as torch.nn.MultiheadAttention with `batch_first` (Vaswani et
/// al., arXiv 1706.03762): embed_dim comes from the input, queries, keys and values are all x.
///
/// Shapes: x and y `[steps, width]`. [q, k, v] = x W_in^T + b_in; each of `num_heads` heads takes its
/// width / num_heads numbers of the three and gives softmax(q k^T / sqrt(of their number)) v, with
/// `causal` over the steps up to its own; y = these side by side, W_out^T + b_out. Scores are never
/// stored: the backward pass makes them anew. In training each weight of the softmax is zero with
/// probability `dropout`, and 1 / (1 - dropout) times itself else, by the words that dropout layers draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiheadAttention {
    /// Heads; their number divides the width.
    pub num_heads: usize,
    /// Whether a step sees itself and the steps before it alone.
    #[serde(default)]
    pub causal: bool,
    /// The probability that a weight drops in training, in [0, 1).
    #[serde(default)]
    pub dropout: f64,
    /// Whether both projections add a bias. It starts at 0.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weight of the projection of the input starts: like torch.nn.MultiheadAttention's, Xavier
    /// uniform over queries, keys and values together, with `init = "torch"`.
    #[serde(default)]
    pub init: Init,
    /// How the weight of the projection of the output starts: as `init` says where nothing is said,
    /// which with `"torch"` is uniform within 1 / sqrt(width).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_init: Option<Init>,
    /// Multipliers of the learning rate, of both weights and both biases.
    #[serde(default)]
    pub lr_mult: Multipliers,
    /// Multipliers of the weight decay, likewise.
    #[serde(default)]
    pub decay_mult: Multipliers,
}

fn yes() -> bool {
    true
}

impl MultiheadAttention {
    /// A layer of `num_heads` heads, with biases, PyTorch's initialisation and every step in sight.
    #[must_use]
    pub fn new(num_heads: usize) -> Self {
        Self {
            num_heads,
            causal: false,
            dropout: 0.0,
            bias: true,
            init: Init::Torch,
            out_init: None,
            lr_mult: Multipliers::default(),
            decay_mult: Multipliers::default(),
        }
    }

    fn parameters(&self, width: usize) -> Vec<ParameterSpec> {
        let weight = |name: &str, rows: usize, init: Init| ParameterSpec {
            name: name.into(),
            shape: vec![rows, width],
            init,
            fan_in: width,
            fan_out: rows,
            lr_mult: self.lr_mult.weight,
            decay_mult: self.decay_mult.weight,
            storage: Storage::Rows,
            zero_row: None,
            tied: None,
        };
        let init = match self.init {
            Init::Torch => Init::XavierUniform,
            other => other,
        };
        let out_init = self.out_init.unwrap_or(self.init);
        let bias = |name: &str, of: &ParameterSpec| ParameterSpec {
            name: name.into(),
            shape: vec![of.shape[0]],
            init: Init::Constant(0.0),
            lr_mult: self.lr_mult.bias,
            decay_mult: self.decay_mult.bias,
            ..of.clone()
        };
        let input = weight("in_proj_weight", 3 * width, init);
        let output = weight("out_proj.weight", width, out_init);
        let biases = [bias("in_proj_bias", &input), bias("out_proj.bias", &output)];
        match (self.bias, biases) {
            (true, [a, b]) => vec![input, a, output, b],
            (false, _) => vec![input, output],
        }
    }

    /// The attention between the projections.
    fn attention(&self, b: &Builder, at: &Site<'_>) -> Attention {
        Attention {
            steps: at.input().rows(),
            heads: self.num_heads,
            head: at.input().features() / self.num_heads,
            causal: self.causal,
            p: if b.mode() == Mode::Evaluate {
                0.0
            } else {
                self.dropout
            },
            draw: at.node.id,
        }
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "multihead_attention",
    summary: "each step's mean of all, weighed by likeness, in several heads (torch.nn.MultiheadAttention)",
    arguments: &[
        "num_heads",
        "causal",
        "dropout",
        "bias",
        "init",
        "out_init",
        "lr_mult",
        "decay_mult",
    ],
    short: Some("num_heads"),
    example: "num_heads = 4\ncausal = true",
    parse: |args| Ok(Box::new(args.read::<MultiheadAttention>()?)),
};

/// Appends y = x w^T + b.
fn project(
    b: &mut Builder,
    at: &Site<'_>,
    (what, weight, bias): (&str, &str, &str),
    x: Value,
    y: Value,
) -> Result<()> {
    let weight = at.parameter(weight)?;
    let bias = at.find(bias).map(|bias| b.parameter(bias));
    let product = Product::new(Form::Nt, b.label(what), x.matrix.rows, y.matrix.cols)
        .sum_over(x.matrix.cols)
        .a(x.bound(), x.matrix)
        .b(b.parameter(weight), weight.matrix)
        .c(y.bound(), y.matrix)
        .bias(bias);
    b.product(product)
}

/// Appends dw and db, and dx where there is a place for it.
fn project_back(
    b: &mut Builder,
    at: &Site<'_>,
    (what, weight, bias): (&str, &str, &str),
    (dy, x): (Value, Value),
    dx: Option<Value>,
) -> Result<()> {
    let weight = at.parameter(weight)?;
    let db = at.find(bias).map(|bias| b.gradient(bias));
    let dw = b.gradient(weight);
    let label = b.label(&format!("{what} weight gradient"));
    let (outputs, inputs) = (dy.matrix.cols, x.matrix.cols);
    b.product(
        Product::new(Form::Tn, label, outputs, inputs)
            .sum_over(x.matrix.rows)
            .a(dy.bound(), dy.matrix)
            .b(x.bound(), x.matrix)
            .c(dw, weight.matrix)
            .db(db),
    )?;
    let Some(dx) = dx else {
        return Ok(());
    };
    let label = b.label(&format!("{what} input gradient"));
    let product = Product::new(Form::Nn, label, dx.matrix.rows, inputs)
        .sum_over(outputs)
        .a(dy.bound(), dy.matrix)
        .b(b.parameter(weight), weight.matrix)
        .c(dx.bound(), dx.matrix);
    b.product(product)
}

/// The projections: what they are called, their weight, their bias.
const INPUT: (&str, &str, &str) = ("projection in", "in_proj_weight", "in_proj_bias");
const OUTPUT: (&str, &str, &str) = ("projection out", "out_proj.weight", "out_proj.bias");

impl Layer for MultiheadAttention {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.num_heads == 0 {
            return Err(Invalid {
                key: "num_heads",
                message: "is 0, but attention has at least one head".into(),
            });
        }
        if !is_below_one(self.dropout) {
            return Err(Invalid {
                key: "dropout",
                message: format!(
                    "is {}, but a probability of dropping lies in [0, 1): 0 drops nothing, 1 would drop everything",
                    self.dropout
                ),
            });
        }
        self.init.validate("init")?;
        if let Some(init) = self.out_init {
            init.validate("out_init")?;
        }
        self.lr_mult.validate("lr_mult")?;
        self.decay_mult.validate("decay_mult")
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, input: &Shape) -> String {
        let heads = match self.num_heads {
            1 => "1 head".to_owned(),
            heads => format!("{heads} heads"),
        };
        let causal = if self.causal { ", causal" } else { "" };
        format!("multihead_attention({}, {heads}{causal})", input.features())
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let Shape::Sequence { steps, features } = *input else {
            return Err(super::window::not_sequences(input));
        };
        let heads = self.num_heads;
        if heads == 0 || !features.is_multiple_of(heads) || features == 0 {
            return Err(Misfit {
                problem: format!(
                    "has {heads} heads, but its input {features} features, which they do not divide"
                ),
                help: "choose a number of heads that divides the features".into(),
            });
        }
        let most = most_steps(features / heads);
        if steps > most {
            return Err(Misfit {
                problem: format!(
                    "takes at most {most} steps with heads of {} numbers, but its input has {steps}",
                    features / heads
                ),
                help: "use shorter sequences".into(),
            });
        }
        Ok(Fit {
            parameters: self.parameters(features),
            ..Fit::new(*input)
        })
    }

    fn looks_ahead(&self) -> Option<&'static str> {
        (!self.causal).then_some("attention that is not causal")
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let width = at.input().features();
        let qkv = b.shaped("qkv", &at.input().with_features(3 * width));
        project(b, at, INPUT, x, qkv)?;
        let o = b.shaped("heads", at.output());
        let l = self.attention(b, at).forward(b, qkv, o)?;
        let y = b.shaped("y", at.output());
        project(b, at, OUTPUT, o, y)?;
        Ok(Forward {
            saved: vec![qkv, o, l],
            ..Forward::from(y)
        })
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let &[qkv, o, l] = back.saved else {
            return Err(at.defect("has no forward pass in front of its backward pass"));
        };
        let g = b.like("gradient by the heads", o);
        project_back(b, at, OUTPUT, (back.dy, o), Some(g))?;
        let dqkv = self.attention(b, at).backward(b, [qkv, o, l], g)?;
        let dx = back.wants_dx.then(|| b.like("dx", back.x));
        project_back(b, at, INPUT, (dqkv, back.x), dx)?;
        Ok(dx)
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let (steps, width) = (at.input.rows(), at.input.features());
        let (heads, head) = (self.num_heads, width / self.num_heads);
        let path = &at.path;
        let project = |g: &mut Graph, x: &str, weight: &str, bias: &str| {
            let w = g.node(path, "Transpose", &[&at.tensor(weight)], &[]);
            let y = g.node(path, "MatMul", &[x, &w], &[]);
            match self.bias {
                true => g.node(path, "Add", &[&y, &at.tensor(bias)], &[]),
                false => y,
            }
        };
        let perm = |order: &[usize]| [("perm", Attribute::Ints(order.to_vec()))];
        let qkv = project(g, x, "in_proj_weight", "in_proj_bias");
        let shape = g.shape(&at.named("heads"), &[steps, 3, heads, head]);
        let qkv = g.node(path, "Reshape", &[&qkv, &shape], &[]);
        // Which of the three, sample, head, step, number.
        let qkv = g.node(path, "Transpose", &[&qkv], &perm(&[2, 0, 3, 1, 4]));
        let [q, k, v] = [0, 1, 2].map(|which| {
            let index = g.whole(&at.named("index"), which);
            g.node(
                path,
                "Gather",
                &[&qkv, &index],
                &[("axis", Attribute::Int(0))],
            )
        });
        let k = g.node(path, "Transpose", &[&k], &perm(&[0, 1, 3, 2]));
        let scores = g.node(path, "MatMul", &[&q, &k], &[]);
        let scale = g.number(&at.named("scale"), 1.0 / (head as f64).sqrt());
        let mut scores = g.node(path, "Mul", &[&scores, &scale], &[]);
        if self.causal {
            let hidden = |n: usize| if n % steps > n / steps { -1e30 } else { 0.0 };
            let mask: Vec<f32> = (0..steps * steps).map(hidden).collect();
            let mask = g.floats(&at.named("mask"), &[steps, steps], &mask);
            scores = g.node(path, "Add", &[&scores, &mask], &[]);
        }
        let p = g.node(path, "Softmax", &[&scores], &[("axis", Attribute::Int(3))]);
        let o = g.node(path, "MatMul", &[&p, &v], &[]);
        let o = g.node(path, "Transpose", &[&o], &perm(&[0, 2, 1, 3]));
        let shape = g.shape(&at.named("width"), &[steps, width]);
        let o = g.node(path, "Reshape", &[&o, &shape], &[]);
        Ok(project(g, &o, "out_proj.weight", "out_proj.bias"))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for MultiheadAttention {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        reference::forward(self, pass)
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        reference::backward(self, pass, dy)
    }
}
