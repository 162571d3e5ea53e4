//! The feed: which samples a batch is of, and their way to the device. What trains, what is
//! evaluated on the way and [`super::Evaluator`] are all fed by it.

use super::event::Split;
use super::ring::{self, StepUniform};
use crate::config;
use crate::data::{self, Dataset, Samples, Values, batch_at, epoch_order};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::plan::Key;
use crate::kernel::program::Workshop;
use crate::model::PlanRequest;

/// The samples that are worked on together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'a> {
    /// The step that trains on them, or that is evaluated.
    pub(super) step: u64,
    /// The epoch that the first of them belongs to, from 0.
    pub(super) epoch: u64,
    /// Positions in the list of all samples: the training set, then the test set.
    pub(super) samples: &'a [u32],
}

/// The order of the training samples: a function of the step, so that nothing is replayed to resume.
#[derive(Debug)]
pub(super) struct Order {
    /// The training part, in the file's order.
    samples: Vec<u32>,
    shuffle: bool,
    seed: u64,
    batch: usize,
    drop_last: bool,
    /// The epoch whose order is at hand.
    epoch: Option<u64>,
    order: Vec<u32>,
}

impl Order {
    fn new(samples: Vec<u32>, data: &config::Data) -> Self {
        Self {
            samples,
            shuffle: data.shuffle,
            seed: data.seed,
            batch: data.batch,
            drop_last: data.drop_last,
            epoch: None,
            order: Vec::new(),
        }
    }

    /// The seed that the orders are drawn from.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Draws the orders from another seed.
    pub(super) fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
        self.epoch = None;
    }

    /// Steps of an epoch.
    pub(super) fn steps_per_epoch(&self) -> u64 {
        data::steps_per_epoch(self.samples.len(), self.batch, self.drop_last)
    }

    /// The batch of `step`: a whole one, or what is left at the end of an epoch.
    pub(super) fn batch(&mut self, step: u64) -> Batch<'_> {
        let at = batch_at(step, self.samples.len(), self.batch, self.drop_last);
        let Some(data::Batch { epoch, start, len }) = at else {
            return Batch {
                step,
                epoch: 0,
                samples: &[],
            };
        };
        if self.epoch != Some(epoch) {
            self.order = epoch_order(&self.samples, self.shuffle, self.seed, epoch);
            self.epoch = Some(epoch);
        }
        Batch {
            step,
            epoch,
            samples: &self.order[start..start + len],
        }
    }
}

/// The batches of one submission: their slots of the step ring, and the list of their samples.
#[derive(Debug)]
pub(super) struct Submission {
    batch: usize,
    seed: u64,
    indices: Vec<u32>,
    pub(super) slots: Vec<StepUniform>,
}

impl Submission {
    /// No batches yet; each will have at most `batch` samples, and the random streams of `seed`.
    pub(super) fn new(batch: usize, seed: u64) -> Self {
        Self {
            batch,
            seed,
            indices: Vec::new(),
            slots: Vec::new(),
        }
    }

    /// Adds a batch; gives its slot, to be told what follows from no batch.
    pub(super) fn push(&mut self, batch: &Batch<'_>) -> &mut StepUniform {
        let (slot, start) = (self.slots.len(), self.indices.len());
        self.indices.extend_from_slice(batch.samples);
        self.indices.resize(start + self.batch, 0);
        let count = batch.samples.len();
        self.slots.push(StepUniform {
            inv_count: (1.0 / count as f64) as f32,
            count: count as u32,
            start: start as u32,
            slot: slot as u32,
            ..StepUniform::new(self.seed, batch.step)
        });
        &mut self.slots[slot]
    }

    /// Length of the list, the places that no sample fills included.
    pub(super) fn listed(&self) -> usize {
        self.indices.len()
    }
}

/// How samples get to the kernels.
#[derive(Debug, Clone)]
pub(super) enum Residence<'a> {
    /// All lie on the device.
    Device,
    /// Those of each submission are gathered from these sets, one behind the other, and sent.
    Host(Vec<&'a Samples>),
}

impl Residence<'_> {
    /// Sends a submission's slots and the list of its samples; where the samples do not lie on the
    /// device, also the samples themselves, and the list then counts through them.
    pub(super) fn send(
        &self,
        workshop: &Workshop,
        request: &PlanRequest,
        submission: &Submission,
    ) -> Result<()> {
        let mut list = &submission.indices;
        let counted: Vec<u32>;
        if let Self::Host(sets) = self {
            let (bytes, labels) = gathered(sets, submission);
            workshop.write(&Key::Samples, &bytes)?;
            workshop.write(&Key::Targets, bytemuck::cast_slice(&labels))?;
            counted = (0..list.len() as u32).collect();
            list = &counted;
        }
        let indices = Key::Indices(request.user());
        workshop.write(&indices, bytemuck::cast_slice(list))?;
        workshop.write_ring(&ring::bytes(&submission.slots));
        Ok(())
    }
}

/// The bytes and the labels of a submission's samples, each at its place in the list; `sets` lie one
/// behind the other.
fn gathered(sets: &[&Samples], submission: &Submission) -> (Vec<u8>, Vec<u32>) {
    let mut labels = vec![0; submission.indices.len()];
    let mut bytes = Vec::new();
    for slot in &submission.slots {
        for place in (slot.start..slot.start + slot.count).map(|place| place as usize) {
            let mut at = submission.indices[place] as usize;
            let mut sets = sets.iter();
            let Some(set) = sets.find(|set| match at.checked_sub(set.len()) {
                Some(rest) => {
                    at = rest;
                    false
                }
                None => true,
            }) else {
                continue;
            };
            let values = value_bytes(set);
            let width = values.len() / set.len();
            bytes.resize(place * width, 0);
            bytes.extend_from_slice(&values[at * width..(at + 1) * width]);
            labels[place] = set.labels[at];
        }
    }
    (bytes, labels)
}

/// The samples of a run: the data set, which part of it trains in which order, and which parts are
/// evaluated.
#[derive(Debug)]
pub(super) struct Feed {
    dataset: Dataset,
    resident: bool,
    pub(super) order: Order,
    parts: Vec<(Split, Vec<u32>)>,
}

impl Feed {
    pub(super) fn new(
        gpu: &Gpu,
        dataset: Dataset,
        split: data::Split,
        data: &config::Data,
    ) -> Self {
        Self {
            resident: is_resident(gpu, &dataset),
            parts: parts_to_evaluate(&split, &dataset),
            order: Order::new(split.train, data),
            dataset,
        }
    }

    /// Where the samples are.
    pub(super) fn residence(&self) -> Residence<'_> {
        match self.resident {
            true => Residence::Device,
            false => Residence::Host(vec![&self.dataset.train, &self.dataset.test]),
        }
    }

    /// The test set.
    pub(super) fn test(&self) -> &Samples {
        &self.dataset.test
    }

    /// Names of the classes.
    pub(super) fn classes(&self) -> &[String] {
        &self.dataset.classes
    }

    /// The parts that are evaluated.
    pub(super) fn splits(&self) -> Vec<Split> {
        self.parts.iter().map(|(split, _)| *split).collect()
    }

    /// The samples of a part that is evaluated; none of another one.
    pub(super) fn part(&self, split: Split) -> &[u32] {
        let part = self.parts.iter().find(|(name, _)| *name == split);
        part.map_or(&[], |(_, samples)| samples)
    }

    /// The class of a sample by its position in the list of all samples.
    pub(super) fn label(&self, at: u32) -> u32 {
        let [train, test] = [&self.dataset.train.labels, &self.dataset.test.labels];
        let at = at as usize;
        match at.checked_sub(train.len()) {
            None => train[at],
            Some(at) => test[at],
        }
    }

    /// Puts all samples on the device where they fit, the test set behind the training set; then the
    /// host's copy of the training set is forgotten.
    pub(super) fn upload(&mut self, workshop: &Workshop) -> Result<()> {
        if !self.resident {
            return Ok(());
        }
        let mut labels = self.dataset.train.labels.clone();
        labels.extend_from_slice(&self.dataset.test.labels);
        workshop.write(&Key::Targets, bytemuck::cast_slice(&labels))?;
        let mut bytes = Vec::new();
        for samples in [&self.dataset.train, &self.dataset.test] {
            bytes.extend_from_slice(value_bytes(samples));
        }
        workshop.write(&Key::Samples, &bytes)?;
        self.dataset.train.values = Values::Bytes(Vec::new());
        Ok(())
    }
}

/// The parts of the data that are evaluated, as positions in the list of all samples.
fn parts_to_evaluate(split: &data::Split, dataset: &Dataset) -> Vec<(Split, Vec<u32>)> {
    let train = dataset.train.len() as u32;
    let test = train + dataset.test.len() as u32;
    let mut parts = Vec::new();
    if !split.validation.is_empty() {
        parts.push((Split::Validation, split.validation.clone()));
    }
    parts.push((Split::Test, (train..test).collect()));
    parts
}

/// The values of samples as the device gets them.
fn value_bytes(samples: &Samples) -> &[u8] {
    match &samples.values {
        Values::Bytes(bytes) => bytes,
        Values::Floats(floats) => bytemuck::cast_slice(floats),
    }
}

/// Whether all samples fit into one binding of the device.
pub(super) fn is_resident(gpu: &Gpu, dataset: &Dataset) -> bool {
    let bytes = value_bytes(&dataset.train).len() + value_bytes(&dataset.test).len();
    let most = gpu.max_binding_bytes().min(gpu.max_buffer_bytes());
    let fits = bytes as u64 + 64 <= most;
    if !fits {
        log::info!(
            "the data set ({bytes} bytes) is larger than one binding: streamed from the host"
        );
    }
    fits
}
