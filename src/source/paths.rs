//! Paths in `[data]`: how they are read and written.

use std::fmt;
use std::path::PathBuf;

use serde::Serializer;
use serde::de::{Deserializer, Error, Visitor};

/// The path of a file.
pub(super) fn file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
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
