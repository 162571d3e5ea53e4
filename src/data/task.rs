//! What the outputs of a network mean.

use serde::{Deserialize, Serialize};

use super::{IGNORED, Targets};
use crate::error::{Error, Result};

/// What is learned from a data set: what an output means, how many there are, and what a network is
/// judged by follow from it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Task {
    /// Which of some classes a sample belongs to: their names, in the order of the labels. A network
    /// has an output for each.
    Classes(Vec<String>),
    /// Numbers: the name of each. A network has an output for each.
    Numbers(Vec<String>),
    /// Which of some symbols belongs to each position of a sequence, such as the next one of a text:
    /// the symbols, in the order of their numbers. A network has an output for each at each position.
    Tokens(Vec<String>),
}

/// What networks are judged by: which evaluation is the best of a run, which run of a comparison wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The share of samples classified rightly: the larger, the better.
    #[default]
    Accuracy,
    /// The mean loss: the smaller, the better.
    Loss,
}

impl Judge {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Loss => "loss",
        }
    }

    /// Whether it is the accuracy.
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands the field over"
    )]
    #[must_use]
    pub fn is_accuracy(&self) -> bool {
        *self == Self::Accuracy
    }

    /// Whether a score is as good as `target`, or better.
    #[must_use]
    pub fn reaches(self, score: f64, target: f64) -> bool {
        match self {
            Self::Accuracy => score >= target,
            Self::Loss => score <= target,
        }
    }

    /// The best of some scores; of none what is worse than any.
    #[must_use]
    pub fn best(self, scores: impl Iterator<Item = f64>) -> f64 {
        match self {
            Self::Accuracy => scores.fold(0.0, f64::max),
            Self::Loss => scores.fold(f64::INFINITY, f64::min),
        }
    }

    /// The score of a network that guesses one of `classes` classes; of 0 classes the squared error of
    /// one that predicts the mean of numbers, in their deviations.
    #[must_use]
    pub fn of_chance(self, classes: usize) -> f64 {
        match self {
            _ if classes == 0 => 1.0,
            Self::Accuracy => 1.0 / classes.max(1) as f64,
            Self::Loss => (classes.max(1) as f64).ln(),
        }
    }

    /// What is compared of an evaluation.
    #[must_use]
    pub fn score(self, loss: f64, accuracy: f64) -> f64 {
        match self {
            Self::Accuracy => accuracy,
            Self::Loss => loss,
        }
    }

    /// Whether the score `new` is better than `old`; anything is better than none, and NaN is never.
    #[must_use]
    pub fn is_better(self, new: f64, old: Option<f64>) -> bool {
        match (self, old) {
            (_, None) => !new.is_nan(),
            (Self::Accuracy, Some(old)) => new > old,
            (Self::Loss, Some(old)) => new < old,
        }
    }
}

impl Task {
    /// What it is about, in a word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Classes(_) => "classes",
            Self::Numbers(_) => "numbers",
            Self::Tokens(_) => "symbols",
        }
    }

    /// Outputs that a network needs for each sample, or for each position of a sequence.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes(names) | Self::Numbers(names) | Self::Tokens(names) => names.len(),
        }
    }

    /// The names of the classes; none where it is about something else.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        match self {
            Self::Classes(names) => names,
            Self::Numbers(_) | Self::Tokens(_) => &[],
        }
    }

    /// The names of the outputs.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            Self::Classes(names) | Self::Numbers(names) | Self::Tokens(names) => names,
        }
    }

    /// What networks are judged by.
    #[must_use]
    pub fn judge(&self) -> Judge {
        match self {
            Self::Classes(_) => Judge::Accuracy,
            Self::Numbers(_) | Self::Tokens(_) => Judge::Loss,
        }
    }

    /// Refuses targets that are not its own; `what` names their samples.
    ///
    /// # Errors
    /// [`Error::Argument`] with the first that is wrong.
    pub fn check(&self, what: &str, targets: &Targets) -> Result<()> {
        let refuse = |found: String, expected: String, help: &str| {
            Err(Error::Argument {
                what: format!("{what}.labels"),
                found,
                expected,
                help: help.into(),
            })
        };
        match (self, targets) {
            (Self::Classes(names), Targets::Classes(labels)) => {
                let classes = names.len();
                match labels.iter().position(|&label| label as usize >= classes) {
                    None => Ok(()),
                    Some(sample) => refuse(
                        format!("{} for sample {sample}", labels[sample]),
                        format!("labels from 0, below {classes}, the number of classes"),
                        "number the classes from 0, or raise the number of classes",
                    ),
                }
            }
            (Self::Numbers(names), Targets::Numbers { width, .. }) if names.len() == *width => {
                Ok(())
            }
            (Self::Numbers(names), Targets::Numbers { width, .. }) => refuse(
                format!("{width} numbers for each sample"),
                format!("{}, as many as have names", names.len()),
                "name each number",
            ),
            (Self::Tokens(names), Targets::Positions { steps, values }) => {
                let symbols = names.len();
                let wrong = |target: &u32| *target != IGNORED && *target as usize >= symbols;
                match values.iter().position(wrong) {
                    None => Ok(()),
                    Some(at) => refuse(
                        format!("{} for sample {}", values[at], at / steps),
                        format!("targets below {symbols}, the number of symbols, or negative ones"),
                        "number the symbols from 0; a negative target does not count",
                    ),
                }
            }
            // The tokens themselves: see `Dataset::check`.
            (Self::Tokens(_), Targets::Next) => Ok(()),
            (_, targets) => refuse(
                targets.name().into(),
                self.name().into(),
                "give each sample a target of the task's kind",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_better_follows_from_the_task() {
        let names = || vec!["a".to_owned(), "b".to_owned()];
        let classes = Task::Classes(names()).judge();
        assert_eq!(classes.score(0.5, 0.9), 0.9);
        assert!(classes.is_better(0.9, Some(0.8)) && !classes.is_better(0.8, Some(0.8)));
        let numbers = Task::Numbers(names()).judge();
        assert_eq!(numbers.score(0.5, 0.9), 0.5);
        assert!(numbers.is_better(0.5, Some(0.6)) && !numbers.is_better(0.6, Some(0.6)));
        for judge in [classes, numbers] {
            assert!(judge.is_better(0.0, None) && !judge.is_better(f64::NAN, None));
            assert!(!judge.is_better(f64::NAN, Some(0.0)));
        }
    }

    #[test]
    fn targets_are_those_of_the_task() {
        let numbers = |width, count: usize| Targets::Numbers {
            width,
            values: vec![0.0; width * count],
        };
        let two = Task::Numbers(vec!["x".into(), "y".into()]);
        assert!(two.check("train", &numbers(2, 3)).is_ok());
        for (task, targets, expected) in [
            (&two, numbers(3, 2), "3 numbers for each sample"),
            (&two, Targets::Classes(vec![0]), "train.labels: classes"),
            (
                &Task::Classes(vec!["a".into()]),
                Targets::Classes(vec![0, 1]),
                "1 for sample 1",
            ),
        ] {
            let error = task.check("train", &targets).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!((numbers(2, 3).len(9), numbers(0, 3).len(9)), (3, 0));
    }
}
