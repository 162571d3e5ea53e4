//! Finding the preset or the file, and reading it.

use std::io::Read;
use std::path::Path;

use super::presets;
use super::problem::{self, Problem};
use super::text::Texts;
use crate::error::Result;

/// A text with the name that messages show.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) name: String,
    pub(super) text: String,
}

/// The largest file that is read: far above any configuration, far below what hurts.
const LARGEST: u64 = 4 << 20;

/// The text that `which` names: a preset, or a file if it ends in `.toml` or has a slash.
pub(super) fn find(which: Option<&Path>) -> Result<Document> {
    let found = match which {
        None => preset(presets::DEFAULT),
        Some(path) => match path.to_str() {
            Some(name) if !is_file_name(name) => preset(name),
            _ => file(path),
        },
    };
    found.map_err(|problem| problem::error(&[problem], &Texts::default()))
}

/// Whether `which` names a file, not a preset.
#[must_use]
pub fn is_file(which: &Path) -> bool {
    which.to_str().is_none_or(is_file_name)
}

fn is_file_name(name: &str) -> bool {
    name.ends_with(".toml") || name.contains(std::path::is_separator)
}

fn preset(name: &str) -> Result<Document, Problem> {
    let preset = presets::lookup(name)?;
    Ok(Document {
        name: format!("preset {name}"),
        text: preset.text.to_owned(),
    })
}

fn file(path: &Path) -> Result<Document, Problem> {
    let name = path.display().to_string();
    if path.is_dir() {
        let problem = Problem::keyless(format!("{name} is a folder; expected a TOML file"));
        let inside = path.join("config.toml");
        return Err(if inside.is_file() {
            problem.help(format!("did you mean {}?", inside.display()))
        } else {
            problem.help("name the file itself")
        });
    }
    let unreadable = |error: std::io::Error| {
        let problem = Problem::keyless(format!("cannot read {name}: {error}"));
        if error.kind() == std::io::ErrorKind::NotFound {
            let here = "a relative path starts at the current folder";
            problem.help(format!(
                "{here}; `wavetrain presets NAME > my.toml` makes a file to start from"
            ))
        } else {
            problem.help("make the file readable, or name another")
        }
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Problem::keyless(format!(
            "{name} is larger than {} MiB; that is no configuration",
            LARGEST >> 20
        ))
        .help("name a TOML file such as `wavetrain presets NAME` prints"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Document { name, text }),
        Err(error) => Err(not_utf8(&name, error.utf8_error(), error.as_bytes())),
    }
}

fn not_utf8(name: &str, error: std::str::Utf8Error, bytes: &[u8]) -> Problem {
    let at = error.valid_up_to();
    let line = bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    let byte = bytes.get(at).copied().unwrap_or_default();
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    Problem::keyless(format!(
        "{name} is not UTF-8: byte {at} (counted from 0, in line {line}) is 0x{byte:02x}"
    ))
    .help(if utf16 {
        "this looks like UTF-16; save the file as UTF-8"
    } else {
        "save the file as UTF-8"
    })
}
