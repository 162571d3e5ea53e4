//! The records of a run: what is known before it, what each step and each evaluation gave, how it
//! ended.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use super::confusion::Confusion;
use super::errors::Errors;
use crate::error::shown;
use crate::gpu::AdapterSummary;
use crate::model::LayerRow;

/// JSON has no NaN and no infinity: they are written as `null`, which reads back as NaN.
fn null_is_nan<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over"
)]
fn is_nan(number: &f64) -> bool {
    number.is_nan()
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

/// As [`null_is_nan`], for a value that may be left out.
fn given_null_is_nan<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    null_is_nan(from).map(Some)
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

fn not_known() -> f64 {
    f64::NAN
}

/// Which part of the data an evaluation used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// The part held out of the training set (`data.validation`).
    Validation,
    /// The test set.
    Test,
}

impl Split {
    /// The word for it, in files and for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
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
    /// Names of the classes, of the symbols, or of the numbers that are predicted.
    pub classes: Vec<String>,
    /// Whether numbers are predicted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub numbers: bool,
    /// The loss of a network that guesses, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guessing: Option<f64>,
    /// Targets of a sample: more than one where each position of a sequence has its own.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub positions: usize,
    /// The model, layer by layer.
    pub layers: Vec<LayerRow>,
    /// How pictures are changed while they train, in a few words; empty where they are not.
    #[serde(default)]
    pub augment: String,
    /// Where the samples lie while they are trained on, in a few words.
    #[serde(default)]
    pub residence: String,
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
    /// The configuration before lengths in epochs and `"auto"` were settled, as TOML.
    #[serde(default)]
    pub asked: String,
    /// The file of the first weights; `None`: they were drawn.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "shown::some_path"
    )]
    pub init: Option<PathBuf>,
    /// What tells these weights apart from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_fingerprint: Option<String>,
    /// Whether layers whose shapes were others there started anew.
    #[serde(default, skip_serializing_if = "is_false")]
    pub new_head: bool,
    /// What tells the samples apart from others.
    #[serde(default)]
    pub fingerprint: String,
    /// What has changed since the run began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

impl RunInfo {
    /// Samples of a step, but for the last of an epoch.
    #[must_use]
    pub fn samples_per_step(&self) -> usize {
        self.batch.saturating_mul(self.accumulate)
    }
}

/// Something that changed while a run was interrupted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Number of steps done when the run went on.
    pub step: u64,
    /// A key of the configuration, or `adapter`.
    pub key: String,
    /// What it was.
    pub from: String,
    /// What it is.
    pub to: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            step,
            key,
            from,
            to,
        } = self;
        write!(f, "from step {step} on: {key} {from} -> {to}")
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
    /// Share of the step's samples that was classified rightly, before the update; NaN where numbers
    /// are predicted.
    #[serde(default = "not_known", skip_serializing_if = "is_nan")]
    pub accuracy: f64,
    /// Length (2-norm) of the gradient of the mean loss by all parameters, weight decay not
    /// included; NaN in the records of versions that did not measure it.
    #[serde(default = "not_known", deserialize_with = "null_is_nan")]
    pub grad_norm: f64,
    /// What clipping multiplied the gradient with, 0 to 1, where `optimizer.clip_norm` is set; NaN
    /// where no f32 holds the norm.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "given_null_is_nan"
    )]
    pub clip_factor: Option<f64>,
}

impl StepRecord {
    /// Whether training can go on after it: its loss is finite, and so is the norm of its gradient
    /// where that is needed for clipping.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.clip_factor.is_none_or(f64::is_finite)
    }
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
    /// Share classified rightly, 0 to 1; of sequences over their positions; NaN where numbers are
    /// predicted.
    #[serde(default = "not_known", skip_serializing_if = "is_nan")]
    pub accuracy: f64,
    /// How far the predictions are off, where numbers are predicted.
    #[serde(default, flatten)]
    pub errors: Option<Errors>,
    /// Share of the sequences in which every position is classified rightly, where samples are such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequences: Option<f64>,
    /// exp of the loss, where it is a mean over tokens.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "given_null_is_nan"
    )]
    pub perplexity: Option<f64>,
    /// The loss in bits per token, where it is a mean over tokens.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "given_null_is_nan"
    )]
    pub bits: Option<f64>,
}

impl Evaluation {
    /// The share that was classified rightly, or where numbers are predicted the share of their variance
    /// that is explained.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.errors.map_or(self.accuracy, |errors| errors.r2)
    }
}

/// How well a symbol was predicted over the test set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SymbolRecord {
    /// Its number.
    pub symbol: usize,
    /// How often it was the target.
    pub count: u64,
    /// How often it was chosen then.
    pub right: u64,
    /// The mean loss then.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
}

/// Accuracies at the low point of a cycle, 0 to 1, or where numbers are predicted the shares of their
/// variance that are explained ([`Errors::r2`]): of the validation set where there is one, or else of
/// the test set.
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

/// How numbers of the test set were predicted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NumbersRecord {
    /// How far each number of a sample is off on the whole.
    pub each: Vec<Errors>,
    /// Some samples, at equal distances in the test set.
    pub shown: Vec<NumberRecord>,
    /// The samples whose predictions are furthest off, in deviations of the number (at most 24).
    pub worst: Vec<NumberRecord>,
}

/// A number of a test sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NumberRecord {
    /// Position in the test set.
    pub index: usize,
    /// Which of the sample's numbers.
    pub number: usize,
    /// What was to be predicted, in its own units.
    pub wanted: f32,
    /// What was predicted.
    pub predicted: f32,
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
    /// The probability of the class that it chose, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// What the sample is called, such as its file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// All its steps are done.
    Done,
    /// `train.early_stop` or an observer ended it.
    Stopped,
    /// A person or the system ended it; it can go on.
    Interrupted,
    /// The loss became NaN or infinite.
    Diverged,
}

impl Ended {
    /// The word for it, in files and for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::Diverged => "diverged",
        }
    }

    /// Whether nothing is left to be trained: the run is measured as a whole.
    #[must_use]
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Done | Self::Stopped)
    }
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps done.
    pub steps: u64,
    /// Why the run ended.
    pub ended: Ended,
    /// Seconds from the first step to the last, evaluations included.
    pub seconds: f64,
    /// Steps per second, evaluations not included.
    pub steps_per_second: f64,
    /// The share of the time of the steps in which the device had nothing to do because their samples were
    /// not read yet, of this sitting; nothing where samples lie on the device.
    pub waited: Option<f64>,
    /// The last evaluation of each split.
    pub evaluations: Vec<Evaluation>,
    /// Which classes were taken for which, over the test set.
    pub confusion: Confusion,
    /// The share of the test set whose class is among the five likeliest, of ten classes or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// The worst mistakes on the test set, by falling loss (at most 24).
    pub mistakes: Vec<Mistake>,
    /// The symbols that were predicted worst on the test set, by falling loss (at most 24).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symbols: Vec<SymbolRecord>,
    /// How the numbers of the test set were predicted, where numbers are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumbersRecord>,
    /// Training samples with variants, where pictures are changed while they train.
    pub augmented: Vec<Augmented>,
}
