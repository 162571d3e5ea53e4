//! The parts of the data that are evaluated on the way: validation (where there is one) and test.

use std::borrow::Cow;
use std::ops::Range;

use super::record::Split;
use crate::data::{self, Dataset, Samples, in_streams};
use crate::error::Result;

/// A part of the data that is evaluated.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) split: Split,
    /// Its samples, as positions in the list of all samples.
    pub(super) samples: Vec<u32>,
    targets: Wanted,
}

/// What is to be learned about the samples of a part.
#[derive(Debug)]
enum Wanted {
    /// The targets of all, one after the other.
    Kept(Vec<u32>),
    /// Those of windows of a stream that does not lie on the device stand in it; its first sample has this
    /// position in the list of all samples.
    InStream(Samples, u32),
}

impl Part {
    /// Without samples.
    pub(super) fn empty(split: Split) -> Self {
        Self {
            split,
            samples: Vec::new(),
            targets: Wanted::Kept(Vec::new()),
        }
    }

    /// `count` of its samples at equal distances, always the same ones.
    ///
    /// # Errors
    /// A stream that cannot be read.
    pub(super) fn some(&self, count: usize) -> Result<Self> {
        let all = self.samples.len();
        self.at(&(0..count).map(|i| i * all / count).collect::<Vec<_>>())
    }

    /// Its samples at these places.
    ///
    /// # Errors
    /// A stream that cannot be read.
    pub(super) fn at(&self, places: &[usize]) -> Result<Self> {
        let targets: Result<Vec<_>> = places.iter().map(|at| self.targets(*at..*at + 1)).collect();
        Ok(Self {
            split: self.split,
            samples: places.iter().map(|at| self.samples[*at]).collect(),
            targets: Wanted::Kept(targets?.concat()),
        })
    }

    /// The targets of the samples at these places of the part, one after the other.
    ///
    /// # Errors
    /// A stream that cannot be read.
    pub(super) fn targets(&self, places: Range<usize>) -> Result<Cow<'_, [u32]>> {
        match &self.targets {
            Wanted::Kept(targets) => {
                let each = targets.len() / self.samples.len().max(1);
                Ok(targets[places.start * each..places.end * each].into())
            }
            Wanted::InStream(set, first) => {
                let within = self.samples[places].iter().map(|at| at - first);
                Ok(set.targets_of(&within.collect::<Vec<_>>(), 0)?.into())
            }
        }
    }

    /// Those of all samples.
    ///
    /// # Errors
    /// As [`Part::targets`].
    pub(super) fn all_targets(&self) -> Result<Cow<'_, [u32]>> {
        self.targets(0..self.samples.len())
    }
}

/// The parts of the data that are evaluated, in `streams` where a batch goes on where the one before it
/// ends; `resident` says whether all samples lie on the device.
///
/// # Errors
/// A stream that cannot be read.
pub(super) fn parts(
    split: &data::Split,
    dataset: &Dataset,
    (streams, resident): (Option<usize>, bool),
) -> Result<Vec<Part>> {
    let train = dataset.train.places() as u32;
    let part = |split, set: &Samples, samples: &[u32], first: u32| {
        let samples = match streams {
            Some(streams) => in_streams(samples, streams),
            None => samples.to_vec(),
        };
        let targets = match set.inputs().stream() {
            Some(_) if !resident => Wanted::InStream(set.clone(), first),
            _ => Wanted::Kept(set.targets_of(&samples, 0)?),
        };
        Ok(Part {
            split,
            targets,
            samples: samples.iter().map(|at| first + at).collect(),
        })
    };
    let mut parts = Vec::new();
    if !split.validation.is_empty() {
        parts.push(part(
            Split::Validation,
            &dataset.train,
            &split.validation,
            0,
        )?);
    }
    let test: Vec<u32> = (0..dataset.test.len() as u32).collect();
    parts.push(part(Split::Test, &dataset.test, &test, train)?);
    Ok(parts)
}
