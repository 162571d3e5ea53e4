//! The folder of a comparison: each run is kept as soon as it is over, and now and then while it goes
//! on, so that an interrupted comparison goes on where it was.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{ComparisonPlan, Job, Record, Work};
use crate::disk::{Disk, Lock};
use crate::error::{Error, Result};
use crate::train::State;

/// Where runs are kept. Several processes may work in one folder: each run has a lock of its own.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    disk: Disk,
}

/// The plan of a comparison in its folder.
pub const PLAN: &str = "plan.json";
/// The folder of the runs that choose rates, in that of the comparison.
pub const TUNING: &str = "tuning";
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

    /// Begins, or goes on with the comparison that the folder holds, whose plan is the one that counts:
    /// its looks, and how often its runs are evaluated.
    ///
    /// # Errors
    /// [`Error::Output`] for a folder of another comparison; [`Error::Io`].
    pub fn begin(&self, plan: ComparisonPlan) -> Result<ComparisonPlan> {
        let file = self.folder.join(PLAN);
        let Some(found) = self.plan()? else {
            self.disk.make_folder(&self.folder.join(RUNS))?;
            self.disk.replace(&file, &json(&plan, &file)?)?;
            return Ok(plan);
        };
        match found.is_of(&plan) {
            true => Ok(found),
            false => Err(Error::Output {
                path: self.folder.clone(),
                problem: format!(
                    "holds another comparison than this one: {}",
                    found.differs(&plan)
                ),
                help: "choose another output folder, or repeat the comparison that this one was made for"
                    .into(),
            }),
        }
    }

    /// The plan of the comparison that the folder holds, where it holds one.
    ///
    /// # Errors
    /// [`Error::Output`] for a plan that cannot be read; [`Error::Io`].
    pub fn plan(&self) -> Result<Option<ComparisonPlan>> {
        let file = self.folder.join(PLAN);
        if !file.is_file() {
            return Ok(None);
        }
        let found = fs::read(&file).map_err(Error::io(&file, "reading"))?;
        let found = serde_json::from_slice(&found);
        found.map(Some).map_err(|error| Error::Output {
            path: self.folder.clone(),
            problem: format!(
                "holds a comparison whose {PLAN} this version of the program cannot read: {error}"
            ),
            help: "choose another output folder".into(),
        })
    }

    /// The runs that are there already.
    ///
    /// # Errors
    /// [`Error::Data`] for a file that is broken, or that is not of this comparison; [`Error::Io`].
    pub(super) fn records(&self, work: &Work<'_>, seeds: u64) -> Result<Vec<(Job, Record)>> {
        let mut records = Vec::new();
        for seed in 0..seeds {
            for arm in work.plan.trained() {
                let job = (arm, seed);
                records.extend(self.record(work, job)?.map(|record| (job, record)));
            }
        }
        Ok(records)
    }

    /// How many seeds have all their runs.
    ///
    /// # Errors
    /// As [`Store::records`].
    pub(super) fn seeds(&self, work: &Work<'_>) -> Result<u64> {
        for seed in 0.. {
            let mut there = false;
            for arm in work.plan.trained() {
                there = self.record(work, (arm, seed))?.is_some();
                if !there {
                    break;
                }
            }
            if !there {
                return Ok(seed);
            }
        }
        Ok(u64::MAX)
    }

    /// The run of a job, where it is there already.
    ///
    /// # Errors
    /// As [`Store::records`].
    pub(super) fn record(&self, work: &Work<'_>, job: Job) -> Result<Option<Record>> {
        let file = self.file(job, "json");
        if !file.is_file() {
            return Ok(None);
        }
        let bytes = fs::read(&file).map_err(Error::io(&file, "reading"))?;
        let help = "remove the file: the run is done again";
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| {
            Error::data(&file, format!("is no run of a comparison: {error}"), help)
        })?;
        match record.misfit(&work.arms[job.0], job.1, &work.plan.settings) {
            None => Ok(Some(record)),
            Some(problem) => Err(Error::data(&file, problem, help)),
        }
    }

    /// Keeps a run that is over; what it went on from is no longer needed.
    pub(super) fn keep(&self, job: Job, record: &Record) -> Result<()> {
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
    pub(super) fn keep_half(&self, job: Job, state: &State, record: &Record) -> Result<()> {
        let bytes = state.to_bytes_with(record)?;
        self.disk.replace(&self.file(job, HALF), &bytes)
    }

    /// A run in the middle, where one was kept; what is not whole, or not of this comparison, is not
    /// there.
    pub(super) fn half(&self, work: &Work<'_>, job: Job) -> Option<(State, Record)> {
        let file = self.file(job, HALF);
        let bytes = fs::read(&file).ok()?;
        let (state, record): (State, Record) = State::from_bytes_with(&bytes)
            .map_err(|problem| {
                log::warn!("{}: {problem}; once more from its start", file.display())
            })
            .ok()?;
        let arm = &work.arms[job.0];
        let is = (&record.trained, record.seed_number);
        (is == (&arm.mark(), job.1)).then_some((state, record))
    }

    fn file(&self, (arm, seed): Job, kind: &str) -> PathBuf {
        let name = format!("{:02}-{:02}.{kind}", arm + 1, seed + 1);
        self.folder.join(RUNS).join(name)
    }
}

fn json(value: &impl Serialize, file: &Path) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(std::io::Error::from)
        .map_err(Error::io(file, "writing"))?;
    text.push(b'\n');
    Ok(text)
}
