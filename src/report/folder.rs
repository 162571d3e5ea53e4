//! The folder of a run: how it is named, made and written to.
//!
//! Files are written to a temporary name in the same folder, synced and renamed, so that a reader
//! never sees half a file; the growing `metrics.jsonl` is the exception. While a run goes on, its
//! process holds the lock of its folder.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::disk::{Disk, Lock, TEMPORARY};
use crate::error::{Error, Result};
use crate::lab::compare;
use crate::model::Weights;

/// The resolved configuration.
pub const CONFIG: &str = "config.toml";
/// What was known before the first step ([`crate::train::event::RunInfo`]).
pub const RUN: &str = "run.json";
/// The range test before the run, or of the folder.
pub const RANGE: &str = "range.json";
/// The configuration with the bounds that the range test of the folder found.
pub const FOUND: &str = "found.toml";
/// All figures of a comparison.
pub const COMPARISON: &str = "comparison.json";
/// The configuration of the variant that a comparison found to be better, or else of the baseline.
pub const BETTER: &str = "better.toml";
/// What the page of a range test says about where it comes from.
pub const ABOUT: &str = "about.json";
/// A line for every step and every evaluation ([`super::metrics`]).
pub const METRICS: &str = "metrics.jsonl";
/// The trained weights.
pub const MODEL: &str = "model.safetensors";
/// The weights at the best evaluation: of the validation set where there is one, or else of the test
/// set.
pub const BEST: &str = "best.safetensors";
/// The mean of the weights at the low points of cycles (`cycle_end.average`).
pub const AVERAGE: &str = "average.safetensors";
/// The folder with the weights at the low points of cycles, `cycle-1.safetensors` and so on
/// (`cycle_end.snapshot`).
pub const SNAPSHOTS: &str = "snapshots";
/// The same as `metrics.jsonl`, as a table ([`super::metrics::Metrics::to_csv`]).
pub const CSV: &str = "metrics.csv";
/// Scalars for TensorBoard, which knows such files by the start of their names
/// ([`super::tensorboard`]).
pub const TENSORBOARD: &str = "events.out.tfevents.wavetrain";
/// The mean image that the weights' description names; where there is one.
pub const MEAN_IMAGE: &str = crate::model::MEAN_IMAGE;
/// The end of the run ([`super::summary::StoredSummary`]).
pub const SUMMARY: &str = "summary.json";
/// The page for people.
pub const PAGE: &str = "report.html";
/// The folder of checkpoints ([`super::checkpoints`]).
pub const CHECKPOINTS: &str = "checkpoints";
/// The file whose lock the process holds that trains in the folder.
pub const LOCK: &str = ".lock";

/// The folder that a run writes to.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    disk: Disk,
    /// Held as long as somebody has this folder to write a run to it.
    lock: Option<Arc<Lock>>,
}

impl RunFolder {
    /// Makes the folder `path` and those above it. An existing folder is taken if it is empty, or
    /// with `force`: then files of a run are overwritten and all others stay as they are.
    ///
    /// # Errors
    /// [`Error::Output`] if the path is a file, a folder with something in it, or cannot be
    /// written to.
    pub fn create(path: impl Into<PathBuf>, force: bool) -> Result<Self> {
        let path = path.into();
        match fs::metadata(&path) {
            Ok(found) if !found.is_dir() => {
                return Err(refused(
                    &path,
                    "is a file".into(),
                    "choose another output folder: the name of a folder that is new or empty",
                ));
            }
            Ok(_) if !force => refuse_contents(&path)?,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(&path).map_err(|error| cannot_create(&path, &error))?;
            }
            Err(error) => return Err(cannot_create(&path, &error)),
        }
        let folder = Self::at(path);
        folder.probe()?;
        Ok(folder)
    }

    /// Makes the folder ([`RunFolder::create`]) and takes its lock.
    ///
    /// # Errors
    /// As [`RunFolder::create`] and [`RunFolder::lock`].
    pub fn claim(path: impl Into<PathBuf>, force: bool) -> Result<Self> {
        let folder = Self::create(path, force)?.lock()?;
        // Another process may have been here, and gone, in the meantime.
        if !force {
            refuse_contents(folder.path())?;
        }
        Ok(folder)
    }

    /// The folder, as it is.
    fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            disk: Disk::default(),
            lock: None,
        }
    }

    /// The same on a disk of one's own: for tests of what happens when a write fails.
    #[must_use]
    pub fn on(self, disk: Disk) -> Self {
        Self { disk, ..self }
    }

    /// The disk that it writes to.
    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Takes the lock of the folder, for as long as this value and its clones live.
    ///
    /// # Errors
    /// [`Error::Output`] where another process has it.
    pub fn lock(mut self) -> Result<Self> {
        let lock = Lock::take(&self.file(LOCK))?;
        let lock = lock.ok_or_else(|| in_use(&self.path))?;
        self.lock = Some(Arc::new(lock));
        Ok(self)
    }

    /// Refuses what [`RunFolder::create`] would refuse without `force`, before any work is done for
    /// the folder, and makes nothing.
    ///
    /// # Errors
    /// [`Error::Output`] if the path is a file or a folder with something in it, or if it cannot be
    /// made or written to.
    pub fn refuse_occupied(path: &Path) -> Result<()> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                refuse_contents(path)?;
                Self::at(path).probe()
            }
            Ok(_) => Err(refused(
                path,
                "is a file".into(),
                "choose another output folder: the name of a folder that is new or empty",
            )),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // It will be made in the nearest folder above that exists; "" is the current one.
                let above = path.ancestors().skip(1).find(|above| above.exists());
                let above = above.unwrap_or(Path::new("."));
                Self::at(above).probe()
            }
            Err(error) => Err(cannot_create(path, &error)),
        }
    }

    /// Makes a new folder `NAME-0001` in `parent`, counting on from the highest number there.
    /// Processes that do so at the same time get different folders.
    ///
    /// # Errors
    /// [`Error::Output`] if it cannot be made.
    pub fn fresh(parent: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(parent).map_err(|error| cannot_create(parent, &error))?;
        let entries = fs::read_dir(parent).map_err(|error| cannot_create(parent, &error))?;
        let taken = entries
            .filter_map(|entry| number_of(&entry.ok()?.file_name(), name))
            .max();
        let mut number = taken.unwrap_or(0).saturating_add(1);
        loop {
            let path = parent.join(format!("{name}-{number:04}"));
            match fs::create_dir(&path) {
                Ok(()) => {
                    let folder = Self::at(path);
                    folder.probe()?;
                    return Ok(folder);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists && number < u64::MAX => {
                    number += 1;
                }
                Err(error) => return Err(cannot_create(&path, &error)),
            }
        }
    }

    /// The folder of a run that was made before.
    ///
    /// # Errors
    /// [`Error::Output`] if there is no such folder or it holds no run.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let help = "name a folder that `wavetrain train` made: it holds run.json";
        if !path.exists() {
            return Err(refused(&path, "does not exist".into(), help));
        }
        if !path.is_dir() {
            return Err(refused(&path, "is a file".into(), help));
        }
        // Folders of other commands, by the file that each begins with.
        let others = [(compare::PLAN, "a comparison"), (RANGE, "a range test")];
        let other = others.iter().find(|(file, _)| path.join(file).is_file());
        if let (Some((_, what)), false) = (other, path.join(RUN).is_file()) {
            let help = format!("its page is {PAGE} in it; `wavetrain report` writes it again");
            return Err(refused(&path, format!("holds {what}, not a run"), &help));
        }
        if path.join(compare::TUNING).join(compare::PLAN).is_file() {
            let problem = "holds a comparison whose rates are not all chosen, not a run".into();
            let help = "the same `wavetrain compare` into the folder goes on where it was";
            return Err(refused(&path, problem, help));
        }
        if !path.join(RUN).is_file() {
            return Err(refused(
                &path,
                format!("is not a run: it has no {RUN}"),
                help,
            ));
        }
        Ok(Self::at(path))
    }

    /// The folder of a range test by itself; `None` where `path` is something else.
    #[must_use]
    pub fn open_range(path: &Path) -> Option<Self> {
        let others = [RUN, compare::PLAN];
        let other = others.iter().any(|file| path.join(file).is_file());
        (path.join(RANGE).is_file() && !other).then(|| Self::at(path.to_owned()))
    }

    /// The folder of a comparison; `None` where `path` is something else.
    #[must_use]
    pub fn open_comparison(path: &Path) -> Option<Self> {
        let holds = |file: &str| path.join(file).is_file();
        (holds(compare::PLAN) && !holds(RUN)).then(|| Self::at(path.to_owned()))
    }

    /// Where the folder is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of a file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file of the run, whole or not at all ([`Disk::replace`]).
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.disk.replace(&self.file(name), bytes)
    }

    /// Writes a value as JSON, indented, with a line's end behind it.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(std::io::Error::from)
            .map_err(Error::io(self.file(name), "writing"))?;
        text.push(b'\n');
        self.write(name, &text)
    }

    /// Reads a value from JSON.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Data`] if it is not what it should be.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let path = self.file(name);
        let text = fs::read(&path).map_err(Error::io(&path, "reading"))?;
        serde_json::from_slice(&text).map_err(|error| Error::Data {
            file: path,
            problem: format!("is not the {name} of a run: {error}"),
            help: "take the file from a copy of the run folder, or train again".into(),
        })
    }

    /// Removes what an earlier run left and this one will only write at its end or append to, so
    /// that a run that is killed is not shown with the results of another one.
    ///
    /// # Errors
    /// [`Error::Io`] if one of the files cannot be removed.
    pub fn forget_results(&self) -> Result<()> {
        let single = [
            SUMMARY,
            PAGE,
            METRICS,
            MODEL,
            MEAN_IMAGE,
            RANGE,
            FOUND,
            ABOUT,
            BEST,
            CSV,
            AVERAGE,
            TENSORBOARD,
        ];
        self.sweep()?;
        let single = single.into_iter().map(|name| self.file(name));
        let beside = self.file(SNAPSHOTS).join(MEAN_IMAGE);
        let checkpoints = checkpoints(&self.path);
        let checkpoints = checkpoints.into_iter().map(|(_, path)| path);
        let several = snapshots(&self.path).into_iter().chain(checkpoints);
        for path in single.chain(several).chain([beside]) {
            self.disk.remove(&path)?;
        }
        Ok(())
    }

    /// Removes what a process that was killed left half-written.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be removed.
    pub(super) fn sweep(&self) -> Result<()> {
        self.disk.sweep(&self.path)?;
        self.disk.sweep(&self.file(CHECKPOINTS))?;
        self.disk.sweep(&self.file(SNAPSHOTS))
    }

    /// Writes the weights at the low point of cycle `number` (from 1), and beside them what they
    /// need; gives the file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn write_snapshot(&self, number: u64, weights: &Weights) -> Result<PathBuf> {
        let folder = self.file(SNAPSHOTS);
        self.disk.make_folder(&folder)?;
        if let (Some(beside), 1) = (&weights.beside, number) {
            self.disk.replace(&folder.join(MEAN_IMAGE), beside)?;
        }
        let file = folder.join(format!("cycle-{number}.safetensors"));
        self.disk.replace(&file, &weights.to_safetensors()?)?;
        Ok(file)
    }

    /// Finds out before the run, not after it, whether files can be made in the folder.
    fn probe(&self) -> Result<()> {
        match tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&self.path)
        {
            Ok(_) => Ok(()),
            Err(error) => Err(refused(
                &self.path,
                format!("cannot be written to: {}", plain(&error)),
                "choose another output folder, or give yourself the right to write there",
            )),
        }
    }
}

/// The snapshots in the folder of a run, by the number of their cycle; none where there are none.
#[must_use]
pub fn snapshots(run: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(run.join(SNAPSHOTS)).into_iter().flatten();
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let whole = path.extension()? == "safetensors";
            let number = number_of(path.file_stem()?, "cycle").filter(|_| whole)?;
            Some((number, path))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// The file of weights that `path` names: itself, or the model of the run in the folder.
///
/// # Errors
/// [`Error::Output`] for what does not exist and for a folder without a model.
pub fn model_file(path: &Path) -> Result<PathBuf> {
    if !path.exists() {
        let help = "name the folder of a run, or a model.safetensors";
        return Err(refused(path, "does not exist".into(), help));
    }
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let file = path.join(MODEL);
    if file.is_file() {
        return Ok(file);
    }
    Err(refused(
        path,
        format!("holds no {MODEL}"),
        "name the folder of a run that has ended, or the file itself",
    ))
}

/// The checkpoints in the folder of a run, by rising number of steps; none where there are none.
#[must_use]
pub fn checkpoints(run: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(run.join(CHECKPOINTS)).into_iter().flatten();
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let whole = path.extension()? == "safetensors";
            let number = number_of(path.file_stem()?, "step").filter(|_| whole)?;
            Some((number, path))
        })
        .collect();
    found.sort();
    found
}

/// The number of a folder called `NAME-0001`.
pub(super) fn number_of(folder: &OsStr, name: &str) -> Option<u64> {
    let digits = folder.to_str()?.strip_prefix(name)?.strip_prefix('-')?;
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| digits.parse().ok())?
}

fn refuse_contents(path: &Path) -> Result<()> {
    let mut entries = fs::read_dir(path).map_err(|error| cannot_create(path, &error))?;
    // The lock of a process that got no further says nothing, nor does what it was trying.
    let other = |entry: &std::io::Result<fs::DirEntry>| match entry {
        Ok(entry) => {
            let name = entry.file_name();
            name != LOCK && !name.to_string_lossy().starts_with(TEMPORARY)
        }
        Err(_) => true,
    };
    let Some(entry) = entries.find(other) else {
        return Ok(());
    };
    let entry = entry.map_err(|error| cannot_create(path, &error))?;
    let lock = path.join(LOCK);
    if lock.exists() && Lock::take(&lock)?.is_none() {
        return Err(in_use(path));
    }
    let problem = if path.join(RUN).exists() {
        "holds another run".into()
    } else {
        format!("is not empty: it holds {}", entry.file_name().display())
    };
    Err(refused(
        path,
        problem,
        "choose another output folder, or overwrite the files of a run in it (others stay)",
    ))
}

pub(super) fn refused(path: &Path, problem: String, help: &str) -> Error {
    Error::Output {
        path: path.into(),
        problem,
        help: help.into(),
    }
}

fn in_use(path: &Path) -> Error {
    refused(
        path,
        "is in use: another process is training in it".into(),
        "wait for it to end, end it, or choose another output folder",
    )
}

fn cannot_create(path: &Path, error: &std::io::Error) -> Error {
    refused(
        path,
        format!("cannot be made: {}", plain(error)),
        "choose another output folder, or give yourself the right to write there",
    )
}

/// An error of the system without the path that some wrappers repeat.
pub(crate) fn plain(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => std::io::Error::from_raw_os_error(code).to_string(),
        None => match error.get_ref().and_then(|inner| inner.source()) {
            Some(source) => source.to_string(),
            None => {
                let text = error.to_string();
                match text.split_once(" at path \"") {
                    Some((before, _)) => before.to_owned(),
                    None => text,
                }
            }
        },
    }
}
