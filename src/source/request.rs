//! What a source is asked for.

use std::fmt;
use std::path::PathBuf;

use serde::de::value::{I64Deserializer, I128Deserializer, U64Deserializer};
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::args::{choice, number, whole};
use crate::picture::Resize;

/// What a source needs to know to load its samples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// `data.dir`: where the files are, for sources made of files.
    pub dir: Option<PathBuf>,
    /// `data.seed`: for sources that draw or split their samples.
    pub seed: u64,
    /// The keys of `[data]` that only some sources have.
    pub options: Options,
}

/// The keys of `[data]` that only some sources have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// `data.size`: height and width of all pictures; without it all must have one.
    #[serde(deserialize_with = "size", skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// `data.resize`: how pictures of other sizes come to it.
    #[serde(deserialize_with = "choice")]
    pub resize: Resize,
    /// `data.test_share`: the share of each class that becomes the test set where the files do not
    /// say which pictures do; above 0, below 1.
    #[serde(deserialize_with = "test_share")]
    pub test_share: f64,
    /// `data.tokens`: what the tokens of a text are.
    #[serde(deserialize_with = "choice")]
    pub tokens: Tokens,
    /// `data.context`: tokens of a sample of a text; at least 1.
    #[serde(deserialize_with = "whole::<_, _, 1, LONGEST_CONTEXT>")]
    pub context: usize,
    /// `data.stateful`: whether a batch goes on where the one before it ends, so that recurrent layers
    /// carry their states on.
    pub stateful: bool,
    /// `data.train`: the file with the training samples, below `data.dir` where that is given.
    #[serde(
        deserialize_with = "file",
        serialize_with = "path",
        skip_serializing_if = "Option::is_none"
    )]
    pub train: Option<PathBuf>,
    /// `data.test`: the same for the test samples.
    #[serde(
        deserialize_with = "file",
        serialize_with = "path",
        skip_serializing_if = "Option::is_none"
    )]
    pub test: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: None,
            resize: Resize::None,
            test_share: 0.2,
            tokens: Tokens::Chars,
            context: 64,
            stateful: false,
            train: None,
            test: None,
        }
    }
}

/// `data.tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename = "kind of tokens")]
pub enum Tokens {
    /// Characters: the sorted set of those of the whole text.
    #[default]
    Chars,
    /// The 256 bytes.
    Bytes,
}

/// Far above any context that a network is trained on.
const LONGEST_CONTEXT: u64 = 1 << 20;

fn test_share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let expected = "a share of the pictures: above 0, below 1";
    number(from, "a finite number", expected, |s| s > 0.0 && s < 1.0)
}

/// The path of a file.
fn file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    from.deserialize_any(PathReader {
        what: "file",
        example: "",
    })
    .map(Some)
}

/// The path of a folder: `data.dir`.
///
/// # Errors
/// An empty string, and what is no string.
pub fn folder<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    from.deserialize_any(PathReader {
        what: "folder",
        example: " (\".\" is this one)",
    })
    .map(Some)
}

/// A path as it can be written.
///
/// # Errors
/// None of its own.
pub fn path<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => to.serialize_str(&path.to_string_lossy()),
        None => to.serialize_none(),
    }
}

struct PathReader {
    what: &'static str,
    example: &'static str,
}

impl Visitor<'_> for PathReader {
    type Value = PathBuf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {}'s path as a string", self.what)
    }

    fn visit_str<E: Error>(self, path: &str) -> Result<PathBuf, E> {
        if path.is_empty() {
            let Self { what, example } = self;
            let message = format!("is empty; expected a {what}'s path{example}");
            return Err(E::custom(message));
        }
        Ok(PathBuf::from(path))
    }
}

/// Far above any picture that a network is trained on.
const LONGEST_SIDE: u64 = 16_384;

/// A height or a width.
#[derive(Deserialize)]
#[serde(transparent)]
struct Side(#[serde(deserialize_with = "whole::<_, _, 1, LONGEST_SIDE>")] usize);

/// `32` or `[28, 32]`: height and width.
fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[usize; 2]>, D::Error> {
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
