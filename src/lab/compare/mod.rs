//! Comparing policies (or any key of the configuration) honestly: the same steps, the same initial
//! weights and order of samples for each seed, several seeds, intervals, and a sentence that says no
//! more than the data show.
//!
//! What is read along the way comes from a part of the training set that is held out; the test set
//! is used once in each run, at its end.

mod job;
mod record;
mod settings;
pub mod statistics;
mod store;
mod takes;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::config::Settled;
use crate::data::Dataset;
use crate::disk::Lock;
use crate::error::{Error, Result};

pub use record::{Point, Record};
pub use settings::{Settings, Target, VALIDATION, budget, half_cycle};
pub use statistics::{Difference, Interval, Outcome, Statement};
pub use store::Store;
pub use takes::take;

/// One of the things that are compared.
#[derive(Debug)]
pub struct Variant {
    /// What it is called: the policy's name, or `KEY=VALUE`.
    pub name: String,
    /// What it takes from the bounds and the length, in words; the schedule's description.
    pub takes: String,
    /// What it trains.
    pub settled: Settled,
    /// Its samples.
    pub dataset: Dataset,
}

/// A job: a variant (by its position) under a seed (counted from 0).
type Job = (usize, u64);

/// Runs every variant under every seed, except for the runs that `store` has already; each run is
/// written as soon as it is over, and goes on where it was if it is interrupted. Other processes may
/// do the same in the same folder: each run is done by one of them. `watch` is told the jobs done and all, and what runs next.
///
/// `open` gives a device for each worker; `workers` run side by side.
///
/// # Errors
/// A device that fails, a file that cannot be written. A loss that is not finite is a result.
pub fn run(
    variants: &[Variant],
    settings: &Settings,
    store: &Store,
    workers: usize,
    open: &(dyn Fn() -> Result<std::sync::Arc<crate::gpu::Gpu>> + Sync),
    watch: &(dyn Fn(usize, usize, &str) + Sync),
) -> Result<Vec<Record>> {
    let all = variants.len() * settings.seeds as usize;
    let mut done = store.records(variants, settings)?;
    let missing = (0..variants.len()).flat_map(|v| (0..settings.seeds).map(move |s| (v, s)));
    let missing: VecDeque<Job> = missing
        .filter(|(v, s)| !done.iter().any(|r| r.variant == *v && r.seed_number == *s))
        .collect();
    let queue = Mutex::new(missing);
    // What other processes are at.
    let elsewhere = Mutex::new(VecDeque::new());
    let finished = Mutex::new((done.len(), Vec::new()));
    let work = || -> Result<()> {
        let mut worker = job::Worker::new(variants, settings, open);
        let mut finish = |job: Job, _held: Lock, name: &str| -> Result<()> {
            watch(lock(&finished).0, all, name);
            // Another process may have done it in the meantime.
            let record = match store.record(job)? {
                Some(record) => record,
                None => worker.run(job, store)?,
            };
            store.keep(&record)?;
            let mut finished = lock(&finished);
            finished.0 += 1;
            finished.1.push(record);
            Ok(())
        };
        let name = |job: Job| format!("{}, seed {}", variants[job.0].name, job.1 + 1);
        loop {
            let Some(job) = lock(&queue).pop_front() else {
                break;
            };
            match store.lock(job)? {
                Some(held) => finish(job, held, &name(job))?,
                None => lock(&elsewhere).push_back(job),
            }
        }
        loop {
            let Some(job) = lock(&elsewhere).pop_front() else {
                return Ok(());
            };
            let waits = format!("{}, which another process is at", name(job));
            watch(lock(&finished).0, all, &waits);
            finish(job, store.wait(job)?, &name(job))?;
        }
    };
    let ended: Vec<Result<()>> = std::thread::scope(|scope| {
        let workers = (0..workers.max(1)).map(|_| scope.spawn(work));
        let workers: Vec<_> = workers.collect();
        let joined = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .map(|ended| ended.unwrap_or_else(|_| Err(lost())))
            .collect()
    });
    ended.into_iter().collect::<Result<Vec<()>>>()?;
    done.append(&mut lock(&finished).1);
    done.sort_by_key(|record| (record.variant, record.seed_number));
    Ok(done)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lost() -> Error {
    Error::Device {
        adapter: "a worker of the comparison".into(),
        problem: "ended without a result".into(),
        help: "run the comparison again: it goes on where it was; with one worker the reason is \
               shown"
            .into(),
    }
}
