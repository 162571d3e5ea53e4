//! The fully connected layer.

use std::fmt;

use serde::de::{Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::window;
use super::{
    Back, Entry, Fit, Forward, Fusion, Init, Invalid, Layer, Misfit, Multipliers, Node,
    ParameterSpec, Pass, Reference, ReferenceGradients, Site, Storage,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Attribute, Graph};
use crate::product::{Product, matmul::Form};
use crate::shape::Shape;

/// y = x W^T + b, as torch.nn.Linear.
///
/// Shapes: x `[in_features]`, W `[out_features, in_features]`, b `[out_features]`,
/// y `[out_features]`; of a sequence `[steps, in_features]` each step is such a row.
/// Gradients: dx = dy W, dW = dy^T x, db = the sum of dy over the rows.
/// The three products are the forms nt, nn and tn of `matmul`; the bias and a relu behind the
/// layer are fused into y, db comes with dW, and the gradient of a relu in front of the
/// layer is fused into dx.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Width of the output; [`OUTPUTS`] for as many as the data need.
    #[serde(deserialize_with = "width", serialize_with = "written")]
    pub out_features: usize,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weights start.
    #[serde(default)]
    pub init: Init,
    /// How the bias starts: like torch.nn.Linear's with `init = "torch"`, at 0 else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias_init: Option<Init>,
    /// The full name (`0.weight`) of a parameter in front that the weights are: of an embedding, whose
    /// rows are then also what outputs are measured against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tie: Option<String>,
    /// Multipliers of the learning rate.
    #[serde(default)]
    pub lr_mult: Multipliers,
    /// Multipliers of the weight decay.
    #[serde(default)]
    pub decay_mult: Multipliers,
}

/// Stands for as many outputs as the data need, classes or numbers, until they are known: `"outputs"` in a
/// configuration.
pub const OUTPUTS: usize = 0;
const WORD: &str = "outputs";

fn width<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    struct Width;
    impl Visitor<'_> for Width {
        type Value = usize;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number, 1 or more, or \"outputs\": as many as the data need")
        }
        fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<usize, E> {
            match word {
                WORD => Ok(OUTPUTS),
                _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
            }
        }
        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<usize, E> {
            match usize::try_from(number) {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(E::invalid_value(Unexpected::Signed(number), &self)),
            }
        }
        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<usize, E> {
            match usize::try_from(number) {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
            }
        }
    }
    from.deserialize_any(Width)
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over"
)]
fn written<S: Serializer>(width: &usize, to: S) -> Result<S::Ok, S::Error> {
    match *width {
        OUTPUTS => to.serialize_str(WORD),
        width => to.serialize_u64(width as u64),
    }
}

fn yes() -> bool {
    true
}

impl Linear {
    /// A layer of `out_features` outputs with a bias and PyTorch's initialisation.
    #[must_use]
    pub fn new(out_features: usize) -> Self {
        Self {
            out_features,
            bias: true,
            init: Init::Torch,
            bias_init: None,
            tie: None,
            lr_mult: Multipliers::default(),
            decay_mult: Multipliers::default(),
        }
    }

    /// Weight and bias for `inputs` inputs.
    fn parameters(&self, inputs: usize) -> Vec<ParameterSpec> {
        let weight = ParameterSpec {
            name: "weight".into(),
            shape: vec![self.out_features, inputs],
            init: self.init,
            fan_in: inputs,
            fan_out: self.out_features,
            lr_mult: self.lr_mult.weight,
            decay_mult: self.decay_mult.weight,
            storage: Storage::Rows,
            zero_row: None,
            tied: self.tie.clone(),
        };
        let bias = ParameterSpec {
            name: "bias".into(),
            shape: vec![self.out_features],
            init: self.bias_init.unwrap_or(self.init.of_bias()),
            lr_mult: self.lr_mult.bias,
            decay_mult: self.decay_mult.bias,
            tied: None,
            ..weight.clone()
        };
        std::iter::once(weight)
            .chain(self.bias.then_some(bias))
            .collect()
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "linear",
    summary: "y = x W^T + b (torch.nn.Linear)",
    arguments: &[
        "out_features",
        "bias",
        "init",
        "bias_init",
        "tie",
        "lr_mult",
        "decay_mult",
    ],
    short: Some("out_features"),
    example: "out_features = 10",
    parse: |args| Ok(Box::new(args.read::<Linear>()?)),
};

impl Layer for Linear {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.out_features > window::WIDEST {
            return Err(Invalid {
                key: "out_features",
                message: format!(
                    "is {}; expected at most {}: no adapter holds more",
                    self.out_features,
                    window::WIDEST
                ),
            });
        }
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

    fn suit(&mut self, outputs: usize) {
        if self.out_features == OUTPUTS {
            self.out_features = outputs;
        }
    }

    fn describe(&self, input: &Shape) -> String {
        let inputs = input.features();
        let bias = if self.bias { "" } else { ", no bias" };
        let tied = self
            .tie
            .as_ref()
            .map_or_else(String::new, |name| format!(", tied to {name}"));
        format!("linear({inputs}, {}{bias}{tied})", self.out_features)
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        if let Shape::Picture { .. } = input {
            return Err(Misfit {
                problem: format!(
                    "takes samples of one dimension [features], but its input has the shape {input}"
                ),
                help: "put \"flatten\" in front of it".into(),
            });
        }
        if self.out_features == OUTPUTS {
            return Err(Misfit {
                problem:
                    "has out_features = \"outputs\", which only layers of the network itself take \
                          from the data"
                        .into(),
                help: "give it a number".into(),
            });
        }
        Ok(Fit {
            parameters: self.parameters(input.features()),
            fusion: Fusion::BOTH,
            ..Fit::new(input.with_features(self.out_features))
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let y = b.shaped("y", at.output());
        let weight = at.parameter("weight")?;
        let bias = at.find("bias").map(|bias| b.parameter(bias));
        let product = Product::new(
            Form::Nt,
            b.label("forward"),
            x.matrix.rows,
            self.out_features,
        )
        .sum_over(x.matrix.cols)
        .a(x.bound(), x.matrix)
        .b(b.parameter(weight), weight.matrix)
        .c(y.bound(), y.matrix)
        .bias(bias)
        .relu(at.relu());
        b.product(product)?;
        Ok(y.into())
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let weight = at.parameter("weight")?;
        let inputs = back.x.matrix.cols;
        let db = at.find("bias").map(|bias| b.gradient(bias));
        let dw = b.gradient(weight);
        let label = b.label("weight gradient");
        b.product(
            Product::new(Form::Tn, label, self.out_features, inputs)
                .sum_over(back.x.matrix.rows)
                .a(back.dy.bound(), back.dy.matrix)
                .b(back.x.bound(), back.x.matrix)
                .c(dw, weight.matrix)
                .db(db),
        )?;
        if !back.wants_dx {
            return Ok(None);
        }
        let dx = b.like("dx", back.x);
        let product = Product::new(Form::Nn, b.label("input gradient"), dx.matrix.rows, inputs)
            .sum_over(self.out_features)
            .a(back.dy.bound(), back.dy.matrix)
            .b(b.parameter(weight), weight.matrix)
            .c(dx.bound(), dx.matrix)
            .gate(back.gate.then(|| back.x.bound()));
        b.product(product)?;
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let (weight, bias) = (at.tensor("weight"), at.tensor("bias"));
        if let Shape::Sequence { .. } = at.input {
            // Gemm takes rows of one sample each.
            let weight = g.node(&at.path, "Transpose", &[&weight], &[]);
            let y = g.node(&at.path, "MatMul", &[x, &weight], &[]);
            return Ok(match self.bias {
                true => g.node(&at.path, "Add", &[&y, &bias], &[]),
                false => y,
            });
        }
        let inputs = [x, &weight, &bias];
        let inputs = &inputs[..2 + usize::from(self.bias)];
        Ok(g.node(&at.path, "Gemm", inputs, &[("transB", Attribute::Int(1))]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Linear {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let inputs = pass.node.input.features();
        let weight = pass.parameter("weight").unwrap_or_default();
        let bias = pass.parameter("bias");
        let mut y = Vec::new();
        for x in pass.x.chunks_exact(inputs) {
            for (o, w) in weight.chunks_exact(inputs).enumerate() {
                let dot: f64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                y.push(dot + bias.map_or(0.0, |bias| bias[o]));
            }
        }
        y
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let inputs = pass.node.input.features();
        let outputs = self.out_features;
        let weight = pass.parameter("weight").unwrap_or_default();
        let rows = pass.samples * pass.node.input.rows();
        let mut dx = vec![0.0; rows * inputs];
        let mut dw = vec![0.0; outputs * inputs];
        let mut db = vec![0.0; outputs];
        for n in 0..rows {
            for o in 0..outputs {
                let g = dy[n * outputs + o];
                db[o] += g;
                for i in 0..inputs {
                    dx[n * inputs + i] += g * weight[o * inputs + i];
                    dw[o * inputs + i] += g * pass.x[n * inputs + i];
                }
            }
        }
        let parameters = if self.bias { vec![dw, db] } else { vec![dw] };
        ReferenceGradients { dx, parameters }
    }
}
