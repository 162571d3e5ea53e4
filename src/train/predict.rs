//! What a trained network says of samples whose targets nobody knows.

use super::evaluator::Evaluator;
use super::likely::{Likely, likely};
use crate::data::{Samples, Targets};
use crate::error::{Error, Result};

/// Samples without targets, one after the other, each in the order of [`Samples::from_bytes`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum InputValues {
    /// Pixels, 0 to 255.
    Bytes(Vec<u8>),
    /// Floats, in the units of those that the network was trained on: it normalises them itself.
    Floats(Vec<f32>),
}

impl From<Vec<u8>> for InputValues {
    fn from(values: Vec<u8>) -> Self {
        Self::Bytes(values)
    }
}

impl From<Vec<f32>> for InputValues {
    fn from(values: Vec<f32>) -> Self {
        Self::Floats(values)
    }
}

/// What a network says of one sample.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Prediction {
    /// All classes with their probabilities, the most probable first.
    Classes(Vec<Likely>),
    /// The numbers, in their own units.
    Numbers(Vec<f32>),
}

impl Evaluator {
    /// What the network says of samples without targets, one for each: the shape of one sample is that of
    /// the training ([`crate::model::Description`]), and `inputs` holds any number of them, one after
    /// the other.
    ///
    /// # Errors
    /// [`Error::Argument`] for a number of values that makes no samples, values of another kind than the
    /// network takes, and a network of tokens, for which there is [`super::Generator`];
    /// [`Error::NotFinite`] for outputs that are not finite; a device that fails.
    pub fn predict(&mut self, inputs: impl Into<InputValues>) -> Result<Vec<Prediction>> {
        let inputs = inputs.into();
        let elements: usize = self.shape.iter().product();
        let values = match &inputs {
            InputValues::Bytes(values) => values.len(),
            InputValues::Floats(values) => values.len(),
        };
        let refuse = |found: String, expected: String, help: &str| Error::Argument {
            what: "inputs".into(),
            found,
            expected,
            help: help.into(),
        };
        if self.network().positions() > 1 {
            let found = "samples of a network that answers at each position".to_owned();
            let help = "a Generator goes on with tokens; Evaluator::run gives all outputs";
            return Err(refuse(found, "one answer for each sample".into(), help));
        }
        if values == 0 || !values.is_multiple_of(elements) {
            let found = format!("{values} values");
            let expected = format!(
                "a multiple of {elements}, of samples of the shape {:?}",
                self.shape
            );
            let help = "give whole samples, at least one";
            return Err(refuse(found, expected, help));
        }
        let targets = self.unknown(values / elements);
        let samples = match inputs {
            InputValues::Bytes(values) => Samples::of_bytes(&self.shape, values, targets)?,
            InputValues::Floats(values) => Samples::of_floats(&self.shape, values, targets)?,
        };
        let all: Vec<u32> = (0..samples.len() as u32).collect();
        let outputs = self.run(&samples, &all)?;
        match self.units.width() {
            0 => self.classes(&outputs.rows),
            width => numbers(&outputs.predictions, width),
        }
    }

    /// Targets that stand for those that nobody knows.
    fn unknown(&self, samples: usize) -> Targets {
        match self.units.width() {
            0 => Targets::Classes(vec![0; samples]),
            width => Targets::Numbers {
                width,
                values: vec![0.0; samples * width],
            },
        }
    }

    fn classes(&self, rows: &[f32]) -> Result<Vec<Prediction>> {
        let rows = rows.chunks_exact(self.network().classes().max(1));
        let told = rows.enumerate().map(|(at, row)| {
            let likely = likely(row, self.loss()).map(Prediction::Classes);
            likely.map_err(|problem| Error::not_finite(format!("sample {}: {problem}", at + 1)))
        });
        told.collect()
    }
}

fn numbers(predictions: &[f32], width: usize) -> Result<Vec<Prediction>> {
    let rows = predictions.chunks_exact(width).enumerate();
    let told = rows.map(|(at, row)| match row.iter().find(|p| !p.is_finite()) {
        Some(found) => {
            let what = format!("sample {}: the prediction is {found}", at + 1);
            Err(Error::not_finite(what))
        }
        None => Ok(Prediction::Numbers(row.to_vec())),
    });
    told.collect()
}
