//! What all runs of a comparison have in common.

use serde::{Deserialize, Serialize};

use crate::config::Settled;
use crate::data::Judge;
use crate::error::{Error, Result};

/// The part of the training set that is held out where the configuration names none.
pub const VALIDATION: f64 = crate::config::HELD_OUT;
/// The margin where none is given: points of accuracy, or percent of the baseline's loss.
const MARGINS: [f64; 2] = [0.3, 2.0];
/// No margin is less than so many test samples.
const LEAST: f64 = 2.0;

/// What all runs of a comparison have in common: if this is the same, and the variants are, runs are of
/// the same comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What runs are judged by.
    pub judge: Judge,
    /// Steps of runs, rising: each variant is trained for each of these lengths.
    pub budgets: Vec<u64>,
    /// What is to be reached; `None`: what the baseline ends with on average.
    pub target: Option<f64>,
    /// What the target is a value of.
    pub target_of: Judge,
    /// The margin: points of accuracy, or percent of the baseline's loss.
    pub margin: f64,
    /// Samples of the test set that all runs answer: the first so many ([`Variant::answered`]).
    ///
    /// [`Variant::answered`]: super::Variant::answered
    pub samples: usize,
    /// Classes to choose from, for the score of chance; at least 1.
    pub classes: usize,
    /// The first seed: 0, but for runs that choose a rate, whose seeds nothing else uses.
    pub first_seed: u64,
}

/// What is to be reached on the validation set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// What it is a value of.
    pub of: Judge,
    /// The value.
    pub value: f64,
}

impl Target {
    /// `0.97`, `accuracy=0.97` or `loss=1.9`.
    ///
    /// # Errors
    /// [`Error::Argument`] for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let (of, number) = match text.split_once('=') {
            Some(("loss", number)) => (Judge::Loss, number),
            Some(("accuracy", number)) => (Judge::Accuracy, number),
            _ => (Judge::Accuracy, text),
        };
        let value = number.trim().parse::<f64>().ok().filter(|v| match of {
            Judge::Accuracy => *v > 0.0 && *v <= 1.0,
            Judge::Loss => v.is_finite() && *v > 0.0,
        });
        let value = value.ok_or_else(|| Error::Argument {
            what: "target".into(),
            found: text.to_owned(),
            expected: match of {
                Judge::Accuracy => "a share above 0 and at most 1".into(),
                Judge::Loss => "a loss above 0".into(),
            },
            help: "0.98 is 98 percent; loss=1.9 is a loss".into(),
        })?;
        Ok(Self { of, value })
    }

    /// The target for people.
    #[must_use]
    pub fn describe(self) -> String {
        match self.of {
            Judge::Accuracy => format!("{:.1} %", 100.0 * self.value),
            Judge::Loss => {
                let decimals = (2.0 - self.value.log10().floor()).clamp(3.0, 300.0);
                format!("a loss of {:.*}", decimals as usize, self.value)
            }
        }
    }
}

/// What a person chose, before anything is loaded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wishes {
    /// `None`: what the baseline ends with.
    pub target: Option<Target>,
    /// Points of accuracy, or percent of the loss; `None`: 0.3 and 2.
    pub margin: Option<f64>,
}

impl Wishes {
    /// Refuses a margin that is no margin.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn check(&self) -> Result<()> {
        match self.margin {
            Some(margin) if !(margin > 0.0 && margin < 100.0) => Err(Error::Argument {
                what: "margin".into(),
                found: margin.to_string(),
                expected: "a number above 0 and below 100: points of accuracy, or percent of the \
                           loss"
                    .into(),
                help: "leave it out for 0.3 points, or 2 % of the loss".into(),
            }),
            _ => Ok(()),
        }
    }
}

/// Refuses lengths that are not above 0 and rising.
///
/// # Errors
/// [`Error::Argument`].
pub fn check_budgets(budgets: &[u64]) -> Result<()> {
    let refuse = |found: String, expected: &str| {
        Err(Error::Argument {
            what: "budget".into(),
            found,
            expected: expected.into(),
            help: "for example 250,500,1000,2000; leave it out for the length of the \
                   configuration"
                .into(),
        })
    };
    if budgets.first().is_none_or(|first| *first == 0) {
        return refuse("0".into(), "at least 1 step");
    }
    match budgets.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => refuse(format!("{} after {}", pair[1], pair[0]), "rising lengths"),
        None => Ok(()),
    }
}

/// Refuses fewer than two seeds.
///
/// # Errors
/// [`Error::Argument`].
pub fn check_seeds(seeds: Option<u64>) -> Result<()> {
    match seeds {
        Some(seeds @ (0 | 1)) => Err(Error::Argument {
            what: "seeds".into(),
            found: seeds.to_string(),
            expected: "at least 2 seeds: one allows no interval".into(),
            help: "five seeds make a useful interval; with a time for them, one is a beginning"
                .into(),
        }),
        Some(seeds) if seeds > 1000 => Err(Error::Argument {
            what: "seeds".into(),
            found: seeds.to_string(),
            expected: "at most 1,000 seeds".into(),
            help: "twenty seeds show what can be shown".into(),
        }),
        _ => Ok(()),
    }
}

impl Settings {
    /// Settings for runs of these lengths on data that are judged by `judge`, with so many test samples
    /// and classes (0: numbers are predicted).
    ///
    /// # Errors
    /// [`Error::Argument`] as [`check_budgets`] and [`Wishes::check`].
    pub fn new(
        budgets: Vec<u64>,
        wishes: &Wishes,
        (judge, samples, classes): (Judge, usize, usize),
    ) -> Result<Self> {
        check_budgets(&budgets)?;
        wishes.check()?;
        let usual = MARGINS[usize::from(judge == Judge::Loss)];
        Ok(Self {
            judge,
            budgets,
            target: wishes.target.map(|target| target.value),
            target_of: wishes.target.map_or(judge, |target| target.of),
            margin: wishes.margin.unwrap_or(usual),
            samples,
            classes,
            first_seed: 0,
        })
    }

    /// The margin as a difference of scores, where the baseline's mean is `baseline`: never less than two
    /// test samples.
    #[must_use]
    pub fn margin_at(&self, baseline: f64) -> f64 {
        match self.judge {
            Judge::Accuracy => (self.margin / 100.0).max(LEAST * self.least()),
            Judge::Loss => self.margin / 100.0 * baseline,
        }
    }

    /// The smallest error that can be meant of a difference: one test sample, where these are right or
    /// wrong.
    #[must_use]
    pub fn least(&self) -> f64 {
        match self.judge {
            Judge::Accuracy => 1.0 / self.samples.max(1) as f64,
            Judge::Loss => 0.0,
        }
    }

    /// 1 where more is better, -1 where less is.
    #[must_use]
    pub fn sign(&self) -> f64 {
        match self.judge {
            Judge::Accuracy => 1.0,
            Judge::Loss => -1.0,
        }
    }

    /// The score of a network that guesses.
    #[must_use]
    pub fn chance(&self) -> f64 {
        self.judge.of_chance(self.classes)
    }
}

/// Steps that suit cyclical policies: those of the run or `wanted`, less the few that do not fill a
/// whole cycle.
#[must_use]
pub fn budget(run: &Settled, wanted: Option<u64>) -> u64 {
    let steps = wanted.unwrap_or(run.total_steps);
    let halves = 2 * cycles(run, steps);
    (steps / halves * halves).max(steps.min(halves))
}

/// Half a cycle such that `steps` are a whole number of cycles: as many as the run's own schedule
/// would have, or else about one in eight epochs.
#[must_use]
pub fn half_cycle(run: &Settled, steps: u64) -> u64 {
    (steps / (2 * cycles(run, steps))).max(1)
}

fn cycles(run: &Settled, steps: u64) -> u64 {
    let own = run.schedule.period().map(|period| period.max(1) as f64);
    let period = own.unwrap_or(8.0 * run.steps_per_epoch as f64);
    ((steps as f64 / period).round() as u64).max(1)
}
