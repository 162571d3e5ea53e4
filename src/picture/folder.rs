//! The pictures in a folder.

use std::fs::{self, DirEntry};
use std::path::Path;

use crate::error::{Error, Result};

/// Endings of the files that are taken for pictures.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

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
