//! What the numbers of `[augment]` may be, and how they are read.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};

use crate::args::number;

/// Most pixels of a shift or a cut-out: no picture is larger.
pub(super) const MOST_PIXELS: u64 = 16_384;

pub(super) fn probability<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let expected = "a probability, from 0 to 1";
    number(from, expected, expected, |p| (0.0..=1.0).contains(&p))
}

pub(super) fn rotation<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let expected = "the largest angle in degrees, from 0 to 180";
    number(from, expected, expected, |a| (0.0..=180.0).contains(&a))
}

pub(super) fn shear<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let expected = "the largest angle in degrees, from 0, below 90";
    number(from, expected, expected, |a| (0.0..90.0).contains(&a))
}

pub(super) fn strength<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let expected = "how far a factor of the colours lies from 1 at most, from 0 to 100";
    number(from, expected, expected, |v| (0.0..=100.0).contains(&v))
}

/// One factor of `scale`.
#[derive(Deserialize)]
#[serde(transparent)]
struct Factor(#[serde(deserialize_with = "factor")] f64);

fn factor<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let expected = "a factor from 0.01 to 100";
    number(from, expected, expected, |f| (0.01..=100.0).contains(&f))
}

/// `[0.9, 1.1]`: lowest and highest factor.
pub(super) fn scale<'de, D: Deserializer<'de>>(from: D) -> Result<[f64; 2], D::Error> {
    let factors = from.deserialize_any(FactorsReader)?;
    match factors[..] {
        [low, high] if low <= high => Ok([low, high]),
        [low, high] => Err(D::Error::custom(format!(
            "is [{low}, {high}]; expected the lowest factor first"
        ))),
        _ => Err(D::Error::custom(format!(
            "has {} elements; expected {FACTORS}",
            factors.len()
        ))),
    }
}

const FACTORS: &str = "the lowest and the highest factor, such as [0.9, 1.1], from 0.01 to 100";

struct FactorsReader;

impl<'de> Visitor<'de> for FactorsReader {
    type Value = Vec<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FACTORS)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Vec<f64>, A::Error> {
        let mut factors = Vec::new();
        while let Some(Factor(factor)) = array.next_element()? {
            factors.push(factor);
        }
        Ok(factors)
    }
}
