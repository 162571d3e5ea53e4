//! A part of a file, which is read from as its bytes are needed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::disk::read_at;
use crate::error::{Error, Result};

/// A part of a file.
#[derive(Debug, Clone)]
pub(super) struct Part {
    file: Arc<File>,
    path: PathBuf,
    /// Its first byte.
    at: u64,
    pub(super) length: u64,
    /// The length of the file and when it was changed, as it was opened.
    about: (u64, Option<SystemTime>),
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        let about = |part: &Self| (part.path.clone(), part.at, part.length, part.about);
        about(self) == about(other)
    }
}

impl Part {
    /// `length` bytes of an open file from `at` on.
    pub(super) fn new(file: File, path: &Path, [at, length]: [u64; 2]) -> Result<Self> {
        let about = file.metadata().map_err(Error::io(path, "reading"))?;
        Ok(Self {
            file: Arc::new(file),
            path: path.to_owned(),
            at,
            length,
            about: (about.len(), about.modified().ok()),
        })
    }

    /// The file.
    #[cfg(feature = "numpy")]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fills `into` with the bytes from `at` on.
    ///
    /// # Errors
    /// A file that can no longer be read, or that somebody wrote to.
    pub(super) fn read(&self, at: u64, into: &mut [u8]) -> Result<()> {
        let wrong = |problem: String| {
            Error::data(
                &self.path,
                problem,
                "run again when nothing writes to the file",
            )
        };
        let unreadable = |error: io::Error| wrong(format!("can no longer be read: {error}"));
        let about = self.file.metadata().map_err(unreadable)?;
        if (about.len(), about.modified().ok()) != self.about {
            let problem = "was changed since it was opened; expected a file that stays as it is while it is \
                           trained on";
            return Err(wrong(problem.into()));
        }
        read_at(&self.file, into, self.at + at).map_err(unreadable)
    }
}
