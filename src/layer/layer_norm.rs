//! Normalisation of each row of features.

use serde::{Deserialize, Serialize};

pub(super) mod reference;
pub(super) mod work;

use work::{Work, check_rows};

use super::{
    Back, Entry, Fit, Forward, Init, Invalid, Layer, Misfit, Multipliers, Node, ParameterSpec,
    Pass, Reference, ReferenceGradients, Site, Storage,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::{Attribute, Graph};
use crate::shape::Shape;

/// y = (x - mean) / sqrt(variance + eps) w + b over the last axis, as torch.nn.LayerNorm (Ba, Kiros and
/// Hinton, arXiv 1607.06450); normalized_shape comes from the input.
///
/// Mean and (biased) variance are those of a list, of a sequence those of each step; the shape is
/// kept. With n features, dx = 1 / sqrt(variance + eps) (g - mean of g - xhat * mean of g xhat), g = dy
/// w. Variances are joined as in Chan, Golub and LeVeque, "Algorithms for computing the sample
/// variance" (1983): no sum of squares is subtracted from another. The
/// shader is `shaders/layer/layer_norm.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f64,
    /// Whether there are weight and bias at all.
    pub elementwise_affine: bool,
    /// Whether there is a bias; matters where `elementwise_affine` is true.
    pub bias: bool,
    /// How the weight starts: at 1 with `init = "torch"`. The bias starts at 0.
    pub init: Init,
    /// Multipliers of the learning rate.
    pub lr_mult: Multipliers,
    /// Multipliers of the weight decay.
    pub decay_mult: Multipliers,
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self {
            eps: 1e-5,
            elementwise_affine: true,
            bias: true,
            init: Init::Torch,
            lr_mult: Multipliers::default(),
            decay_mult: Multipliers::default(),
        }
    }
}

/// The weight of a layer that normalises rows of `features`.
pub(super) fn weight(
    features: usize,
    init: Init,
    (lr_mult, decay_mult): (f64, f64),
) -> ParameterSpec {
    ParameterSpec {
        name: "weight".into(),
        shape: vec![features],
        init: match init {
            Init::Torch => Init::Constant(1.0),
            other => other,
        },
        fan_in: 1,
        fan_out: 1,
        lr_mult,
        decay_mult,
        storage: Storage::Rows,
        zero_row: None,
        tied: None,
    }
}

/// Refuses what would not be added to a variance, as the shader sees it: 1e-50 is 0 there.
pub(super) fn check_eps(eps: f64) -> Result<(), Invalid> {
    let single = eps as f32;
    if single.is_normal() && single > 0.0 {
        return Ok(());
    }
    Err(Invalid {
        key: "eps",
        message: format!("is {eps}, but what is added to a variance is a finite number above 0"),
    })
}

impl LayerNorm {
    fn parameters(&self, features: usize) -> Vec<ParameterSpec> {
        let mults = (self.lr_mult.weight, self.decay_mult.weight);
        let weight = weight(features, self.init, mults);
        let bias = ParameterSpec {
            name: "bias".into(),
            init: Init::Constant(0.0),
            lr_mult: self.lr_mult.bias,
            decay_mult: self.decay_mult.bias,
            ..weight.clone()
        };
        let weight = self.elementwise_affine.then_some(weight);
        let bias = (self.elementwise_affine && self.bias).then_some(bias);
        weight.into_iter().chain(bias).collect()
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "layer_norm",
    summary: "rows of mean 0 and deviation 1, times w, plus b (torch.nn.LayerNorm)",
    arguments: &[
        "eps",
        "elementwise_affine",
        "bias",
        "init",
        "lr_mult",
        "decay_mult",
    ],
    short: None,
    example: "eps = 1e-5",
    parse: |args| Ok(Box::new(args.read::<LayerNorm>()?)),
};

impl Layer for LayerNorm {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_eps(self.eps)?;
        self.init.validate("init")?;
        self.lr_mult.validate("lr_mult")?;
        self.decay_mult.validate("decay_mult")
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, input: &Shape) -> String {
        let what = match (self.elementwise_affine, self.bias) {
            (false, _) => ", not affine",
            (true, false) => ", no bias",
            (true, true) => "",
        };
        format!("layer_norm({}{what})", input.features())
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        check_rows(input)?;
        Ok(Fit {
            parameters: self.parameters(input.features()),
            ..Fit::new(*input)
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let [y, stats] = Work::new(b, at, x, (self.eps, true)).forward(b, x)?;
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
        let dx = Work::new(b, at, back.x, (self.eps, true)).backward(b, at, back, stats)?;
        Ok(back.wants_dx.then_some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let dims = at.input.dims();
        let features = at.input.features();
        let mut or = |has: bool, name: &str, value: f32| match has {
            true => at.tensor(name),
            false => g.floats(&at.named(name), &[features], &vec![value; features]),
        };
        let weight = or(self.elementwise_affine, "weight", 1.0);
        let bias = or(self.elementwise_affine && self.bias, "bias", 0.0);
        let attributes = [
            // The last one, behind the batch.
            ("axis", Attribute::Int(dims.len())),
            ("epsilon", Attribute::Float(self.eps)),
        ];
        Ok(g.node(
            &at.path,
            "LayerNormalization",
            &[x, &weight, &bias],
            &attributes,
        ))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for LayerNorm {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        reference::forward(pass, self.eps, true)
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        reference::backward(pass, dy, self.eps, true)
    }
}
