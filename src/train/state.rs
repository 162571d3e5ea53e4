//! The state of a trainer as a value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::Tensor;

/// Everything that training changes. Random numbers have no state of their own: they are functions
/// of the seed and the step, and so is the place in the data.
///
/// The schedule is not part of it, and is handed over by [`super::Trainer::set_schedule`]; what a policy
/// with state was told of evaluations is.
///
/// Serialisable by serde: values that are not finite need a format that holds them (JSON does not);
/// [`State::to_bytes_with`] holds all, with a hash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// The run's seed: initial weights, dropout, augmentation.
    pub seed: u64,
    /// The seed of the samples' order.
    pub order_seed: u64,
    /// Steps done: the place in the data, in the random streams and in the schedule.
    pub done: u64,
    /// Updates since the optimizer's states were zero.
    pub updates: u64,
    /// What the schedule was told: the steps done, and the bits of the loss as an f64.
    pub observed: Vec<(u64, u64)>,
    /// The parameters and all running statistics by their names (`1.weight`, `2.running_mean`), and
    /// what the optimizer keeps for each parameter by both names (`exp_avg/1.weight`). Logical
    /// values without padding, so that they fit another adapter and another class of kernels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tensors: BTreeMap<String, Tensor>,
}

/// States are equal where all their bits are.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let place = |s: &Self| (s.seed, s.order_seed, s.done, s.updates);
        let bits = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits();
        let same = |(a, b): (&Tensor, &Tensor)| {
            a.shape == b.shape && a.values.iter().zip(&b.values).all(bits)
        };
        place(self) == place(other)
            && self.observed == other.observed
            && self.tensors.keys().eq(other.tensors.keys())
            && self.tensors.values().zip(other.tensors.values()).all(same)
    }
}

impl State {
    /// The same without tensors.
    pub(super) fn place(&self) -> Self {
        Self {
            tensors: BTreeMap::new(),
            observed: self.observed.clone(),
            ..*self
        }
    }

    /// Whether all values are finite: if not, the next step's loss is not either.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        let mut values = self.tensors.values().flat_map(|tensor| &tensor.values);
        values.all(|value| value.is_finite())
    }
}
