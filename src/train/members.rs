//! What the low points of a run have left.

use std::collections::BTreeMap;

use super::ensemble::Ensemble;
use crate::model::{Network, Weights};

/// What the low points of a run have left.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Members {
    /// Number of low points so far.
    pub(super) cycles: u64,
    pub(super) ensemble: Ensemble,
    /// Sums of the parameters by name.
    pub(super) sums: BTreeMap<String, Vec<f64>>,
    /// The last average, with its own running statistics.
    pub(super) average: Option<Weights>,
}

impl Members {
    /// Adds weights; gives the mean of all, with the last ones' running statistics.
    pub(super) fn mean_with(&mut self, network: &Network, weights: &Weights) -> Weights {
        let mut mean = weights.clone();
        for parameter in network.parameters() {
            let Some(tensor) = mean.tensors.get_mut(&parameter.name) else {
                continue;
            };
            let sums = self.sums.entry(parameter.name.clone()).or_default();
            sums.resize(tensor.values.len(), 0.0);
            for (sum, value) in sums.iter_mut().zip(&mut tensor.values) {
                *sum += f64::from(*value);
                *value = (*sum / self.cycles as f64) as f32;
            }
        }
        mean
    }
}
