//! Comparing configurations, policies, or any key of a configuration honestly: the same steps, the same
//! initial weights and order of samples for each seed, as many seeds as were planned, and verdicts that
//! say no more than the data show ([`statistics`]).
//!
//! What is read along the way comes from a part of the training set that is held out; the test set
//! is used once in each run, at its end.

mod along;
mod arm;
mod job;
mod outcome;
mod plan;
mod record;
mod scores;
mod settings;
pub mod statistics;
mod store;
mod takes;
mod tune;
mod vary;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::Lock;
use crate::error::{Error, Result};
use crate::gpu::Gpu;

pub use along::{Along, Pace};
pub use arm::{Arm, Between, Variant, arms, budgets};
pub use outcome::{AgainstBaseline, Outcome, Outcomes, Worth};
pub use plan::{ComparisonPlan, Planned};
pub use record::{Point, Record};
pub use scores::Scores;
pub use settings::{
    Settings, Target, VALIDATION, Wishes, budget, check_budgets, check_seeds, half_cycle,
};
pub use store::{PLAN, Store, TUNING};
pub use takes::take;
pub use tune::{Tried, Tuned, check_rates, tune};
pub use vary::{Combined, Varied, combinations};

/// A job: an arm (by its position) under a seed (counted from 0).
type Job = (usize, u64);

/// What is to be done, and with what.
pub struct Work<'a> {
    /// What is trained, in the order of the plan's.
    pub arms: &'a [Arm],
    /// The plan.
    pub plan: &'a ComparisonPlan,
    /// Runs side by side, at least 1.
    pub workers: usize,
    /// Gives a device for each worker.
    pub open: &'a (dyn Fn() -> Result<Arc<Gpu>> + Sync),
}

/// How far a comparison is.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonProgress {
    /// Runs that are over, and all up to the next look.
    pub runs: [usize; 2],
    /// What runs next.
    pub next: String,
    /// Seconds that the rest takes, from what runs have taken so far.
    pub left: Option<f64>,
}

/// Who watches a comparison, and may end it.
pub trait Watch: Sync {
    /// Before each run, and now and then in it.
    fn progress(&self, _progress: &ComparisonProgress) {}
    /// Whether to end now: the run in flight is kept in the middle.
    fn interrupted(&self) -> bool {
        false
    }
    /// The device of a worker was lost; it is opened once more, and its run goes on.
    fn device_lost(&self, _lost: &Error) {}
    /// Seconds until no further run is begun; `None`: without end.
    fn time_left(&self) -> Option<f64> {
        None
    }
}

/// How a comparison ended, for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparisonEnded {
    /// All seeds that were asked for are there.
    Done,
    /// Every question is settled.
    Settled,
    /// The time was up, or too short for the seeds of the next look.
    Late,
    /// It was interrupted.
    Interrupted,
}

impl ComparisonEnded {
    /// Its name: `done`, `settled`, `late` or `interrupted`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Settled => "settled",
            Self::Late => "late",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Runs every arm under the first `seeds` seeds, seed by seed, except for the runs that `store` has
/// already; each run is written as soon as it is over, and goes on where it was if it is interrupted.
/// Other processes may do the same in the same folder: each run is done by one of them.
///
/// # Errors
/// A device that fails, a file that cannot be written or is not of this comparison. A loss that is not
/// finite is a result.
pub fn run(
    work: &Work<'_>,
    store: &Store,
    seeds: u64,
    watch: &dyn Watch,
) -> Result<(Vec<Record>, ComparisonEnded)> {
    let done = store.records(work, seeds)?;
    let all = (0..seeds).flat_map(|seed| work.plan.trained().map(move |arm| (arm, seed)));
    let missing: VecDeque<Job> = all
        .filter(|job| !done.iter().any(|(other, _)| other == job))
        .collect();
    let crew = Crew {
        work,
        store,
        watch,
        all: missing.len() + done.len(),
        queue: Mutex::new(missing),
        elsewhere: Mutex::new(VecDeque::new()),
        done: Mutex::new(done),
        ended: Mutex::new(ComparisonEnded::Done),
    };
    let ended: Vec<Result<()>> = std::thread::scope(|scope| {
        let workers = (0..work.workers.max(1)).map(|_| scope.spawn(|| crew.go_through()));
        let workers: Vec<_> = workers.collect();
        let joined = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .map(|ended| ended.unwrap_or_else(|_| Err(lost())))
            .collect()
    });
    ended.into_iter().collect::<Result<Vec<()>>>()?;
    let mut done = std::mem::take(&mut *lock(&crew.done));
    done.sort_by_key(|(job, _)| *job);
    let ended = match done.len() == crew.all {
        // Whatever came after the last one.
        true => ComparisonEnded::Done,
        false => *lock(&crew.ended),
    };
    Ok((done.into_iter().map(|(_, record)| record).collect(), ended))
}

/// Goes from look to look until all is settled, the seeds are there, or the time is up. `seeds` are those
/// that are wanted; `None`: those of the last look. Seeds that are there already count, wanted or not.
///
/// # Errors
/// As [`run`].
pub fn conduct(
    work: &Work<'_>,
    store: &Store,
    seeds: Option<u64>,
    watch: &dyn Watch,
) -> Result<(Vec<Record>, ComparisonEnded)> {
    let wanted = seeds.unwrap_or(work.plan.last_look());
    let wanted = wanted.max(store.seeds(work)?);
    let looks = work.plan.looks.iter().map(|look| look.seeds);
    let mut stops: Vec<u64> = looks.filter(|seeds| *seeds < wanted).collect();
    stops.push(wanted);
    let mut records: Vec<Record> = Vec::new();
    for seeds in stops {
        if is_too_late(work, &records, seeds, watch) {
            return Ok((records, ComparisonEnded::Late));
        }
        let (ran, ended) = run(work, store, seeds, watch)?;
        records = ran;
        if ended != ComparisonEnded::Done {
            return Ok((records, ended));
        }
        let outcomes = Outcomes::of(work.plan, &records);
        if watch.time_left().is_some() && seeds < wanted && outcomes.is_settled() {
            return Ok((records, ComparisonEnded::Settled));
        }
    }
    Ok((records, ComparisonEnded::Done))
}

/// Whether the seeds of the next look do not fit into the time that is left. Nothing is known before the
/// first seed.
fn is_too_late(work: &Work<'_>, records: &[Record], seeds: u64, watch: &dyn Watch) -> bool {
    let Some(left) = watch.time_left() else {
        return false;
    };
    let arms = work.plan.trained().count();
    let complete = records.len() / arms.max(1);
    let took: f64 = records.iter().map(|record| record.seconds).sum();
    let seed = took / complete.max(1) as f64 / work.workers.max(1) as f64;
    complete > 0 && (seeds as f64 - complete as f64) * seed > left
}

/// Workers that share a queue.
struct Crew<'a> {
    work: &'a Work<'a>,
    store: &'a Store,
    watch: &'a dyn Watch,
    /// Runs that there are when all are over.
    all: usize,
    queue: Mutex<VecDeque<Job>>,
    /// What other processes are at.
    elsewhere: Mutex<VecDeque<Job>>,
    done: Mutex<Vec<(Job, Record)>>,
    ended: Mutex<ComparisonEnded>,
}

impl Crew<'_> {
    /// Does jobs until none is left.
    fn go_through(&self) -> Result<()> {
        let mut worker = job::Worker::new(self.work, self.store);
        while self.goes_on() {
            let Some(job) = lock(&self.queue).pop_front() else {
                break;
            };
            match self.store.lock(job)? {
                Some(held) => self.finish(&mut worker, job, held)?,
                None => lock(&self.elsewhere).push_back(job),
            }
        }
        while self.goes_on() {
            let Some(job) = lock(&self.elsewhere).pop_front() else {
                break;
            };
            let name = format!("{}, which another process is at", self.name(job));
            self.tell(&name, (0, 0.0));
            let held = self.store.wait(job)?;
            self.finish(&mut worker, job, held)?;
        }
        Ok(())
    }

    /// Whether another run may begin.
    fn goes_on(&self) -> bool {
        let mut ended = lock(&self.ended);
        if *ended == ComparisonEnded::Done && self.watch.interrupted() {
            *ended = ComparisonEnded::Interrupted;
        }
        if *ended == ComparisonEnded::Done && self.watch.time_left().is_some_and(|left| left <= 0.0)
        {
            *ended = ComparisonEnded::Late;
        }
        *ended == ComparisonEnded::Done
    }

    fn finish(&self, worker: &mut job::Worker<'_>, job: Job, _held: Lock) -> Result<()> {
        let name = self.name(job);
        self.tell(&name, (0, 0.0));
        let steps = self.work.arms[job.0].steps;
        let tell = |done: u64, seconds: f64| {
            self.tell(&format!("{name}, step {done} of {steps}"), (done, seconds));
        };
        // Another process may have done it in the meantime.
        let record = match self.store.record(self.work, job)? {
            Some(record) => record,
            None => match worker.run(job, self.watch, &tell)? {
                Some(record) => record,
                None => {
                    *lock(&self.ended) = ComparisonEnded::Interrupted;
                    return Ok(());
                }
            },
        };
        self.store.keep(job, &record)?;
        lock(&self.done).push((job, record));
        Ok(())
    }

    fn name(&self, (arm, seed): Job) -> String {
        let arm = &self.work.arms[arm];
        let length = match self.work.plan.settings.budgets.len() {
            1 => String::new(),
            _ => format!(", {} steps", arm.steps),
        };
        format!("{}{length}, seed {}", arm.name, seed + 1)
    }

    /// Tells what is under way, and how many steps of it are done in which time.
    fn tell(&self, next: &str, part: (u64, f64)) {
        let done = lock(&self.done);
        let (steps, seconds) = done.iter().fold(part, |(steps, seconds), (_, record)| {
            (steps + record.steps, seconds + record.seconds)
        });
        let arms: u64 = self
            .work
            .plan
            .trained()
            .map(|arm| self.work.arms[arm].steps)
            .sum();
        let per_seed = self.work.plan.trained().count().max(1);
        let to_do = (self.all * arms as usize / per_seed) as f64 - steps as f64;
        let left = to_do * seconds / steps.max(1) as f64 / self.work.workers.max(1) as f64;
        let progress = ComparisonProgress {
            runs: [done.len(), self.all],
            next: next.to_owned(),
            left: (steps > 0).then_some(left.max(0.0)),
        };
        drop(done);
        self.watch.progress(&progress);
    }
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
