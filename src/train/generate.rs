//! Texts from a trained network: token after token, each drawn from what the network makes of those in
//! front of it.

use std::sync::Arc;

use super::evaluator::Evaluator;
use crate::data::{IGNORED, Samples, Storage, Targets, Vocabulary};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::model::{Model, Weights};
use crate::rng::{Key, Stream};

/// How a token is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// What outputs are divided by before they become probabilities; 0 takes the likeliest.
    pub temperature: f64,
    /// Only so many of the likeliest are drawn from.
    pub top_k: Option<usize>,
    /// Only the likeliest that together have this probability are drawn from.
    pub top_p: Option<f64>,
    /// The seed: the same one gives the same text.
    pub seed: u64,
}

impl Default for Sampling {
    /// Temperature 0.8, of the 200 likeliest, as nanoGPT's `sample.py` has it.
    fn default() -> Self {
        Self {
            temperature: 0.8,
            top_k: Some(200),
            top_p: None,
            seed: 1,
        }
    }
}

impl Sampling {
    /// Refuses values that draw nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] with the first that is wrong.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str, found: String, expected: &str| {
            Err(Error::Argument {
                what: what.into(),
                found,
                expected: expected.into(),
                help: "0.8 and the 200 likeliest are usual".into(),
            })
        };
        if !self.temperature.is_finite() || self.temperature < 0.0 {
            let found = self.temperature.to_string();
            return wrong("temperature", found, "0 (takes the likeliest) or above");
        }
        if self.top_k == Some(0) {
            return wrong("top_k", "0".into(), "1 or above");
        }
        match self.top_p {
            Some(p) if !(p > 0.0 && p <= 1.0) => {
                wrong("top_p", p.to_string(), "a probability above 0, at most 1")
            }
            _ => Ok(()),
        }
    }

    /// A token by the network's outputs for it; `chance` is uniform in [0, 1).
    #[must_use]
    pub fn pick(&self, outputs: &[f32], chance: f64) -> u32 {
        let mut order: Vec<usize> = (0..outputs.len()).collect();
        // The first of equal ones first.
        order.sort_by(|a, b| outputs[*b].total_cmp(&outputs[*a]).then(a.cmp(b)));
        let Some(first) = order.first().copied() else {
            return 0;
        };
        if self.temperature == 0.0 {
            return first as u32;
        }
        order.truncate(self.top_k.unwrap_or(usize::MAX));
        let largest = f64::from(outputs[first]);
        let power = |at: &usize| ((f64::from(outputs[*at]) - largest) / self.temperature).exp();
        let mut powers: Vec<f64> = order.iter().map(power).collect();
        if let Some(p) = self.top_p {
            let total: f64 = powers.iter().sum();
            let mut sum = 0.0;
            let enough = powers.iter().position(|power| {
                sum += power / total;
                sum >= p
            });
            powers.truncate(enough.map_or(powers.len(), |at| at + 1));
        }
        let mut left = chance * powers.iter().sum::<f64>();
        for (power, at) in powers.iter().zip(&order) {
            left -= power;
            if left < 0.0 {
                return *at as u32;
            }
        }
        // Rounding may leave a little: the last one that could be drawn.
        order[powers.len() - 1] as u32
    }
}

/// A trained network that goes on with texts.
#[derive(Debug)]
pub struct Generator {
    evaluator: Evaluator,
    vocabulary: Vocabulary,
    context: usize,
    symbols: usize,
}

impl Generator {
    /// Lays a model out for `count` texts at a time.
    ///
    /// # Errors
    /// [`Error::Argument`] for a model whose outputs are not the symbols of its inputs; an adapter
    /// that cannot hold it.
    pub fn new(gpu: impl Into<Arc<Gpu>>, model: &Model, count: usize) -> Result<Self> {
        let description = &model.description;
        let symbols = description.symbols;
        let goes_on = description.values == Storage::Tokens
            && description.positions
            && symbols == description.classes.len();
        if !goes_on {
            return Err(Error::Argument {
                what: model.path.display().to_string(),
                found: format!(
                    "takes {} of the shape {:?} and names {} classes",
                    description.values.name(),
                    description.input,
                    description.classes.len()
                ),
                expected: "a network that was trained to go on with a text".into(),
                help: "train one on data.source = \"text\", \"numbers\" or \"sums\"".into(),
            });
        }
        Ok(Self {
            evaluator: Evaluator::new(gpu, model, count.max(1))?,
            vocabulary: Vocabulary::of(&description.classes),
            context: description.input[0],
            symbols,
        })
    }

    /// Tokens that the network looks back on.
    #[must_use]
    pub fn context(&self) -> usize {
        self.context
    }

    /// The symbols.
    #[must_use]
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The tokens of a prompt; of an empty one that of a line's end, a period, or else the
    /// first symbol.
    ///
    /// # Errors
    /// [`Error::Argument`] with the symbol that the network does not know.
    pub fn prompt(&self, text: &str) -> Result<Vec<u32>> {
        let tokens = self.vocabulary.encode(text);
        let tokens = tokens.map_err(|symbol| {
            let known: Vec<String> = self.vocabulary.symbols().iter().take(80).cloned().collect();
            let between = if known.iter().all(|s| s.chars().count() == 1) {
                ""
            } else {
                " "
            };
            Error::Argument {
                what: "prompt".into(),
                found: format!("the symbol {symbol:?}, which the network was not trained on"),
                expected: format!("symbols of its text: {:?}", known.join(between)),
                help: "leave the symbol out".into(),
            }
        })?;
        if !tokens.is_empty() {
            return Ok(tokens);
        }
        let starts = ["\n", "."].map(|start| self.vocabulary.encode(start).unwrap_or_default());
        let start = starts.into_iter().find(|start| !start.is_empty());
        Ok(start.unwrap_or_else(|| vec![0]))
    }

    /// Replaces the weights by others of the same network.
    ///
    /// # Errors
    /// As [`Evaluator::set_weights`].
    pub fn set_weights(&mut self, weights: &Weights, file: &std::path::Path) -> Result<()> {
        self.evaluator.set_weights(weights, file)
    }

    /// The outputs for the token that follows each of some texts of the same length.
    ///
    /// # Errors
    /// A device that fails; outputs that are no numbers.
    pub fn next(&mut self, texts: &[Vec<u32>]) -> Result<Vec<Vec<f32>>> {
        let length = texts.first().map_or(0, Vec::len).min(self.context);
        let mut windows = Vec::with_capacity(texts.len() * self.context);
        for text in texts {
            windows.extend_from_slice(&text[text.len() - length..]);
            windows.resize(windows.len().next_multiple_of(self.context), 0);
        }
        let steps = self.context;
        let targets = Targets::Positions {
            steps,
            values: vec![IGNORED; windows.len()],
        };
        let samples = Samples::from_tokens([steps, self.symbols], windows, targets)?;
        let all: Vec<u32> = (0..texts.len() as u32).collect();
        let outputs = self.evaluator.run(&samples, &all)?;
        let row = |text: usize| {
            let row = text * steps + length.max(1) - 1;
            outputs.rows[row * self.symbols..][..self.symbols].to_vec()
        };
        let rows: Vec<Vec<f32>> = (0..texts.len()).map(row).collect();
        if rows.iter().flatten().any(|output| !output.is_finite()) {
            return Err(Error::not_finite("the network's outputs are not finite"));
        }
        Ok(rows)
    }

    /// Goes on with `count` texts that begin with `prompt`, by `length` tokens each; `each` is told the
    /// tokens as they come, those of all texts together. The texts, without the prompt.
    ///
    /// # Errors
    /// As [`Generator::next`], and what `each` says.
    pub fn generate(
        &mut self,
        prompt: &[u32],
        (count, length): (usize, usize),
        sampling: &Sampling,
        each: &mut dyn FnMut(&[u32]) -> Result<()>,
    ) -> Result<Vec<Vec<u32>>> {
        sampling.check()?;
        let mut texts = vec![prompt.to_vec(); count];
        for place in 0..length {
            let rows = self.next(&texts)?;
            let key = Key::new(sampling.seed, Stream::Generate, place as u64);
            let pick = |(text, row): (usize, &Vec<f32>)| {
                let [high, low] = key.words(text as u32, 0).map(u64::from);
                let chance = ((high << 32 | low) >> 11) as f64 / (1_u64 << 53) as f64;
                sampling.pick(row, chance)
            };
            let tokens: Vec<u32> = rows.iter().enumerate().map(pick).collect();
            for (text, token) in texts.iter_mut().zip(&tokens) {
                text.push(*token);
            }
            each(&tokens)?;
        }
        Ok(texts
            .into_iter()
            .map(|text| text[prompt.len()..].to_vec())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_what_was_asked_for() {
        let outputs = [1.0_f32, 3.0, 2.0, 3.0];
        let greedy = Sampling {
            temperature: 0.0,
            ..Sampling::default()
        };
        assert_eq!(greedy.pick(&outputs, 0.9), 1);
        let all = Sampling {
            temperature: 1.0,
            top_k: None,
            ..greedy
        };
        let mut counts = [0_u32; 4];
        for i in 0..10_000 {
            counts[all.pick(&outputs, f64::from(i) / 10_000.0) as usize] += 1;
        }
        let total: f64 = outputs.iter().map(|x| f64::from(*x).exp()).sum();
        for (count, x) in counts.iter().zip(outputs) {
            let share = f64::from(x).exp() / total;
            assert!((f64::from(*count) / 10_000.0 - share).abs() < 2e-4);
        }
        let two = Sampling {
            top_k: Some(2),
            ..all
        };
        let three = Sampling {
            top_p: Some(0.8),
            ..all
        };
        for i in 0..1000 {
            let chance = f64::from(i) / 1000.0;
            assert!([1, 3].contains(&two.pick(&outputs, chance)));
            assert_ne!(three.pick(&outputs, chance), 0);
        }
        assert!(all.check().is_ok());
        for wrong in [
            Sampling {
                temperature: -1.0,
                ..all
            },
            Sampling {
                temperature: f64::NAN,
                ..all
            },
            Sampling {
                top_k: Some(0),
                ..all
            },
            Sampling {
                top_p: Some(0.0),
                ..all
            },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}
