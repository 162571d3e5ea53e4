//! What layers of pictures share: sizes written as a number or a pair, and what they refuse.

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::{Invalid, Misfit};
use crate::onnx::Attribute;
use crate::shape::Shape;

/// A size in rows and columns, written as one number for both or as `[rows, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair(pub usize, pub usize);

impl Serialize for Pair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == self.1 {
            return serializer.serialize_u64(self.0 as u64);
        }
        [self.0, self.1].serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sizes;
        impl<'de> Visitor<'de> for Sizes {
            type Value = Pair;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0 up, or two of them: [rows, columns]")
            }

            fn visit_i64<E: serde::de::Error>(self, both: i64) -> Result<Pair, E> {
                let wrong = || E::invalid_value(serde::de::Unexpected::Signed(both), &self);
                let both = usize::try_from(both).map_err(|_| wrong())?;
                Ok(Pair(both, both))
            }

            fn visit_u64<E: serde::de::Error>(self, both: u64) -> Result<Pair, E> {
                Ok(Pair(both as usize, both as usize))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pair, A::Error> {
                use serde::de::Error;
                let wrong = |n| A::Error::invalid_length(n, &"two numbers: [rows, columns]");
                let rows = list.next_element()?.ok_or_else(|| wrong(0))?;
                let columns = list.next_element()?.ok_or_else(|| wrong(1))?;
                match list.next_element::<usize>()? {
                    None => Ok(Pair(rows, columns)),
                    Some(_) => Err(wrong(3)),
                }
            }
        }
        deserializer.deserialize_any(Sizes)
    }
}

impl Pair {
    /// As an attribute of an ONNX node.
    pub(super) fn onnx(self) -> Attribute {
        Attribute::Ints(vec![self.0, self.1])
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == self.1 {
            return write!(f, "{}", self.0);
        }
        write!(f, "[{}, {}]", self.0, self.1)
    }
}

/// Most rows or columns of a window, a step or a border: far above any net's, far below overflow.
const LARGEST: usize = 4096;

/// The most outputs or channels of a layer. Products of several such sizes are checked in
/// `chain::output`.
pub(super) const WIDEST: usize = 1 << 20;

/// Refuses a size that is 0 (unless `zero`) or absurd.
pub(super) fn check(key: &'static str, pair: Pair, zero: bool) -> Result<(), Invalid> {
    let least = usize::from(!zero);
    if [pair.0, pair.1]
        .iter()
        .all(|n| (least..=LARGEST).contains(n))
    {
        return Ok(());
    }
    Err(Invalid {
        key,
        message: format!("is {pair}, but it lies between {least} and {LARGEST}"),
    })
}

/// Channels, rows and columns of a picture; 0 for other shapes, which layers of pictures refuse.
pub(super) fn picture(shape: &Shape) -> [usize; 3] {
    match *shape {
        Shape::Picture {
            channels,
            height,
            width,
        } => [channels, height, width],
        Shape::Features(_) | Shape::Sequence { .. } | Shape::Tokens { .. } => [0; 3],
    }
}

/// Channels, rows and columns of the pictures that a layer takes and gives.
pub(super) fn keeps_pictures(input: &Shape) -> Result<[usize; 3], Misfit> {
    match input {
        Shape::Picture { .. } => Ok(picture(input)),
        Shape::Sequence { .. } => Err(not_pictures(input)),
        Shape::Features(_) | Shape::Tokens { .. } => Err(Misfit {
            problem: format!(
                "takes pictures [channels, height, width], but its input has the shape {input}"
            ),
            help: "put it behind a layer that gives pictures, such as conv2d".into(),
        }),
    }
}

/// The misfit of a layer that takes pictures.
pub(super) fn not_pictures(input: &Shape) -> Misfit {
    if let Shape::Sequence { .. } = input {
        return Misfit {
            problem: format!(
                "takes pictures [channels, height, width], but its input is a sequence of the shape {input}"
            ),
            help: "put it in front of \"image_rows\", or use a layer that takes sequences".into(),
        };
    }
    Misfit {
        problem: format!(
            "takes samples of three dimensions [channels, height, width], but its input has the shape {input}"
        ),
        help: "put it in front of \"flatten\"".into(),
    }
}

/// The misfit of a layer that takes sequences.
pub(super) fn not_sequences(input: &Shape) -> Misfit {
    Misfit {
        problem: format!("takes sequences [steps, features], but its input has the shape {input}"),
        help:
            "put a layer in front of it that gives sequences, such as \"image_rows\" for pictures"
                .into(),
    }
}
