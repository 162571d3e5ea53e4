//! A trained network that is only used: its outputs for any samples.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::confusion::Confusion;
use super::ensemble::{self, Ensemble};
use super::errors::{Errors, Predicted};
use super::evaluate::{Pass, RowResult, Streams, evaluation_batch};
use super::feed::{Residence, write_class_weights};
use super::readers::Readers;
use super::record::Split;
use super::scores::{ClassScore, class_scores, top5};
use super::setup::carrying;
use super::tally::Tally;
use crate::config;
use crate::data::{self, Augment, Dataset, Samples, Task, Units};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernel::Mode;
use crate::kernel::plan::Key;
use crate::kernel::program::Workshop;
use crate::loss::Loss;
use crate::model::{Model, Network, PlanRequest, Weights};

/// A network laid out for evaluation alone, with its normalisation.
///
/// The samples stay on the host; each batch is sent. The kernels and the order of all sums are
/// those of [`super::Trainer::evaluate`], so the results are the same bits.
#[derive(Debug)]
pub struct Evaluator {
    workshop: Workshop,
    network: Network,
    loss: Box<dyn Loss>,
    pass: Pass,
    pub(super) shape: Vec<usize>,
    pub(super) units: Units,
    /// Threads that read samples; as many as there are cores where nobody says.
    workers: Option<usize>,
}

/// What came out for some samples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outputs {
    /// The network's outputs, a row of one number for each class for each sample, of sequences for each
    /// position.
    pub rows: Vec<f32>,
    /// The predictions in the numbers' own units, rows of one for each; none where classes are told
    /// apart.
    pub predictions: Vec<f32>,
    /// How far the predictions are off, where numbers are predicted.
    pub errors: Option<Errors>,
    /// Loss and chosen class of each row.
    pub outcomes: Vec<RowResult>,
    /// Mean loss over the targets that count.
    pub loss: f64,
    /// Share of them that was classified rightly; NaN where numbers are predicted.
    pub accuracy: f64,
    /// Share of the sequences in which all targets that count were classified rightly; nothing where
    /// samples are no sequences of targets.
    pub sequences: Option<f64>,
}

/// How right a network is on a part of the data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The part.
    pub split: Split,
    /// Its number of samples.
    pub samples: usize,
    /// Mean loss.
    pub loss: f64,
    /// Share classified rightly, 0 to 1; of sequences over their positions; NaN where numbers are
    /// predicted.
    #[serde(skip_serializing_if = "is_nan")]
    pub accuracy: f64,
    /// How far the predictions are off, where numbers are predicted.
    #[serde(flatten)]
    pub errors: Option<Errors>,
    /// Share of whole sequences classified rightly, where samples are such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequences: Option<f64>,
    /// exp of the loss, where it is a mean over tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// The loss in bits per token, where it is a mean over tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<f64>,
    /// Share of the samples whose class is among the five likeliest, of ten classes or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// How well each class is told from the others, where samples have classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassScore>,
}

/// How right several networks are together on a part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Together {
    /// The part.
    pub split: Split,
    /// Its number of samples.
    pub samples: usize,
    /// Share classified rightly, 0 to 1; NaN where numbers are predicted.
    #[serde(skip_serializing_if = "is_nan")]
    pub accuracy: f64,
    /// How far the means of the predictions are off, where numbers are predicted.
    #[serde(flatten)]
    pub errors: Option<Errors>,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over"
)]
fn is_nan(number: &f64) -> bool {
    number.is_nan()
}

/// A part of a data set: its name, the samples that it is of, their positions.
type Part<'a> = (Split, &'a Samples, Vec<u32>);

/// The parts that a training under `data` evaluates and that are not empty.
fn parts<'a>(dataset: &'a Dataset, data: &config::Data) -> Result<Vec<Part<'a>>> {
    let split = data::Split::new(dataset.train.extent(), data.validation, data.seed)?;
    let all: Vec<u32> = (0..dataset.test.len() as u32).collect();
    let order = |part: Vec<u32>| match data.streams() {
        Some(streams) => data::in_streams(&part, streams),
        None => part,
    };
    let mut parts = vec![
        (Split::Validation, &dataset.train, order(split.validation)),
        (Split::Test, &dataset.test, order(all)),
    ];
    parts.retain(|(_, _, part)| !part.is_empty());
    Ok(parts)
}

impl Evaluator {
    /// Lays a model out for `batch` samples at a time. In batches of
    /// [`super::evaluation_batch`] the results are the engine's to the bit.
    ///
    /// # Errors
    /// An adapter that cannot hold it.
    pub fn new(gpu: impl Into<Arc<Gpu>>, model: &Model, batch: usize) -> Result<Self> {
        Self::of(gpu.into(), model, model.network()?, batch)
    }

    /// Lays a model out for the data of a training under `data`, so that the results are the engine's to
    /// the bit: where streams go on from batch to batch, so do the states of recurrent layers.
    ///
    /// # Errors
    /// As [`Evaluator::new`].
    pub fn for_data(gpu: impl Into<Arc<Gpu>>, model: &Model, data: &config::Data) -> Result<Self> {
        let (network, batch) = match data.streams() {
            Some(streams) => (
                model.description.network(&carrying(&model.layers))?,
                streams,
            ),
            None => {
                let network = model.network()?;
                let batch = evaluation_batch(data.batch, &network);
                (network, batch)
            }
        };
        let evaluator = Self::of(gpu.into(), model, network, batch)?;
        Ok(Self {
            workers: data.workers,
            ..evaluator
        })
    }

    fn of(gpu: Arc<Gpu>, model: &Model, network: Network, batch: usize) -> Result<Self> {
        let mut loss = model.loss.clone();
        loss.suit(&model.description.task(), &[])?;
        let batch = batch.max(1);
        let request = PlanRequest {
            mode: Mode::Evaluate,
            batch,
            accumulate: 1,
            slots: 1,
            positions: network.positions(),
            numbers: model.description.units.width(),
            class_weights: loss.class_weights().len(),
            storage: model.description.values,
            samples: batch,
            augment: Augment::default(),
            clip_norm: None,
        };
        let mut workshop = Workshop::new(gpu, 1);
        let pass = Pass::new(&mut workshop, (&network, &*loss), request, true)?;
        let normalization = &model.description.normalization;
        workshop.write(&Key::Mean, bytemuck::cast_slice(&normalization.mean))?;
        workshop.write(&Key::Scale, bytemuck::cast_slice(&normalization.scale))?;
        write_class_weights(&workshop, &*loss)?;
        let mut evaluator = Self {
            workshop,
            network,
            loss,
            pass,
            shape: model.description.input.clone(),
            units: model.description.units.clone(),
            workers: None,
        };
        evaluator.set_weights(&model.weights, &model.path)?;
        Ok(evaluator)
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The loss that it was trained with.
    #[must_use]
    pub fn loss(&self) -> &dyn Loss {
        &*self.loss
    }

    /// Replaces the weights by others of the same network; `file` is named in errors.
    ///
    /// # Errors
    /// [`Error::Weights`] for a tensor that is missing, extra or misshapen, or not finite.
    pub fn set_weights(&mut self, weights: &Weights, file: &Path) -> Result<()> {
        weights.check(&self.network, file)?;
        for state in self.network.states() {
            let values = &weights.tensors[&state.name].values;
            let key = Key::State(state.name.clone());
            self.workshop.write(&key, bytemuck::cast_slice(values))?;
        }
        let flat = weights.flat(&self.network);
        self.workshop
            .write(&Key::Parameters, bytemuck::cast_slice(&flat))
    }

    /// The outputs for the samples at `indices`, and how right they are.
    ///
    /// # Errors
    /// Samples of another shape or kind than the network takes, an index that is not below their
    /// number, or a device that fails.
    pub fn run(&mut self, samples: &Samples, indices: &[u32]) -> Result<Outputs> {
        self.measure(samples, indices, true)
    }

    /// As [`Evaluator::run`]; without `keeps` nothing is kept of the rows: a text has more places than there
    /// is room for.
    fn measure(&mut self, samples: &Samples, indices: &[u32], keeps: bool) -> Result<Outputs> {
        self.check(samples, indices)?;
        let samples = &self.units.standardised(samples)?;
        let mut outputs = Outputs::default();
        let readers = Readers::new(vec![samples.clone()], self.workers, 0);
        let residence = Residence::Host(&readers);
        let numbers = self.units.width() > 0;
        let mut tally = Tally::new(self.loss.class_weights(), samples.sequences());
        let positions = self.pass.request().positions;
        let (outcomes, mut place) = (&mut outputs.outcomes, 0);
        let total = self.pass.run(
            (&mut self.workshop, &residence),
            indices,
            Streams::default(),
            keeps.then_some(&mut outputs.rows),
            |rows| {
                let end = place + rows.len() / positions;
                if !numbers {
                    tally.add(rows, &samples.targets_of(&indices[place..end], 0)?);
                }
                place = end;
                if keeps {
                    outcomes.extend_from_slice(rows);
                }
                Ok(())
            },
        )?;
        if numbers {
            let targets = samples.targets_of(indices, 0)?;
            let predicted = Predicted::new(&self.units, &outputs.rows, &targets);
            outputs.loss = total.loss / indices.len() as f64;
            outputs.accuracy = f64::NAN;
            outputs.errors = Some(predicted.errors());
            outputs.predictions = predicted.predicted;
            return Ok(outputs);
        }
        outputs.loss = total.loss / tally.mass();
        outputs.accuracy = total.right / tally.counted();
        outputs.sequences = tally.whole_share();
        Ok(outputs)
    }

    /// Loss and accuracy on the parts of a data set that a training under `data` evaluates:
    /// the validation set (where there is one), and the test set.
    ///
    /// # Errors
    /// As [`Evaluator::run`].
    pub fn evaluate(&mut self, dataset: &Dataset, data: &config::Data) -> Result<Vec<Measured>> {
        let tokens = matches!(dataset.task, Task::Tokens(_));
        let measured = parts(dataset, data)?
            .into_iter()
            .map(|(split, samples, part)| {
                let outputs = self.measure(samples, &part, !tokens)?;
                let labels = match dataset.task {
                    Task::Classes(_) => samples.targets_of(&part, 0)?,
                    _ => Vec::new(),
                };
                Ok(Measured {
                    split,
                    samples: part.len(),
                    loss: outputs.loss,
                    accuracy: outputs.accuracy,
                    errors: outputs.errors,
                    sequences: outputs.sequences,
                    perplexity: tokens.then(|| outputs.loss.exp()),
                    bits: tokens.then(|| outputs.loss / std::f64::consts::LN_2),
                    top5: top5(&outputs.rows, self.network.classes(), &labels),
                    classes: class_scores(&Confusion::of(
                        &labels,
                        outputs.outcomes.iter().map(|outcome| outcome.chosen),
                        dataset.classes().len(),
                    )),
                })
            });
        measured.collect()
    }

    /// Accuracy of several networks together, on the same parts as [`Evaluator::evaluate`]: the mean
    /// of their probabilities; where there is no room for the outputs of all samples on the same ones as in
    /// training. The weights of the last one stay.
    ///
    /// # Errors
    /// As [`Evaluator::run`] and [`Evaluator::set_weights`].
    pub fn evaluate_together(
        &mut self,
        members: &[PathBuf],
        dataset: &Dataset,
        data: &config::Data,
    ) -> Result<Vec<Together>> {
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let mut parts = parts(dataset, data)?;
        let outputs = self.network.classes() * self.network.positions();
        let streams = data.streams().filter(|_| self.network.carries());
        for (_, _, part) in &mut parts {
            if let Some(places) = ensemble::places(part.len(), outputs, streams) {
                *part = places.into_iter().map(|at| part[at]).collect();
            }
        }
        let mut all = vec![Ensemble::default(); parts.len()];
        let classes = self.network.classes();
        for file in members {
            self.set_weights(&Weights::read(file)?, file)?;
            for ((_, samples, part), ensemble) in parts.iter().zip(&mut all) {
                let outputs = self.run(samples, part)?;
                match self.units.width() {
                    0 => ensemble.add(&outputs.rows, classes, &*self.loss),
                    _ => ensemble.add_numbers(&outputs.rows),
                }
            }
        }
        let measured = parts
            .iter()
            .zip(&all)
            .map(|((split, samples, part), ensemble)| {
                if self.units.width() > 0 {
                    let targets = self.units.standardised(samples)?.targets_of(part, 0)?;
                    let predicted = Predicted::new(&self.units, &ensemble.mean(), &targets);
                    return Ok(Together {
                        split: *split,
                        samples: part.len(),
                        accuracy: f64::NAN,
                        errors: Some(predicted.errors()),
                    });
                }
                let labels = samples.targets_of(part, 0)?;
                Ok(Together {
                    split: *split,
                    samples: part.len(),
                    accuracy: ensemble.accuracy(&labels),
                    errors: None,
                })
            });
        measured.collect()
    }

    fn check(&self, samples: &Samples, indices: &[u32]) -> Result<()> {
        let (kind, wanted) = (samples.storage(), self.pass.request().storage);
        let refuse = |found: String, expected: String| Error::Argument {
            what: "samples".into(),
            found,
            expected,
            help: "prepare the samples as those that the network was trained on".into(),
        };
        let (width, expected) = (samples.targets().width(), self.units.width());
        if width != expected {
            return Err(refuse(
                format!("{width} numbers to predict for each"),
                format!("{expected}, as the network learned"),
            ));
        }
        if samples.shape() != self.shape || kind != wanted {
            return Err(refuse(
                format!("{} of the shape {:?}", kind.name(), samples.shape()),
                format!(
                    "{} of the shape {:?}, which the network takes",
                    wanted.name(),
                    self.shape
                ),
            ));
        }
        match indices.iter().find(|i| **i as usize >= samples.len()) {
            Some(i) => Err(refuse(
                format!("position {i}"),
                format!("positions below {}, the number of samples", samples.len()),
            )),
            None => Ok(()),
        }
    }
}
