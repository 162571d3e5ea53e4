//! The two ways from one rate to another that PyTorch calls `anneal_strategy`.

use serde::{Deserialize, Serialize};

/// How a rate goes from one value to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anneal {
    /// Half a wave of a cosine: flat at both ends.
    #[default]
    Cos,
    /// A straight line.
    Linear,
}

impl Anneal {
    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cos => "cos",
            Self::Linear => "linear",
        }
    }

    /// The value after `share` (0 to 1) of the way from `from` to `to`: exactly `from` at 0, exactly
    /// `to` at 1, never outside the two.
    #[must_use]
    pub fn between(self, from: f64, to: f64, share: f64) -> f64 {
        if share >= 1.0 {
            return to;
        }
        let way = match self {
            Self::Linear => share,
            Self::Cos => (1.0 - libm::cos(std::f64::consts::PI * share)) / 2.0,
        };
        (from + (to - from) * way).clamp(from.min(to), from.max(to))
    }

    /// The same in Python, of three expressions.
    pub(super) fn python(self, from: &str, to: &str, share: &str) -> String {
        match self {
            Self::Linear => format!("{from} + ({to} - {from}) * {share}"),
            Self::Cos => {
                format!("{from} + ({to} - {from}) * (1 - math.cos(math.pi * {share})) / 2")
            }
        }
    }
}

/// `part / whole` of two numbers of steps, 1 from `whole` on.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if part >= whole {
        1.0
    } else {
        part as f64 / whole as f64
    }
}
