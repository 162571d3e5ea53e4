//! Evaluation: the forward pass over a part of the data.

use super::chunk::{Sums, sums};
use super::event::{Evaluation, Mistake, Split};
use super::ring::{self, StepUniform};
use super::setup::Trainer;
use crate::data::Values;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::Plan;
use crate::kernel::plan::{Key, Role};
use crate::kernel::program::Phases;
use crate::model::PlanRequest;

/// Mistakes that a summary shows.
const MISTAKES: usize = 24;

/// Batches of one submission of an evaluation.
pub(super) const EVALUATION_SLOTS: usize = 16;
/// Samples of one batch of an evaluation, at least.
pub(super) const EVALUATION_BATCH: usize = 256;

/// The plan of an evaluation in batches of `request.batch`, or of half as many and so on where the
/// adapter cannot bind the largest value otherwise: what trains at `data.batch` is evaluated too.
pub(super) fn fitting(
    gpu: &Gpu,
    mut request: PlanRequest,
    plan: impl Fn(&PlanRequest) -> Result<Plan>,
) -> Result<(PlanRequest, Plan)> {
    let most = gpu.max_binding_bytes().min(gpu.max_buffer_bytes());
    loop {
        let plan = plan(&request)?;
        let values = plan
            .buffers
            .iter()
            .filter(|spec| spec.key.role() == Role::Value);
        let largest = values.map(|spec| spec.bytes).max().unwrap_or(0);
        if largest <= most || request.batch == 1 {
            return Ok((request, plan));
        }
        request.batch = request.batch.div_ceil(2);
    }
}

/// What an evaluation knows of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The sample's loss.
    pub loss: f64,
    /// The class that the network chose.
    pub chosen: usize,
}

impl Outcome {
    /// From what the loss kernel leaves for each row.
    pub(super) fn from_row([loss, chosen]: [f32; 2]) -> Self {
        Self {
            loss: f64::from(loss),
            chosen: chosen.max(0.0) as usize,
        }
    }
}

impl Trainer {
    /// Evaluates all parts that are evaluated: validation (where there is one) and test.
    ///
    /// # Errors
    /// A device that fails.
    pub fn evaluate_all(&mut self) -> Result<Vec<Evaluation>> {
        let splits: Vec<Split> = self.parts.iter().map(|(split, _)| *split).collect();
        splits
            .into_iter()
            .map(|split| Ok(self.evaluate(split)?.0))
            .collect()
    }

    /// Mean loss and accuracy over a part of the data with the weights as they are, and what came
    /// out for each sample. An unknown part has no samples: its loss is NaN.
    ///
    /// # Errors
    /// A device that fails.
    pub fn evaluate(&mut self, split: Split) -> Result<(Evaluation, Vec<Outcome>)> {
        let part = self.parts.iter().find(|(name, _)| *name == split);
        let samples = part.map(|(_, samples)| samples.clone()).unwrap_or_default();
        let request = self.evaluation_request;
        let mut total = Sums::default();
        let mut outcomes = Vec::with_capacity(samples.len());
        for chunk in samples.chunks(request.batch * request.slots) {
            let (chunk_sums, chunk_outcomes) = self.evaluate_chunk(chunk)?;
            total.add(chunk_sums);
            outcomes.extend(chunk_outcomes);
        }
        let count = samples.len() as f64;
        let evaluation = Evaluation {
            split,
            step: self.done,
            epoch: self.done / self.order.steps_per_epoch(),
            loss: total.loss / count,
            accuracy: total.right / count,
        };
        Ok((evaluation, outcomes))
    }

    pub(super) fn evaluate_chunk(&mut self, samples: &[u32]) -> Result<(Sums, Vec<Outcome>)> {
        let request = self.evaluation_request;
        let batches = samples.len().div_ceil(request.batch);
        let mut indices = vec![0_u32; batches * request.batch];
        indices[..samples.len()].copy_from_slice(samples);
        let slots: Vec<StepUniform> = samples
            .chunks(request.batch)
            .enumerate()
            .map(|(slot, batch)| StepUniform {
                inv_count: (1.0 / batch.len() as f64) as f32,
                count: batch.len() as u32,
                start: (slot * request.batch) as u32,
                slot: slot as u32,
                ..StepUniform::new(self.seed, self.done)
            })
            .collect();
        self.send_samples(&mut indices, request.user())?;
        self.workshop.write_ring(&ring::bytes(&slots));
        let mut recorder = self.workshop.recorder();
        for slot in 0..batches {
            self.workshop.encode(
                &mut recorder,
                &self.evaluation_program,
                Phases::Forward,
                slot,
            );
        }
        let stride = request.results_stride();
        let ticket = self.workshop.submit_and_read(
            recorder,
            &[
                (Key::Results(request.user()), 8 * (batches * stride) as u64),
                (Key::Rows(request.user()), 8 * indices.len() as u64),
            ],
        )?;
        let bytes = self.workshop.take(ticket)?;
        let results: Vec<[f32; 2]> = bytemuck::pod_collect_to_vec(&bytes[0]);
        let rows: Vec<[f32; 2]> = bytemuck::pod_collect_to_vec(&bytes[1]);
        let mut total = Sums::default();
        for result in results.chunks_exact(stride) {
            total.add(sums(&result[1..]));
        }
        let outcomes = rows[..samples.len()].iter().copied().map(Outcome::from_row);
        Ok((total, outcomes.collect()))
    }

    /// Rows: true class; columns: chosen class; over the test set.
    pub(super) fn confusion(&self, outcomes: &[Outcome]) -> Vec<Vec<u64>> {
        let classes = self.dataset.classes.len();
        let mut confusion = vec![vec![0; classes]; classes];
        for (outcome, label) in outcomes.iter().zip(&self.dataset.test.labels) {
            confusion[*label as usize][outcome.chosen.min(classes - 1)] += 1;
        }
        confusion
    }

    /// The test samples that the network gets most wrong, by falling loss.
    pub(super) fn mistakes(&self, outcomes: &[Outcome]) -> Vec<Mistake> {
        let test = &self.dataset.test;
        let width: usize = test.shape.iter().product();
        let mut wrong: Vec<usize> = (0..outcomes.len())
            .filter(|i| outcomes[*i].chosen != test.labels[*i] as usize)
            .collect();
        wrong.sort_by(|a, b| outcomes[*b].loss.total_cmp(&outcomes[*a].loss));
        wrong.truncate(MISTAKES);
        let pixels = |i: usize| match &test.values {
            Values::Bytes(bytes) if test.shape.len() == 3 => {
                bytes[i * width..(i + 1) * width].to_vec()
            }
            _ => Vec::new(),
        };
        let mistake = |i: usize| Mistake {
            index: i,
            label: test.labels[i] as usize,
            predicted: outcomes[i].chosen,
            loss: outcomes[i].loss,
            pixels: pixels(i),
        };
        wrong.into_iter().map(mistake).collect()
    }
}
