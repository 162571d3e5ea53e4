//! The sections whose keys are fixed: each is a serde struct, whose fields are the only list of its
//! keys. What a value may be stands at its field; what holds when nobody says anything, in
//! `layers.rs`.

use std::fmt;
use std::path::PathBuf;

use serde::de::value::{I64Deserializer, I128Deserializer, U64Deserializer};
use serde::de::{Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::args::{MOST, choice, counted, number, some_whole, whole};
use crate::data::{self, Epochs, Extent, Normalize};
use crate::error::{Error, Result};
use crate::source::{self, Cache, Glyphs, Source};

/// The keys outside the tables.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Top {
    #[serde(deserialize_with = "whole::<_, _, 0, MOST>")]
    pub(super) seed: u64,
}

/// `[data]`: the samples and how they are served.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The source, with the keys that are its own.
    #[serde(skip, default = "glyphs")]
    pub source: Box<dyn Source>,
    /// Where the files are, for sources made of files; relative to the current folder.
    #[serde(
        default,
        deserialize_with = "source::folder",
        serialize_with = "source::path",
        skip_serializing_if = "Option::is_none"
    )]
    pub dir: Option<PathBuf>,
    /// Order, splits and the glyphs; apart from the run's seed.
    #[serde(deserialize_with = "whole::<_, _, 0, MOST>")]
    pub seed: u64,
    /// The share of each class of the training samples that is trained on, above 0, at most 1.
    #[serde(deserialize_with = "subset")]
    pub subset: f64,
    /// Part of the training set held out, in [0, 1).
    #[serde(deserialize_with = "part")]
    pub validation: f64,
    /// Samples of a batch; at least 1.
    #[serde(deserialize_with = "whole::<_, _, 1, LARGEST_BATCH>")]
    pub batch: usize,
    /// Whether each epoch has its own order.
    pub shuffle: bool,
    /// Whether a last, smaller batch is left out.
    pub drop_last: bool,
    /// How values become the network's input.
    #[serde(deserialize_with = "choice")]
    pub normalize: Normalize,
    /// Where samples that are made from files are kept.
    #[serde(deserialize_with = "choice")]
    pub cache: Cache,
    /// The folder of what is kept on the disk; without it `wavetrain` in the system's folder for caches.
    #[serde(
        default,
        deserialize_with = "source::folder",
        serialize_with = "source::path",
        skip_serializing_if = "Option::is_none"
    )]
    pub cache_dir: Option<PathBuf>,
    /// Threads that read and decode samples; without it as many as there are cores.
    #[serde(
        default,
        deserialize_with = "some_whole::<_, _, 1, MOST_WORKERS>",
        skip_serializing_if = "Option::is_none"
    )]
    pub workers: Option<usize>,
}

/// Threads that read, at most.
const MOST_WORKERS: u64 = 256;

const LARGEST_BATCH: u64 = u32::MAX as u64;

/// Stands in until the source's name is looked up in the table.
fn glyphs() -> Box<dyn Source> {
    Box::new(Glyphs {})
}

fn part<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let expected = "a part of the training set: 0 or more, below 1";
    number(from, "a finite number", expected, |part| {
        (0.0..1.0).contains(&part)
    })
}

fn subset<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let expected = "a share of each class: above 0, at most 1";
    number(from, "a finite number", expected, |share| {
        share > 0.0 && share <= 1.0
    })
}

impl Data {
    /// Training samples of a source that states its size, of which `subset` is trained on.
    ///
    /// Where classes differ in size, rounding may make it some samples more or fewer.
    #[must_use]
    pub fn known_samples(&self) -> Option<usize> {
        let train = self.source.known().sizes?.train;
        Some(((train as f64 * self.subset).round() as usize).max(1))
    }

    /// How epochs go through the samples that are trained on, those at `samples` of `extent`.
    #[must_use]
    pub fn epochs(&self, samples: Vec<u32>, extent: Extent) -> Epochs {
        Epochs::new(samples, extent, (self.shuffle, self.streams()), self.seed)
    }

    /// Whether each batch goes on where the one before it ends.
    #[must_use]
    pub fn stateful(&self) -> bool {
        self.source.windows().is_some_and(|cut| cut.stateful)
    }

    /// The streams that windows of a text lie in, where each batch goes on where the one before it ends.
    #[must_use]
    pub fn streams(&self) -> Option<usize> {
        self.stateful().then_some(self.batch)
    }

    /// How many of the `samples` samples of a part are evaluated: all, or the windows that fill the streams.
    #[must_use]
    pub fn evaluated(&self, samples: usize) -> usize {
        match self.streams() {
            Some(streams) => samples / streams * streams,
            None => samples,
        }
    }

    /// Samples of an epoch where there are `extent` to train on, of which `validation` is still part.
    ///
    /// # Errors
    /// As [`data::Split::new`].
    pub fn samples_per_epoch(&self, extent: Extent) -> Result<usize> {
        let split = data::Split::new(extent, self.validation, self.seed)?;
        Ok(self.epochs(split.train, extent).len())
    }

    /// Steps of `accumulate` batches in one pass over `samples` samples, those held out not counted;
    /// at least 1.
    ///
    /// # Errors
    /// If there is no sample, no whole batch under `drop_last`, or if an epoch has fewer batches than
    /// a step.
    pub fn steps_per_epoch(&self, samples: usize, accumulate: usize) -> Result<u64> {
        let (batch, drop_last) = (self.batch, self.drop_last);
        match data::steps_per_epoch(samples, batch, drop_last) {
            0 => Err(Error::Argument {
                what: "data.batch".to_owned(),
                found: format!(
                    "{batch}, with {samples} training samples and drop_last = {drop_last}"
                ),
                expected: "at least one batch in an epoch".to_owned(),
                help: "lower data.batch or data.validation, or set data.drop_last = false"
                    .to_owned(),
            }),
            batches if batches < accumulate as u64 => Err(Error::Argument {
                what: "train.accumulate".to_owned(),
                found: format!(
                    "{accumulate}, with {samples} training samples in batches of {batch}"
                ),
                expected: format!("at most {batches}, the batches of an epoch"),
                help: "lower train.accumulate or data.batch".to_owned(),
            }),
            _ => {
                let samples_per_step = batch.saturating_mul(accumulate);
                Ok(data::steps_per_epoch(samples, samples_per_step, drop_last))
            }
        }
    }
}

/// `[train]`: how long, and when something besides training happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Passes over the training set; at least 1. `None` where `steps` says how long it takes.
    #[serde(
        default,
        deserialize_with = "some_whole::<_, _, 1, MOST>",
        skip_serializing_if = "Option::is_none"
    )]
    pub epochs: Option<u64>,
    /// Optimizer updates; at least 1.
    #[serde(
        default,
        deserialize_with = "some_whole::<_, _, 1, MOST>",
        skip_serializing_if = "Option::is_none"
    )]
    pub steps: Option<u64>,
    /// Batches whose gradients one step takes, at least 1: a step is an update, and the last of an
    /// epoch may have fewer.
    #[serde(deserialize_with = "whole::<_, _, 1, LARGEST_BATCH>")]
    pub accumulate: usize,
    /// Distance between evaluations; at least 1.
    pub eval_every: Length,
    /// Distance between evaluations of the test set where there is a validation set; without it the test
    /// set is then read once, at the end. Where there is none, it is read at every evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_every: Option<Length>,
    /// Evaluations without a better loss of the validation set after which the run ends, those in
    /// the rising half of a cycle not counted; 0: it goes to its end.
    #[serde(deserialize_with = "whole::<_, _, 0, MOST>")]
    pub early_stop: u64,
    /// Steps between two lines where there is no progress bar; at least 1.
    #[serde(deserialize_with = "whole::<_, _, 1, MOST>")]
    pub log_every: u64,
    /// Steps per submission.
    pub chunk: Chunk,
}

impl Train {
    /// How long: `steps` where they are given, or else `epochs`.
    #[must_use]
    pub fn length(&self) -> Length {
        match (self.steps, self.epochs) {
            (Some(steps), _) => Length::Steps(steps),
            (None, epochs) => Length::Epochs(epochs.unwrap_or(1)),
        }
    }
}

/// `[cycle_end]`: what is kept at the low point of each cycle. It never changes what is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CycleEnd {
    /// The weights, as a member of an ensemble.
    pub snapshot: bool,
    /// The mean of the weights at all low points so far.
    pub average: bool,
}

impl CycleEnd {
    /// Whether anything is kept.
    #[must_use]
    pub fn is_on(self) -> bool {
        self.snapshot || self.average
    }
}

/// A stretch of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Passes over the training set.
    Epochs(u64),
    /// Optimizer updates.
    Steps(u64),
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Epochs(epochs) => to.serialize_str(&counted(*epochs, "epoch")),
            Self::Steps(steps) => to.serialize_u64(*steps),
        }
    }
}

/// `500`, `"500 steps"`, `"1 epoch"`.
impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LengthReader)
    }
}

struct LengthReader;

impl Visitor<'_> for LengthReader {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of steps (500) or a string such as \"1 epoch\" or \"500 steps\"")
    }

    fn visit_i64<E: serde::de::Error>(self, steps: i64) -> Result<Length, E> {
        whole::<_, _, 1, MOST>(I64Deserializer::new(steps)).map(Length::Steps)
    }

    fn visit_i128<E: serde::de::Error>(self, steps: i128) -> Result<Length, E> {
        whole::<_, _, 1, MOST>(I128Deserializer::new(steps)).map(Length::Steps)
    }

    fn visit_u64<E: serde::de::Error>(self, steps: u64) -> Result<Length, E> {
        whole::<_, _, 1, MOST>(U64Deserializer::new(steps)).map(Length::Steps)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Length, E> {
        let mut words = text.split_whitespace();
        let number = words.next().and_then(|word| word.parse::<u64>().ok());
        let number = number.filter(|n| (1..=MOST).contains(n));
        match (number, words.next(), words.next()) {
            (Some(n), Some("epoch" | "epochs"), None) => Ok(Length::Epochs(n)),
            (Some(n), Some("step" | "steps") | None, None) => Ok(Length::Steps(n)),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// `train.chunk`: how many steps go to the device in one submission. It never changes a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    /// As many as keep a submission short.
    Auto,
    /// This many.
    Fixed(u32),
}

/// The longest chunk: a ring of so many slots is the most that is ever useful.
const LONGEST_CHUNK: u64 = 65_536;

impl Serialize for Chunk {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => to.serialize_str("auto"),
            Self::Fixed(steps) => to.serialize_u32(*steps),
        }
    }
}

impl<'de> Deserialize<'de> for Chunk {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ChunkReader)
    }
}

struct ChunkReader;

impl Visitor<'_> for ChunkReader {
    type Value = Chunk;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"auto\" or a number of steps per submission")
    }

    fn visit_i64<E: serde::de::Error>(self, steps: i64) -> Result<Chunk, E> {
        whole::<_, _, 1, LONGEST_CHUNK>(I64Deserializer::new(steps)).map(Chunk::Fixed)
    }

    fn visit_i128<E: serde::de::Error>(self, steps: i128) -> Result<Chunk, E> {
        whole::<_, _, 1, LONGEST_CHUNK>(I128Deserializer::new(steps)).map(Chunk::Fixed)
    }

    fn visit_u64<E: serde::de::Error>(self, steps: u64) -> Result<Chunk, E> {
        whole::<_, _, 1, LONGEST_CHUNK>(U64Deserializer::new(steps)).map(Chunk::Fixed)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Chunk, E> {
        match text {
            "auto" => Ok(Chunk::Auto),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}
