//! `data.size`: height and width of all pictures.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{I64Deserializer, I128Deserializer, U64Deserializer};
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};

use crate::args::whole;

/// Far above any picture that a network is trained on.
const LONGEST_SIDE: u64 = 16_384;

/// A height or a width.
#[derive(Deserialize)]
#[serde(transparent)]
struct Side(#[serde(deserialize_with = "whole::<_, _, 1, LONGEST_SIDE>")] usize);

/// `32` or `[28, 32]`: height and width.
pub(super) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[usize; 2]>, D::Error> {
    from.deserialize_any(SizeReader).map(Some)
}

struct SizeReader;

impl SizeReader {
    fn square<'de, D: Deserializer<'de>>(side: D) -> Result<[usize; 2], D::Error> {
        Side::deserialize(side).map(|Side(side)| [side; 2])
    }
}

impl<'de> Visitor<'de> for SizeReader {
    type Value = [usize; 2];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size in pixels: 32, or [height, width]")
    }

    fn visit_i64<E: Error>(self, side: i64) -> Result<[usize; 2], E> {
        Self::square(I64Deserializer::new(side))
    }

    fn visit_i128<E: Error>(self, side: i128) -> Result<[usize; 2], E> {
        Self::square(I128Deserializer::new(side))
    }

    fn visit_u64<E: Error>(self, side: u64) -> Result<[usize; 2], E> {
        Self::square(U64Deserializer::new(side))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<[usize; 2], A::Error> {
        let wrong = || A::Error::invalid_type(Unexpected::Seq, &Self);
        if array.size_hint().is_some_and(|sides| sides != 2) {
            return Err(wrong());
        }
        let mut side = || array.next_element()?.ok_or_else(wrong);
        let (Side(height), Side(width)) = (side()?, side()?);
        Ok([height, width])
    }
}
