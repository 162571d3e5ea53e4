//! What every source is asked for.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What every source is told, whatever its own arguments are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// `data.dir`: where the files are, for sources made of files.
    pub dir: Option<PathBuf>,
    /// `data.seed`: for sources that draw or split their samples.
    pub seed: u64,
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
