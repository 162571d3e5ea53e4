//! Embeddings: tokens become rows of a table.

mod rows;

use serde::{Deserialize, Serialize};

pub(super) use rows::Rows;

use super::spec::Fusion;
use super::window::WIDEST;
use super::{
    Back, Entry, Fit, Forward, Init, Invalid, Layer, Misfit, Node, ParameterSpec, Pass, Reference,
    ReferenceGradients, Site, Storage,
};
use crate::args::is_f32;
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Attribute, Graph};
use crate::shape::Shape;

/// The row of each token, `y[t] = W[token t]`, as torch.nn.Embedding.
///
/// Shapes: tokens `[steps]`, W `[num_embeddings, embedding_dim]`, y `[steps, embedding_dim]`.
/// Gradient: row v of dW is the sum of dy over the positions that hold the token v, in their order;
/// tokens have none. The row `padding_idx` starts at 0 and has the gradient 0, so it stays there.
///
/// A recurrent layer right behind it is given the tokens where the table has fewer rows than there are
/// positions: what it makes of a row it makes once for each symbol.
///
/// The shader is `shaders/layer/embedding.wgsl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// Width of a row.
    pub embedding_dim: usize,
    /// Number of rows; as many as there are symbols where nobody says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_embeddings: Option<usize>,
    /// The token that fills up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding_idx: Option<usize>,
    /// How the table starts: normal with deviation 1 with `"torch"`.
    #[serde(default)]
    pub init: Init,
    /// Multiplies the learning rate.
    #[serde(default = "one")]
    pub lr_mult: f64,
    /// Multiplies the weight decay.
    #[serde(default = "one")]
    pub decay_mult: f64,
}

fn one() -> f64 {
    1.0
}

impl Embedding {
    /// A table of rows of this width, one for each symbol of the data, that starts as PyTorch's.
    #[must_use]
    pub fn new(embedding_dim: usize) -> Self {
        Self {
            embedding_dim,
            num_embeddings: None,
            padding_idx: None,
            init: Init::Torch,
            lr_mult: 1.0,
            decay_mult: 1.0,
        }
    }

    fn rows(&self, symbols: usize) -> usize {
        self.num_embeddings.unwrap_or(symbols)
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "embedding",
    summary: "tokens become rows of a table (torch.nn.Embedding)",
    arguments: &[
        "embedding_dim",
        "num_embeddings",
        "padding_idx",
        "init",
        "lr_mult",
        "decay_mult",
    ],
    short: Some("embedding_dim"),
    example: "embedding_dim = 64",
    parse: |args| Ok(Box::new(args.read::<Embedding>()?)),
};

impl Layer for Embedding {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        let sizes = [
            ("embedding_dim", Some(self.embedding_dim)),
            ("num_embeddings", self.num_embeddings),
        ];
        for (key, size) in sizes {
            if let Some(size) = size.filter(|size| !(1..=WIDEST).contains(size)) {
                return Err(Invalid {
                    key,
                    message: format!("is {size}; expected 1 to {WIDEST}"),
                });
            }
        }
        for (key, value) in [("lr_mult", self.lr_mult), ("decay_mult", self.decay_mult)] {
            if !is_f32(value) || value < 0.0 {
                return Err(Invalid {
                    key,
                    message: format!("is {value}, but a multiplier is a finite number from 0 up"),
                });
            }
        }
        self.init.validate("init")
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, input: &Shape) -> String {
        let rows = match input {
            Shape::Tokens { symbols, .. } => self.rows(*symbols),
            _ => 0,
        };
        format!("embedding({rows}, {})", self.embedding_dim)
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let Shape::Tokens { symbols, .. } = *input else {
            return Err(Misfit {
                problem: format!("takes tokens, but its input has the shape {input}"),
                help: "tokens come from data.source = \"text\", \"numbers\" or \"sums\", or from x of \
                       unsigned integers in a safetensors file"
                    .into(),
            });
        };
        let rows = self.rows(symbols);
        if rows < symbols {
            return Err(Misfit {
                problem: format!("has {rows} rows, but the data has {symbols} symbols"),
                help: format!("leave num_embeddings out, or set it to {symbols} at least"),
            });
        }
        if let Some(row) = self.padding_idx.filter(|row| *row >= rows) {
            return Err(Misfit {
                problem: format!("has padding_idx = {row}, but only {rows} rows"),
                help: format!("choose a token below {rows}"),
            });
        }
        let weight = ParameterSpec {
            name: "weight".into(),
            shape: vec![rows, self.embedding_dim],
            init: match self.init {
                Init::Torch => Init::Normal(1.0),
                init => init,
            },
            fan_in: self.embedding_dim,
            fan_out: rows,
            lr_mult: self.lr_mult,
            decay_mult: self.decay_mult,
            storage: Storage::Rows,
            zero_row: self.padding_idx,
            tied: None,
        };
        Ok(Fit {
            parameters: vec![weight],
            takes_tokens: true,
            // What a layer behind gives for the token that fills up would go on changing.
            fusion: Fusion {
                table: self.padding_idx.is_none().then_some("weight"),
                ..Fusion::NOTHING
            },
            ..Fit::new(input.with_features(self.embedding_dim))
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let weight = at.parameter("weight")?;
        let rows = Rows {
            tokens: x,
            table: weight.matrix,
        };
        if at.node.fused.by_token && rows.pay() {
            return Ok(x.into());
        }
        let y = b.shaped("y", at.output());
        let w = b.parameter(weight);
        rows.forward(b, b.label("forward"), w, y)?;
        Ok(y.into())
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let weight = at.parameter("weight")?;
        let rows = Rows {
            tokens: back.x,
            table: weight.matrix,
        };
        let links = rows.links(b)?;
        let dw = b.gradient(weight);
        let label = b.label("weight gradient");
        rows.backward(b, label, [links, back.dy], self.padding_idx, dw)?;
        Ok(None)
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let inputs = [&at.tensor("weight"), x];
        Ok(g.node(&at.path, "Gather", &inputs, &[("axis", Attribute::Int(0))]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Embedding {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let weight = pass.parameter("weight").unwrap_or_default();
        let width = self.embedding_dim;
        let row = |token: &f64| &weight[*token as usize * width..][..width];
        pass.x.iter().flat_map(row).copied().collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let width = self.embedding_dim;
        let rows = pass.parameter("weight").unwrap_or_default().len() / width;
        let mut dw = vec![0.0; rows * width];
        for (token, dy) in pass.x.iter().zip(dy.chunks_exact(width)) {
            if self.padding_idx != Some(*token as usize) {
                let row = &mut dw[*token as usize * width..][..width];
                row.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy);
            }
        }
        ReferenceGradients {
            dx: vec![0.0; pass.x.len()],
            parameters: vec![dw],
        }
    }
}
