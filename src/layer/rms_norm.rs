//! Normalisation of each row of features by its root mean square.

use serde::{Deserialize, Serialize};

use super::layer_norm::work::{Work, check_rows};
use super::layer_norm::{check_eps, reference, weight};
use super::{
    Back, Entry, Fit, Forward, Init, Invalid, Layer, Misfit, Multipliers, Node, Pass, Reference,
    ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Attribute, Graph};
use crate::shape::Shape;

/// y = x / sqrt(mean of x^2 + eps) w over the last axis, as torch.nn.RMSNorm (Zhang and Sennrich,
/// arXiv 1910.07467); normalized_shape comes from the input.
///
/// The mean square is that of a list, of a sequence that of each step; the shape is kept. With n
/// features, dx = 1 / sqrt(mean of x^2 + eps) (g - xhat * mean of g xhat), g = dy w. The
/// shader is `shaders/layer/layer_norm.wgsl`, told that nothing is subtracted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RmsNorm {
    /// Added to the mean square; 1.1920929e-7, the precision of f32, where none is given (PyTorch's
    /// None).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eps: Option<f64>,
    /// Whether there is a weight.
    pub elementwise_affine: bool,
    /// How the weight starts: at 1 with `init = "torch"`.
    pub init: Init,
    /// Multipliers of the learning rate.
    pub lr_mult: Multipliers,
    /// Multipliers of the weight decay.
    pub decay_mult: Multipliers,
}

impl Default for RmsNorm {
    fn default() -> Self {
        Self {
            eps: None,
            elementwise_affine: true,
            init: Init::Torch,
            lr_mult: Multipliers::default(),
            decay_mult: Multipliers::default(),
        }
    }
}

impl RmsNorm {
    fn eps(&self) -> f64 {
        self.eps.unwrap_or(f64::from(f32::EPSILON))
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "rms_norm",
    summary: "rows of root mean square 1, times w (torch.nn.RMSNorm)",
    arguments: &["eps", "elementwise_affine", "init", "lr_mult", "decay_mult"],
    short: None,
    example: "eps = 1e-6",
    parse: |args| Ok(Box::new(args.read::<RmsNorm>()?)),
};

impl Layer for RmsNorm {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_eps(self.eps())?;
        self.init.validate("init")?;
        self.lr_mult.validate("lr_mult")?;
        self.decay_mult.validate("decay_mult")
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, input: &Shape) -> String {
        let what = if self.elementwise_affine {
            ""
        } else {
            ", not affine"
        };
        format!("rms_norm({}{what})", input.features())
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        check_rows(input)?;
        let mults = (self.lr_mult.weight, self.decay_mult.weight);
        let weight = weight(input.features(), self.init, mults);
        Ok(Fit {
            parameters: self
                .elementwise_affine
                .then_some(weight)
                .into_iter()
                .collect(),
            ..Fit::new(*input)
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let [y, stats] = Work::new(b, at, x, (self.eps(), false)).forward(b, x)?;
        Ok(Forward {
            saved: vec![stats],
            ..Forward::from(y)
        })
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        if !back.wants_dx && at.node.parameters.is_empty() {
            return Ok(None);
        }
        let &[stats] = back.saved else {
            return Err(at.defect("has no forward pass in front of its backward pass"));
        };
        let dx = Work::new(b, at, back.x, (self.eps(), false)).backward(b, at, back, stats)?;
        Ok(back.wants_dx.then_some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let axis = at.input.dims().len();
        let eps = g.number(&at.named("eps"), self.eps());
        let squares = g.node(&at.path, "Mul", &[x, x], &[]);
        // The last axis, behind the batch; it stays, with one element.
        let axes = ("axes", Attribute::Ints(vec![axis]));
        let mean = g.node(&at.path, "ReduceMean", &[&squares], &[axes]);
        let sum = g.node(&at.path, "Add", &[&mean, &eps], &[]);
        let root = g.node(&at.path, "Sqrt", &[&sum], &[]);
        let xhat = g.node(&at.path, "Div", &[x, &root], &[]);
        if !self.elementwise_affine {
            return Ok(xhat);
        }
        Ok(g.node(&at.path, "Mul", &[&xhat, &at.tensor("weight")], &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for RmsNorm {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        reference::forward(pass, self.eps(), false)
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        reference::backward(pass, dy, self.eps(), false)
    }
}
