//! Samples that do not lie on the device are read by threads of their own, ahead of when they are needed,
//! so that the device does not wait for a disk or a decoder.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::updates::{Batch, Order};
use crate::data::Samples;
use crate::error::{Error, Result};

/// Bytes that are read ahead, unless one batch has more.
const AHEAD: usize = 32 << 20;
/// Samples that are worth another thread.
const PORTION: usize = 8;
/// How often the device is asked whether it is still busy.
const GLANCE: Duration = Duration::from_millis(1);

/// The bytes and the targets of some samples, each at its place in their list.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    pub(super) targets: Vec<u32>,
}

/// Some samples that are to be read.
struct Job {
    list: Vec<u32>,
    phase: u32,
    answer: Sender<Result<Read>>,
}

/// A batch that was asked for.
#[derive(Debug)]
struct Asked {
    /// The step that it belongs to, and its place in it.
    at: (u64, usize),
    portions: Vec<Receiver<Result<Read>>>,
    bytes: usize,
}

/// Threads that read samples.
#[derive(Debug)]
pub(super) struct Readers {
    /// The sets, one behind the other.
    sets: Arc<Vec<Samples>>,
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    /// Nobody waits for what is still to be read.
    is_over: Arc<AtomicBool>,
    /// Batches of the steps to come, in their order.
    ahead: VecDeque<Asked>,
    /// The first batch that nobody asked for yet.
    next: (u64, usize),
    /// Steps from here on are not looked ahead to.
    end: u64,
    /// How long the device had nothing to do because samples were not there.
    waited: Duration,
}

impl Readers {
    /// `workers` threads, or as many as there are cores, that read from `sets`, which lie one behind the
    /// other; steps from `end` on are not looked ahead to.
    pub(super) fn new(sets: Vec<Samples>, workers: Option<usize>, end: u64) -> Self {
        let sets = Arc::new(sets);
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let is_over = Arc::new(AtomicBool::new(false));
        let worker = |_| {
            let (sets, queue) = (Arc::clone(&sets), Arc::clone(&queue));
            let is_over = Arc::clone(&is_over);
            // Where the system has no more threads, those that there are do the work.
            thread::Builder::new()
                .name("reader".into())
                .spawn(move || work(&sets, &queue, &is_over))
                .ok()
        };
        let threads: Vec<_> = (0..workers.unwrap_or_else(cores))
            .map_while(worker)
            .collect();
        Self {
            jobs: (!threads.is_empty()).then_some(jobs),
            sets,
            threads,
            is_over,
            ahead: VecDeque::new(),
            next: (0, 0),
            end,
            waited: Duration::ZERO,
        }
    }

    /// Where the first set is, in words.
    pub(super) fn residence(&self) -> &'static str {
        self.sets.first().map_or("", |set| set.inputs().residence())
    }

    /// How many threads read.
    pub(super) fn workers(&self) -> usize {
        self.threads.len().max(1)
    }

    /// How long the device had nothing to do because samples of training steps were not there.
    pub(super) fn waited(&self) -> Duration {
        self.waited
    }

    /// Forgets what was read ahead.
    pub(super) fn forget(&mut self) {
        self.ahead.clear();
    }

    /// The batch at place `place` of `step` of `order`; asks for those that come next. `is_idle` tells
    /// whether the device has nothing to do.
    pub(super) fn training(
        &mut self,
        order: &mut Order,
        at: (u64, usize),
        is_idle: &dyn Fn() -> bool,
    ) -> Result<Read> {
        if self.ahead.front().is_none_or(|asked| asked.at != at) {
            self.ahead.clear();
            self.next = at;
        }
        self.look_ahead(order, at.0);
        let Some(asked) = self.ahead.pop_front() else {
            return Ok(Read::default());
        };
        let mut idle_since = None;
        let glance = || {
            if idle_since.is_none() && is_idle() {
                idle_since = Some(Instant::now());
            }
        };
        let read = gather(asked.portions, glance);
        self.waited += idle_since.map_or(Duration::ZERO, |since| since.elapsed());
        read
    }

    /// Asks for batches until enough are on their way, those of step `least` in any case.
    fn look_ahead(&mut self, order: &mut Order, least: u64) {
        let mut bytes: usize = self.ahead.iter().map(|asked| asked.bytes).sum();
        while self.ahead.is_empty() || (bytes < AHEAD && self.next.0 < self.end) {
            let (step, place) = self.next;
            let update = order.update(step);
            let Some(batch) = update.batches().nth(place) else {
                if step > least {
                    // A step without samples: there is nothing to look ahead to.
                    return;
                }
                self.next = (step.saturating_add(1), 0);
                continue;
            };
            let more = place + 1 < update.batches().count();
            let portions = self.ask(&batch);
            let size = batch.samples.len() * self.width();
            self.ahead.push_back(Asked {
                at: (step, place),
                portions,
                bytes: size,
            });
            bytes += size;
            self.next = match more {
                true => (step, place + 1),
                false => (step.saturating_add(1), 0),
            };
        }
    }

    /// The batches, one after the other, which all threads read together.
    pub(super) fn read(&self, batches: &[Batch<'_>]) -> Result<Vec<Read>> {
        let asked: Vec<_> = batches.iter().map(|batch| self.ask(batch)).collect();
        let read = asked.into_iter().map(|portions| gather(portions, || {}));
        read.collect()
    }

    /// Bytes of a sample.
    pub(super) fn width(&self) -> usize {
        self.sets.first().map_or(0, Samples::sample_bytes)
    }

    /// Words of the targets of a sample.
    pub(super) fn words(&self) -> usize {
        self.sets.first().map_or(1, Samples::target_words)
    }

    /// Lets the threads read a batch.
    fn ask(&self, batch: &Batch<'_>) -> Vec<Receiver<Result<Read>>> {
        let portion = batch.samples.len().div_ceil(self.workers()).max(PORTION);
        let portions = batch.samples.chunks(portion).map(|list| {
            let (answer, read) = channel();
            let job = Job {
                list: list.to_vec(),
                phase: batch.phase,
                answer,
            };
            let refused = match &self.jobs {
                Some(jobs) => jobs.send(job).err().map(|error| error.0),
                None => Some(job),
            };
            // Nobody is there to do it.
            if let Some(job) = refused {
                answer_to(&self.sets, job);
            }
            read
        });
        portions.collect()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // What a thread had to say it said to those who asked.
            let _ = thread.join();
        }
    }
}

/// Does jobs until nobody waits for them.
fn work(sets: &[Samples], queue: &Mutex<Receiver<Job>>, is_over: &AtomicBool) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) if !is_over.load(Ordering::Relaxed) => answer_to(sets, job),
            _ => return,
        }
    }
}

fn answer_to(sets: &[Samples], job: Job) {
    let read = read(sets, &job.list, job.phase);
    // Nobody may want it any more.
    let _ = job.answer.send(read);
}

/// Puts the portions of a batch together; `glance` is called every now and then while they are not there.
fn gather(portions: Vec<Receiver<Result<Read>>>, mut glance: impl FnMut()) -> Result<Read> {
    let mut all = Read::default();
    for portion in portions {
        let read = loop {
            match portion.recv_timeout(GLANCE) {
                Ok(read) => break read?,
                Err(RecvTimeoutError::Timeout) => glance(),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Argument {
                        what: "samples".into(),
                        found: "inputs that panicked while they were read".into(),
                        expected: "the bytes of each sample, or an error".into(),
                        help: "return an error from Inputs::read instead".into(),
                    });
                }
            }
        };
        match all.bytes.is_empty() {
            true => all = read,
            false => {
                all.bytes.extend_from_slice(&read.bytes);
                all.targets.extend_from_slice(&read.targets);
            }
        }
    }
    Ok(all)
}

/// Reads the samples of a list, which counts through `sets`.
fn read(sets: &[Samples], list: &[u32], phase: u32) -> Result<Read> {
    let width = sets.first().map_or(0, Samples::sample_bytes);
    let mut read = Read {
        bytes: vec![0; list.len() * width],
        targets: Vec::new(),
    };
    let mut bytes = &mut read.bytes[..];
    // Neighbours of one set are read together.
    for run in list.chunk_by(|a, b| place(sets, *a).0 == place(sets, *b).0) {
        let (into, rest) = bytes.split_at_mut(run.len() * width);
        bytes = rest;
        let set = &sets[place(sets, run[0]).0];
        let within: Vec<u32> = run.iter().map(|at| place(sets, *at).1).collect();
        set.read_shifted(&within, phase as usize, into)?;
        read.targets
            .extend(set.targets_of(&within, phase as usize)?);
    }
    Ok(read)
}

/// The set that a position in the list of all samples belongs to, and the place in it.
fn place(sets: &[Samples], at: u32) -> (usize, u32) {
    let mut rest = at;
    for (position, set) in sets.iter().enumerate() {
        match rest.checked_sub(set.places() as u32) {
            Some(behind) if position + 1 < sets.len() => rest = behind,
            _ => return (position, rest),
        }
    }
    (0, at)
}
