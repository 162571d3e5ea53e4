//! What the folders in a folder hold, a line each: runs, comparisons, range tests.

mod others;
mod run;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Serialize;

use super::folder::{RANGE, RUN};
use crate::error::{Error, Result};
use crate::lab::compare::PLAN;

pub use others::{ListedComparison, ListedRangeTest};
pub use run::ListedRun;
pub use table::text;

/// What is told of one folder; in JSON its kind is under `kind`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Listed {
    /// What `wavetrain train` made.
    Run(ListedRun),
    /// What `wavetrain compare` made.
    Comparison(ListedComparison),
    /// What `wavetrain find` made.
    RangeTest(ListedRangeTest),
}

impl Listed {
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self {
            Self::Run(run) => &run.run,
            Self::Comparison(comparison) => &comparison.run,
            Self::RangeTest(test) => &test.run,
        }
    }

    /// When it began, in seconds since 1970.
    #[must_use]
    pub fn began(&self) -> Option<u64> {
        match self {
            Self::Run(run) => run.began,
            Self::Comparison(comparison) => comparison.began,
            Self::RangeTest(test) => test.began,
        }
    }
}

/// What is in a folder, and what is nothing of these.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listing {
    /// Runs, comparisons and range tests, by the time at which they began.
    pub listed: Vec<Listed>,
    /// Folders that are not shown, or not in full, by name, and why.
    pub left_out: Vec<(PathBuf, String)>,
}

/// What is right within `folder`; files beside it and hidden folders are nobody's loss.
///
/// # Errors
/// [`Error::Output`] if the folder cannot be read.
pub fn list(folder: &Path) -> Result<Listing> {
    let unreadable = |error: std::io::Error| Error::Output {
        path: folder.to_owned(),
        problem: format!("cannot be read ({error})"),
        help: "name a folder of runs; `wavetrain train` makes them under runs/".into(),
    };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut listing = Listing::default();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default();
        if name.as_encoded_bytes().starts_with(b".") || !path.is_dir() {
            continue;
        }
        match read(&path) {
            Ok((listed, problem)) => {
                listing.listed.push(listed);
                listing
                    .left_out
                    .extend(problem.map(|problem| (path, problem)));
            }
            Err(problem) => listing.left_out.push((path, problem)),
        }
    }
    let listed = &mut listing.listed;
    listed.sort_by(|a, b| (a.began(), a.folder()).cmp(&(b.began(), b.folder())));
    listing.left_out.sort();
    Ok(listing)
}

/// What a folder holds, and what of it cannot be shown; or why nothing can. A run may hold the range test
/// before it.
fn read(folder: &Path) -> Result<(Listed, Option<String>), String> {
    let holds = |file: &str| folder.join(file).exists();
    match () {
        () if holds(RUN) => run::read(folder).map(|(run, why)| (Listed::Run(run), why)),
        () if holds(PLAN) => {
            others::comparison(folder).map(|(found, why)| (Listed::Comparison(found), why))
        }
        () if holds(RANGE) => {
            others::range_test(folder).map(|(found, why)| (Listed::RangeTest(found), why))
        }
        () => Err(format!("is no run: it holds no {RUN}")),
    }
}

/// The file as JSON; what is wrong with it is a sentence.
fn json<T: serde::de::DeserializeOwned>(folder: &Path, name: &str) -> Result<T, String> {
    let bytes = fs::read(folder.join(name))
        .map_err(|error| format!("its {name} cannot be read: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("its {name} is broken: {error}"))
}

/// When the file was written, in seconds since 1970.
fn began(folder: &Path, name: &str) -> Option<u64> {
    let time = fs::metadata(folder.join(name)).and_then(|about| about.modified());
    let since = time.ok()?.duration_since(SystemTime::UNIX_EPOCH);
    since.ok().map(|since| since.as_secs())
}

/// A time in seconds since 1970; `None` for one beyond the calendar.
fn time(seconds: u64) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
}

/// The time as people write it, in UTC (`2026-11-27T12:04:11Z`).
fn written(seconds: u64) -> Option<String> {
    time(seconds).map(|time| time.to_string())
}
