//! What a type states to serde about itself: its name, and those of its fields or variants. So a
//! struct is the only list of its keys.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The name of a struct or an enum, and its fields or variants in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// The type's name, or what `#[serde(rename = "...")]` calls it.
    pub name: &'static str,
    /// Its fields or variants.
    pub names: &'static [&'static str],
}

/// What `T` states; nothing for a type that is neither a struct nor an enum.
#[must_use]
pub fn stated<'de, T: Deserialize<'de>>() -> Stated {
    match T::deserialize(Asked) {
        Err(Answer(stated)) => stated,
        Ok(_) => NOTHING,
    }
}

const NOTHING: Stated = Stated {
    name: "",
    names: &[],
};

/// Gives no value: it fails with what it was asked for.
struct Asked;

/// That failure.
#[derive(Debug)]
struct Answer(Stated);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl std::error::Error for Answer {}

impl Error for Answer {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(NOTHING)
    }
}

impl<'de> Deserializer<'de> for Asked {
    type Error = Answer;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer(Stated { name, names }))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer(Stated { name, names }))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(NOTHING))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}
