//! The low point of a cycle: a snapshot for an ensemble, and the mean of the weights at all low
//! points so far (stochastic weight averaging, Izmailov et al., arXiv 1803.05407).
//!
//! Everything that training changes is put back to the same bits afterwards.

use super::augment::send_places;
use super::feed::{Feed, Submission};
use super::record::LowPoint;
use crate::error::Result;
use crate::kernel::Mode;
use crate::kernel::plan::Key;
use crate::kernel::program::{Phases, Program, Workshop};
use crate::layer::{StateKind, StateSpec};
use crate::loss::Loss;
use crate::model::{Network, PlanRequest, Weights, evaluation_plan};
use crate::shape::Shape;

/// What a low point gives.
pub(super) struct Low {
    pub(super) point: LowPoint,
    /// The weights as they are, where snapshots are taken.
    pub(super) snapshot: Option<Weights>,
    /// The mean of the weights so far, where there is one.
    pub(super) average: Option<Weights>,
}

/// The running statistics of a network, by PyTorch's names.
fn running(network: &Network) -> impl Iterator<Item = &StateSpec> {
    let states = network.states();
    states.filter(|state| state.kind == StateKind::Running)
}

/// The forward pass that renews the running statistics of other weights, laid out.
#[derive(Debug)]
pub(super) struct Statistics {
    program: Program,
    request: PlanRequest,
    /// Shape of a sample.
    shape: Shape,
    /// The statistics, with their lengths.
    states: Vec<(Key, usize)>,
}

impl Statistics {
    /// Nothing where the network has none.
    pub(super) fn new(
        workshop: &mut Workshop,
        (network, loss): (&Network, &dyn Loss),
        request: &PlanRequest,
    ) -> Result<Option<Self>> {
        let states: Vec<(Key, usize)> = running(network)
            .map(|state| (Key::State(state.name.clone()), state.len))
            .collect();
        if states.is_empty() {
            return Ok(None);
        }
        let mode = Mode::Statistics;
        let request = PlanRequest { mode, ..*request };
        let plan = evaluation_plan(network, loss, workshop.gpu(), &request, false)?;
        Ok(Some(Self {
            program: workshop.realize(&plan)?,
            request,
            shape: network.input(),
            states,
        }))
    }

    /// Running statistics of the weights as they are, by one pass over the training samples in the
    /// order and with the random changes of the first epoch: the mean of the batches' statistics, as
    /// torch.optim.swa_utils.update_bn leaves it; added up in f64.
    pub(super) fn renew(&self, workshop: &mut Workshop, feed: &mut Feed, seed: u64) -> Result<()> {
        let states = self.states.iter();
        let mut sums: Vec<Vec<f64>> = states.map(|(_, len)| vec![0.0; *len]).collect();
        let steps = feed.order.steps_per_epoch();
        let batches = feed.order.batches(steps);
        for step in 0..steps {
            for batch in self.of_step(workshop, feed, seed, step)? {
                for (sum, values) in sums.iter_mut().zip(batch) {
                    for (sum, value) in sum.iter_mut().zip(values) {
                        *sum += f64::from(value);
                    }
                }
            }
        }
        for ((key, _), sum) in self.states.iter().zip(&sums) {
            let mean: Vec<f32> = sum.iter().map(|s| (s / batches as f64) as f32).collect();
            workshop.write(key, bytemuck::cast_slice(&mean))?;
        }
        Ok(())
    }

    /// The statistics of each batch of one step.
    fn of_step(
        &self,
        workshop: &mut Workshop,
        feed: &mut Feed,
        seed: u64,
        step: u64,
    ) -> Result<Vec<Vec<Vec<f32>>>> {
        let mut submission = Submission::new(self.request.batch, seed);
        for batch in feed.order.update(step).batches() {
            submission.push(&batch);
        }
        let portion = feed.residence().portion(&self.request);
        let mut all = Vec::new();
        for slot in 0..submission.slots.len() {
            if slot.is_multiple_of(portion) {
                let end = slot.saturating_add(portion).min(submission.slots.len());
                let slots = &submission.slots[slot..end];
                send_places(workshop, &self.request, &self.shape, slots)?;
                feed.send(workshop, &self.request, &submission, slot..end)?;
            }
            all.push(self.of_batch(workshop, slot)?);
        }
        Ok(all)
    }

    /// The statistics of the batch in `slot`.
    fn of_batch(&self, workshop: &mut Workshop, slot: usize) -> Result<Vec<Vec<f32>>> {
        let mut recorder = workshop.recorder();
        workshop.encode(&mut recorder, &self.program, Phases::Forward, slot);
        let states = self.states.iter();
        let wanted: Vec<(Key, u64)> = states
            .map(|(key, len)| (key.clone(), 4 * *len as u64))
            .collect();
        let ticket = workshop.submit_and_read(recorder, &wanted)?;
        let bytes = workshop.take(ticket)?;
        Ok(bytes
            .iter()
            .map(|b| bytemuck::pod_collect_to_vec(b))
            .collect())
    }
}
