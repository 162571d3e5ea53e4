//! The pictures in a folder.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{self, DirEntry};
use std::path::Path;

use crate::error::{Error, Result};

/// Endings of the files that are taken for pictures.
const ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// Entries of a folder by name, without the hidden ones.
pub(crate) fn entries(folder: &Path) -> Result<Vec<DirEntry>> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<DirEntry>, _>>);
    let mut entries = entries.map_err(|error| {
        let help = "check the folder and its permissions";
        Error::data(folder, format!("cannot be listed: {error}"), help)
    })?;
    entries.retain(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

/// Whether a file's name ends as a picture's.
pub(crate) fn is_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| {
        ENDINGS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(ending))
    })
}

/// A file's name as it can be printed, different for different names: bytes that are no UTF-8 and
/// control characters are written in hexadecimal digits, a backslash twice.
pub(crate) fn printable(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => text.extend(c.escape_unicode()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn different_names_stay_different_in_print() {
        let names: [&[u8]; 6] = [
            b"a\xff",
            b"a\xfe",
            b"a\\xff",
            "a\u{fffd}".as_bytes(),
            b"a\x1b[2J",
            b"a\\u{1b}[2J",
        ];
        let printed = names.map(|name| printable(OsStr::from_bytes(name)));
        assert_eq!(printed[0], "a\\xff");
        assert_eq!(printed[4], "a\\u{1b}[2J");
        for (at, name) in printed.iter().enumerate() {
            assert!(!printed[..at].contains(name) && !name.contains(char::is_control));
        }
        assert_eq!(
            printable(OsStr::new("Wölfe und Füchse")),
            "Wölfe und Füchse"
        );
    }
}
