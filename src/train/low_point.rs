//! The low point of a cycle: a snapshot for an ensemble, and the mean of the weights at all low
//! points so far (stochastic weight averaging, Izmailov et al., arXiv 1803.05407).
//!
//! Everything that training changes is put back to the same bits afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::ensemble::Ensemble;
use super::event::{LowPoint, Split};
use super::ring::{self, StepUniform};
use super::setup::Trainer;
use crate::config::CycleEnd;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::plan::Key;
use crate::kernel::program::{Phases, Program, Workshop};
use crate::kernel::{Mode, Plan};
use crate::layer::StateSpec;
use crate::model::{
    Network, OUTPUTS, PlanRequest, Weights, plan, plan_with_outputs as with_outputs,
};

/// What the low points of a run have left.
#[derive(Debug, Default)]
pub(super) struct Members {
    cycles: u64,
    ensemble: Ensemble,
    /// Sums of the parameters by name.
    sums: BTreeMap<String, Vec<f64>>,
}

impl Members {
    /// Number of low points so far.
    pub(super) fn cycles(&self) -> u64 {
        self.cycles
    }

    /// Adds weights; gives the mean of all, with the last ones' running statistics.
    fn mean_with(&mut self, network: &Network, weights: &Weights) -> Weights {
        let mut mean = weights.clone();
        for parameter in network.parameters() {
            let Some(tensor) = mean.tensors.get_mut(&parameter.name) else {
                continue;
            };
            let sums = self.sums.entry(parameter.name.clone()).or_default();
            sums.resize(tensor.values.len(), 0.0);
            for (sum, value) in sums.iter_mut().zip(&mut tensor.values) {
                *sum += f64::from(*value);
                *value = (*sum / self.cycles as f64) as f32;
            }
        }
        mean
    }
}

/// What a low point gives.
pub(super) struct Low {
    pub(super) point: LowPoint,
    /// The weights as they are, where snapshots are taken.
    pub(super) snapshot: Option<Weights>,
    /// The mean of the weights so far, where there is one.
    pub(super) average: Option<Weights>,
}

/// The plan of an evaluation; with the outputs kept where an ensemble needs them.
pub(super) fn evaluation_plan(
    network: &Network,
    gpu: &Gpu,
    request: &PlanRequest,
    wanted: CycleEnd,
) -> Result<Plan> {
    match wanted.snapshot {
        true => with_outputs(network, gpu, request),
        false => plan(network, gpu, request),
    }
}

/// The forward pass that renews the running statistics; nothing where nobody needs it.
pub(super) fn statistics_program(
    workshop: &mut Workshop,
    network: &Network,
    gpu: &Arc<Gpu>,
    request: &PlanRequest,
    wanted: CycleEnd,
) -> Result<Option<Program>> {
    if !wanted.average || running(network).next().is_none() {
        return Ok(None);
    }
    let mode = Mode::Statistics;
    let plan = plan(network, gpu, &PlanRequest { mode, ..*request })?;
    Ok(Some(workshop.realize(&plan)?))
}

/// The running statistics of a network, by PyTorch's names.
fn running(network: &Network) -> impl Iterator<Item = &StateSpec> {
    let states = network.states().iter();
    states.filter(|s| s.name.ends_with("running_mean") || s.name.ends_with("running_var"))
}

impl Trainer {
    /// Whether `[cycle_end]` asks for something and no cycle of the schedule ends within the run, so
    /// that the end of the run counts as the only low point.
    #[must_use]
    pub fn ends_as_one_cycle(&self) -> bool {
        let ends = |step: u64| self.schedule.cycle_end(step - 1) == Some(step);
        self.cycle_end.is_on() && !(self.done + 1..=self.total_steps).any(ends)
    }

    /// What `[cycle_end]` asks for, with the weights as they are now at a low point; `seconds` of
    /// training are over. Nothing where the weights are no longer finite: the next step says so.
    pub(super) fn low_point(
        &mut self,
        members: &mut Members,
        (split, seconds): (Split, f64),
    ) -> Result<Option<Low>> {
        let weights = self.weights()?;
        let mut values = weights.tensors.values().flat_map(|tensor| &tensor.values);
        if values.any(|value| !value.is_finite()) {
            return Ok(None);
        }
        members.cycles += 1;
        let mut point = LowPoint {
            cycle: members.cycles,
            step: self.done,
            seconds,
            split,
            single: 0.0,
            ensemble: None,
            average: None,
        };
        if self.cycle_end.snapshot {
            let (accuracy, outputs) = self.outputs(split)?;
            point.single = accuracy;
            let (classes, loss) = (self.network.classes(), self.network.loss().name());
            members.ensemble.add(&outputs, classes, loss);
            point.ensemble = Some(members.ensemble.accuracy(&self.labels(split)));
        } else {
            point.single = self.evaluate(split)?.0.accuracy;
        }
        let mut average = None;
        if self.cycle_end.average {
            let mean = members.mean_with(&self.network, &weights);
            let (accuracy, mean) = self.averaged(&mean, split)?;
            point.average = Some(accuracy);
            average = Some(mean);
        }
        Ok(Some(Low {
            point,
            snapshot: self.cycle_end.snapshot.then_some(weights),
            average,
        }))
    }

    /// Accuracy of other weights, and these with their own running statistics; the trainer is then
    /// as it was.
    fn averaged(&mut self, mean: &Weights, split: Split) -> Result<(f64, Weights)> {
        let state = self.state()?;
        self.set_weights(mean, Path::new("average of weights"))?;
        self.renew_statistics()?;
        let accuracy = self.evaluate(split)?.0.accuracy;
        let mut weights = self.weights()?;
        weights.counters = self.network.counters(self.order.steps_per_epoch());
        self.restore(&state)?;
        Ok((accuracy, weights))
    }

    /// Running statistics of the weights as they are, by one pass over the training samples in the
    /// order and with the random changes of the first epoch: the mean of the batches' statistics, as
    /// torch.optim.swa_utils.update_bn leaves it; added up in f64.
    fn renew_statistics(&mut self) -> Result<()> {
        if self.statistics.is_none() {
            return Ok(());
        }
        let states: Vec<(Key, usize)> = running(&self.network)
            .map(|state| (Key::State(state.name.clone()), state.len))
            .collect();
        let mut sums: Vec<Vec<f64>> = states.iter().map(|(_, len)| vec![0.0; *len]).collect();
        let batches = self.order.steps_per_epoch();
        for step in 0..batches {
            for (sum, values) in sums.iter_mut().zip(self.batch_statistics(step, &states)?) {
                for (sum, value) in sum.iter_mut().zip(values) {
                    *sum += f64::from(value);
                }
            }
        }
        for ((key, _), sum) in states.iter().zip(&sums) {
            let mean: Vec<f32> = sum.iter().map(|s| (s / batches as f64) as f32).collect();
            self.workshop.write(key, bytemuck::cast_slice(&mean))?;
        }
        Ok(())
    }

    /// The statistics of the samples of one step.
    fn batch_statistics(&mut self, step: u64, states: &[(Key, usize)]) -> Result<Vec<Vec<f32>>> {
        let request = self.train_request;
        let mut indices = vec![0_u32; request.batch];
        let samples = self.order.batch(step);
        let count = samples.len();
        indices[..count].copy_from_slice(samples);
        self.send_samples(&mut indices, request.user())?;
        let slot = StepUniform {
            inv_count: (1.0 / count as f64) as f32,
            count: count as u32,
            ..StepUniform::new(self.seed, step)
        };
        self.send_places(&[slot])?;
        self.workshop.write_ring(&ring::bytes(&[slot]));
        let mut recorder = self.workshop.recorder();
        if let Some(program) = &self.statistics {
            self.workshop
                .encode(&mut recorder, program, Phases::Forward, 0);
        }
        let wanted: Vec<(Key, u64)> = states
            .iter()
            .map(|(key, len)| (key.clone(), 4 * *len as u64))
            .collect();
        let ticket = self.workshop.submit_and_read(recorder, &wanted)?;
        let bytes = self.workshop.take(ticket)?;
        Ok(bytes
            .iter()
            .map(|b| bytemuck::pod_collect_to_vec(b))
            .collect())
    }

    /// Accuracy on a part of the data, and the network's outputs row by row.
    fn outputs(&mut self, split: Split) -> Result<(f64, Vec<f32>)> {
        let part = self.parts.iter().find(|(name, _)| *name == split);
        let samples = part.map(|(_, samples)| samples.clone()).unwrap_or_default();
        let classes = self.network.classes();
        let stride = crate::kernel::Matrix::new(1, classes).stride;
        let mut right = 0.0;
        let mut rows = Vec::with_capacity(samples.len() * classes);
        for batch in samples.chunks(self.evaluation_request.batch) {
            right += self.evaluate_chunk(batch)?.0.right;
            let bytes = self.workshop.read(&OUTPUTS)?;
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
            for row in values.chunks_exact(stride).take(batch.len()) {
                rows.extend_from_slice(&row[..classes]);
            }
        }
        Ok((right / samples.len() as f64, rows))
    }

    /// The classes of a part of the data.
    fn labels(&self, split: Split) -> Vec<u32> {
        let part = self.parts.iter().find(|(name, _)| *name == split);
        let [train, test] = [&self.dataset.train.labels, &self.dataset.test.labels];
        let label = |at: &u32| {
            let at = *at as usize;
            match at.checked_sub(train.len()) {
                None => train[at],
                Some(at) => test[at],
            }
        };
        part.map(|(_, samples)| samples.iter().map(label).collect())
            .unwrap_or_default()
    }
}
