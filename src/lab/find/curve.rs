//! The points of a curve: what one rise of the rate gave.

use serde::{Deserialize, Serialize};

/// One step of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// The step, from 0.
    pub step: u64,
    /// The rate that the update used.
    pub lr: f64,
    /// Mean loss of the batch before the update; `null` in JSON where it is not finite.
    pub loss: f64,
    /// The loss smoothed about this step (local lines over the logarithm of the rate).
    pub smoothed: f64,
    /// Share of the batch that was classified rightly.
    pub accuracy: f64,
}
