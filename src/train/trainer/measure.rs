//! What a trainer's weights are worth: evaluations, and low points of cycles.

use std::path::Path;
use std::sync::Arc;

use super::Trainer;
use crate::data::{IGNORED, Judge, Storage, Task};
use crate::error::Result;
use crate::model::Weights;
use crate::train::confusion::Confusion;
use crate::train::errors::Predicted;
use crate::train::evaluate::{
    RowResult, Streams, counted, mistakes, symbols, weight, whole_sequences,
};
use crate::train::generate::{Generator, Sampling};
use crate::train::low_point::Low;
use crate::train::members::Members;
use crate::train::record::{
    Evaluation, LowPoint, Mistake, NumberRecord, NumbersRecord, Split, SymbolRecord,
};
use crate::train::scores::top5;
use crate::train::texts;
use crate::train::updates::positive;

/// Samples whose predictions a summary shows.
const SHOWN: usize = 1000;
/// Samples that are predicted worst, of which a summary tells.
const WORST: usize = 24;

/// What came out for the samples of the test set.
#[derive(Debug, Default)]
pub(in crate::train) struct Tested {
    /// For each row.
    pub(in crate::train) outcomes: Vec<RowResult>,
    /// The outputs of all rows, where they are few enough.
    pub(in crate::train) outputs: Vec<f32>,
}

impl Trainer {
    /// Evaluates all parts that are evaluated: validation (where there is one) and test.
    ///
    /// # Errors
    /// A device that fails.
    pub fn evaluate_all(&mut self) -> Result<Vec<Evaluation>> {
        let splits = self.feed.splits().into_iter();
        splits.map(|split| Ok(self.evaluate(split)?.0)).collect()
    }

    /// Whether there is a validation set.
    pub(in crate::train) fn validates(&self) -> bool {
        self.feed.splits().contains(&Split::Validation)
    }

    /// Mean loss and accuracy over a part of the data with the weights as they are, and what came
    /// out for each sample. An unknown part has no samples: its loss is NaN.
    ///
    /// # Errors
    /// A device that fails.
    pub fn evaluate(&mut self, split: Split) -> Result<(Evaluation, Vec<RowResult>)> {
        self.evaluate_with(split, None)
    }

    /// As [`Trainer::evaluate`]; the outputs of all samples are added to `outputs`, where they are
    /// wanted.
    fn evaluate_with(
        &mut self,
        split: Split,
        outputs: Option<&mut Vec<f32>>,
    ) -> Result<(Evaluation, Vec<RowResult>)> {
        let samples = self.feed.part(split).to_vec();
        let targets = self.feed.targets(split).to_vec();
        self.evaluate_samples((split, &samples, &targets), outputs)
    }

    /// Mean loss and accuracy over `count` samples of a part, at equal distances, always the same ones;
    /// over all where there are no more, or where samples go on from each other.
    ///
    /// # Errors
    /// A device that fails.
    pub fn evaluate_some(&mut self, split: Split, count: usize) -> Result<Evaluation> {
        let samples = self.feed.part(split);
        let all = samples.len();
        if count >= all || count == 0 || self.network().carries() {
            return Ok(self.evaluate(split)?.0);
        }
        let targets = self.feed.targets(split);
        let positions = targets.len() / all;
        let places = (0..count).map(|i| i * all / count);
        let (mut some, mut of_some) = (Vec::new(), Vec::new());
        for at in places {
            some.push(samples[at]);
            of_some.extend_from_slice(&targets[at * positions..(at + 1) * positions]);
        }
        Ok(self.evaluate_samples((split, &some, &of_some), None)?.0)
    }

    /// Evaluates the test set; gives for each of its samples, in their order, what `judge` measures: 1
    /// where it is classified rightly and 0 where not, or its loss. Of sequences it is the sum over the
    /// targets that count, in units in which the mean over all samples is that over all targets.
    ///
    /// # Errors
    /// A device that fails.
    pub fn test_scores(&mut self, judge: Judge) -> Result<(Evaluation, Vec<f32>)> {
        let (evaluation, outcomes) = self.evaluate(Split::Test)?;
        let targets = self.feed.targets(Split::Test);
        let samples = self.feed.part(Split::Test).len().max(1);
        let positions = (targets.len() / samples).max(1);
        if self.feed.units().width() > 0 {
            // A sample has one row, and one loss.
            let losses = outcomes.iter().map(|outcome| outcome.loss as f32).collect();
            return Ok((evaluation, losses));
        }
        let mass = match judge {
            Judge::Accuracy => counted(targets) as f64,
            Judge::Loss => weight(targets, self.training.loss.class_weights()),
        };
        let unit = samples as f64 / positive(mass);
        let score = |(outcome, target): (&RowResult, &u32)| match judge {
            _ if *target == IGNORED => 0.0,
            Judge::Accuracy => f64::from(u8::from(outcome.chosen == *target as usize)),
            Judge::Loss => outcome.loss,
        };
        let rows = outcomes.chunks(positions).zip(targets.chunks(positions));
        let scores = rows.map(|(outcomes, targets)| {
            let sum: f64 = outcomes.iter().zip(targets).map(score).sum();
            (sum * unit) as f32
        });
        Ok((evaluation, scores.collect()))
    }

    fn evaluate_samples(
        &mut self,
        (split, samples, targets): (Split, &[u32], &[u32]),
        outputs: Option<&mut Vec<f32>>,
    ) -> Result<(Evaluation, Vec<RowResult>)> {
        let streams = Streams {
            seed: self.seed,
            step: self.done,
        };
        let residence = self.feed.residence();
        let units = self.feed.units();
        let numbers = units.width() > 0;
        // Where numbers are predicted, what they are follows from the outputs.
        let mut own = Vec::new();
        let outputs = outputs.or(numbers.then_some(&mut own));
        let first = outputs.as_ref().map_or(0, |outputs| outputs.len());
        let workshop = &mut self.workshop;
        let mut outputs = outputs;
        let (total, outcomes) = self.evaluation.run(
            workshop,
            &residence,
            samples,
            streams,
            outputs.as_deref_mut(),
        )?;
        let weights = self.training.loss.class_weights();
        let (count, mass) = match numbers {
            true => (samples.len() as f64, samples.len() as f64),
            false => (counted(targets) as f64, weight(targets, weights)),
        };
        let errors = outputs.filter(|_| numbers);
        let errors =
            errors.map(|outputs| Predicted::new(units, &outputs[first..], targets).errors());
        let loss = total.loss / mass;
        let tokens = matches!(self.feed.task(), Task::Tokens(_));
        let evaluation = Evaluation {
            split,
            step: self.done,
            epoch: self.done / self.steps_per_epoch(),
            loss,
            accuracy: match numbers {
                true => f64::NAN,
                false => total.right / count,
            },
            errors,
            sequences: whole_sequences(&outcomes, targets, self.feed.whole_sequences()),
            perplexity: tokens.then(|| loss.exp()),
            bits: tokens.then(|| loss / std::f64::consts::LN_2),
        };
        Ok((evaluation, outcomes))
    }

    /// What networks of the task are judged by.
    pub(in crate::train) fn judge(&self) -> Judge {
        self.feed.task().judge()
    }

    /// Which classes are taken for which, over the test set.
    pub(in crate::train) fn confusion(&self, outcomes: &[RowResult]) -> Confusion {
        let Task::Classes(names) = self.feed.task() else {
            return Confusion::default();
        };
        let chosen = outcomes.iter().map(|outcome| outcome.chosen);
        Confusion::of(self.feed.test().labels(), chosen, names.len())
    }

    /// The symbols that are predicted worst over the test set, by falling loss; none where the task is
    /// another one.
    pub(in crate::train) fn symbols(&self, outcomes: &[RowResult]) -> Vec<SymbolRecord> {
        match self.feed.task() {
            Task::Tokens(names) => symbols(outcomes, self.feed.targets(Split::Test), names.len()),
            _ => Vec::new(),
        }
    }

    /// How the numbers of the test set are predicted; nothing where classes are told apart.
    pub(in crate::train) fn numbers(&self, outputs: &[f32]) -> Option<NumbersRecord> {
        let units = self.feed.units();
        let width = units.width();
        if width == 0 || outputs.is_empty() {
            return None;
        }
        let predicted = Predicted::new(units, outputs, self.feed.targets(Split::Test));
        let record = |at: usize| NumberRecord {
            index: at / width,
            number: at % width,
            wanted: predicted.wanted[at],
            predicted: predicted.predicted[at],
        };
        let off = |record: &NumberRecord| {
            let distance = f64::from(record.predicted) - f64::from(record.wanted);
            (distance / units.deviation[record.number]).abs()
        };
        let samples = predicted.wanted.len() / width;
        let shown = samples.min(SHOWN);
        let shown = (0..shown).map(|at| at * samples / shown);
        let shown = shown.flat_map(|sample| (0..width).map(move |number| sample * width + number));
        let mut worst: Vec<NumberRecord> = (0..predicted.wanted.len()).map(record).collect();
        worst.sort_by(|a, b| off(b).total_cmp(&off(a)));
        worst.truncate(WORST);
        Some(NumbersRecord {
            each: predicted.each(),
            shown: shown.map(record).collect(),
            worst,
        })
    }

    /// How the network, as it is, goes on with a text: the prompt and what follows. Nothing where it
    /// does not learn that.
    pub(in crate::train) fn text(&mut self) -> Result<Option<[String; 2]>> {
        let samples = self.feed.test();
        if samples.storage() != Storage::Tokens || samples.symbols() != self.network().classes() {
            return Ok(None);
        }
        let (prompt, length) = texts::prompt(samples, self.network().classes())?;
        let weights = self.weights()?;
        let mut generator = match self.generator.take() {
            Some(generator) => generator,
            None => Generator::new(
                Arc::clone(self.workshop.gpu()),
                &self.described.model(&weights)?,
                1,
            )?,
        };
        generator.set_weights(&weights, Path::new("weights"))?;
        let sampling = Sampling {
            seed: self.seed,
            ..Sampling::default()
        };
        let texts = generator.generate(&prompt, (1, length), &sampling, &mut |_| Ok(()))?;
        let vocabulary = generator.vocabulary();
        let both = [prompt.clone(), [&prompt[..], &texts[0]].concat()];
        let [start, whole] = both.map(|tokens| vocabulary.text(&tokens));
        let text = whole.strip_prefix(&start).unwrap_or(&whole).to_owned();
        self.generator = Some(generator);
        Ok(Some([start, text]))
    }

    /// Evaluates the test set; gives also the outputs for all samples, where each is of a class, or of
    /// numbers.
    pub(in crate::train) fn evaluate_test(&mut self) -> Result<(Evaluation, Tested)> {
        /// Most outputs that are kept: 128 MiB.
        const MOST: usize = 1 << 25;
        let mut outputs = Vec::new();
        let all = self.network().classes() * self.feed.test().len();
        let wanted = !matches!(self.feed.task(), Task::Tokens(_)) && all <= MOST;
        let (evaluation, outcomes) =
            self.evaluate_with(Split::Test, wanted.then_some(&mut outputs))?;
        Ok((evaluation, Tested { outcomes, outputs }))
    }

    /// The share of the test samples whose class is among the five likeliest, by their outputs.
    pub(in crate::train) fn top5(&self, outputs: &[f32]) -> Option<f64> {
        top5(outputs, self.network().classes(), self.feed.test().labels())
    }

    /// The test samples that the network gets most wrong, by falling loss.
    pub(in crate::train) fn mistakes(
        &self,
        outcomes: &[RowResult],
        outputs: &[f32],
    ) -> Result<Vec<Mistake>> {
        let classes = self.network().classes();
        let probability = |sample: usize, class: usize| {
            let row = outputs.get(sample * classes..(sample + 1) * classes)?;
            self.loss().probabilities(row).get(class).copied()
        };
        mistakes(outcomes, self.feed.test(), &probability)
    }

    /// Whether `[cycle_end]` asks for something and no cycle of the schedule ends within the run, so
    /// that the end of the run counts as the only low point.
    #[must_use]
    pub fn ends_as_one_cycle(&self) -> bool {
        let low = self.schedule.next_low(self.done);
        let pace = &self.pace;
        pace.cycle_end.is_on() && low.is_none_or(|low| low > pace.total_steps)
    }

    /// What `[cycle_end]` asks for, with the weights as they are now at a low point; `seconds` of
    /// training are over. Nothing where the weights are no longer finite: the next step says so.
    pub(in crate::train) fn low_point(
        &mut self,
        members: &mut Members,
        (split, seconds): (Split, f64),
    ) -> Result<Option<Low>> {
        let wanted = self.pace.cycle_end;
        let weights = self.weights()?;
        if weights.first_not_finite().is_some() {
            return Ok(None);
        }
        members.cycles += 1;
        let mut outputs = Vec::new();
        let outputs_of_all = wanted.snapshot.then_some(&mut outputs);
        let single = self.evaluate_with(split, outputs_of_all)?.0.share();
        let mut point = LowPoint {
            cycle: members.cycles,
            step: self.done,
            seconds,
            split,
            single,
            ensemble: None,
            average: None,
        };
        if wanted.snapshot {
            let targets = self.feed.targets(split);
            let units = self.feed.units();
            point.ensemble = Some(if units.width() > 0 {
                members.ensemble.add_numbers(&outputs);
                let mean = members.ensemble.mean();
                Predicted::new(units, &mean, targets).errors().r2
            } else {
                let (classes, loss) = (self.network().classes(), self.loss());
                members.ensemble.add(&outputs, classes, loss);
                members.ensemble.accuracy(targets)
            });
        }
        let mut average = None;
        if wanted.average {
            let mean = members.mean_with(&self.training.network, &weights);
            let (accuracy, mean) = self.averaged(&mean, split)?;
            point.average = Some(accuracy);
            members.average = Some(mean.clone());
            average = Some(mean);
        }
        Ok(Some(Low {
            point,
            snapshot: wanted.snapshot.then_some(weights),
            average,
        }))
    }

    /// Accuracy of other weights, and these with their own running statistics; the trainer is then
    /// as it was.
    fn averaged(&mut self, mean: &Weights, split: Split) -> Result<(f64, Weights)> {
        let state = self.state()?;
        self.set_weights(mean, Path::new("average of weights"))?;
        if let Some(statistics) = &self.statistics {
            statistics.renew(&mut self.workshop, &mut self.feed, self.seed)?;
        }
        let accuracy = self.evaluate(split)?.0.share();
        let mut weights = self.weights()?;
        let batches = self.feed.order.batches(self.steps_per_epoch());
        weights.counters = self.network().counters(batches);
        self.restore(&state)?;
        Ok((accuracy, weights))
    }
}
