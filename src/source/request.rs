//! What every source is asked for.

use std::path::{Path, PathBuf};

use super::Cache;
use crate::error::{Error, Result};

/// What every source is told, whatever its own arguments are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// `data.dir`: where the files are, for sources made of files.
    pub dir: Option<PathBuf>,
    /// `data.seed`: for sources that draw or split their samples.
    pub seed: u64,
    /// `data.cache`: where samples that are made from files are kept.
    pub cache: Cache,
    /// The folder in which those that are kept on the disk are; without one none are.
    pub cache_dir: Option<PathBuf>,
    /// `data.workers`: threads that decode; without it as many as there are cores.
    pub workers: Option<usize>,
}

impl Request {
    /// `data.dir`, without which `who` cannot be read; it is `expected`, and `home` says where files
    /// are found.
    pub(super) fn place(&self, who: &str, expected: &str, home: &str) -> Result<&Path> {
        self.dir.as_deref().ok_or_else(|| Error::Argument {
            what: "data.dir".into(),
            found: format!("not given, and {who} is read from files"),
            expected: expected.into(),
            help: set_dir(home),
        })
    }

    /// Where so many bytes are kept, and the folder if that is the disk.
    ///
    /// # Errors
    /// Where they are to be kept on the disk, and there is no folder for that.
    pub(super) fn keeps(&self, bytes: u64) -> Result<(Cache, &Path)> {
        match (self.cache.of(bytes), &self.cache_dir) {
            (Cache::Disk, Some(folder)) => Ok((Cache::Disk, folder)),
            (Cache::Disk, None) if self.cache == Cache::Disk => Err(Error::Argument {
                what: "data.cache_dir".into(),
                found: "not given, and the system names no folder for caches".into(),
                expected: "a folder to keep decoded samples in".into(),
                help: "set data.cache_dir, or data.cache = \"none\"".into(),
            }),
            (Cache::Disk, None) => Ok((Cache::None, Path::new(""))),
            (chosen, _) => Ok((chosen, Path::new(""))),
        }
    }

    /// What came of keeping samples in `folder`. Where it cannot be written to, it is done `without`, unless
    /// somebody asked for the disk: then that is refused.
    ///
    /// # Errors
    /// Those of both; [`Error::Data`] for the folder that was asked for.
    pub(super) fn kept<T>(
        &self,
        folder: &Path,
        outcome: Result<T>,
        without: impl FnOnce(&Error) -> Result<T>,
    ) -> Result<T> {
        match outcome {
            Err(error @ Error::Io { .. }) if self.cache != Cache::Disk => without(&error),
            Err(Error::Io {
                path,
                action,
                source,
            }) if path.starts_with(folder) => Err(Error::data(
                &path,
                format!(
                    "{action} failed: {source}; expected a cache folder that can be written to and has room"
                ),
                "set data.cache_dir to one elsewhere, or data.cache = \"none\"",
            )),
            outcome => outcome,
        }
    }

    /// [`Request::place`], where it must be a folder.
    pub(super) fn folder(&self, who: &str, expected: &str, home: &str) -> Result<&Path> {
        let dir = self.place(who, expected, home)?;
        if dir.is_dir() {
            return Ok(dir);
        }
        let found = match dir.exists() {
            true => "is not a folder",
            false => "does not exist",
        };
        let problem = format!("{found}; expected {expected}");
        Err(Error::data(dir, problem, set_dir(home)))
    }
}

/// What to do where the place is wrong.
pub(super) fn set_dir(home: &str) -> String {
    match home {
        "" => "set data.dir to it".into(),
        home => format!("set data.dir to it; {home}"),
    }
}
