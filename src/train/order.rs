//! Which samples a step trains on: a function of the step, so that nothing is replayed to resume.

use crate::config;
use crate::data::epoch_order;

/// The order of the training samples.
#[derive(Debug)]
pub(super) struct Order {
    /// The training part, in the file's order.
    samples: Vec<u32>,
    shuffle: bool,
    seed: u64,
    batch: usize,
    steps_per_epoch: u64,
    /// The epoch whose order is at hand.
    epoch: Option<u64>,
    order: Vec<u32>,
}

impl Order {
    pub(super) fn new(samples: Vec<u32>, data: &config::Data, steps_per_epoch: u64) -> Self {
        Self {
            samples,
            shuffle: data.shuffle,
            seed: data.seed,
            batch: data.batch,
            steps_per_epoch,
            epoch: None,
            order: Vec::new(),
        }
    }

    pub(super) fn steps_per_epoch(&self) -> u64 {
        self.steps_per_epoch
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

    /// The samples of `step`: a whole batch, or what is left at the end of an epoch.
    pub(super) fn batch(&mut self, step: u64) -> &[u32] {
        let epoch = step / self.steps_per_epoch;
        if self.epoch != Some(epoch) {
            self.order = epoch_order(&self.samples, self.shuffle, self.seed, epoch);
            self.epoch = Some(epoch);
        }
        let first = (step % self.steps_per_epoch) as usize * self.batch;
        &self.order[first..(first + self.batch).min(self.order.len())]
    }
}
