//! The feed: the way of samples to the device, batch by batch (`updates.rs`). What trains, what is
//! evaluated on the way and [`super::Evaluator`] are all fed by it.

use std::ops::Range;
use std::time::Duration;

use super::parts::{Part, parts};
use super::readers::{Read, Readers};
use super::record::Split;
use super::ring::{self, StepUniform};
use super::updates::{Batch, Order, positive};
use crate::config;
use crate::data::{self, Dataset, Samples, Task, Units, for_each_block};
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
    /// The step of each, and its place in it.
    places: Vec<(u64, usize)>,
}

impl Submission {
    /// No batches yet; each will have at most `batch` samples, and the random streams of `seed`.
    pub(super) fn new(batch: usize, seed: u64) -> Self {
        Self {
            batch,
            seed,
            indices: Vec::new(),
            slots: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Adds a batch; gives its slot, to be told what follows from no batch.
    pub(super) fn push(&mut self, batch: &Batch<'_>) -> &mut StepUniform {
        let (slot, start) = (self.slots.len(), self.indices.len());
        self.indices.extend_from_slice(batch.samples);
        self.indices.resize(start + self.batch, 0);
        let count = batch.samples.len();
        self.places.push((batch.step, batch.first / self.batch));
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

    /// The slots as they are where the samples of `portion` batches lie on the device at a time, each
    /// where the list counts to. Windows were read from where they begin.
    fn in_portions(&self, portion: usize) -> Vec<StepUniform> {
        let portion = portion.min(self.slots.len()).max(1) * self.batch;
        let slots = self.slots.iter();
        let within = |slot: &StepUniform| StepUniform {
            start: (slot.start as usize % portion) as u32,
            phase: 0,
            ..*slot
        };
        slots.map(within).collect()
    }
}

/// How samples get to the kernels.
#[derive(Debug)]
pub(super) enum Residence<'a> {
    /// All lie on the device.
    Device,
    /// Those of each submission are read and sent.
    Host(&'a Readers),
}

impl Residence<'_> {
    /// Batches whose samples lie on the device at a time.
    pub(super) fn portion(&self, request: &PlanRequest) -> usize {
        match self {
            Self::Device => usize::MAX,
            Self::Host(_) => (request.samples / request.batch.max(1)).max(1),
        }
    }

    /// Sends a submission's slots and the list of its samples; where the samples do not lie on the
    /// device, also the samples themselves, and the list then counts through them. It has no more batches
    /// than [`Residence::portion`].
    pub(super) fn send(
        &self,
        workshop: &Workshop,
        request: &PlanRequest,
        submission: &Submission,
    ) -> Result<()> {
        let Self::Host(readers) = self else {
            return send_list(workshop, request, submission);
        };
        send_counting(workshop, request, submission, usize::MAX)?;
        let batches: Vec<Batch<'_>> = submission
            .slots
            .iter()
            .map(|slot| {
                let list = slot.start as usize..(slot.start + slot.count) as usize;
                Batch {
                    phase: slot.phase,
                    ..Batch::alone(0, &submission.indices[list])
                }
            })
            .collect();
        send_samples(workshop, request, readers, &readers.read(&batches)?)
    }
}

/// Sends the slots and the list of a submission whose samples lie on the device.
fn send_list(workshop: &Workshop, request: &PlanRequest, submission: &Submission) -> Result<()> {
    let indices = Key::Indices(request.user());
    workshop.write(&indices, bytemuck::cast_slice(&submission.indices))?;
    workshop.write_ring(&ring::bytes(&submission.slots));
    Ok(())
}

/// Sends the slots of a submission, and a list that counts through the samples of `portion` batches.
fn send_counting(
    workshop: &Workshop,
    request: &PlanRequest,
    submission: &Submission,
    portion: usize,
) -> Result<()> {
    let batches = portion.min(submission.slots.len());
    let counted: Vec<u32> = (0..(batches * submission.batch) as u32).collect();
    let indices = Key::Indices(request.user());
    workshop.write(&indices, bytemuck::cast_slice(&counted))?;
    workshop.write_ring(&ring::bytes(&submission.in_portions(portion)));
    Ok(())
}

/// Sends what was read of batches, each at its place.
fn send_samples(
    workshop: &Workshop,
    request: &PlanRequest,
    readers: &Readers,
    batches: &[Read],
) -> Result<()> {
    let (width, words) = (readers.width(), readers.words());
    // Writes begin at multiples of four bytes.
    let is_aligned = (request.batch * width).is_multiple_of(4);
    for (first, read) in (0..).step_by(request.batch).zip(batches) {
        if is_aligned {
            workshop.write_at(&Key::Samples, (first * width) as u64, &read.bytes)?;
        }
        let targets = bytemuck::cast_slice(&read.targets);
        workshop.write_at(&Key::Targets, (4 * first * words) as u64, targets)?;
    }
    if is_aligned {
        return Ok(());
    }
    let mut bytes = vec![0; batches.len() * request.batch * width];
    for (first, read) in (0..).step_by(request.batch).zip(batches) {
        bytes[first * width..][..read.bytes.len()].copy_from_slice(&read.bytes);
    }
    workshop.write(&Key::Samples, &bytes)
}

/// The samples of a run: the data set, which part of it trains in which order, and which parts are
/// evaluated.
#[derive(Debug)]
pub(super) struct Feed {
    /// Who reads the samples, where they do not lie on the device.
    readers: Option<Readers>,
    /// What is to be learned about the samples at the places of those that are evaluated.
    parts: Vec<Part>,
    test: Samples,
    task: Task,
    /// How numbers become what is learned.
    units: Units,
    pub(super) order: Order,
    labels: Vec<u32>,
}

impl Feed {
    /// Puts all samples on the device where they fit, the test set behind the training set; then the
    /// host's copy of the training set is forgotten.
    pub(super) fn new(
        workshop: &Workshop,
        (dataset, units): (Dataset, Units),
        (split, weights): (data::Split, Vec<f32>),
        (data, accumulate, steps): (&config::Data, usize, u64),
    ) -> Result<Self> {
        let resident = is_resident(workshop.gpu(), &dataset);
        if resident {
            upload(workshop, &[&dataset.train, &dataset.test])?;
        }
        let readers = || {
            let sets = vec![dataset.train.clone(), dataset.test.clone()];
            Readers::new(sets, data.workers, steps)
        };
        Ok(Self {
            readers: (!resident).then(readers),
            parts: parts(&split, &dataset, (data.streams(), resident))?,
            order: Order::new(split.train, (&dataset.train, weights), data, accumulate),
            labels: dataset.train.labels().to_vec(),
            test: dataset.test,
            task: dataset.task,
            units,
        })
    }

    /// Where the samples are.
    pub(super) fn residence(&self) -> Residence<'_> {
        match &self.readers {
            None => Residence::Device,
            Some(readers) => Residence::Host(readers),
        }
    }

    /// Sends the slots `portion` of a submission of training steps, no more than
    /// [`Residence::portion`]; with the first of them what is the same for all. Samples that do not lie on
    /// the device are read ahead.
    pub(super) fn send(
        &mut self,
        workshop: &Workshop,
        request: &PlanRequest,
        submission: &Submission,
        portion: Range<usize>,
    ) -> Result<()> {
        let most = self.residence().portion(request);
        let Some(readers) = &mut self.readers else {
            return send_list(workshop, request, submission);
        };
        if portion.start == 0 {
            send_counting(workshop, request, submission, most)?;
        }
        let gpu = workshop.gpu();
        let places = submission.places[portion].iter();
        let read: Vec<Read> = places
            .map(|at| readers.training(&mut self.order, *at, &|| gpu.is_idle()))
            .collect::<Result<_>>()?;
        send_samples(workshop, request, readers, &read)
    }

    /// Draws the orders from another seed.
    pub(super) fn set_seed(&mut self, seed: u64) {
        self.order.set_seed(seed);
        self.readers.iter_mut().for_each(Readers::forget);
    }

    /// How long the device had nothing to do because samples of training steps were not there; nothing
    /// where all lie on it.
    pub(super) fn waited(&self) -> Option<Duration> {
        self.readers.as_ref().map(Readers::waited)
    }

    /// Where the samples lie, in a few words.
    pub(super) fn describe(&self) -> String {
        let Some(readers) = &self.readers else {
            return "on the device".into();
        };
        let threads = match readers.workers() {
            1 => "1 thread".into(),
            workers => format!("{workers} threads"),
        };
        format!("{}, read ahead by {threads}", readers.residence())
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

    /// A part that is evaluated.
    pub(super) fn part(&self, split: Split) -> Option<&Part> {
        self.parts.iter().find(|part| part.split == split)
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
    let targets: Result<Vec<_>> = sets.iter().map(all).collect();
    workshop.write(&Key::Targets, bytemuck::cast_slice(&targets?.concat()))?;
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

/// Puts streams of tokens on the device, each in as much room as whole windows take; the targets are the
/// same, one token later. Behind the last token the buffers have the zeros that they were made with.
fn upload_streams(workshop: &Workshop, sets: &[&Samples]) -> Result<()> {
    let mut at = 0;
    for set in sets {
        let Some(stream) = set.inputs().stream() else {
            continue;
        };
        let last = stream.len() - 1;
        let mut first = 0;
        for_each_block(stream, |tokens| {
            // The last token is a target alone, the first one an input alone.
            let inputs = &tokens[..tokens.len().min(last - first)];
            let targets = &tokens[usize::from(first == 0)..];
            let place = at + 4 * first as u64;
            workshop.write_at(&Key::Samples, place, bytemuck::cast_slice(inputs))?;
            let place = place - 4 * u64::from(first > 0);
            workshop.write_at(&Key::Targets, place, bytemuck::cast_slice(targets))?;
            first += tokens.len();
            Ok(())
        })?;
        at += 4 * (set.places() * set.positions()) as u64;
    }
    Ok(())
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
