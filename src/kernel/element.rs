//! What values are made of.

use serde::{Deserialize, Serialize};

/// What a value or a parameter is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Element {
    /// Floats.
    F32,
    /// Whole numbers from 0 up, such as tokens.
    U32,
}

impl Element {
    /// Its name as WGSL writes it.
    #[must_use]
    pub fn wgsl(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::U32 => "u32",
        }
    }
}
