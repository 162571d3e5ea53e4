//! A chunk of steps: one submission.

use super::augment::send_places;
use super::feed::{Feed, Submission};
use super::record::StepRecord;
use super::ring::StepUniform;
use super::updates::positive;
use crate::error::Result;
use crate::kernel::Plan;
use crate::kernel::plan::Key;
use crate::kernel::program::{Phases, Program, Ticket, Workshop};
use crate::model::{PlanRequest, Training, plan};
use crate::optim::{Optimizer, Update, accumulate, clip_norm, gradient_norm};
use crate::schedule::Policy;
use crate::shape::Shape;

/// A training step, laid out.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) plan: Plan,
    program: Program,
    pub(super) request: PlanRequest,
    /// Shape of a sample.
    shape: Shape,
    /// Sums of the gradient's norm.
    norm_parts: usize,
}

/// What steps are told that follows from no sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates<'a> {
    pub(super) seed: u64,
    pub(super) schedule: &'a dyn Policy,
    pub(super) optimizer: &'a dyn Optimizer,
    /// How far the optimizer's count of updates is ahead of the steps, modulo 2^64.
    pub(super) ahead: u64,
}

impl Rates<'_> {
    /// What the optimizer is told of the update of `step`, in f64.
    fn update(&self, step: u64) -> Update {
        let rate = self.schedule.at(step);
        let own = self.optimizer.momentum().map(|momentum| momentum.value);
        Update {
            step: step.wrapping_add(self.ahead),
            lr: rate.lr,
            momentum: rate.momentum.or(own).unwrap_or(0.0),
        }
    }

    /// Tells a step.
    fn tell(&self, step: u64, slot: &mut StepUniform) {
        let update = self.update(step);
        slot.lr = update.lr as f32;
        slot.momentum = update.momentum as f32;
        slot.optimizer = self.optimizer.words(&update);
    }
}

/// A step as it lies in the ring.
#[derive(Debug, Clone, Copy)]
struct Slots {
    step: u64,
    epoch: u64,
    /// Slots of its batches, one after the other.
    batches: usize,
    /// Targets of all its batches that count.
    targets: usize,
    /// What its loss is the mean over.
    weight: f64,
}

/// A chunk whose results are not read yet.
#[derive(Debug)]
pub(super) struct InFlight {
    ticket: Ticket,
    steps: Vec<Slots>,
}

/// Sums over the rows of one batch, as the loss kernel left them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sums {
    pub(super) loss: f64,
    pub(super) right: f64,
}

impl Sums {
    pub(super) fn add(&mut self, more: Self) {
        self.loss += more.loss;
        self.right += more.right;
    }
}

impl Steps {
    pub(super) fn new(
        workshop: &mut Workshop,
        training: &Training,
        request: PlanRequest,
    ) -> Result<Self> {
        let network = &training.network;
        let plan = plan(training, workshop.gpu(), &request)?;
        Ok(Self {
            program: workshop.realize(&plan)?,
            plan,
            request,
            shape: network.input(),
            norm_parts: gradient_norm::parts(network.floats()),
        })
    }

    /// Submits the steps `first .. first + count`: fills the step ring and the list of samples
    /// with one write each, records the plan once for each batch, the update once for each step, and
    /// asks for the results. No submission has more than `most` batches.
    pub(super) fn submit(
        &self,
        workshop: &mut Workshop,
        feed: &mut Feed,
        rates: &Rates<'_>,
        (first, count, most): (u64, usize, usize),
    ) -> Result<InFlight> {
        let (steps, submission) = self.prepare(feed, rates, (first, count));
        let portion = feed.residence().portion(&self.request);
        let mut recorder = workshop.recorder();
        let mut slot = 0_usize;
        for batches in steps.iter().map(|step| step.batches) {
            for place in 0..batches {
                let is_sent = !slot.is_multiple_of(portion);
                if slot > 0 && (slot.is_multiple_of(most) || !is_sent) {
                    workshop.submit_and_read(recorder, &[])?;
                    recorder = workshop.recorder();
                }
                if !is_sent {
                    self.send(workshop, feed, &submission, slot)?;
                }
                for phases in of_batch(place, batches) {
                    workshop.encode(&mut recorder, &self.program, phases, slot);
                }
                slot += 1;
            }
        }
        let bytes = 8 * (slot * self.request.results_stride()) as u64;
        let results = Key::Results(self.request.user());
        let ticket = workshop.submit_and_read(recorder, &[(results, bytes)])?;
        Ok(InFlight { ticket, steps })
    }

    /// The batches of the steps `first .. first + count`, and how these lie in the step ring.
    fn prepare(
        &self,
        feed: &mut Feed,
        rates: &Rates<'_>,
        (first, count): (u64, usize),
    ) -> (Vec<Slots>, Submission) {
        let mut submission = Submission::new(self.request.batch, rates.seed);
        let mut steps = Vec::with_capacity(count);
        for step in (first..).take(count) {
            let update = feed.order.update(step);
            let before = submission.slots.len();
            for batch in update.batches() {
                rates.tell(step, submission.push(&batch));
            }
            steps.push(Slots {
                step,
                epoch: update.epoch,
                batches: submission.slots.len() - before,
                targets: update.targets(),
                weight: update.weight(),
            });
        }
        (steps, submission)
    }

    /// Fills the step ring and the list of samples for the batches from slot `first` on, as many as lie on
    /// the device at a time.
    fn send(
        &self,
        workshop: &Workshop,
        feed: &mut Feed,
        submission: &Submission,
        first: usize,
    ) -> Result<()> {
        let portion = feed.residence().portion(&self.request);
        let end = first.saturating_add(portion).min(submission.slots.len());
        let slots = &submission.slots[first..end];
        send_places(workshop, &self.request, &self.shape, slots)?;
        feed.send(workshop, &self.request, submission, first..end)
    }

    /// Trains one step and waits; the seconds of each command of the plan, in all batches together.
    pub(super) fn time(
        &self,
        workshop: &mut Workshop,
        feed: &mut Feed,
        rates: &Rates<'_>,
        step: u64,
    ) -> Result<Vec<Option<f64>>> {
        let (steps, submission) = self.prepare(feed, rates, (step, 1));
        let portion = feed.residence().portion(&self.request);
        let mut all = vec![None; self.program.len()];
        for (slot, batches) in steps
            .iter()
            .flat_map(|step| (0..step.batches).map(|place| (place, step.batches)))
        {
            if slot.is_multiple_of(portion) {
                self.send(workshop, feed, &submission, slot)?;
            }
            for phases in of_batch(slot, batches) {
                let times = workshop.time(&self.program, phases, slot)?;
                for (sum, time) in all[self.program.range(phases)].iter_mut().zip(times) {
                    *sum = time.map(|time| sum.unwrap_or(0.0) + time);
                }
            }
        }
        Ok(all)
    }

    /// Waits for a chunk and reads what the device recorded.
    pub(super) fn collect(
        &self,
        workshop: &mut Workshop,
        chunk: InFlight,
    ) -> Result<Vec<StepRecord>> {
        let bytes = workshop.take(chunk.ticket)?;
        let results: Vec<[f32; 2]> = bytemuck::pod_collect_to_vec(&bytes[0]);
        let clip = self.request.clip_place().zip(self.request.clip_norm);
        let norm_first = self.request.norm_first();
        let norm_end = norm_first + self.norm_parts;
        let stride = self.request.results_stride();
        let mut records = Vec::with_capacity(chunk.steps.len());
        let mut rest = &results[..];
        for step in chunk.steps {
            let batches;
            (batches, rest) = rest.split_at(step.batches * stride);
            let mut total = Sums::default();
            for batch in batches.chunks_exact(stride) {
                total.add(sums(&batch[1..norm_first]));
            }
            // The update's own results lie with those of its last batch.
            let Some(last) = batches.chunks_exact(stride).last() else {
                continue;
            };
            let targets = step.targets.max(1) as f64;
            records.push(StepRecord {
                step: step.step,
                epoch: step.epoch,
                lr: f64::from(last[0][0]),
                momentum: f64::from(last[0][1]),
                loss: total.loss / positive(step.weight),
                accuracy: match self.request.numbers {
                    0 => total.right / targets,
                    _ => f64::NAN,
                },
                grad_norm: gradient_norm::norm(&last[norm_first..norm_end]),
                clip_factor: clip.map(|(place, norm)| clip_norm::factor(last[place], norm)),
            });
        }
        Ok(records)
    }
}

/// What is recorded for the batch at `place` of a step of `batches`: forward and backward, the sums
/// of gradients that it completes, and after the last batch the update.
fn of_batch(place: usize, batches: usize) -> Vec<Phases> {
    let after = accumulate::after(place, batches);
    let end = after.kept.map_or(Phases::Update, Phases::Keep);
    let added = after.added.into_iter().map(Phases::Add);
    std::iter::once(Phases::Gradients)
        .chain(added)
        .chain([end])
        .collect()
}

/// Adds the partial sums of a batch up, in f64. A negative number of right answers says that an
/// output of the network was not finite.
pub(super) fn sums(blocks: &[[f32; 2]]) -> Sums {
    let mut sums = Sums::default();
    for [loss, right] in blocks {
        if *right < 0.0 {
            return Sums {
                loss: f64::NAN,
                right: 0.0,
            };
        }
        sums.loss += f64::from(*loss);
        sums.right += f64::from(*right);
    }
    sums
}
