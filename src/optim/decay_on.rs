//! What weight decay is for, whatever the optimizer.

use serde::{Deserialize, Serialize};

/// Its key in `[optimizer]`.
pub const KEY: &str = "decay_on";

/// The parameters that weight decay works on; `decay_mult` multiplies it besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecayOn {
    /// All, as PyTorch's optimizers do.
    #[default]
    All,
    /// Those of two dimensions and more: no biases, and no weights of normalisations (as nanoGPT,
    /// `configure_optimizers` in `model.py`).
    Matrices,
}

impl DecayOn {
    /// The value of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::All),
            "matrices" => Some(Self::Matrices),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Matrices => "matrices",
        }
    }

    /// Whether a parameter of this shape decays.
    #[must_use]
    pub fn takes(self, shape: &[usize]) -> bool {
        self == Self::All || shape.len() > 1
    }
}
