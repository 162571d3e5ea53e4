//! A chunk of steps: one submission.

use super::augment::send_places;
use super::event::StepRecord;
use super::feed::{Feed, Submission};
use super::ring::StepUniform;
use crate::error::Result;
use crate::kernel::Plan;
use crate::kernel::plan::Key;
use crate::kernel::program::{Phases, Program, Ticket, Workshop};
use crate::model::{Network, PlanRequest, plan};
use crate::optim::{Optimizer, gradient_norm};
use crate::schedule::Policy;

/// A training step, laid out.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) plan: Plan,
    program: Program,
    pub(super) request: PlanRequest,
    /// Shape of a sample.
    shape: Vec<usize>,
    /// Sums of the gradient's norm.
    norm_parts: usize,
}

/// What steps are told that follows from no sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates<'a> {
    pub(super) seed: u64,
    pub(super) schedule: &'a dyn Policy,
    pub(super) optimizer: &'a dyn Optimizer,
}

impl Rates<'_> {
    /// Tells a step: the rate is computed here, in f64.
    fn tell(&self, step: u64, slot: &mut StepUniform) {
        let rate = self.schedule.at(step);
        let momentum = rate.momentum.or(self.optimizer.momentum()).unwrap_or(0.0);
        slot.lr = rate.lr as f32;
        slot.momentum = momentum as f32;
        slot.optimizer = self.optimizer.words(step);
    }
}

/// A chunk whose results are not read yet.
#[derive(Debug)]
pub(super) struct InFlight {
    ticket: Ticket,
    /// Step, epoch and number of samples of each slot.
    steps: Vec<(u64, u64, u32)>,
}

/// Sums over the rows of one step, as the loss kernel left them.
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
        network: &Network,
        request: PlanRequest,
    ) -> Result<Self> {
        let plan = plan(network, workshop.gpu(), &request)?;
        Ok(Self {
            program: workshop.realize(&plan)?,
            plan,
            request,
            shape: network.shapes()[0].clone(),
            norm_parts: gradient_norm::parts(network.floats()),
        })
    }

    /// Submits the steps `first .. first + count`: fills the step ring and the list of samples
    /// with one write each, records the plan once for each step, and asks for the results.
    pub(super) fn submit(
        &self,
        workshop: &mut Workshop,
        feed: &mut Feed,
        rates: &Rates<'_>,
        (first, count): (u64, usize),
    ) -> Result<InFlight> {
        let steps = self.prepare(workshop, feed, rates, (first, count))?;
        let mut recorder = workshop.recorder();
        for slot in 0..count {
            workshop.encode(&mut recorder, &self.program, Phases::Step, slot);
        }
        let bytes = 8 * (count * self.request.results_stride()) as u64;
        let results = Key::Results(self.request.user());
        let ticket = workshop.submit_and_read(recorder, &[(results, bytes)])?;
        Ok(InFlight { ticket, steps })
    }

    /// Fills the step ring and the list of samples for the steps `first .. first + count`; gives
    /// step, epoch and number of samples of each slot.
    fn prepare(
        &self,
        workshop: &Workshop,
        feed: &mut Feed,
        rates: &Rates<'_>,
        (first, count): (u64, usize),
    ) -> Result<Vec<(u64, u64, u32)>> {
        let mut submission = Submission::new(self.request.batch, rates.seed);
        let mut steps = Vec::with_capacity(count);
        for step in (first..).take(count) {
            let batch = feed.order.batch(step);
            rates.tell(step, submission.push(&batch));
            steps.push((step, batch.epoch, batch.samples.len() as u32));
        }
        send_places(workshop, &self.request, &self.shape, &submission.slots)?;
        feed.residence()
            .send(workshop, &self.request, &submission)?;
        Ok(steps)
    }

    /// Trains one step and waits; the seconds of each command of the plan.
    pub(super) fn time(
        &self,
        workshop: &mut Workshop,
        feed: &mut Feed,
        rates: &Rates<'_>,
        step: u64,
    ) -> Result<Vec<Option<f64>>> {
        self.prepare(workshop, feed, rates, (step, 1))?;
        workshop.time(&self.program, Phases::Step)
    }

    /// Waits for a chunk and reads what the device recorded.
    pub(super) fn collect(
        &self,
        workshop: &mut Workshop,
        chunk: InFlight,
    ) -> Result<Vec<StepRecord>> {
        let bytes = workshop.take(chunk.ticket)?;
        let results: Vec<[f32; 2]> = bytemuck::pod_collect_to_vec(&bytes[0]);
        let norm_first = self.request.norm_first();
        let norm_end = norm_first + self.norm_parts;
        let results = results.chunks_exact(self.request.results_stride());
        let records = results.zip(chunk.steps);
        let records = records.map(|(result, (step, epoch, count))| {
            let sums = sums(&result[1..norm_first]);
            StepRecord {
                step,
                epoch,
                lr: f64::from(result[0][0]),
                momentum: f64::from(result[0][1]),
                loss: sums.loss / f64::from(count),
                accuracy: sums.right / f64::from(count),
                grad_norm: gradient_norm::norm(&result[norm_first..norm_end]),
            }
        });
        Ok(records.collect())
    }
}

/// Adds the partial sums of a step up, in f64. A negative number of right answers says that an
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
