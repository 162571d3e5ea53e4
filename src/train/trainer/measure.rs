//! What a trainer's weights are worth: evaluations, and low points of cycles.

use std::path::Path;
use std::sync::Arc;

use super::Trainer;
use crate::data::{Judge, Storage, Task};
use crate::error::Result;
use crate::model::Weights;
use crate::train::confusion::Confusion;
use crate::train::ensemble;
use crate::train::errors::Predicted;
use crate::train::evaluate::{RowResult, Streams, mistakes};
use crate::train::generate::{Generator, Sampling};
use crate::train::low_point::Low;
use crate::train::members::Members;
use crate::train::parts::Part;
use crate::train::record::{
    Evaluation, LowPoint, Mistake, NumberRecord, NumbersRecord, Split, SymbolRecord,
};
use crate::train::scores::top5;
use crate::train::tally::{Symbols, Tally, score};
use crate::train::texts;
use crate::train::updates::positive;

/// Samples whose predictions a summary shows.
const SHOWN: usize = 1000;
/// Samples that are predicted worst, of which a summary tells.
const WORST: usize = 24;

/// What came out for the samples of the test set.
#[derive(Debug, Default)]
pub(in crate::train) struct Tested {
    /// For each row; nothing where targets are tokens.
    pub(in crate::train) outcomes: Vec<RowResult>,
    /// The outputs of all rows, where they are few enough.
    pub(in crate::train) outputs: Vec<f32>,
    /// The symbols that are predicted worst, by falling loss.
    pub(in crate::train) symbols: Vec<SymbolRecord>,
}

impl Trainer {
    /// Evaluates all parts that are evaluated: validation (where there is one) and test.
    ///
    /// # Errors
    /// A device that fails.
    pub fn evaluate_all(&mut self) -> Result<Vec<Evaluation>> {
        let splits = self.feed.splits().into_iter();
        splits.map(|split| self.measure(split)).collect()
    }

    /// Whether there is a validation set.
    pub(in crate::train) fn validates(&self) -> bool {
        self.feed.splits().contains(&Split::Validation)
    }

    /// Mean loss and accuracy over a part of the data with the weights as they are, and what came
    /// out for each sample. An unknown part has no samples: its loss is NaN.
    ///
    /// # Errors
    /// A device that fails; samples that cannot be read.
    pub fn evaluate(&mut self, split: Split) -> Result<(Evaluation, Vec<RowResult>)> {
        let mut outcomes = Vec::new();
        let evaluation = self.evaluate_part((split, None), None, |rows, _| {
            outcomes.extend_from_slice(rows);
        })?;
        Ok((evaluation, outcomes))
    }

    /// As [`Trainer::evaluate`], but keeps nothing of the samples: a text has more places than there is
    /// room for.
    ///
    /// # Errors
    /// As [`Trainer::evaluate`].
    pub fn measure(&mut self, split: Split) -> Result<Evaluation> {
        self.evaluate_part((split, None), None, |_, _| {})
    }

    /// Mean loss and accuracy over `count` samples of a part, at equal distances, always the same ones;
    /// over all where there are no more, or where samples go on from each other.
    ///
    /// # Errors
    /// As [`Trainer::evaluate`].
    pub fn measure_some(&mut self, split: Split, count: usize) -> Result<Evaluation> {
        let part = self.feed.part(split);
        let some = part.filter(|part| (1..part.samples.len()).contains(&count));
        let some = some.filter(|_| !self.network().carries());
        let some = some.map(|part| part.some(count)).transpose()?;
        self.evaluate_part((split, some), None, |_, _| {})
    }

    /// Evaluates the test set; gives for each of its samples, in their order there, what `judge` measures: 1
    /// where it is classified rightly and 0 where not, or its loss. Of sequences it is the sum over the
    /// targets that count, in units in which the mean over all samples is that over all targets. Of windows
    /// in streams the last ones may be missing ([`crate::config::Data::evaluated`]).
    ///
    /// # Errors
    /// As [`Trainer::evaluate`].
    pub fn test_scores(&mut self, judge: Judge) -> Result<(Evaluation, Vec<f32>)> {
        if self.feed.units().width() > 0 {
            // A sample has one row, and one loss.
            let (evaluation, outcomes) = self.evaluate(Split::Test)?;
            let losses = outcomes.iter().map(|outcome| outcome.loss as f32).collect();
            return Ok((evaluation, losses));
        }
        let positions = self.network().positions();
        let class_weights = self.training.loss.class_weights().to_vec();
        let (mut tally, mut scores) = (Tally::new(&class_weights, None), Vec::new());
        let evaluation = self.evaluate_part((Split::Test, None), None, |outcomes, targets| {
            tally.add(outcomes, targets);
            let samples = outcomes.chunks(positions).zip(targets.chunks(positions));
            scores.extend(samples.map(|(outcomes, targets)| score(judge, outcomes, targets)));
        })?;
        let mass = match judge {
            Judge::Accuracy => tally.counted(),
            Judge::Loss => tally.mass(),
        };
        let unit = scores.len().max(1) as f64 / positive(mass);
        // Windows in streams are evaluated in another order.
        let places = self.feed.part(Split::Test).map(|part| &part.samples[..]);
        let places = places.unwrap_or_default().iter();
        let mut scores: Vec<(&u32, f64)> = places.zip(scores).collect();
        scores.sort_by_key(|(place, _)| *place);
        let scores = scores.into_iter().map(|(_, sum)| (sum * unit) as f32);
        Ok((evaluation, scores.collect()))
    }

    /// Evaluates a part, or what was chosen of it; the outputs of all samples are added to `outputs`, where
    /// they are wanted. `each` is told what came out for whole samples, and their targets.
    fn evaluate_part(
        &mut self,
        (split, some): (Split, Option<Part>),
        outputs: Option<&mut Vec<f32>>,
        mut each: impl FnMut(&[RowResult], &[u32]),
    ) -> Result<Evaluation> {
        let streams = Streams {
            seed: self.seed,
            step: self.done,
        };
        let residence = self.feed.residence();
        let nothing = Part::empty(split);
        let part = some.as_ref().or(self.feed.part(split)).unwrap_or(&nothing);
        let units = self.feed.units();
        let numbers = units.width() > 0;
        // Where numbers are predicted, what they are follows from the outputs.
        let mut own = Vec::new();
        let mut outputs = outputs.or(numbers.then_some(&mut own));
        let first = outputs.as_ref().map_or(0, |outputs| outputs.len());
        let whole = self.feed.whole_sequences();
        let mut tally = Tally::new(self.training.loss.class_weights(), whole);
        let positions = self.evaluation.request().positions;
        let mut place = 0;
        let total = self.evaluation.run(
            (&mut self.workshop, &residence),
            &part.samples,
            streams,
            outputs.as_deref_mut(),
            |rows| {
                let end = place + rows.len() / positions;
                let targets = part.targets(place..end)?;
                place = end;
                if !numbers {
                    tally.add(rows, &targets);
                }
                each(rows, &targets);
                Ok(())
            },
        )?;
        let mass = match numbers {
            true => part.samples.len() as f64,
            false => tally.mass(),
        };
        let errors = match outputs.filter(|_| numbers) {
            Some(outputs) => {
                let targets = part.all_targets()?;
                Some(Predicted::new(units, &outputs[first..], &targets).errors())
            }
            None => None,
        };
        let loss = total.loss / mass;
        let tokens = matches!(self.feed.task(), Task::Tokens(_));
        Ok(Evaluation {
            split,
            step: self.done,
            epoch: self.done / self.steps_per_epoch(),
            loss,
            accuracy: match numbers {
                true => f64::NAN,
                false => total.right / tally.counted(),
            },
            errors,
            sequences: tally.whole_share(),
            perplexity: tokens.then(|| loss.exp()),
            bits: tokens.then(|| loss / std::f64::consts::LN_2),
        })
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

    /// How the numbers of the test set are predicted; nothing where classes are told apart.
    pub(in crate::train) fn numbers(&self, outputs: &[f32]) -> Result<Option<NumbersRecord>> {
        let units = self.feed.units();
        let width = units.width();
        let part = self.feed.part(Split::Test);
        let Some(part) = part.filter(|_| width > 0 && !outputs.is_empty()) else {
            return Ok(None);
        };
        let predicted = Predicted::new(units, outputs, &part.all_targets()?);
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
        Ok(Some(NumbersRecord {
            each: predicted.each(),
            shown: shown.map(record).collect(),
            worst,
        }))
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

    /// Evaluates the test set; gives also what came out for all samples, or where these are tokens the
    /// symbols that are predicted worst.
    pub(in crate::train) fn evaluate_test(&mut self) -> Result<(Evaluation, Tested)> {
        /// Most outputs that are kept: 128 MiB.
        const MOST: usize = 1 << 25;
        let mut outputs = Vec::new();
        let all = self.network().classes() * self.feed.test().len();
        let mut symbols = match self.feed.task() {
            Task::Tokens(names) => Some(Symbols::new(names.len())),
            _ => None,
        };
        let wanted = (symbols.is_none() && all <= MOST).then_some(&mut outputs);
        let mut outcomes = Vec::new();
        let evaluation =
            self.evaluate_part(
                (Split::Test, None),
                wanted,
                |rows, targets| match &mut symbols {
                    Some(symbols) => symbols.add(rows, targets),
                    None => outcomes.extend_from_slice(rows),
                },
            )?;
        let tested = Tested {
            outcomes,
            outputs,
            symbols: symbols.map(Symbols::worst).unwrap_or_default(),
        };
        Ok((evaluation, tested))
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

    /// The samples of a part that the snapshots together are measured on, where there is no room for the
    /// outputs of all.
    fn places_of_ensemble(&self, part: &Part) -> Option<Vec<usize>> {
        let network = self.network();
        let outputs = network.classes() * network.positions();
        let streams = network.carries().then(|| self.evaluation.request().batch);
        ensemble::places(part.samples.len(), outputs, streams)
    }

    /// How many samples, and of how many, the snapshots of `[cycle_end]` are measured on together, where it
    /// is not all: there is no room for the outputs of all.
    #[must_use]
    pub fn samples_of_ensemble(&self) -> Option<[usize; 2]> {
        let split = *self.feed.splits().first()?;
        let part = self
            .feed
            .part(split)
            .filter(|_| self.pace.cycle_end.snapshot)?;
        let places = self.places_of_ensemble(part)?;
        Some([places.len(), part.samples.len()])
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
        let (mut chosen, mut targets) = (None, Vec::new());
        if let Some(part) = self.feed.part(split).filter(|_| wanted.snapshot) {
            let places = self.places_of_ensemble(part);
            chosen = places.map(|places| part.at(&places)).transpose()?;
            let part = chosen.as_ref().unwrap_or(part);
            targets = part.all_targets()?.into_owned();
        }
        let single = self
            .evaluate_part((split, chosen), outputs_of_all, |_, _| {})?
            .share();
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
            let units = self.feed.units();
            point.ensemble = Some(if units.width() > 0 {
                members.ensemble.add_numbers(&outputs);
                let mean = members.ensemble.mean();
                Predicted::new(units, &mean, &targets).errors().r2
            } else {
                let (classes, loss) = (self.network().classes(), self.loss());
                members.ensemble.add(&outputs, classes, loss);
                members.ensemble.accuracy(&targets)
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
        let accuracy = self.measure(split)?.share();
        let mut weights = self.weights()?;
        let batches = self.feed.order.batches(self.steps_per_epoch());
        weights.counters = self.network().counters(batches);
        self.restore(&state)?;
        Ok((accuracy, weights))
    }
}
