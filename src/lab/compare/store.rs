//! The folder of a comparison: each run is kept as soon as it is over, and now and then while it goes
//! on, so that an interrupted comparison goes on where it was.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Job, Record, Settings, Variant};
use crate::disk::{Disk, Lock};
use crate::error::{Error, Result};
use crate::train::State;

/// What a comparison is of: if this is the same, runs are of the same comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plan {
    version: String,
    settings: Settings,
    variants: Vec<Planned>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Planned {
    name: String,
    takes: String,
    config: String,
}

/// Where runs are kept. Several processes may work in one folder: each run has a lock of its own.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    disk: Disk,
}

const PLAN: &str = "plan.json";
const RUNS: &str = "runs";
/// Endings of the files of a run: one in the middle, and its lock.
const HALF: &str = "safetensors";
const LOCK: &str = "lock";

impl Store {
    /// The folder, whether it exists or not.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            disk: Disk::default(),
        }
    }

    /// The same on a disk of one's own: for tests of what happens when a write fails.
    #[must_use]
    pub fn on(self, disk: Disk) -> Self {
        Self { disk, ..self }
    }

    /// Whether the folder holds a comparison.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        folder.join(PLAN).is_file()
    }

    /// Begins, or goes on with the comparison that the folder holds.
    ///
    /// # Errors
    /// [`Error::Output`] for a folder of another comparison; [`Error::Io`].
    pub fn begin(&self, variants: &[Variant], settings: &Settings) -> Result<()> {
        let plan = plan(variants, settings);
        let file = self.folder.join(PLAN);
        if file.is_file() {
            let found = fs::read(&file).map_err(Error::io(&file, "reading"))?;
            let found: Option<Plan> = serde_json::from_slice(&found).ok();
            return match found {
                Some(found) if found == plan => Ok(()),
                found => Err(Error::Output {
                    path: self.folder.clone(),
                    problem: format!(
                        "holds another comparison ({}), and this one is of {}",
                        found.map_or_else(|| "unreadable".into(), |found| found.describe()),
                        plan.describe()
                    ),
                    help:
                        "choose another folder, or repeat the comparison that this one was made for"
                            .into(),
                }),
            };
        }
        let runs = self.folder.join(RUNS);
        self.disk.make_folder(&runs)?;
        self.disk.replace(&file, &json(&plan, &file)?)
    }

    /// The runs that are there already.
    ///
    /// # Errors
    /// [`Error::Data`] for a file that is broken; [`Error::Io`].
    pub(super) fn records(&self, variants: &[Variant], settings: &Settings) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        for variant in 0..variants.len() {
            for seed in 0..settings.seeds {
                records.extend(self.record((variant, seed))?);
            }
        }
        Ok(records)
    }

    /// The run of a job, where it is there already.
    ///
    /// # Errors
    /// As [`Store::records`].
    pub(super) fn record(&self, job: Job) -> Result<Option<Record>> {
        let file = self.file(job, "json");
        if !file.is_file() {
            return Ok(None);
        }
        let bytes = fs::read(&file).map_err(Error::io(&file, "reading"))?;
        let record = serde_json::from_slice(&bytes).map_err(|error| Error::Data {
            file: file.clone(),
            problem: format!("is no run of a comparison: {error}"),
            help: "remove the file: the run is done again".into(),
        })?;
        Ok(Some(record))
    }

    /// Keeps a run that is over; what it went on from is no longer needed.
    pub(super) fn keep(&self, record: &Record) -> Result<()> {
        let job = (record.variant, record.seed_number);
        let file = self.file(job, "json");
        self.disk.replace(&file, &json(record, &file)?)?;
        self.disk.remove(&self.file(job, HALF))?;
        // Who has opened the lock's file by now finds the record first.
        self.disk.remove(&self.file(job, LOCK))
    }

    /// Takes the lock of a job; `None` where another process is at it.
    pub(super) fn lock(&self, job: Job) -> Result<Option<Lock>> {
        Lock::take(&self.file(job, LOCK))
    }

    /// Takes the lock of a job as soon as no other process has it.
    pub(super) fn wait(&self, job: Job) -> Result<Lock> {
        Lock::wait(&self.file(job, LOCK))
    }

    /// Keeps a run in the middle, in the place of what was kept of it before.
    pub(super) fn keep_half(&self, state: &State, record: &Record) -> Result<()> {
        let job = (record.variant, record.seed_number);
        let bytes = state.to_bytes_with(record)?;
        self.disk.replace(&self.file(job, HALF), &bytes)
    }

    /// A run in the middle, where one was kept; what is not whole is not there.
    pub(super) fn half(&self, job: Job) -> Option<(State, Record)> {
        let file = self.file(job, HALF);
        let bytes = fs::read(&file).ok()?;
        State::from_bytes_with(&bytes)
            .map_err(|problem| {
                log::warn!("{}: {problem}; once more from its start", file.display())
            })
            .ok()
    }

    fn file(&self, (variant, seed): Job, kind: &str) -> PathBuf {
        let name = format!("{:02}-{:02}.{kind}", variant + 1, seed + 1);
        self.folder.join(RUNS).join(name)
    }
}

impl Plan {
    fn describe(&self) -> String {
        let names: Vec<&str> = self.variants.iter().map(|v| v.name.as_str()).collect();
        let Settings { seeds, steps, .. } = self.settings;
        format!("{}; {seeds} seeds, {steps} steps", names.join(", "))
    }
}

fn plan(variants: &[Variant], settings: &Settings) -> Plan {
    let planned = variants.iter().map(|variant| Planned {
        name: variant.name.clone(),
        takes: variant.takes.clone(),
        config: variant.settled.to_toml(),
    });
    Plan {
        version: env!("CARGO_PKG_VERSION").into(),
        settings: *settings,
        variants: planned.collect(),
    }
}

fn json(value: &impl Serialize, file: &Path) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(std::io::Error::from)
        .map_err(Error::io(file, "writing"))?;
    text.push(b'\n');
    Ok(text)
}
