//! What a run tells its observers.
//!
//! The engine emits [`Event`]s; the progress bar, the metrics file, the page and a user's own
//! callbacks are [`Observer`]s. An observer never slows a step: events come once per chunk.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

pub use crate::gpu::AdapterSummary;
pub use crate::model::LayerRow;
use crate::model::Weights;

/// JSON has no NaN and no infinity: they are written as `null`, which reads back as NaN.
fn null_is_nan<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

fn one() -> usize {
    1
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over"
)]
fn is_one(number: &usize) -> bool {
    *number == 1
}

fn not_known() -> f64 {
    f64::NAN
}

/// What an observer wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Train no step after this one (counted from 0); `StopAfter(0)` stops as soon as possible.
    StopAfter(u64),
    /// The user wants to leave: finish the chunk, evaluate nothing more.
    Interrupt,
}

/// Somebody who watches a run.
pub trait Observer {
    /// Called for each event, in order.
    ///
    /// # Errors
    /// An observer that cannot do its work (a full disk) ends the run with its error.
    fn on(&mut self, event: &Event<'_>) -> crate::error::Result<Flow>;
}

/// A closure is an observer: `trainer.run(&mut [&mut |event: &Event<'_>| { ... }])`.
impl<F: FnMut(&Event<'_>) -> crate::error::Result<Flow>> Observer for F {
    fn on(&mut self, event: &Event<'_>) -> crate::error::Result<Flow> {
        self(event)
    }
}

/// Which part of the data an evaluation used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// The training samples.
    Train,
    /// The part held out of the training set (`data.validation`).
    Validation,
    /// The test set.
    Test,
}

/// Everything that is known before the first step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The program's version.
    pub version: String,
    /// The adapter.
    pub adapter: AdapterSummary,
    /// Name of the data set (`glyphs`).
    pub data: String,
    /// Shape of one sample, `[channels, height, width]` or `[features]`.
    pub sample_shape: Vec<usize>,
    /// Number of samples: training, validation, test.
    pub samples: [usize; 3],
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The model, layer by layer.
    pub layers: Vec<LayerRow>,
    /// How pictures are changed while they train, in a few words; empty where they are not.
    #[serde(default)]
    pub augment: String,
    /// The schedule in one line (`triangular from 0.01 to 0.1, half cycle 938 steps`).
    pub schedule: String,
    /// Length of a cycle in steps, where the policy has cycles.
    pub period: Option<u64>,
    /// Samples of a batch.
    pub batch: usize,
    /// Batches of a step, at most (`train.accumulate`).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: u64,
    /// Steps that the run will do.
    pub total_steps: u64,
    /// The whole configuration, resolved, as TOML.
    pub config: String,
}

impl RunInfo {
    /// Samples of a step, but for the last of an epoch.
    #[must_use]
    pub fn samples_per_step(&self) -> usize {
        self.batch.saturating_mul(self.accumulate)
    }
}

/// What one step did, as recorded by the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step, from 0.
    pub step: u64,
    /// The epoch that the step's first sample belongs to, from 0.
    pub epoch: u64,
    /// The rate that the update kernel read from the step ring (an f32, widened).
    pub lr: f64,
    /// The momentum that it read.
    pub momentum: f64,
    /// Mean loss of the step's samples, before the update.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// Share of the step's samples that was classified rightly, before the update.
    pub accuracy: f64,
    /// Length (2-norm) of the gradient of the mean loss by all parameters, weight decay not
    /// included; NaN in the records of versions that did not measure it.
    #[serde(default = "not_known", deserialize_with = "null_is_nan")]
    pub grad_norm: f64,
}

/// The result of one evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Which part of the data.
    pub split: Split,
    /// Number of steps done before it.
    pub step: u64,
    /// Number of whole epochs done before it.
    pub epoch: u64,
    /// Mean loss.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// Share classified rightly, 0 to 1.
    pub accuracy: f64,
}

/// Accuracies at the low point of a cycle, 0 to 1: of the held-out part where there is one, or else
/// of the test set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LowPoint {
    /// The number of the cycle in the run, from 1.
    pub cycle: u64,
    /// Number of steps done.
    pub step: u64,
    /// Seconds in which steps ran; evaluations are not included.
    pub seconds: f64,
    /// The part of the data.
    pub split: Split,
    /// Accuracy of the weights as they are.
    pub single: f64,
    /// Accuracy of the snapshots so far together, where snapshots are taken.
    pub ensemble: Option<f64>,
    /// Accuracy of the mean of the weights at the low points so far, where it is kept.
    pub average: Option<f64>,
}

/// One test sample that the model got wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// Position in the test set.
    pub index: usize,
    /// The true class.
    pub label: usize,
    /// The class that the model chose.
    pub predicted: usize,
    /// The sample's loss: the larger, the surer the model was of its error.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// The picture, `[channels, height, width]` bytes, for sources made of pictures.
    pub pixels: Vec<u8>,
}

/// A training sample as it is and as training changes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Augmented {
    /// Position in the training set.
    pub index: usize,
    /// Its class.
    pub label: usize,
    /// Pictures, `[channels, height, width]` bytes: the sample, then its variants.
    pub pixels: Vec<Vec<u8>>,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps done.
    pub steps: u64,
    /// Why the run ended: `done`, `stopped`, `interrupted`, `diverged`.
    pub ended: String,
    /// Seconds from the first step to the last, evaluations included.
    pub seconds: f64,
    /// Steps per second, evaluations not included.
    pub steps_per_second: f64,
    /// The last evaluation of each split.
    pub evaluations: Vec<Evaluation>,
    /// Rows: true class; columns: chosen class; over the test set.
    pub confusion: Vec<Vec<u64>>,
    /// The worst mistakes on the test set, by falling loss (at most 24).
    pub mistakes: Vec<Mistake>,
    /// Training samples with variants, where pictures are changed while they train.
    pub augmented: Vec<Augmented>,
}

/// Something that happened in a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Everything is built; the first step comes next.
    Started(&'a RunInfo),
    /// A chunk of steps is done.
    Steps(&'a [StepRecord]),
    /// An evaluation is done.
    Evaluated(&'a Evaluation),
    /// The evaluation is the best so far (of the held-out part where there is one, or else of the
    /// test set), and the weights are those that it is of.
    Best(&'a Evaluation, &'a Weights),
    /// A cycle ended, and `[cycle_end]` asks for something.
    LowPoint {
        /// The accuracies.
        point: &'a LowPoint,
        /// The weights as they are, where snapshots are taken.
        snapshot: Option<&'a Weights>,
        /// The mean of the weights so far, with running statistics of its own, where it is kept.
        average: Option<&'a Weights>,
    },
    /// The schedule reached the end of a cycle (`cycle` from 0; `step` is the first of the next).
    CycleEnded {
        /// The cycle that ended.
        cycle: u64,
        /// The first step of the next cycle.
        step: u64,
    },
    /// An epoch ended.
    EpochEnded {
        /// The epoch that ended, from 0.
        epoch: u64,
        /// Number of steps done.
        step: u64,
    },
    /// `train.early_stop` ends the run.
    EarlyStop {
        /// Number of steps done.
        step: u64,
        /// The best loss of the held-out part.
        best: f64,
    },
    /// A file was written.
    Saved(&'a PathBuf),
    /// The loss is no longer finite.
    Diverged {
        /// The first such step.
        step: u64,
        /// Its rate.
        lr: f64,
    },
    /// Training is over and did not diverge: the weights as they are.
    Trained(&'a Weights),
    /// The run is over.
    Finished(&'a Summary),
}
