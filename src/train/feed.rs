//! The feed: the way of samples to the device, batch by batch (`updates.rs`). What trains, what is
//! evaluated on the way and [`super::Evaluator`] are all fed by it.

use super::record::Split;
use super::ring::{self, StepUniform};
use super::updates::{Batch, Order, positive};
use crate::config;
use crate::data::{self, Dataset, Samples, Task, Units, in_streams};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::plan::Key;
use crate::kernel::program::Workshop;
use crate::loss::Loss;
use crate::model::PlanRequest;

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
            inv_count: (1.0 / positive(batch.whole)) as f32,
            phase: batch.phase,
            carry: u32::from(batch.goes_on),
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
        let indices = Key::Indices(request.user());
        let Self::Host(sets) = self else {
            workshop.write(&indices, bytemuck::cast_slice(&submission.indices))?;
            workshop.write_ring(&ring::bytes(&submission.slots));
            return Ok(());
        };
        let (bytes, targets) = gathered(sets, submission)?;
        workshop.write(&Key::Samples, &bytes)?;
        workshop.write(&Key::Targets, bytemuck::cast_slice(&targets))?;
        let counted: Vec<u32> = (0..submission.indices.len() as u32).collect();
        workshop.write(&indices, bytemuck::cast_slice(&counted))?;
        // Windows were read from where they begin.
        let slots = submission.slots.iter();
        let slots: Vec<_> = slots
            .map(|slot| StepUniform { phase: 0, ..*slot })
            .collect();
        workshop.write_ring(&ring::bytes(&slots));
        Ok(())
    }
}

/// The bytes and the targets of a submission's samples, each at its place in the list; `sets` lie one
/// behind the other.
fn gathered(sets: &[&Samples], submission: &Submission) -> Result<(Vec<u8>, Vec<u32>)> {
    let width = sets.first().map_or(0, |set| set.sample_bytes());
    let words = sets.first().map_or(1, |set| set.target_words());
    let mut targets = vec![0; submission.indices.len() * words];
    let mut bytes = vec![0; submission.indices.len() * width];
    for slot in &submission.slots {
        let places = slot.start as usize..(slot.start + slot.count) as usize;
        let list = &submission.indices[places.clone()];
        let mut bytes = &mut bytes[places.start * width..places.end * width];
        let mut targets = &mut targets[places.start * words..places.end * words];
        // Neighbours of one set are read together.
        for run in list.chunk_by(|a, b| place(sets, *a).0 == place(sets, *b).0) {
            let (into, rest) = bytes.split_at_mut(run.len() * width);
            let (own, others) = targets.split_at_mut(run.len() * words);
            (bytes, targets) = (rest, others);
            let (set, _) = place(sets, run[0]);
            let within: Vec<u32> = run.iter().map(|at| place(sets, *at).1).collect();
            let phase = slot.phase as usize;
            sets[set].read_shifted(&within, phase, into)?;
            own.copy_from_slice(&sets[set].targets_of(&within, phase));
        }
    }
    Ok((bytes, targets))
}

/// The set that a position in the list of all samples belongs to, and the place in it.
fn place(sets: &[&Samples], at: u32) -> (usize, u32) {
    let mut rest = at;
    for (position, set) in sets.iter().enumerate() {
        match rest.checked_sub(set.places() as u32) {
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
    /// What is to be learned about the samples at the places of those that are evaluated.
    parts: Vec<Part>,
    test: Samples,
    task: Task,
    /// How numbers become what is learned.
    units: Units,
    pub(super) order: Order,
    labels: Vec<u32>,
}

/// A part of the data that is evaluated.
#[derive(Debug)]
struct Part {
    split: Split,
    /// Its samples, as positions in the list of all samples.
    samples: Vec<u32>,
    /// Their targets, one after the other.
    targets: Vec<u32>,
}

impl Feed {
    /// Puts all samples on the device where they fit, the test set behind the training set; then the
    /// host's copy of the training set is forgotten.
    pub(super) fn new(
        workshop: &Workshop,
        (dataset, units): (Dataset, Units),
        (split, weights): (data::Split, Vec<f32>),
        (data, accumulate): (&config::Data, usize),
    ) -> Result<Self> {
        let resident = is_resident(workshop.gpu(), &dataset);
        if resident {
            upload(workshop, &[&dataset.train, &dataset.test])?;
        }
        Ok(Self {
            parts: parts_to_evaluate(&split, &dataset, data.streams()),
            order: Order::new(split.train, (&dataset.train, weights), data, accumulate),
            labels: dataset.train.labels().to_vec(),
            train: (!resident).then_some(dataset.train),
            test: dataset.test,
            task: dataset.task,
            units,
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

    /// Targets of a sample that are one answer.
    pub(super) fn whole_sequences(&self) -> Option<usize> {
        self.test.sequences()
    }

    /// What is learned.
    pub(super) fn task(&self) -> &Task {
        &self.task
    }

    /// How numbers become what is learned; empty where targets are classes.
    pub(super) fn units(&self) -> &Units {
        &self.units
    }

    /// The parts that are evaluated.
    pub(super) fn splits(&self) -> Vec<Split> {
        self.parts.iter().map(|part| part.split).collect()
    }

    /// The samples of a part that is evaluated; none of another one.
    pub(super) fn part(&self, split: Split) -> &[u32] {
        let part = self.parts.iter().find(|part| part.split == split);
        part.map_or(&[], |part| &part.samples)
    }

    /// The targets of its samples, one after the other.
    pub(super) fn targets(&self, split: Split) -> &[u32] {
        let part = self.parts.iter().find(|part| part.split == split);
        part.map_or(&[], |part| &part.targets)
    }

    /// The class of a training sample.
    pub(super) fn label(&self, at: u32) -> u32 {
        self.labels.get(at as usize).copied().unwrap_or(0)
    }
}

/// Puts the weights of classes on the device, where the loss has any.
pub(super) fn write_class_weights(workshop: &Workshop, loss: &dyn Loss) -> Result<()> {
    let mut weights = loss.class_weights().to_vec();
    if weights.is_empty() {
        return Ok(());
    }
    weights.resize(weights.len().next_multiple_of(4), 0.0);
    workshop.write(&Key::ClassWeights, bytemuck::cast_slice(&weights))
}

/// Puts sets on the device, one behind the other, block after block.
fn upload(workshop: &Workshop, sets: &[&Samples]) -> Result<()> {
    if sets.iter().all(|set| set.inputs().stream().is_some()) {
        return upload_streams(workshop, sets);
    }
    let all = |set: &&Samples| {
        let all: Vec<u32> = (0..set.len() as u32).collect();
        set.targets_of(&all, 0)
    };
    let targets: Vec<u32> = sets.iter().flat_map(all).collect();
    workshop.write(&Key::Targets, bytemuck::cast_slice(&targets))?;
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

/// Puts streams of tokens on the device, each padded to whole windows; the targets are the same, one
/// token later.
fn upload_streams(workshop: &Workshop, sets: &[&Samples]) -> Result<()> {
    let (mut tokens, mut targets) = (Vec::new(), Vec::new());
    for set in sets {
        let stream = set.inputs().stream().unwrap_or_default();
        let end = tokens.len() + set.places() * set.positions();
        tokens.extend_from_slice(&stream[..stream.len() - 1]);
        targets.extend_from_slice(&stream[1..]);
        tokens.resize(end, 0);
        targets.resize(end, 0);
    }
    workshop.write(&Key::Samples, bytemuck::cast_slice(&tokens))?;
    workshop.write(&Key::Targets, bytemuck::cast_slice(&targets))
}

/// The parts of the data that are evaluated, in `streams` where a batch goes on where the one before it
/// ends.
fn parts_to_evaluate(split: &data::Split, dataset: &Dataset, streams: Option<usize>) -> Vec<Part> {
    let train = dataset.train.places() as u32;
    let test: Vec<u32> = (0..dataset.test.len() as u32).collect();
    let order = |part: Vec<u32>| match streams {
        Some(streams) => in_streams(&part, streams),
        None => part,
    };
    let (validation, test) = (order(split.validation.clone()), order(test));
    let mut parts = Vec::new();
    if !validation.is_empty() {
        parts.push(Part {
            split: Split::Validation,
            targets: dataset.train.targets_of(&validation, 0),
            samples: validation,
        });
    }
    parts.push(Part {
        split: Split::Test,
        targets: dataset.test.targets_of(&test, 0),
        samples: test.iter().map(|at| train + at).collect(),
    });
    parts
}

/// Whether all samples fit into one binding of the device.
pub(super) fn is_resident(gpu: &Gpu, dataset: &Dataset) -> bool {
    let bytes = |samples: &Samples| samples.places() * samples.sample_bytes();
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
