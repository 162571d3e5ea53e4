//! A chunk of steps: one submission.

use super::event::StepRecord;
use super::ring::{self, StepUniform};
use super::setup::{Residence, Trainer, value_bytes};
use crate::error::Result;
use crate::kernel::plan::{Key, Use};
use crate::kernel::program::{Phases, Ticket};
use crate::optim::gradient_norm;

/// A chunk whose results are not read yet.
#[derive(Debug)]
pub(super) struct InFlight {
    ticket: Ticket,
    first: u64,
    slots: Vec<StepUniform>,
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

impl Trainer {
    /// Submits the steps `first .. first + count`: fills the step ring and the list of samples
    /// with one write each, records the plan once for each step, and asks for the results.
    pub(super) fn submit(&mut self, first: u64, count: usize) -> Result<InFlight> {
        let slots = self.prepare(first, count)?;
        let mut recorder = self.workshop.recorder();
        for slot in 0..count {
            self.workshop
                .encode(&mut recorder, &self.train_program, Phases::Step, slot);
        }
        let bytes = 8 * (count * self.train_request.results_stride()) as u64;
        let ticket = self
            .workshop
            .submit_and_read(recorder, &[(Key::Results(Use::Training), bytes)])?;
        Ok(InFlight {
            ticket,
            first,
            slots,
        })
    }

    /// Fills the step ring and the list of samples for the steps `first .. first + count`.
    pub(super) fn prepare(&mut self, first: u64, count: usize) -> Result<Vec<StepUniform>> {
        let batch = self.train_request.batch;
        let mut indices = vec![0_u32; count * batch];
        let mut slots = Vec::with_capacity(count);
        for (slot, list) in indices.chunks_exact_mut(batch).enumerate() {
            let step = first + slot as u64;
            let samples = self.order.batch(step);
            list[..samples.len()].copy_from_slice(samples);
            let count = samples.len();
            slots.push(self.uniform(step, slot, count));
        }
        self.send_samples(&mut indices, self.train_request.user())?;
        self.send_places(&slots)?;
        self.workshop.write_ring(&ring::bytes(&slots));
        Ok(slots)
    }

    /// What the shaders are told about one step: the rate is computed here, in f64.
    fn uniform(&self, step: u64, slot: usize, count: usize) -> StepUniform {
        let rate = self.schedule.at(step);
        let optimizer = self.network.optimizer();
        let momentum = rate.momentum.or(optimizer.momentum()).unwrap_or(0.0);
        StepUniform {
            lr: rate.lr as f32,
            momentum: momentum as f32,
            inv_count: (1.0 / count as f64) as f32,
            count: count as u32,
            start: (slot * self.train_request.batch) as u32,
            slot: slot as u32,
            optimizer: optimizer.words(step),
            ..StepUniform::new(self.seed, step)
        }
    }

    /// Sends the list of samples of a chunk; where the samples do not lie on the device, also the
    /// samples themselves, and the list then counts through them.
    pub(super) fn send_samples(&self, indices: &mut [u32], user: Use) -> Result<()> {
        if self.residence == Residence::Host {
            let parts = [&self.dataset.train, &self.dataset.test];
            let sizes = parts.map(|samples| samples.labels.len());
            let mut bytes = Vec::new();
            let mut labels = Vec::with_capacity(indices.len());
            for (at, index) in indices.iter_mut().enumerate() {
                let i = *index as usize;
                let (samples, i) = if i < sizes[0] {
                    (parts[0], i)
                } else {
                    (parts[1], i - sizes[0])
                };
                let values = value_bytes(samples);
                let width = values.len() / samples.labels.len();
                bytes.extend_from_slice(&values[i * width..(i + 1) * width]);
                labels.push(samples.labels[i]);
                *index = at as u32;
            }
            self.workshop.write(&Key::Samples, &bytes)?;
            self.workshop
                .write(&Key::Targets, bytemuck::cast_slice(&labels))?;
        }
        self.workshop
            .write(&Key::Indices(user), bytemuck::cast_slice(indices))
    }

    /// Waits for a chunk and reads what the device recorded.
    pub(super) fn collect(&mut self, chunk: InFlight) -> Result<Vec<StepRecord>> {
        let bytes = self.workshop.take(chunk.ticket)?;
        let results: Vec<[f32; 2]> = bytemuck::pod_collect_to_vec(&bytes[0]);
        let stride = self.train_request.results_stride();
        let norm_first = self.train_request.norm_first();
        let norm_end = norm_first + gradient_norm::parts(self.network.floats());
        let steps_per_epoch = self.order.steps_per_epoch();
        let records = results.chunks_exact(stride).zip(&chunk.slots).enumerate();
        let records = records.map(|(slot, (result, uniform))| {
            let sums = sums(&result[1..norm_first]);
            let step = chunk.first + slot as u64;
            StepRecord {
                step,
                epoch: step / steps_per_epoch,
                lr: f64::from(result[0][0]),
                momentum: f64::from(result[0][1]),
                loss: sums.loss / f64::from(uniform.count),
                accuracy: sums.right / f64::from(uniform.count),
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
