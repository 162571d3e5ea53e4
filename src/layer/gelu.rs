//! The Gaussian error linear unit.

use serde::{Deserialize, Serialize};

use super::unary::{self, Saved};
use super::{Back, Layer, Misfit, Reference, ReferenceGradients, Site};
use crate::error::Result;
use crate::kernel::{Builder, Call, Value};
use crate::onnx::{Graph, Place};

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
    fn call(self, call: Call) -> Call {
        call.u32(
            "approximate",
            usize::from(self.approximate == Approximate::Tanh),
        )
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

impl Layer for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        Ok(input.to_vec())
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, _: &[usize]) -> String {
        match self.approximate {
            Approximate::None => "gelu".into(),
            Approximate::Tanh => "gelu(tanh)".into(),
        }
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value, _: bool) -> Result<Value> {
        unary::forward(b, "layer/gelu", x, |call| self.call(call))
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        unary::backward(b, "layer/gelu", back, Saved::Input, |call| self.call(call))
    }

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        // The operator Gelu came with opset 20: these are its definitions.
        let number = |g: &mut Graph, value| g.number(&at.named("gelu"), value);
        let inner = match self.approximate {
            Approximate::None => {
                let factor = number(g, core::f64::consts::FRAC_1_SQRT_2);
                let scaled = g.node(at.path, "Mul", &[x, &factor], &[]);
                g.node(at.path, "Erf", &[&scaled], &[])
            }
            Approximate::Tanh => {
                let numbers = [0.044_715, 1.0, SQRT_2_OVER_PI].map(|value| number(g, value));
                let square = g.node(at.path, "Mul", &[x, x], &[]);
                let part = g.node(at.path, "Mul", &[&square, &numbers[0]], &[]);
                let share = g.node(at.path, "Add", &[&part, &numbers[1]], &[]);
                let cubic = g.node(at.path, "Mul", &[x, &share], &[]);
                let scaled = g.node(at.path, "Mul", &[&cubic, &numbers[2]], &[]);
                g.node(at.path, "Tanh", &[&scaled], &[])
            }
        };
        let [one, half] = [1.0, 0.5].map(|value| number(g, value));
        let twice = g.node(at.path, "Add", &[&inner, &one], &[]);
        let share = g.node(at.path, "Mul", &[&twice, &half], &[]);
        Ok(g.node(at.path, "Mul", &[x, &share], &[]))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| x * self.share(*x).0).collect()
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        unary::reference_backward(pass.x, dy, |x| {
            let (share, slope) = self.share(x);
            share + x * slope
        })
    }
}
