//! How parameters start, and multipliers of single parameters.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::Invalid;
use crate::args::is_f32;

/// How a parameter starts.
///
/// Written as a name (`"kaiming_normal"`) or with its number (`{ normal = 0.01 }`).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Init {
    /// What torch.nn does for the layer: for linear layers uniform within 1 / sqrt(fan in), the
    /// bias included.
    #[default]
    Torch,
    /// Uniform within gain * sqrt(3 / fan in), gain = sqrt(2) (He et al. 2015).
    KaimingUniform,
    /// Normal with deviation gain / sqrt(fan in), gain = sqrt(2) (He et al. 2015).
    KaimingNormal,
    /// Uniform within sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010).
    XavierUniform,
    /// Normal with deviation sqrt(2 / (fan in + fan out)) (Glorot and Bengio 2010).
    XavierNormal,
    /// Normal with mean 0 and this deviation.
    Normal(f64),
    /// All this value.
    Constant(f64),
}

const NAMES: &[&str] = &[
    "torch",
    "kaiming_uniform",
    "kaiming_normal",
    "xavier_uniform",
    "xavier_normal",
    "normal",
    "constant",
];

impl Init {
    fn name(self) -> &'static str {
        match self {
            Self::Torch => NAMES[0],
            Self::KaimingUniform => NAMES[1],
            Self::KaimingNormal => NAMES[2],
            Self::XavierUniform => NAMES[3],
            Self::XavierNormal => NAMES[4],
            Self::Normal(_) => NAMES[5],
            Self::Constant(_) => NAMES[6],
        }
    }

    fn named(name: &str, number: Option<f64>) -> Option<Self> {
        Some(match (name, number) {
            ("torch", None) => Self::Torch,
            ("kaiming_uniform", None) => Self::KaimingUniform,
            ("kaiming_normal", None) => Self::KaimingNormal,
            ("xavier_uniform", None) => Self::XavierUniform,
            ("xavier_normal", None) => Self::XavierNormal,
            ("normal", std) => Self::Normal(std.unwrap_or(0.01)),
            ("constant", value) => Self::Constant(value.unwrap_or(0.0)),
            _ => return None,
        })
    }

    /// How a bias starts beside weights that start so, where nobody says it: as torch.nn does, or
    /// at 0.
    pub(super) fn of_bias(self) -> Self {
        match self {
            Self::Torch => Self::Torch,
            _ => Self::Constant(0.0),
        }
    }

    pub(super) fn validate(self, key: &'static str) -> Result<(), Invalid> {
        let wrong = |message: String| Err(Invalid { key, message });
        match self {
            Self::Normal(std) if !is_f32(std) || std < 0.0 => wrong(format!(
                "has the deviation {std}, but a deviation is a finite number from 0 up"
            )),
            Self::Constant(value) if !is_f32(value) => wrong(format!(
                "is {value}, but a parameter starts at a finite number"
            )),
            _ => Ok(()),
        }
    }
}

impl Serialize for Init {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Normal(number) | Self::Constant(number) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(self.name(), number)?;
                map.end()
            }
            _ => serializer.serialize_str(self.name()),
        }
    }
}

impl<'de> Deserialize<'de> for Init {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InitVisitor)
    }
}

struct InitVisitor;

impl<'de> Visitor<'de> for InitVisitor {
    type Value = Init;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the name of an initialiser, or {{ normal = STD }}, or {{ constant = VALUE }}"
        )
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Init, E> {
        Init::named(name, None).ok_or_else(|| E::unknown_variant(name, NAMES))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Init, A::Error> {
        use serde::de::Error as _;
        let Some((name, number)) = map.next_entry::<String, f64>()? else {
            return Err(A::Error::custom("an initialiser has a name"));
        };
        if map.next_key::<String>()?.is_some() {
            return Err(A::Error::custom("one initialiser, not several"));
        }
        Init::named(&name, Some(number)).ok_or_else(|| {
            if NAMES.contains(&name.as_str()) {
                A::Error::custom(format!("`{name}` takes no number: write \"{name}\""))
            } else {
                A::Error::unknown_variant(&name, NAMES)
            }
        })
    }
}

/// Multipliers of a layer's weight and bias.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Multipliers {
    /// For the weights.
    pub weight: f64,
    /// For the bias.
    pub bias: f64,
}

impl Default for Multipliers {
    fn default() -> Self {
        Self {
            weight: 1.0,
            bias: 1.0,
        }
    }
}

impl Multipliers {
    pub(super) fn validate(self, key: &'static str) -> Result<(), Invalid> {
        for (name, value) in [("weight", self.weight), ("bias", self.bias)] {
            if !is_f32(value) || value < 0.0 {
                return Err(Invalid {
                    key,
                    message: format!(
                        "has {name} = {value}, but a multiplier is a finite number from 0 up"
                    ),
                });
            }
        }
        Ok(())
    }
}

/// The fields of a layer as a TOML table.
pub(super) fn table<T: Serialize>(layer: &T) -> toml::Table {
    // Plain structs of numbers, flags and strings: they always have a TOML form.
    toml::Table::try_from(layer).unwrap_or_default()
}
