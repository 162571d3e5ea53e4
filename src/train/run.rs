//! The loop over chunks.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::cadence::Cadence;
use super::checkpoint::Checkpoint;
use super::chunk::InFlight;
use super::confusion::Confusion;
use super::divergence::Divergence;
use super::event::{Event, Flow, Observer};
use super::record::{Ended, Evaluation, Split, StepRecord, Summary};
use super::run_state::RunState;
use super::trainer::{IN_FLIGHT, Tested, Trainer};
use crate::config::{Chunk, Every};
use crate::error::Result;

/// How long a submission should take: desktop drivers reset a GPU that is busy for two seconds.
const SUBMISSION: Duration = Duration::from_millis(50);

/// One sitting of a run.
struct Run<'a, 'b> {
    trainer: &'a mut Trainer,
    observers: &'a mut [&'b mut dyn Observer],
    /// The first step that is not trained: moves down when an observer says so.
    end: u64,
    ended: Ended,
    /// The same without what an interruption did to it.
    planned: u64,
    state: RunState,
    /// The last step of this sitting.
    last: Option<StepRecord>,
    /// Steps done where the weights were last found finite.
    finite_at: Option<u64>,
    diverged: Option<Divergence>,
    /// What came out for the test set when it was last evaluated, and the steps done then.
    tested: Option<(u64, Tested)>,
    steps_per_chunk: usize,
    /// Batches in one submission, at most: a step of many is submitted in pieces.
    batches_per_submission: usize,
    cadence: Cadence,
    started: Instant,
    /// What steps had taken before this sitting.
    stepped_before: Duration,
}

impl Trainer {
    /// Trains from where the trainer stands to the end of its length, and evaluates.
    ///
    /// # Errors
    /// [`Error::Diverged`](crate::error::Error::Diverged) where a loss is not finite (after `Finished` was emitted), a device that
    /// fails, or an observer's error.
    pub fn run(&mut self, observers: &mut [&mut dyn Observer]) -> Result<Summary> {
        let info = self.info().clone();
        let mut run = Run::new(self, RunState::new(self.done()), observers);
        run.emit(&Event::Started(&info))?;
        run.train()
    }

    /// Trains from a checkpoint to the end of this trainer's length, as [`Trainer::run`] would have
    /// gone on: to the same bits on the same adapter, under the same schedule. Observers hear
    /// [`Event::Resumed`] in the place of [`Event::Started`].
    ///
    /// # Errors
    /// [`Error::Argument`](crate::error::Error::Argument) for a checkpoint of another model, optimizer or data set; and as
    /// [`Trainer::run`].
    pub fn resume(
        &mut self,
        checkpoint: &Checkpoint,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Summary> {
        let before = (&checkpoint.info.asked, &checkpoint.info.changes);
        let taken_up = self.take_up(checkpoint)?;
        let is_changed = before != (&taken_up.info.asked, &taken_up.info.changes);
        let mut run = Run::new(self, taken_up.run.clone(), observers);
        run.emit(&Event::Resumed(&taken_up))?;
        if is_changed {
            // From here on it goes on under what it was changed to, even if it is killed now.
            run.checkpoint()?;
        }
        run.train()
    }
}

impl<'a, 'b> Run<'a, 'b> {
    fn new(
        trainer: &'a mut Trainer,
        state: RunState,
        observers: &'a mut [&'b mut dyn Observer],
    ) -> Self {
        let kept = observers
            .iter()
            .any(|observer| observer.keeps_checkpoints());
        let every = match kept {
            true => trainer.pace().checkpoint.every,
            false => Every::Never,
        };
        let (steps_per_chunk, batches_per_submission) = match trainer.pace().chunk {
            Chunk::Auto => (1, 1),
            Chunk::Fixed(steps) => (steps as usize, usize::MAX),
        };
        Self {
            stepped_before: state.stepping,
            end: trainer.pace().total_steps,
            ended: Ended::Done,
            planned: trainer.pace().total_steps,
            state,
            last: None,
            finite_at: None,
            diverged: None,
            tested: None,
            steps_per_chunk,
            batches_per_submission,
            cadence: Cadence::new(every, trainer.steps_per_epoch()),
            started: Instant::now(),
            trainer,
            observers,
        }
    }

    fn train(&mut self) -> Result<Summary> {
        if !self.state.attended {
            self.attend()?;
        } else if self.state.patience.is_spent(self.trainer.pace().early_stop) {
            // It had ended, and was killed before it could say so.
            (self.end, self.ended) = (self.trainer.done(), Ended::Stopped);
        }
        while self.trainer.done() < self.end && self.diverged.is_none() {
            let stop = self.next_stop();
            let stop = self.train_to(stop)?;
            self.state.attended = false;
            if self.trainer.done() >= self.end {
                self.check_weights()?;
            }
            if self.diverged.is_some() || self.ended == Ended::Interrupted {
                break;
            }
            if self.trainer.done() == stop {
                self.attend()?;
            }
            let (done, schedule) = (self.trainer.done(), self.trainer.schedule());
            if done < self.end && self.cadence.falls_on(done, schedule) {
                self.checkpoint()?;
            }
        }
        self.check_weights()?;
        self.check_losses()?;
        if self.diverged.is_none() {
            self.checkpoint()?;
        }
        // A run in which no cycle ended is one cycle.
        let trained = self.trainer.done() > self.state.first;
        if self.ended.is_complete() && self.state.members.cycles == 0 && trained {
            self.low_point()?;
        }
        let tested = self.tested()?;
        self.check_losses()?;
        let summary = self.summary(&tested)?;
        if self.diverged.is_none() {
            let weights = self.trainer.weights()?;
            self.emit(&Event::Trained(&weights))?;
        }
        self.emit(&Event::Finished(&summary))?;
        match self.diverged.take() {
            Some(divergence) => {
                let momentum = self.trainer.optimizer().momentum();
                Err(divergence.error(momentum, self.state.last_finite))
            }
            None => Ok(summary),
        }
    }

    /// A run whose last update left weights or running statistics that are not finite has diverged:
    /// no step comes that would show it.
    fn check_weights(&mut self) -> Result<()> {
        let done = self.trainer.done();
        if self.diverged.is_some() || self.finite_at == Some(done) {
            return Ok(());
        }
        match self.trainer.weights()?.first_not_finite() {
            None => self.finite_at = Some(done),
            Some(found) => {
                let what = format!("{found} after the update");
                self.diverge(Divergence::in_the_end(
                    self.trainer,
                    self.last.as_ref(),
                    what,
                ))?;
            }
        }
        Ok(())
    }

    /// So has one whose weights, when it ended, gave a loss that is not finite.
    fn check_losses(&mut self) -> Result<()> {
        let done = self.trainer.done();
        let mut evaluations = self.state.evaluations.iter();
        let bad = evaluations.find(|e| e.step == done && !e.loss.is_finite());
        let (Some(bad), None) = (bad, &self.diverged) else {
            return Ok(());
        };
        let what = format!(
            "the loss over the {} set became {} after the update",
            bad.split.name(),
            bad.loss
        );
        self.diverge(Divergence::in_the_end(
            self.trainer,
            self.last.as_ref(),
            what,
        ))
    }

    fn diverge(&mut self, divergence: Divergence) -> Result<()> {
        let Divergence { step, lr, .. } = divergence;
        self.diverged = Some(divergence);
        self.ended = Ended::Diverged;
        self.emit(&Event::Diverged { step, lr })
    }

    /// The next step at which something besides training happens.
    fn next_stop(&self) -> u64 {
        let every = self.trainer.pace().eval_every.max(1);
        let next = (self.trainer.done() / every).saturating_add(1);
        let next = next.saturating_mul(every).min(self.end);
        let next = match self.trainer.pace().test_every {
            0 => next,
            every => (self.trainer.done() / every)
                .saturating_add(1)
                .saturating_mul(every)
                .min(next),
        };
        let (done, schedule) = (self.trainer.done(), self.trainer.schedule());
        let next = self.cadence.next(done, next, schedule).unwrap_or(next);
        if !self.trainer.pace().cycle_end.is_on() {
            return next;
        }
        schedule.next_low(done).map_or(next, |low| low.min(next))
    }

    /// Whether a cycle ends where `step` steps are done. Policies in a sequence may end before their
    /// cycles do, so only the cycle of the step before counts.
    fn is_low(&self, step: u64) -> bool {
        let last = step.checked_sub(1);
        let cycle = last.and_then(|last| self.trainer.schedule().cycle(last));
        cycle.is_some_and(|cycle| cycle.end == Some(step))
    }

    /// Does what happens besides training at the step where the trainer stands.
    fn attend(&mut self) -> Result<()> {
        self.at_stop(self.trainer.done())?;
        self.state.attended = true;
        Ok(())
    }

    /// Hands a checkpoint to those who keep it. Weights that are no longer finite make none: the
    /// next step says so.
    fn checkpoint(&mut self) -> Result<()> {
        if !self.cadence.is_on() {
            return Ok(());
        }
        let begun = Instant::now();
        let mut run = self.state.clone();
        run.lasted += self.started.elapsed();
        let checkpoint = self.trainer.checkpoint(run)?;
        if checkpoint.state.is_finite() {
            let keep = self.trainer.pace().checkpoint.keep;
            self.emit(&Event::Checkpoint {
                checkpoint: &checkpoint,
                keep,
            })?;
        } else {
            log::warn!(
                "no checkpoint is taken at step {}: not all numbers of weights and optimizer are finite",
                self.trainer.done()
            );
        }
        let step = self.trainer.done();
        log::info!("the checkpoint of step {step} took {:?}", begun.elapsed());
        self.cadence.taken(begun);
        Ok(())
    }

    /// What happens besides training when `stop` steps are done.
    fn at_stop(&mut self, stop: u64) -> Result<()> {
        let regular = stop.is_multiple_of(self.trainer.pace().eval_every.max(1));
        let pace = self.trainer.pace();
        let tests = pace.test_every > 0 && stop.is_multiple_of(pace.test_every);
        if regular || stop >= self.end {
            self.evaluate()?;
        } else if tests && self.trainer.validates() {
            self.evaluate_part(Split::Test)?;
        }
        // An evaluation only because the run ends would not be there in a longer run.
        let judge = self.judge();
        if let (true, Some(evaluation)) = (
            regular,
            self.state.evaluations.iter().find(|e| e.split == judge),
        ) {
            self.trainer.observe(evaluation.loss);
            let (schedule, loss) = (self.trainer.schedule(), evaluation.loss);
            let (allowed, patience) = (self.trainer.pace().early_stop, &mut self.state.patience);
            if let Some(best) = patience.is_over(allowed, schedule, stop, loss)
                && stop < self.planned
            {
                (self.end, self.ended) = (stop, Ended::Stopped);
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
        let now = (self.judge(), self.state.stepping.as_secs_f64());
        let Some(low) = self.trainer.low_point(&mut self.state.members, now)? else {
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
    /// last one's results are read; or to where the clock wants a checkpoint, which it gives.
    fn train_to(&mut self, mut stop: u64) -> Result<u64> {
        let mut in_flight: VecDeque<(InFlight, usize)> = VecDeque::new();
        let mut submitted = self.trainer.done();
        let least = submitted + 1;
        let mut mark = Instant::now();
        loop {
            let clock = self.cadence.stop(submitted.max(least));
            stop = stop.min(clock.unwrap_or(stop));
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
            self.state.stepping += took;
            self.adapt(took, count);
            if self.diverged.is_none() {
                self.trainer.set_done(self.trainer.done() + count as u64);
                self.report(&records)?;
            }
        }
        Ok(stop)
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
        let bad = records.iter().position(|record| !record.is_finite());
        let good = &records[..bad.unwrap_or(records.len())];
        if let Some(last) = good.last() {
            self.state.last_finite = Some(last.loss);
        }
        // The step that diverged is shown as well.
        let shown = &records[..bad.map_or(records.len(), |at| at + 1)];
        self.emit(&Event::Steps(shown))?;
        self.last = records.last().copied();
        if let Some(at) = bad {
            self.trainer.set_done(records[at].step + 1);
            return self.diverge(Divergence::of(&records[at]));
        }
        let steps_per_epoch = self.trainer.steps_per_epoch();
        for record in records {
            let next = record.step + 1;
            let cycle = self.trainer.schedule().cycle(record.step);
            if let Some(cycle) = cycle.filter(|cycle| cycle.end == Some(next)) {
                let cycle = cycle.index;
                self.emit(&Event::CycleEnded { cycle, step: next })?;
            }
            if next % steps_per_epoch == 0 {
                let epoch = record.epoch;
                self.emit(&Event::EpochEnded { epoch, step: next })?;
            }
        }
        Ok(())
    }

    /// Evaluates a part of the data; nothing where there is no such part.
    fn evaluate_part(&mut self, split: Split) -> Result<()> {
        let evaluation = match split {
            Split::Validation if !self.trainer.validates() => return Ok(()),
            Split::Validation => self.trainer.measure(split)?,
            // Single samples are told of where the run ends; on the way nobody looks at them.
            Split::Test if self.trainer.done() < self.end => self.trainer.measure(split)?,
            Split::Test => {
                let (evaluation, tested) = self.trainer.evaluate_test()?;
                self.tested = Some((evaluation.step, tested));
                evaluation
            }
        };
        let judge = (self.judge(), self.trainer.judge());
        let better = self.state.take(evaluation, judge);
        self.emit(&Event::Evaluated(&evaluation))?;
        if better {
            let weights = self.trainer.weights()?;
            self.emit(&Event::Best(&evaluation, &weights))?;
            self.state.best_weights = self.cadence.is_on().then_some(weights);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<()> {
        self.evaluate_part(Split::Validation)?;
        // Where there is a validation set, the test set is read where that is asked for, and when the run is
        // over: behind its last checkpoint, so that a longer run is as if it had been so from the start.
        let (done, every) = (self.trainer.done(), self.trainer.pace().test_every);
        let asked = match self.trainer.validates() {
            true => every > 0 && done.is_multiple_of(every),
            false => true,
        };
        if asked {
            self.evaluate_part(Split::Test)?;
        }
        if self.observers.iter().any(|observer| observer.shows_texts())
            && let Some([prompt, text]) = &self.trainer.text()?
        {
            let step = self.trainer.done();
            self.emit(&Event::Text { step, prompt, text })?;
        }
        Ok(())
    }

    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        for observer in self.observers.iter_mut() {
            let (end, ended) = match observer.on(event)? {
                Flow::Continue => continue,
                Flow::StopAfter(step) => (step.saturating_add(1), Ended::Stopped),
                Flow::Interrupt => (0, Ended::Interrupted),
            };
            // Steps that are done stay done.
            let end = end.max(self.trainer.done());
            if end < self.end {
                self.end = end;
                self.ended = ended;
            }
            if ended == Ended::Stopped {
                self.planned = self.planned.min(end);
            }
        }
        Ok(())
    }

    /// What came out for the test set with the weights as they are; nothing where the run is not complete.
    fn tested(&mut self) -> Result<Tested> {
        if !self.ended.is_complete() {
            return Ok(Tested::default());
        }
        let done = self.trainer.done();
        let at_end = |e: &Evaluation| e.step == done;
        if !self.state.evaluations.iter().any(at_end) {
            self.evaluate_part(Split::Validation)?;
        }
        match self.tested.take() {
            Some((step, tested)) if step == done => Ok(tested),
            // The run was killed after its last evaluation, or that evaluation was what ended it.
            _ if self
                .state
                .evaluations
                .iter()
                .any(|e| at_end(e) && e.split == Split::Test) =>
            {
                Ok(self.trainer.evaluate_test()?.1)
            }
            _ => {
                self.evaluate_part(Split::Test)?;
                Ok(self
                    .tested
                    .take()
                    .map(|(_, tested)| tested)
                    .unwrap_or_default())
            }
        }
    }

    fn summary(&mut self, tested: &Tested) -> Result<Summary> {
        let Tested {
            outcomes,
            outputs,
            symbols,
        } = tested;
        let numbers = self.trainer.numbers(outputs)?;
        let steps = self.trainer.done() - self.state.first;
        let (confusion, mistakes) = if outcomes.is_empty() {
            (Confusion::default(), Vec::new())
        } else {
            (
                self.trainer.confusion(outcomes),
                self.trainer.mistakes(outcomes, outputs)?,
            )
        };
        Ok(Summary {
            steps,
            ended: self.ended,
            seconds: (self.state.lasted + self.started.elapsed()).as_secs_f64(),
            steps_per_second: steps as f64 / self.state.stepping.as_secs_f64().max(1e-9),
            waited: self.trainer.waited().map(|waited| {
                let stepping = self.state.stepping - self.stepped_before;
                (waited.as_secs_f64() / stepping.as_secs_f64().max(1e-9)).min(1.0)
            }),
            evaluations: self.state.evaluations.clone(),
            confusion,
            top5: self.trainer.top5(outputs),
            mistakes,
            symbols: symbols.clone(),
            numbers,
            augmented: self.trainer.augmented()?,
        })
    }
}
