//! The loop over chunks.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::chunk::InFlight;
use super::event::{Evaluation, Event, Flow, Observer, Split, StepRecord, Summary};
use super::low_point::Members;
use super::patience::Patience;
use super::trainer::{IN_FLIGHT, Trainer};
use crate::config::Chunk;
use crate::error::{Error, Result};

/// How long a submission should take: desktop drivers reset a GPU that is busy for two seconds.
const SUBMISSION: Duration = Duration::from_millis(50);

/// The state of one run: what the loop has seen.
struct Run<'a, 'b> {
    trainer: &'a mut Trainer,
    observers: &'a mut [&'b mut dyn Observer],
    /// The first step that is not trained: moves down when an observer says so.
    end: u64,
    ended: &'static str,
    evaluations: Vec<Evaluation>,
    /// The best accuracy so far on what is held out, or else on the test set.
    best: f64,
    last_finite: Option<f64>,
    diverged: Option<StepRecord>,
    /// Time in which steps ran, evaluations not included.
    stepping: Duration,
    steps_per_chunk: usize,
    /// Batches in one submission, at most: a step of many is submitted in pieces.
    batches_per_submission: usize,
    members: Members,
    patience: Patience,
}

impl Trainer {
    /// Trains from where the trainer stands to the end of its length, and evaluates.
    ///
    /// # Errors
    /// [`Error::Diverged`] where a loss is not finite (after `Finished` was emitted), a device that
    /// fails, or an observer's error.
    pub fn run(&mut self, observers: &mut [&mut dyn Observer]) -> Result<Summary> {
        let pace = *self.pace();
        let (steps_per_chunk, batches_per_submission) = match pace.chunk {
            Chunk::Auto => (1, 1),
            Chunk::Fixed(steps) => (steps as usize, usize::MAX),
        };
        let mut run = Run {
            steps_per_chunk,
            batches_per_submission,
            trainer: self,
            observers,
            end: pace.total_steps,
            ended: "done",
            evaluations: Vec::new(),
            best: f64::NEG_INFINITY,
            last_finite: None,
            diverged: None,
            stepping: Duration::ZERO,
            members: Members::default(),
            patience: Patience::new(pace.early_stop),
        };
        run.train()
    }
}

impl Run<'_, '_> {
    fn train(&mut self) -> Result<Summary> {
        let started = Instant::now();
        let first = self.trainer.done();
        let info = self.trainer.info().clone();
        self.emit(&Event::Started(&info))?;
        while self.trainer.done() < self.end && self.diverged.is_none() {
            let stop = self.next_stop();
            self.train_to(stop)?;
            let at_stop = self.trainer.done() == stop;
            if at_stop && self.diverged.is_none() && self.ended != "interrupted" {
                self.at_stop(stop)?;
            }
        }
        // A run in which no cycle ended is one cycle.
        let complete = ["done", "stopped"].contains(&self.ended);
        if complete && self.members.cycles == 0 && self.trainer.done() > first {
            self.low_point()?;
        }
        let summary = self.summary(first, started)?;
        if self.diverged.is_none() {
            let weights = self.trainer.weights()?;
            self.emit(&Event::Trained(&weights))?;
        }
        self.emit(&Event::Finished(&summary))?;
        match self.diverged {
            Some(record) => Err(self.divergence(record)),
            None => Ok(summary),
        }
    }

    /// The next step at which something besides training happens.
    fn next_stop(&self) -> u64 {
        let every = self.trainer.pace().eval_every.max(1);
        let next = (self.trainer.done() / every).saturating_add(1);
        let next = next.saturating_mul(every).min(self.end);
        if !self.trainer.pace().cycle_end.is_on() {
            return next;
        }
        let mut steps = self.trainer.done().saturating_add(1)..next;
        steps.find(|step| self.is_low(*step)).unwrap_or(next)
    }

    /// Whether a cycle ends where `step` steps are done. Policies in a sequence may end before their
    /// cycles do, so only the cycle of the step before counts.
    fn is_low(&self, step: u64) -> bool {
        let last = step.checked_sub(1);
        last.is_some_and(|last| self.trainer.schedule().cycle_end(last) == Some(step))
    }

    /// What happens besides training when `stop` steps are done.
    fn at_stop(&mut self, stop: u64) -> Result<()> {
        let regular = stop.is_multiple_of(self.trainer.pace().eval_every.max(1));
        if regular || stop >= self.end {
            self.evaluate()?;
        }
        // An evaluation only because the run ends would not be there in a longer run.
        let judge = self.judge();
        if let (true, Some(evaluation)) =
            (regular, self.evaluations.iter().find(|e| e.split == judge))
        {
            self.trainer.observe(evaluation.loss);
            let (schedule, loss) = (self.trainer.schedule(), evaluation.loss);
            if let Some(best) = self.patience.is_over(schedule, stop, loss)
                && stop < self.end
            {
                (self.end, self.ended) = (stop, "stopped");
                self.emit(&Event::EarlyStop { step: stop, best })?;
            }
        }
        if self.is_low(stop) {
            self.low_point()?;
        }
        Ok(())
    }

    /// Snapshot and average, where they are wanted.
    fn low_point(&mut self) -> Result<()> {
        if !self.trainer.pace().cycle_end.is_on() {
            return Ok(());
        }
        let now = (self.judge(), self.stepping.as_secs_f64());
        let Some(low) = self.trainer.low_point(&mut self.members, now)? else {
            return Ok(());
        };
        self.emit(&Event::LowPoint {
            point: &low.point,
            snapshot: low.snapshot.as_ref(),
            average: low.average.as_ref(),
        })
    }

    /// The part of the data that says how good the run is while it goes on.
    fn judge(&self) -> Split {
        match self.trainer.info().samples[1] {
            0 => Split::Test,
            _ => Split::Validation,
        }
    }

    /// Trains the steps up to `stop`, chunk by chunk, with the next chunk submitted before the
    /// last one's results are read.
    fn train_to(&mut self, stop: u64) -> Result<()> {
        let mut in_flight: VecDeque<(InFlight, usize)> = VecDeque::new();
        let mut submitted = self.trainer.done();
        let mut mark = Instant::now();
        loop {
            let end = stop.min(self.end).max(submitted);
            let wanted = self.steps_per_chunk.min(self.trainer.longest_chunk());
            let count = (end - submitted).min(wanted as u64) as usize;
            if count > 0 && self.diverged.is_none() {
                let chunk = self
                    .trainer
                    .submit(submitted, count, self.batches_per_submission)?;
                in_flight.push_back((chunk, count));
                submitted += count as u64;
            }
            if count > 0 && in_flight.len() < IN_FLIGHT && self.diverged.is_none() {
                continue;
            }
            let Some((chunk, count)) = in_flight.pop_front() else {
                break;
            };
            let records = self.trainer.collect(chunk)?;
            let took = mark.elapsed();
            mark = Instant::now();
            self.stepping += took;
            self.adapt(took, count);
            if self.diverged.is_none() {
                self.trainer.set_done(self.trainer.done() + count as u64);
                self.report(&records)?;
            }
        }
        Ok(())
    }

    /// Chooses the length of the next chunk; never changes a result.
    fn adapt(&mut self, took: Duration, count: usize) {
        if self.trainer.pace().chunk != Chunk::Auto || count == 0 {
            return;
        }
        let batches = self.trainer.batches_per_step();
        let batch = took.as_secs_f64() / (count * batches) as f64;
        let fitting = (SUBMISSION.as_secs_f64() / batch.max(1e-9)) as usize;
        let most = (2 * self.steps_per_chunk).min(self.trainer.longest_chunk());
        self.steps_per_chunk = (fitting / batches).clamp(1, most.max(1));
        self.batches_per_submission = fitting.max(1);
    }

    /// Tells the observers about a finished chunk, and what ended with it.
    fn report(&mut self, records: &[StepRecord]) -> Result<()> {
        let bad = records.iter().position(|record| !record.loss.is_finite());
        let good = &records[..bad.unwrap_or(records.len())];
        if let Some(last) = good.last() {
            self.last_finite = Some(last.loss);
        }
        // The step that diverged is shown as well.
        let shown = &records[..bad.map_or(records.len(), |at| at + 1)];
        self.emit(&Event::Steps(shown))?;
        if let Some(at) = bad {
            self.diverged = Some(records[at]);
            self.ended = "diverged";
            self.trainer.set_done(records[at].step + 1);
            return self.emit(&Event::Diverged {
                step: records[at].step,
                lr: records[at].lr,
            });
        }
        let steps_per_epoch = self.trainer.steps_per_epoch();
        for record in records {
            let next = record.step + 1;
            let schedule = self.trainer.schedule();
            if schedule.cycle_end(record.step) == Some(next) {
                let cycle = schedule.cycle(record.step).unwrap_or(0);
                self.emit(&Event::CycleEnded { cycle, step: next })?;
            }
            if next % steps_per_epoch == 0 {
                let epoch = record.epoch;
                self.emit(&Event::EpochEnded { epoch, step: next })?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<()> {
        let judge = self.judge();
        for evaluation in self.trainer.evaluate_all()? {
            self.evaluations.retain(|e| e.split != evaluation.split);
            self.evaluations.push(evaluation);
            self.emit(&Event::Evaluated(&evaluation))?;
            if evaluation.split == judge && evaluation.accuracy > self.best {
                self.best = evaluation.accuracy;
                let weights = self.trainer.weights()?;
                self.emit(&Event::Best(&evaluation, &weights))?;
            }
        }
        Ok(())
    }

    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        for observer in self.observers.iter_mut() {
            let (end, ended) = match observer.on(event)? {
                Flow::Continue => continue,
                Flow::StopAfter(step) => (step.saturating_add(1), "stopped"),
                Flow::Interrupt => (0, "interrupted"),
            };
            // Steps that are done stay done.
            let end = end.max(self.trainer.done());
            if end < self.end {
                self.end = end;
                self.ended = ended;
            }
        }
        Ok(())
    }

    fn summary(&mut self, first: u64, started: Instant) -> Result<Summary> {
        let complete = ["done", "stopped"].contains(&self.ended);
        let outcomes = if complete {
            let (evaluation, outcomes) = self.trainer.evaluate(Split::Test)?;
            if !self.evaluations.iter().any(|e| e.step == evaluation.step) {
                self.evaluate()?;
            }
            outcomes
        } else {
            Vec::new()
        };
        let steps = self.trainer.done() - first;
        let (confusion, mistakes) = if outcomes.is_empty() {
            (Vec::new(), Vec::new())
        } else {
            (
                self.trainer.confusion(&outcomes),
                self.trainer.mistakes(&outcomes)?,
            )
        };
        Ok(Summary {
            steps,
            ended: self.ended.into(),
            seconds: started.elapsed().as_secs_f64(),
            steps_per_second: steps as f64 / self.stepping.as_secs_f64().max(1e-9),
            evaluations: self.evaluations.clone(),
            confusion,
            mistakes,
            augmented: self.trainer.augmented()?,
        })
    }

    fn divergence(&self, record: StepRecord) -> Error {
        Error::Diverged {
            step: record.step,
            lr: record.lr,
            loss: if record.loss.is_nan() {
                "NaN"
            } else {
                "infinite"
            }
            .into(),
            last: self
                .last_finite
                .map(|loss| format!("; the last finite loss was {loss:.4}"))
                .unwrap_or_default(),
            help: "lower schedule.max_lr (or schedule.lr), or optimizer.momentum; check that \
                   data.normalize suits the rate; what was written so far is kept"
                .into(),
        }
    }
}
