//! The Gaussian error linear unit.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{
    Back, Entry, Fit, Forward, Layer, Misfit, Node, Pass, Reference, ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

/// Which form of the function (PyTorch's names).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approximate {
    /// The exact one, through the error function.
    #[default]
    None,
    /// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    Tanh,
}

/// y = x P(x) with P the normal distribution function, as torch.nn.GELU (Hendrycks and Gimpel,
/// arXiv 1606.08415).
///
/// The shape is kept. The shader is `shaders/layer/gelu.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gelu {
    /// Which form.
    pub approximate: Approximate,
}

const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;

impl Gelu {
    /// What the shader is told.
    fn argument(self) -> f64 {
        match self.approximate {
            Approximate::None => 0.0,
            Approximate::Tanh => 1.0,
        }
    }

    /// The factor of x in y, and its derivative.
    fn share(self, x: f64) -> (f64, f64) {
        match self.approximate {
            Approximate::None => (
                0.5 * (1.0 + libm::erf(x * core::f64::consts::FRAC_1_SQRT_2)),
                (-0.5 * x * x).exp() / core::f64::consts::TAU.sqrt(),
            ),
            Approximate::Tanh => {
                let t = (SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x)).tanh();
                let inner = SQRT_2_OVER_PI * (1.0 + 3.0 * 0.044_715 * x * x);
                (0.5 * (1.0 + t), 0.5 * (1.0 - t * t) * inner)
            }
        }
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "gelu",
    summary: "x P(x), P the normal distribution function (torch.nn.GELU)",
    arguments: &["approximate"],
    short: Some("approximate"),
    example: "approximate = \"tanh\"",
    parse: |args| Ok(Box::new(args.read::<Gelu>()?)),
};

impl Layer for Gelu {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit::new(*input))
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, _: &Shape) -> String {
        match self.approximate {
            Approximate::None => "gelu".into(),
            Approximate::Tanh => "gelu(tanh)".into(),
        }
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value) -> Result<Forward> {
        unary::forward(b, "layer/gelu", x, unary::argument(x, self.argument()))
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        unary::backward(
            b,
            "layer/gelu",
            back,
            Saved::Input,
            unary::argument(back.dy, self.argument()),
        )
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        // The operator Gelu came with opset 20: these are its definitions.
        let number = |g: &mut Graph, value| g.number(&at.named("gelu"), value);
        let inner = match self.approximate {
            Approximate::None => {
                let factor = number(g, core::f64::consts::FRAC_1_SQRT_2);
                let scaled = g.node(&at.path, "Mul", &[x, &factor], &[]);
                g.node(&at.path, "Erf", &[&scaled], &[])
            }
            Approximate::Tanh => {
                let numbers = [0.044_715, 1.0, SQRT_2_OVER_PI].map(|value| number(g, value));
                let square = g.node(&at.path, "Mul", &[x, x], &[]);
                let part = g.node(&at.path, "Mul", &[&square, &numbers[0]], &[]);
                let share = g.node(&at.path, "Add", &[&part, &numbers[1]], &[]);
                let cubic = g.node(&at.path, "Mul", &[x, &share], &[]);
                let scaled = g.node(&at.path, "Mul", &[&cubic, &numbers[2]], &[]);
                g.node(&at.path, "Tanh", &[&scaled], &[])
            }
        };
        let [one, half] = [1.0, 0.5].map(|value| number(g, value));
        let twice = g.node(&at.path, "Add", &[&inner, &one], &[]);
        let share = g.node(&at.path, "Mul", &[&twice, &half], &[]);
        Ok(g.node(&at.path, "Mul", &[x, &share], &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Gelu {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| x * self.share(*x).0).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |x| {
            let (share, slope) = self.share(x);
            share + x * slope
        })
    }
}
