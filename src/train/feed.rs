//! The feed: which samples a batch is of, and their way to the device. What trains, what is
//! evaluated on the way and [`super::Evaluator`] are all fed by it.

use super::record::Split;
use super::ring::{self, StepUniform};
use crate::config;
use crate::data::{self, Dataset, Samples, Targets, Task, batch_at, epoch_order};
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
    /// Positions in the list of all samples: the training set, then the test set.
    pub(super) samples: &'a [u32],
    /// The place of the first of them among all samples of the step.
    pub(super) first: usize,
    /// Number of all samples of the step: what its loss is the mean over.
    pub(super) whole: usize,
}

impl<'a> Batch<'a> {
    /// A batch that is all of its step.
    pub(super) fn alone(step: u64, samples: &'a [u32]) -> Self {
        Self {
            step,
            samples,
            first: 0,
            whole: samples.len(),
        }
    }
}

/// The samples of one training step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Update<'a> {
    /// The step.
    pub(super) step: u64,
    /// The epoch that its samples belong to, from 0.
    pub(super) epoch: u64,
    samples: &'a [u32],
    batch: usize,
}

impl<'a> Update<'a> {
    /// Number of its samples.
    pub(super) fn samples(self) -> usize {
        self.samples.len()
    }

    /// Its batches: whole ones, but for the last of an epoch.
    pub(super) fn batches(self) -> impl Iterator<Item = Batch<'a>> {
        let batches = self.samples.chunks(self.batch).enumerate();
        batches.map(move |(at, samples)| Batch {
            step: self.step,
            samples,
            first: at * self.batch,
            whole: self.samples.len(),
        })
    }
}

/// The order of the training samples: a function of the step, so that nothing is replayed to resume.
#[derive(Debug)]
pub(super) struct Order {
    /// The training part, in the file's order.
    samples: Vec<u32>,
    shuffle: bool,
    seed: u64,
    batch: usize,
    /// Batches of a step, at most.
    accumulate: usize,
    drop_last: bool,
    /// The epoch whose order is at hand.
    epoch: Option<u64>,
    order: Vec<u32>,
}

impl Order {
    fn new(samples: Vec<u32>, data: &config::Data, accumulate: usize) -> Self {
        Self {
            samples,
            shuffle: data.shuffle,
            seed: data.seed,
            batch: data.batch,
            accumulate,
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

    /// Samples of a step, but for the last of an epoch.
    fn whole(&self) -> usize {
        self.batch.saturating_mul(self.accumulate)
    }

    /// Steps of an epoch.
    pub(super) fn steps_per_epoch(&self) -> u64 {
        data::steps_per_epoch(self.samples.len(), self.whole(), self.drop_last)
    }

    /// Batches that `steps` steps from the first on take.
    pub(super) fn batches(&self, steps: u64) -> u64 {
        let (per_epoch, k) = (self.steps_per_epoch().max(1), self.accumulate as u64);
        let epoch = match self.drop_last {
            true => per_epoch * k,
            false => data::steps_per_epoch(self.samples.len(), self.batch, false),
        };
        (steps / per_epoch)
            .saturating_mul(epoch)
            .saturating_add(steps % per_epoch * k)
    }

    /// The samples of `step`: as many as a step has, or what is left at the end of an epoch.
    pub(super) fn update(&mut self, step: u64) -> Update<'_> {
        let at = batch_at(step, self.samples.len(), self.whole(), self.drop_last);
        let Some(data::Batch { epoch, start, len }) = at else {
            return Update {
                step,
                epoch: 0,
                samples: &[],
                batch: self.batch,
            };
        };
        if self.epoch != Some(epoch) {
            self.order = epoch_order(&self.samples, self.shuffle, self.seed, epoch);
            self.epoch = Some(epoch);
        }
        Update {
            step,
            epoch,
            samples: &self.order[start..start + len],
            batch: self.batch,
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
            inv_count: (1.0 / batch.whole as f64) as f32,
            count: count as u32,
            start: start as u32,
            slot: slot as u32,
            first_sample: batch.first as u32,
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
    /// Those of each submission are read from these sets, one behind the other, and sent.
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
            let (bytes, labels) = gathered(sets, submission)?;
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
fn gathered(sets: &[&Samples], submission: &Submission) -> Result<(Vec<u8>, Vec<u32>)> {
    let width = sets.first().map_or(0, |set| set.sample_bytes());
    let mut labels = vec![0; submission.indices.len()];
    let mut bytes = vec![0; submission.indices.len() * width];
    for slot in &submission.slots {
        let places = slot.start as usize..(slot.start + slot.count) as usize;
        let list = &submission.indices[places.clone()];
        let mut bytes = &mut bytes[places.start * width..places.end * width];
        let mut labels = &mut labels[places];
        // Neighbours of one set are read together.
        for run in list.chunk_by(|a, b| place(sets, *a).0 == place(sets, *b).0) {
            let (into, rest) = bytes.split_at_mut(run.len() * width);
            let (classes, others) = labels.split_at_mut(run.len());
            (bytes, labels) = (rest, others);
            let (set, _) = place(sets, run[0]);
            let within: Vec<u32> = run.iter().map(|at| place(sets, *at).1).collect();
            sets[set].inputs().read(&within, into)?;
            for (class, at) in classes.iter_mut().zip(within) {
                *class = sets[set].labels()[at as usize];
            }
        }
    }
    Ok((bytes, labels))
}

/// The set that a position in the list of all samples belongs to, and the place in it.
fn place(sets: &[&Samples], at: u32) -> (usize, u32) {
    let mut rest = at;
    for (position, set) in sets.iter().enumerate() {
        match rest.checked_sub(set.len() as u32) {
            Some(behind) if position + 1 < sets.len() => rest = behind,
            _ => return (position, rest),
        }
    }
    (0, at)
}

/// The samples of a run: the data set, which part of it trains in which order, and which parts are
/// evaluated.
#[derive(Debug)]
pub(super) struct Feed {
    /// The training set, where it does not lie on the device.
    train: Option<Samples>,
    /// What is to be learned about the training set.
    targets: Targets,
    test: Samples,
    task: Task,
    pub(super) order: Order,
    parts: Vec<(Split, Vec<u32>)>,
}

impl Feed {
    /// Puts all samples on the device where they fit, the test set behind the training set; then the
    /// host's copy of the training set is forgotten.
    pub(super) fn new(
        workshop: &Workshop,
        dataset: Dataset,
        split: data::Split,
        (data, accumulate): (&config::Data, usize),
    ) -> Result<Self> {
        let resident = is_resident(workshop.gpu(), &dataset);
        if resident {
            upload(workshop, &[&dataset.train, &dataset.test])?;
        }
        Ok(Self {
            parts: parts_to_evaluate(&split, &dataset),
            order: Order::new(split.train, data, accumulate),
            targets: dataset.train.targets().clone(),
            train: (!resident).then_some(dataset.train),
            test: dataset.test,
            task: dataset.task,
        })
    }

    /// Where the samples are.
    pub(super) fn residence(&self) -> Residence<'_> {
        match &self.train {
            None => Residence::Device,
            Some(train) => Residence::Host(vec![train, &self.test]),
        }
    }

    /// The test set.
    pub(super) fn test(&self) -> &Samples {
        &self.test
    }

    /// What is learned.
    pub(super) fn task(&self) -> &Task {
        &self.task
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
        let at = at as usize;
        match at.checked_sub(self.targets.len()) {
            None => self.targets.classes()[at],
            Some(at) => self.test.labels()[at],
        }
    }
}

/// Puts sets on the device, one behind the other, block after block.
fn upload(workshop: &Workshop, sets: &[&Samples]) -> Result<()> {
    let labels: Vec<u32> = sets.iter().flat_map(|set| set.labels()).copied().collect();
    workshop.write(&Key::Targets, bytemuck::cast_slice(&labels))?;
    let mut at = 0;
    // Writes begin at multiples of four bytes; a set may end within one.
    let mut rest = Vec::new();
    for set in sets {
        set.for_each_block(|bytes| {
            rest.extend_from_slice(&bytes);
            let whole = rest.len() / 4 * 4;
            workshop.write_at(&Key::Samples, at, &rest[..whole])?;
            at += whole as u64;
            rest.drain(..whole);
            Ok(())
        })?;
    }
    workshop.write_at(&Key::Samples, at, &rest)
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

/// Whether all samples fit into one binding of the device.
pub(super) fn is_resident(gpu: &Gpu, dataset: &Dataset) -> bool {
    let bytes = |samples: &Samples| samples.len() * samples.sample_bytes();
    let bytes = bytes(&dataset.train) + bytes(&dataset.test);
    let most = gpu.max_binding_bytes().min(gpu.max_buffer_bytes());
    let fits = bytes as u64 + 64 <= most;
    if !fits {
        log::info!(
            "the data set ({bytes} bytes) is larger than one binding: streamed from the host"
        );
    }
    fits
}
