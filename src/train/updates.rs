//! Which samples each training step takes, in which batches, and what its loss is the mean over: functions
//! of the step, so that nothing is replayed to go on.

use std::collections::VecDeque;

use crate::config;
use crate::data::{self, Epochs, IGNORED, Samples, batch_at};

/// The samples that are worked on together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'a> {
    /// The step that trains on them, or that is evaluated.
    pub(super) step: u64,
    /// Positions in the list of all samples: the training set, then the test set.
    pub(super) samples: &'a [u32],
    /// How many tokens later than their position says windows of a stream begin.
    pub(super) phase: u32,
    /// Whether it goes on where the batch before it ends.
    pub(super) goes_on: bool,
    /// The place of the first of them among all samples of the step.
    pub(super) first: usize,
    /// Number of all targets of the step that count, or the sum of the weights of their classes: what its
    /// loss is the mean over.
    pub(super) whole: f64,
}

impl<'a> Batch<'a> {
    /// A batch that is all of its step, whose loss is the mean over its samples.
    pub(super) fn alone(step: u64, samples: &'a [u32]) -> Self {
        Self {
            step,
            samples,
            phase: 0,
            goes_on: false,
            first: 0,
            whole: samples.len() as f64,
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
    phase: u32,
    /// Whether its first batch goes on where the one before it ends, and whether the others do.
    goes_on: [bool; 2],
    targets: usize,
    weight: f64,
}

impl<'a> Update<'a> {
    /// What its loss is the mean over: its targets that count, or the weights of their classes.
    pub(super) fn weight(self) -> f64 {
        self.weight
    }

    /// Number of its targets that count.
    pub(super) fn targets(self) -> usize {
        self.targets
    }

    /// Its batches: whole ones, but for the last of an epoch.
    pub(super) fn batches(self) -> impl Iterator<Item = Batch<'a>> {
        let batches = self.samples.chunks(self.batch).enumerate();
        batches.map(move |(at, samples)| Batch {
            step: self.step,
            samples,
            phase: self.phase,
            goes_on: self.goes_on[usize::from(at > 0)],
            first: at * self.batch,
            whole: self.weight,
        })
    }
}

/// The order of the training samples: a function of the step, so that nothing is replayed to resume.
#[derive(Debug)]
pub(super) struct Order {
    epochs: Epochs,
    /// Targets of the training samples that count.
    counts: Counts,
    weights: Weighing,
    batch: usize,
    /// Batches of a step, at most.
    accumulate: usize,
    drop_last: bool,
    /// The orders of the epochs that were asked for last.
    at_hand: VecDeque<(u64, data::Order)>,
}

/// Epochs whose orders are kept: who looks ahead may be in the next one.
const AT_HAND: usize = 2;

/// How many targets of a sample count.
#[derive(Debug)]
enum Counts {
    /// As many of each.
    Same(usize),
    /// So many of each.
    Each(Vec<u32>),
}

impl Counts {
    fn new(samples: &Samples) -> Self {
        let positions = samples.positions();
        let data::Targets::Positions { values, .. } = samples.targets() else {
            return Self::Same(positions);
        };
        let count = |of: &[u32]| of.iter().filter(|target| **target != IGNORED).count() as u32;
        let counts: Vec<u32> = values.chunks(positions).map(count).collect();
        match counts.iter().all(|count| *count as usize == positions) {
            true => Self::Same(positions),
            false => Self::Each(counts),
        }
    }

    /// Those of some samples together.
    fn of(&self, samples: &[u32]) -> usize {
        match self {
            Self::Same(count) => samples.len() * count,
            Self::Each(counts) => samples.iter().map(|at| counts[*at as usize] as usize).sum(),
        }
    }
}

/// A number to divide by; 1 where nothing counts.
pub(super) fn positive(sum: f64) -> f64 {
    if sum > 0.0 { sum } else { 1.0 }
}

/// How much samples count in the mean loss.
#[derive(Debug)]
enum Weighing {
    /// Each target as 1.
    Alike,
    /// By the weight of each class, and the class of each sample.
    Classes(Vec<f32>, Vec<u32>),
}

impl Weighing {
    fn new(weights: Vec<f32>, labels: &[u32]) -> Self {
        match weights.is_empty() {
            true => Self::Alike,
            false => Self::Classes(weights, labels.to_vec()),
        }
    }

    /// The sum over some samples, of which `targets` targets count.
    fn of(&self, samples: &[u32], targets: usize) -> f64 {
        match self {
            Self::Alike => targets as f64,
            Self::Classes(weights, labels) => {
                let labels = samples.iter().map(|at| labels[*at as usize]);
                labels.map(|label| f64::from(weights[label as usize])).sum()
            }
        }
    }
}

impl Order {
    pub(super) fn new(
        samples: Vec<u32>,
        (train, weights): (&Samples, Vec<f32>),
        data: &config::Data,
        accumulate: usize,
    ) -> Self {
        Self {
            epochs: data.epochs(samples, train.extent()),
            counts: Counts::new(train),
            weights: Weighing::new(weights, train.labels()),
            batch: data.batch,
            accumulate,
            drop_last: data.drop_last,
            at_hand: VecDeque::new(),
        }
    }

    /// The seed that the orders are drawn from.
    pub(super) fn seed(&self) -> u64 {
        self.epochs.seed()
    }

    /// Draws the orders from another seed.
    pub(super) fn set_seed(&mut self, seed: u64) {
        self.epochs.set_seed(seed);
        self.at_hand.clear();
    }

    /// Samples of a step, but for the last of an epoch.
    fn whole(&self) -> usize {
        self.batch.saturating_mul(self.accumulate)
    }

    /// Steps of an epoch.
    pub(super) fn steps_per_epoch(&self) -> u64 {
        data::steps_per_epoch(self.epochs.len(), self.whole(), self.drop_last)
    }

    /// Batches that `steps` steps from the first on take.
    pub(super) fn batches(&self, steps: u64) -> u64 {
        let (per_epoch, k) = (self.steps_per_epoch().max(1), self.accumulate as u64);
        let epoch = match self.drop_last {
            true => per_epoch * k,
            false => data::steps_per_epoch(self.epochs.len(), self.batch, false),
        };
        (steps / per_epoch)
            .saturating_mul(epoch)
            .saturating_add(steps % per_epoch * k)
    }

    /// The samples of `step`: as many as a step has, or what is left at the end of an epoch.
    pub(super) fn update(&mut self, step: u64) -> Update<'_> {
        let at = batch_at(step, self.epochs.len(), self.whole(), self.drop_last);
        let (epoch, start, len) = at.map_or((0, 0, 0), |at| (at.epoch, at.start, at.len));
        let known = self.at_hand.iter().position(|(known, _)| *known == epoch);
        let place = known.unwrap_or_else(|| {
            self.at_hand.truncate(AT_HAND - 1);
            self.at_hand.push_front((epoch, self.epochs.order(epoch)));
            0
        });
        let order = &self.at_hand[place].1;
        let samples = &order.samples[start..start + len];
        Update {
            step,
            epoch,
            samples,
            batch: self.batch,
            phase: order.phase,
            goes_on: [start > 0, true].map(|on| on && self.epochs.go_on()),
            targets: self.counts.of(samples),
            weight: self.weights.of(samples, self.counts.of(samples)),
        }
    }
}
