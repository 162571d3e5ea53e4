//! One run of a comparison.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::along::CHUNK;
use super::{Arm, Job, Point, Record, Scores, Store, Watch, Work};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::train::{Split, Trainer};

/// Trainers that a worker keeps: arms that differ in their schedules alone share one.
const KEPT: usize = 4;

/// Runs jobs one after the other.
pub(super) struct Worker<'a> {
    work: &'a Work<'a>,
    store: &'a Store,
    gpu: Option<Arc<Gpu>>,
    trainers: Vec<(String, Trainer)>,
    /// Whether a device that is lost is opened once more.
    opens_again: bool,
}

impl<'a> Worker<'a> {
    pub(super) fn new(work: &'a Work<'a>, store: &'a Store) -> Self {
        Self {
            work,
            store,
            gpu: None,
            trainers: Vec::new(),
            opens_again: true,
        }
    }

    /// Does a job, from where the store has kept it in the middle; `None` where it was interrupted, and
    /// kept. A device that is lost meanwhile is opened once more. `tell` is told the steps that are done and
    /// the seconds that they took.
    pub(super) fn run(
        &mut self,
        job: Job,
        watch: &dyn Watch,
        tell: &dyn Fn(u64, f64),
    ) -> Result<Option<Record>> {
        match self.train(job, watch, tell) {
            Err(lost @ Error::DeviceLost { .. }) if self.opens_again => {
                watch.device_lost(&lost);
                self.opens_again = false;
                self.trainers.clear();
                self.gpu = None;
                self.train(job, watch, tell)
            }
            outcome => outcome,
        }
    }

    fn train(
        &mut self,
        job: Job,
        watch: &dyn Watch,
        tell: &dyn Fn(u64, f64),
    ) -> Result<Option<Record>> {
        let (work, store) = (self.work, self.store);
        let arm = &work.arms[job.0];
        let gpu = self.gpu()?;
        let trainer = self.trainer(arm, &gpu)?;
        let settings = &work.plan.settings;
        let seed = settings.first_seed.wrapping_add(job.1);
        let config = &arm.settled.config;
        trainer.begin(config.seed.wrapping_add(seed), arm.settled.schedule.clone())?;
        trainer.set_order_seed(config.data.seed.wrapping_add(seed));
        let mut record = Record {
            variant: arm.name.clone(),
            steps: arm.steps,
            seed_number: job.1,
            trained: arm.mark(),
            curve: Vec::new(),
            test: settings.chance(),
            samples: Scores::new(Vec::new()),
            diverged: None,
            host: host(),
            adapter: gpu.description().name.clone(),
            seconds: 0.0,
            evaluating: 0.0,
        };
        if let Some((state, half)) = store.half(work, job) {
            trainer.restore(&state)?;
            record = half;
        }
        let (mut kept, mut took) = (Instant::now(), Duration::ZERO);
        let mut begun = Instant::now();
        while trainer.done() < arm.steps && record.diverged.is_none() {
            let stops = watch.interrupted();
            // Kept runs cost 2 % at most.
            if trainer.done() > 0 && (stops || kept.elapsed() > took * 50) {
                let writing = Instant::now();
                record.seconds += begun.elapsed().as_secs_f64();
                begun = Instant::now();
                store.keep_half(job, &trainer.state()?, &record)?;
                (kept, took) = (Instant::now(), writing.elapsed());
            }
            if stops {
                return Ok(None);
            }
            advance(trainer, arm, work, &mut record)?;
            tell(
                trainer.done(),
                record.seconds + begun.elapsed().as_secs_f64(),
            );
        }
        finish(trainer, work, &mut record)?;
        record.seconds += begun.elapsed().as_secs_f64();
        Ok(Some(record))
    }

    fn gpu(&mut self) -> Result<Arc<Gpu>> {
        let gpu = match &self.gpu {
            Some(gpu) => Arc::clone(gpu),
            None => (self.work.open)()?,
        };
        self.gpu = Some(Arc::clone(&gpu));
        Ok(gpu)
    }

    fn trainer(&mut self, arm: &Arm, gpu: &Arc<Gpu>) -> Result<&mut Trainer> {
        let bench = arm.bench();
        let kept = self.trainers.iter().position(|(kept, _)| *kept == bench);
        let kept = match kept {
            Some(at) => self.trainers.remove(at),
            None => {
                // The one that was not used for longest goes first.
                self.trainers.truncate(KEPT - 1);
                (bench, arm.trainer(gpu)?)
            }
        };
        self.trainers.insert(0, kept);
        Ok(&mut self.trainers[0].1)
    }
}

/// Trains to the next evaluation, and evaluates.
fn advance(trainer: &mut Trainer, arm: &Arm, work: &Work<'_>, record: &mut Record) -> Result<()> {
    let reads = arm.settled.schedule.reads_evaluations();
    let along = &work.plan.along;
    let budgets = &work.plan.settings.budgets;
    let length = budgets.iter().position(|steps| *steps == arm.steps);
    let every = match reads {
        true => arm.settled.eval_every,
        false => length
            .and_then(|at| along.every.get(at).copied())
            .unwrap_or(arm.steps),
    };
    let steps = every.max(1).min(arm.steps - trainer.done());
    let records = trainer.advance(steps, CHUNK)?;
    record.diverged = records
        .iter()
        .find(|record| !record.is_finite())
        .map(|record| record.step);
    if record.diverged.is_some() {
        return Ok(());
    }
    let begun = Instant::now();
    let evaluation = match reads {
        true => trainer.measure(Split::Validation)?,
        false => trainer.measure_some(Split::Validation, along.samples)?,
    };
    record.evaluating += begun.elapsed().as_secs_f64();
    if !evaluation.loss.is_finite() {
        record.diverged = Some(trainer.done());
        return Ok(());
    }
    trainer.observe(evaluation.loss);
    record.curve.push(Point {
        step: trainer.done(),
        // Of numbers there is none.
        accuracy: evaluation.accuracy.max(0.0),
        loss: evaluation.loss,
    });
    Ok(())
}

/// Reads the test set, where the run came to its end.
fn finish(trainer: &mut Trainer, work: &Work<'_>, record: &mut Record) -> Result<()> {
    if record.diverged.is_some() {
        return Ok(());
    }
    let settings = &work.plan.settings;
    let whole = trainer.weights()?.first_not_finite().is_none();
    let (evaluation, mut scores) = trainer.test_scores(settings.judge)?;
    let finite = whole && evaluation.loss.is_finite();
    match finite && scores.iter().all(|score| score.is_finite()) {
        true => {
            // Streams of another number may hold some windows more.
            let more = scores.len() > settings.samples;
            scores.truncate(settings.samples);
            record.samples = Scores::new(scores);
            record.test = match more {
                true => record.samples.mean(),
                false => settings.judge.score(evaluation.loss, evaluation.accuracy),
            };
        }
        false => record.diverged = Some(trainer.done()),
    }
    Ok(())
}

/// The host's name, where the system says it.
fn host() -> String {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let mut names = files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok());
    names
        .next()
        .map_or_else(|| "unknown".into(), |name| name.trim().to_owned())
}
