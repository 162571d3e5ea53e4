//! Evaluation: the forward pass over any samples.

use super::chunk::{Sums, sums};
use super::feed::{Residence, Submission};
use super::record::Mistake;
use super::updates::Batch;
use crate::data::{Samples, Storage};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::plan::{Key, Role};
use crate::kernel::program::{Phases, Program, Workshop};
use crate::kernel::{Matrix, Plan};
use crate::loss::Loss;
use crate::model::{Network, OUTPUTS, PlanRequest, evaluation_plan};

/// Mistakes that a summary shows.
pub(super) const MISTAKES: usize = 24;

/// Batches whose sums are added up before those of all are.
pub(super) const EVALUATION_SLOTS: usize = 16;
/// Rows of the output of one batch of an evaluation, at least.
const EVALUATION_ROWS: usize = 256;

/// Floats of the largest value of a batch of an evaluation, unless `data.batch` has more: 128 MiB, the
/// binding that any adapter has.
const EVALUATION_FLOATS: usize = 1 << 25;

/// Samples of a batch of the engine's own evaluations of `network` where `data.batch` is `batch`.
#[must_use]
pub fn evaluation_batch(batch: usize, network: &Network) -> usize {
    let rows = EVALUATION_ROWS.div_ceil(network.positions().max(1));
    let fitting = EVALUATION_FLOATS / network.largest().max(1);
    batch.max(rows.min(fitting)).max(1)
}

/// What an evaluation knows of one sample, or of one position of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowResult {
    /// The loss.
    pub loss: f64,
    /// The class that the network chose.
    pub chosen: usize,
}

impl RowResult {
    /// From what the loss kernel leaves for each row.
    fn from_row([loss, chosen]: [f32; 2]) -> Self {
        Self {
            loss: f64::from(loss),
            chosen: chosen.max(0.0) as usize,
        }
    }
}

/// The random streams of an evaluation, for layers that draw in it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Streams {
    pub(super) seed: u64,
    pub(super) step: u64,
}

/// A forward pass, laid out.
#[derive(Debug)]
pub(super) struct Pass {
    program: Program,
    request: PlanRequest,
    classes: usize,
    /// Whether each batch goes on where the one before it ends, but for the first.
    goes_on: bool,
}

impl Pass {
    /// Lays it out for batches of `request.batch`, or of half as many and so on where the adapter
    /// cannot bind the largest value otherwise: what trains at `data.batch` is evaluated too. With
    /// `outputs` the network's outputs can be had.
    pub(super) fn new(
        workshop: &mut Workshop,
        (network, loss): (&Network, &dyn Loss),
        request: PlanRequest,
        outputs: bool,
    ) -> Result<Self> {
        let plan = |request: &PlanRequest| {
            evaluation_plan(network, loss, workshop.gpu(), request, outputs)
        };
        let (request, plan) = match network.carries() {
            // A batch has a place for each stream.
            true => (request, plan(&request)?),
            false => fitting(workshop.gpu(), request, plan)?,
        };
        Ok(Self {
            program: workshop.realize(&plan)?,
            request,
            classes: network.classes(),
            goes_on: network.carries(),
        })
    }

    /// How the samples lie.
    pub(super) fn request(&self) -> &PlanRequest {
        &self.request
    }

    /// Runs through samples in their order; gives the sums. Batch after batch `each` is told what came out
    /// for each sample, of sequences for each position. Their outputs, a row of one number for each class,
    /// are added to `outputs` where they are wanted.
    pub(super) fn run(
        &self,
        (workshop, residence): (&mut Workshop, &Residence<'_>),
        samples: &[u32],
        streams: Streams,
        mut outputs: Option<&mut Vec<f32>>,
        mut each: impl FnMut(&[RowResult]) -> Result<()>,
    ) -> Result<Sums> {
        // The outputs are those of the last batch of a submission.
        let batches = match outputs {
            Some(_) => 1,
            None => self.request.slots.min(residence.portion(&self.request)),
        };
        let mut total = Sums::default();
        let mut is_first = true;
        // However many batches a submission has, the sums are added in one order.
        for part in samples.chunks(self.request.batch * EVALUATION_SLOTS) {
            let mut sum = Sums::default();
            for submission in part.chunks(self.request.batch * batches) {
                let outputs = outputs.as_deref_mut();
                let at = (streams, self.goes_on && !is_first);
                is_first = false;
                let batches = self.submission(workshop, residence, submission, at, outputs)?;
                for (sums, rows) in batches {
                    sum.add(sums);
                    each(&rows)?;
                }
            }
            total.add(sum);
        }
        Ok(total)
    }

    /// Sums and outcomes of each batch of a submission.
    fn submission(
        &self,
        workshop: &mut Workshop,
        residence: &Residence<'_>,
        samples: &[u32],
        (streams, goes_on): (Streams, bool),
        outputs: Option<&mut Vec<f32>>,
    ) -> Result<Vec<(Sums, Vec<RowResult>)>> {
        let request = &self.request;
        let mut submission = Submission::new(request.batch, streams.seed);
        for (at, samples) in samples.chunks(request.batch).enumerate() {
            submission.push(&Batch {
                goes_on: self.goes_on && (goes_on || at > 0),
                ..Batch::alone(streams.step, samples)
            });
        }
        residence.send(workshop, request, &submission)?;
        let mut recorder = workshop.recorder();
        let slots = submission.slots.len();
        for slot in 0..slots {
            workshop.encode(&mut recorder, &self.program, Phases::Forward, slot);
        }
        let stride = request.results_stride();
        let user = request.user();
        let mut wanted = vec![
            (Key::Results(user), 8 * (slots * stride) as u64),
            (
                Key::Rows(user),
                8 * (submission.listed() * request.positions) as u64,
            ),
        ];
        let row = Matrix::new(1, self.classes).stride;
        if outputs.is_some() {
            let rows = samples.len() * request.positions;
            wanted.push((OUTPUTS, 4 * (rows * row) as u64));
        }
        let ticket = workshop.submit_and_read(recorder, &wanted)?;
        let bytes = workshop.take(ticket)?;
        let results: Vec<[f32; 2]> = bytemuck::pod_collect_to_vec(&bytes[0]);
        let rows: Vec<[f32; 2]> = bytemuck::pod_collect_to_vec(&bytes[1]);
        if let Some(outputs) = outputs {
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes[2]);
            for row in values.chunks_exact(row) {
                outputs.extend_from_slice(&row[..self.classes]);
            }
        }
        let batches = results.chunks_exact(stride);
        let batches = batches.zip(rows.chunks(request.batch * request.positions));
        let batches = batches.zip(&submission.slots);
        let batches = batches.map(|((result, rows), slot)| {
            let rows = rows[..slot.count as usize * request.positions]
                .iter()
                .copied();
            (sums(&result[1..]), rows.map(RowResult::from_row).collect())
        });
        Ok(batches.collect())
    }
}

fn fitting(
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

/// The samples that the network gets most wrong, by falling loss; `probability` gives that of a class of a
/// sample, where it is known.
pub(super) fn mistakes(
    outcomes: &[RowResult],
    samples: &Samples,
    probability: &dyn Fn(usize, usize) -> Option<f64>,
) -> Result<Vec<Mistake>> {
    let labels = samples.labels();
    let mut wrong: Vec<usize> = (0..outcomes.len().min(labels.len()))
        .filter(|i| outcomes[*i].chosen != labels[*i] as usize)
        .collect();
    wrong.sort_by(|a, b| outcomes[*b].loss.total_cmp(&outcomes[*a].loss));
    wrong.truncate(MISTAKES);
    let is_picture = samples.storage() == Storage::Bytes && samples.shape().len() == 3;
    let mistake = |i: usize| {
        Ok(Mistake {
            index: i,
            label: labels[i] as usize,
            predicted: outcomes[i].chosen,
            loss: outcomes[i].loss,
            probability: probability(i, outcomes[i].chosen),
            name: samples.name(i as u32).map(str::to_owned),
            pixels: match is_picture {
                true => samples.read(&[i as u32])?,
                false => Vec::new(),
            },
        })
    };
    wrong.into_iter().map(mistake).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{GlobalAvgPool, Layer, Relu};

    #[test]
    fn batches_of_large_pictures_fit_into_a_binding() {
        let layers: [Box<dyn Layer>; 2] = [Box::new(GlobalAvgPool {}), Box::new(Relu {})];
        let of = |side| {
            let network = Network::new(&layers, &[3, side, side]).unwrap();
            [1, 300].map(|batch| evaluation_batch(batch, &network))
        };
        assert_eq!(of(32), [256, 300]);
        assert_eq!(of(1673), [3, 300]);
    }
}
