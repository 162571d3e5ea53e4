//! Readers of single values, for `#[serde(deserialize_with = "...")]`: what they expect is said in
//! words, so that the configuration can say it to a person.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use super::stated::stated;

/// A number of things as it is written in a configuration: `1 epoch`, `3 epochs`.
#[must_use]
pub fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Whether kernels, which read an f32, get a finite number.
#[must_use]
pub fn is_f32(number: f64) -> bool {
    (number as f32).is_finite()
}

/// Whether a number lies in [0, 1), also as the f32 that kernels read: `0.99999999999` is 1 there.
#[must_use]
pub fn is_below_one(number: f64) -> bool {
    number >= 0.0 && (number as f32) < 1.0
}

/// The largest whole number of TOML.
pub const MOST: u64 = i64::MAX as u64;

/// A whole number from `LEAST` to `TOP`, for any type that holds it.
///
/// # Errors
/// Any other value.
pub fn whole<'de, D, N, const LEAST: u64, const TOP: u64>(from: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: TryFrom<u64>,
{
    from.deserialize_any(Whole::<N, LEAST, TOP>(PhantomData))
}

/// [`whole`], for an argument that may be left out.
///
/// # Errors
/// As [`whole`].
pub fn some_whole<'de, D, N, const LEAST: u64, const TOP: u64>(
    from: D,
) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: TryFrom<u64>,
{
    whole::<D, N, LEAST, TOP>(from).map(Some)
}

struct Whole<N, const LEAST: u64, const TOP: u64>(PhantomData<N>);

impl<N: TryFrom<u64>, const LEAST: u64, const TOP: u64> Whole<N, LEAST, TOP> {
    fn of<E: Error>(number: i128) -> Result<N, E> {
        let found = i64::try_from(number).map_or(Unexpected::Other("a number"), Unexpected::Signed);
        if number > i128::from(MOST) {
            let most = format!("at most {MOST}, the largest whole number of TOML");
            return Err(E::invalid_value(found, &most.as_str()));
        }
        if number < i128::from(LEAST) {
            return Err(E::invalid_value(found, &Self(PhantomData)));
        }
        let fitting = u64::try_from(number).ok().filter(|n| *n <= TOP);
        fitting.and_then(|n| N::try_from(n).ok()).ok_or_else(|| {
            let range = format!("a whole number from {LEAST} to {TOP}");
            E::invalid_value(found, &range.as_str())
        })
    }
}

impl<N: TryFrom<u64>, const LEAST: u64, const TOP: u64> Visitor<'_> for Whole<N, LEAST, TOP> {
    type Value = N;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number, {LEAST} or more")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<N, E> {
        Self::of(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<N, E> {
        Self::of(number.into())
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<N, E> {
        Self::of(number)
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<N, E> {
        Self::of(i128::try_from(number).unwrap_or(i128::MAX))
    }
}

/// A number that is `within` what `expected` says; another type is told that `a_number` is expected.
///
/// # Errors
/// Any other value.
pub fn number<'de, D: Deserializer<'de>>(
    from: D,
    a_number: &'static str,
    expected: &'static str,
    within: fn(f64) -> bool,
) -> Result<f64, D::Error> {
    from.deserialize_any(Number {
        a_number,
        expected,
        within,
    })
}

struct Number {
    a_number: &'static str,
    expected: &'static str,
    within: fn(f64) -> bool,
}

impl Visitor<'_> for Number {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.a_number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
        if (self.within)(number) {
            Ok(number)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self.expected))
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<f64, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<f64, E> {
        self.visit_f64(number as f64)
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<f64, E> {
        self.visit_f64(number as f64)
    }
}

/// One of an enum's variants by its name. What one is called in messages (`padding`) is the name
/// that the enum states to serde (`#[serde(rename = "...")]`).
///
/// # Errors
/// Any other value; all names are in the message.
pub fn choice<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: for<'any> Deserialize<'any>,
{
    from.deserialize_any(Choice(PhantomData))
}

struct Choice<T>(PhantomData<T>);

impl<'de, T: for<'any> Deserialize<'any>> Visitor<'de> for Choice<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_of(stated::<T>().names.iter().copied()))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        T::deserialize(StrDeserializer::<E>::new(name)).map_err(|_| {
            let (what, names) = (stated::<T>().name, stated::<T>().names);
            let expected = one_of(names.iter().copied());
            E::custom(format!(
                "is {name:?}, which is no {what}; expected {expected}"
            ))
        })
    }
}

/// `` one of `a`, `b` or `c` ``; of one name this one.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let one_of = if names.len() > 1 { "one of " } else { "" };
    format!("{one_of}{}", list(names, "or"))
}

/// `` `a`, `b` or `c` ``: how a list of names is shown.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        Some((only, _)) => only.clone(),
        None => "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::args::Args;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case", rename = "colour")]
    enum Colour {
        Red,
        DarkBlue,
    }

    #[derive(Debug, Deserialize)]
    struct Values {
        #[serde(deserialize_with = "whole::<_, _, 1, 9>")]
        small: u8,
        #[serde(deserialize_with = "choice")]
        colour: Colour,
    }

    fn read(small: &str, colour: &str) -> Result<Values, String> {
        let text = format!("small = {small}\ncolour = {colour}");
        let args = Args::parse(&text).unwrap();
        args.read().map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_is_expected_is_said_in_words() {
        let values = read("9", "\"dark_blue\"").unwrap();
        assert_eq!((values.small, values.colour), (9, Colour::DarkBlue));
        for (small, colour, expected) in [
            ("0", "\"red\"", "expected a whole number, 1 or more"),
            ("-3", "\"red\"", "expected a whole number, 1 or more"),
            ("1.5", "\"red\"", "expected a whole number, 1 or more"),
            ("10", "\"red\"", "expected a whole number from 1 to 9"),
            (
                "9223372036854775808",
                "\"red\"",
                "expected at most 92233720",
            ),
            ("1", "3", "expected one of `red` or `dark_blue`"),
            (
                "1",
                "\"rd\"",
                "is \"rd\", which is no colour; expected one of `red`",
            ),
        ] {
            let message = read(small, colour).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(list(["a"], "or"), "`a`");
        assert_eq!(list(["a", "b"], "or"), "`a` or `b`");
        assert_eq!(list(["a", "b", "c"], "and"), "`a`, `b` and `c`");
        assert_eq!(list([], "or"), "none");
    }
}
