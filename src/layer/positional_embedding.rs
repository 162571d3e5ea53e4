//! Where a step stands in its sequence, as a row that is added to it.

use serde::{Deserialize, Serialize};

use super::{
    Back, Entry, Fit, Forward, Init, Invalid, Layer, Misfit, Multipliers, Node, ParameterSpec,
    Pass, Reference, ReferenceGradients, Site, Storage,
};
use crate::error::{Error, Result};
use crate::kernel::builder::{MAX_ITERATIONS, grid};
use crate::kernel::{Builder, Call, Value, shaders};
use crate::onnx::Graph;
use crate::shape::Shape;

/// What the rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Trained.
    #[default]
    Learned,
    /// Sines and cosines of the step, of wavelengths from 2 pi to 20,000 pi.
    Sinusoidal,
}

/// y = x + a row for each step: trained, as torch.nn.Embedding of the steps, or
/// sin(t / 10000^(2 i / width)) and cos of the same in columns 2 i and 2 i + 1 (Vaswani et al., arXiv
/// 1706.03762).
///
/// Shapes: x and y `[steps, width]`, weight `[steps, width]`. Gradients: dx = dy, dweight = the sum of dy
/// over the samples. The shader is `shaders/layer/positional_embedding.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PositionalEmbedding {
    /// What the rows are.
    pub kind: Positions,
    /// How trained rows start: normal with deviation 1, as torch.nn.Embedding, with `init = "torch"`.
    pub init: Init,
    /// Multipliers of the learning rate.
    pub lr_mult: Multipliers,
    /// Multipliers of the weight decay.
    pub decay_mult: Multipliers,
}

const SHADER: &str = "layer/positional_embedding";
/// Samples that one invocation adds the sines of a step to.
const SPAN: usize = 64;

impl PositionalEmbedding {
    fn learned(&self) -> bool {
        self.kind == Positions::Learned
    }
}

/// The sines and cosines of a step, from the definition.
fn sines(step: usize, width: usize) -> impl Iterator<Item = f64> {
    (0..width).map(move |column| {
        let exponent = (column - column % 2) as f64 / width as f64;
        let angle = step as f64 / libm::pow(10_000.0, exponent);
        if column % 2 == 0 {
            libm::sin(angle)
        } else {
            libm::cos(angle)
        }
    })
}

/// A dispatch of `invocations`.
fn call(b: &Builder, what: &str, invocations: usize, x: Value) -> Result<Call> {
    let steps = x.shape.rows();
    // The ratio of neighbouring frequencies as a fraction of 2^64; it is below 1.
    let ratio = libm::pow(10_000.0, -2.0 / x.matrix.cols as f64) * 18_446_744_073_709_551_616.0;
    let ratio = ratio as u64;
    Ok(Call::new(b.label(what), grid(invocations, 64)?)
        .matrix(x.matrix)
        .u32("steps", steps)
        .u32("span", SPAN)
        .u32("ratio_low", (ratio & 0xffff_ffff) as usize)
        .u32("ratio_high", (ratio >> 32) as usize))
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "positional_embedding",
    summary: "x plus a row for each step, trained (torch.nn.Embedding) or of sines",
    arguments: &["kind", "init", "lr_mult", "decay_mult"],
    short: Some("kind"),
    example: "kind = \"learned\"",
    parse: |args| Ok(Box::new(args.read::<PositionalEmbedding>()?)),
};

impl Layer for PositionalEmbedding {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.init.validate("init")?;
        self.lr_mult.validate("lr_mult")?;
        self.decay_mult.validate("decay_mult")
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, input: &Shape) -> String {
        let kind = if self.learned() { "" } else { ", sinusoidal" };
        let (steps, width) = (input.rows(), input.features());
        format!("positional_embedding({steps}, {width}{kind})")
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let Shape::Sequence { steps, features } = *input else {
            return Err(super::window::not_sequences(input));
        };
        let weight = ParameterSpec {
            name: "weight".into(),
            shape: vec![steps, features],
            init: match self.init {
                Init::Torch => Init::Normal(1.0),
                other => other,
            },
            fan_in: steps,
            fan_out: features,
            lr_mult: self.lr_mult.weight,
            decay_mult: self.decay_mult.weight,
            storage: Storage::Rows,
            zero_row: None,
            tied: None,
        };
        Ok(Fit {
            parameters: self.learned().then_some(weight).into_iter().collect(),
            ..Fit::new(*input)
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let y = b.like("y", x);
        let elements = x.matrix.rows * x.matrix.cols;
        let quads = x.matrix.quads();
        let (entry, call) = if self.learned() {
            let w = b.parameter(at.parameter("weight")?);
            let call = call(b, "forward", x.matrix.rows * quads, x)?;
            ("learned", call.place("w", w))
        } else {
            let shares = x.samples().div_ceil(SPAN);
            let invocations = x.shape.rows() * quads * shares;
            ("sinusoidal", call(b, "forward", invocations, x)?)
        };
        let call = call.value("x", x).value("y", y).flops(elements);
        b.dispatch(&shaders::named(SHADER), entry, call);
        Ok(y.into())
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        if self.learned() {
            let samples = back.dy.samples();
            // Four samples in an iteration.
            let most = 4 * (MAX_ITERATIONS as usize - 3);
            if samples > most {
                return Err(Error::Capacity {
                    what: "the gradient of a positional embedding".into(),
                    needed: format!("{samples} samples"),
                    adapter: "one dispatch".into(),
                    available: format!("{most} samples"),
                    help: "use a smaller batch".into(),
                });
            }
            let dw = b.gradient(at.parameter("weight")?);
            let dy = back.dy.matrix;
            let invocations = back.dy.shape.rows() * dy.quads();
            let call = call(b, "weight gradient", invocations, back.dy)?
                .value("dy", back.dy)
                .place("dw", dw)
                .flops(dy.rows * dy.cols);
            b.dispatch(&shaders::named(SHADER), "gradient", call);
        }
        Ok(back.wants_dx.then_some(back.dy))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let (steps, width) = (at.input.rows(), at.input.features());
        let rows = match self.kind {
            Positions::Learned => at.tensor("weight"),
            Positions::Sinusoidal => {
                let rows = (0..steps).flat_map(|step| sines(step, width));
                let rows: Vec<f32> = rows.map(|value| value as f32).collect();
                g.floats(&at.named("sines"), &[steps, width], &rows)
            }
        };
        Ok(g.node(&at.path, "Add", &[x, &rows], &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for PositionalEmbedding {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let (steps, width) = (pass.node.input.rows(), pass.node.input.features());
        let rows: Vec<f64> = match pass.parameter("weight") {
            Some(weight) => weight.to_vec(),
            None => (0..steps).flat_map(|step| sines(step, width)).collect(),
        };
        let rows = rows.iter().cycle();
        pass.x.iter().zip(rows).map(|(x, row)| x + row).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let mut dw = vec![0.0; pass.node.input.elements()];
        for dy in dy.chunks_exact(dw.len().max(1)) {
            dw.iter_mut().zip(dy).for_each(|(dw, dy)| *dw += dy);
        }
        ReferenceGradients {
            dx: dy.to_vec(),
            parameters: self.learned().then_some(dw).into_iter().collect(),
        }
    }
}
