//! Fetching: downloading the official archives: checked against their published hashes, resumed where a
//! download ended early, and under their own name only once they are whole and right.

mod archives;
#[cfg(feature = "download")]
mod http;
#[cfg(feature = "download")]
mod transfer;

pub use archives::{COLLECTIONS, collection};

use crate::data::Watcher;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A file that is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Archive<'a> {
    /// Its name, there and here.
    pub name: &'a str,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256, as 64 hexadecimal digits.
    pub sha256: &'a str,
}

/// The files of one data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection<'a> {
    /// The source that reads them.
    pub source: &'a str,
    /// The files.
    pub archives: &'a [Archive<'a>],
    /// Where they are published, each an address that a file's name is added to; the next one is
    /// asked where one does not answer.
    pub homes: &'a [&'a str],
}

impl Collection<'_> {
    /// Downloads what is not in `folder` yet, from `from` instead of the usual homes where that is
    /// given, and gives the files. `watcher` is told the bytes of each file as they come.
    ///
    /// A file grows as `NAME.part` and is renamed when its hash is right; a part that is left is
    /// continued by the next call.
    ///
    /// # Errors
    /// An address that is none; a folder or file that cannot be written; a server that cannot be
    /// reached, refuses or sends something else; a file of that name with another hash. A program
    /// that was built without the feature `download` says which files to fetch by hand.
    pub fn get(
        &self,
        from: Option<&str>,
        folder: &Path,
        watcher: Watcher<'_>,
    ) -> Result<Vec<PathBuf>> {
        #[cfg(feature = "download")]
        return transfer::get(self, from, folder, watcher);
        #[cfg(not(feature = "download"))]
        {
            let _ = watcher;
            let homes = from.map_or(self.homes.to_vec(), |from| vec![from]);
            let home = homes.first().copied().unwrap_or_default();
            let names: Vec<&str> = self.archives.iter().map(|archive| archive.name).collect();
            Err(Error::Download {
                what: home.into(),
                problem: "this program was built without the feature `download`".into(),
                help: format!(
                    "fetch {} from there into {}, or build with --features download",
                    names.join(", "),
                    folder.display()
                ),
            })
        }
    }
}

/// The address of `archive` at `home`, which may name the file itself.
#[cfg(feature = "download")]
fn address(home: &str, archive: &Archive<'_>) -> String {
    if home.ends_with(&format!("/{}", archive.name)) {
        return home.to_owned();
    }
    let slash = if home.ends_with('/') { "" } else { "/" };
    format!("{home}{slash}{}", archive.name)
}

/// An [`Error::Download`].
#[cfg(feature = "download")]
fn failed(what: &str, problem: impl Into<String>, help: impl Into<String>) -> Error {
    Error::Download {
        what: what.into(),
        problem: problem.into(),
        help: help.into(),
    }
}
