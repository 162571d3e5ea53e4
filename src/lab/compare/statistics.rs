//! What the runs show: means with intervals, paired differences against the first variant, and a
//! sentence that says no more.
//!
//! Runs of one seed share initial weights and order, so variants are compared seed by seed: a
//! paired t interval (Student 1908), which needs no equal variances of the variants. With several
//! variants the intervals are Bonferroni's: with `m` comparisons each has the level `1 - 0.03 / m`, so
//! that with a chance of 97 % all of them hold together, and fewer than one comparison in twenty
//! shows a difference that is not there, with a margin.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Record, Settings, Target};
use crate::data::Judge;

/// One minus the level of the intervals of means.
const ERROR: f64 = 0.05;
/// The chance that is accepted over all differences together that one is shown and not there.
const FALSE_DIFFERENCE: f64 = 0.03;

/// A mean and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Half the width of the interval; `None` of one value.
    pub half: Option<f64>,
}

impl Interval {
    /// Student's t interval of the mean of `values`, at the level `1 - error`.
    #[must_use]
    pub fn of(values: &[f64], error: f64) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let half = (values.len() > 1).then(|| {
            let squares = values.iter().map(|value| (value - mean).powi(2));
            let deviation = (squares.sum::<f64>() / (n - 1.0)).sqrt();
            let quantile = StudentsT::new(0.0, 1.0, n - 1.0)
                .map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - error / 2.0));
            quantile * deviation / n.sqrt()
        });
        Self { mean, half }
    }

    /// The ends of the interval, where it has any.
    #[must_use]
    pub fn ends(&self) -> Option<[f64; 2]> {
        self.half.map(|half| [self.mean - half, self.mean + half])
    }
}

/// What is known of one variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Score on the test set at the end (accuracy, or the loss where runs are judged by it), at the
    /// level 95 %.
    pub test: Interval,
    /// Best score on the validation set.
    pub best: Interval,
    /// Steps to the target, over the runs that reached it; `None` where none did.
    pub steps_to_target: Option<Interval>,
    /// Runs that reached the target.
    pub reached: usize,
    /// Runs that diverged: they count as chance.
    pub diverged: usize,
    /// All runs.
    pub runs: usize,
    /// Against the first variant; `None` for the first itself.
    pub against_first: Option<Difference>,
}

/// A variant against the first, seed by seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// In the score on the test set: its own less the first's.
    pub test: Interval,
    /// In steps to the target, over the seeds where both reached it: below 0 where the variant is
    /// faster; `None` where fewer than all seeds did.
    pub steps: Option<Interval>,
    /// What the data show of the score.
    pub shows: Statement,
    /// What they show of the steps to the target.
    pub shows_steps: Statement,
}

/// What an interval of differences allows to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statement {
    /// The whole interval lies above 0.
    Higher,
    /// The whole interval lies below 0.
    Lower,
    /// The interval holds 0.
    NotShown,
    /// One seed: there is no interval.
    NoInterval,
}

impl Statement {
    fn of(interval: Option<&Interval>) -> Self {
        match interval.and_then(Interval::ends) {
            None => Self::NoInterval,
            Some([low, _]) if low > 0.0 => Self::Higher,
            Some([_, high]) if high < 0.0 => Self::Lower,
            Some(_) => Self::NotShown,
        }
    }
}

/// The target: the one that was set, or what the first variant ends with on average on what is held
/// out, rounded to the worse by a tenth of a percent, or a thousandth of a loss.
#[must_use]
pub fn target(records: &[Record], settings: &Settings) -> Target {
    let of = settings.target_of;
    let value = settings.target.unwrap_or_else(|| {
        let first = records.iter().filter(|record| record.variant == 0);
        let last: Vec<f64> = first.map(|record| record.last(of)).collect();
        let mean = last.iter().sum::<f64>() / last.len().max(1) as f64;
        match of {
            Judge::Accuracy => (mean * 1000.0).floor() / 1000.0,
            Judge::Loss => (mean * 1000.0).ceil() / 1000.0,
        }
    });
    Target { of, value }
}

/// The outcome of each variant of `names`, from all its runs.
#[must_use]
pub fn outcomes(
    names: &[String],
    records: &[Record],
    target: Target,
    judge: Judge,
) -> Vec<Outcome> {
    let comparisons = names.len().saturating_sub(1).max(1);
    let of = |variant: usize| -> Vec<&Record> {
        let records = records.iter();
        records.filter(|record| record.variant == variant).collect()
    };
    let first = of(0);
    let outcome = |(variant, name): (usize, &String)| {
        let runs = of(variant);
        let values =
            |f: &dyn Fn(&Record) -> f64| -> Vec<f64> { runs.iter().map(|r| f(r)).collect() };
        let steps: Vec<f64> = runs
            .iter()
            .filter_map(|record| Some(record.steps_to(target)? as f64))
            .collect();
        Outcome {
            name: name.clone(),
            test: Interval::of(&values(&|record| record.test(judge)), ERROR),
            best: Interval::of(&values(&|record| record.best(judge)), ERROR),
            steps_to_target: (!steps.is_empty()).then(|| Interval::of(&steps, ERROR)),
            reached: steps.len(),
            diverged: runs
                .iter()
                .filter(|record| record.diverged.is_some())
                .count(),
            runs: runs.len(),
            against_first: (variant > 0).then(|| {
                let error = FALSE_DIFFERENCE / comparisons as f64;
                difference(&runs, &first, (target, judge), error)
            }),
        }
    };
    names.iter().enumerate().map(outcome).collect()
}

fn difference(
    runs: &[&Record],
    first: &[&Record],
    (target, judge): (Target, Judge),
    error: f64,
) -> Difference {
    let pairs: Vec<(&Record, &Record)> = runs
        .iter()
        .filter_map(|run| {
            let mut others = first.iter();
            let other = others.find(|other| other.seed_number == run.seed_number)?;
            Some((*run, *other))
        })
        .collect();
    let scores = pairs.iter().map(|(a, b)| a.test(judge) - b.test(judge));
    let test = Interval::of(&scores.collect::<Vec<f64>>(), error);
    let steps: Option<Vec<f64>> = pairs
        .iter()
        .map(|(a, b)| Some(a.steps_to(target)? as f64 - b.steps_to(target)? as f64))
        .collect();
    let steps = steps.filter(|steps| !steps.is_empty());
    let steps = steps.map(|steps| Interval::of(&steps, error));
    Difference {
        test,
        shows: Statement::of(Some(&test)),
        shows_steps: Statement::of(steps.as_ref()),
        steps,
    }
}

/// What the data show and do not show, a sentence for each variant after the first.
#[must_use]
pub fn sentences(outcomes: &[Outcome], target: Target, judge: Judge) -> Vec<String> {
    let Some(first) = outcomes.first() else {
        return Vec::new();
    };
    if first.runs < 2 {
        return vec![
            "One seed allows no interval: these figures do not tell a difference from chance; \
             several seeds would."
                .into(),
        ];
    }
    let mut sentences: Vec<String> = outcomes[1..]
        .iter()
        .filter_map(|outcome| {
            Some(sentence(
                outcome,
                first,
                outcome.against_first.as_ref()?,
                (target, judge),
            ))
        })
        .collect();
    let diverged = outcomes.iter().filter(|outcome| outcome.diverged > 0);
    sentences.extend(diverged.map(|outcome| {
        format!(
            "{} of {} runs of {} diverged; they count with the {} of chance.",
            outcome.diverged,
            outcome.runs,
            outcome.name,
            judge.name()
        )
    }));
    sentences
}

fn sentence(
    outcome: &Outcome,
    first: &Outcome,
    against: &Difference,
    (target, judge): (Target, Judge),
) -> String {
    let (name, other) = (&outcome.name, &first.name);
    // Adding 0 after the rounding leaves no "-0.00".
    let points = |score: f64| match judge {
        Judge::Accuracy => format!("{:.2}", (1e4 * score).round() / 100.0 + 0.0),
        Judge::Loss => format!("{:.4}", (1e4 * score).round() / 1e4 + 0.0),
    };
    let (ends, unit) = match judge {
        Judge::Accuracy => ("ends", " points of accuracy"),
        Judge::Loss => ("ends with a loss that is", ""),
    };
    let between = |interval: &Interval, show: &dyn Fn(f64) -> String| match interval.ends() {
        Some([low, high]) => format!("{} to {}", show(low), show(high)),
        None => "no interval".into(),
    };
    let s = match judge {
        Judge::Accuracy => "",
        Judge::Loss => "'s",
    };
    let test = &against.test;
    let range = between(test, &points);
    let mut text = match against.shows {
        Statement::Higher | Statement::Lower => {
            let how = if test.mean > 0.0 { "higher" } else { "lower" };
            format!(
                "{name} {ends} {how} than {other}{s} on the test set, by {}{unit} (interval: {range})",
                points(test.mean.abs())
            )
        }
        _ => format!(
            "whether {name} {ends} higher or lower than {other}{s} on the test set is not shown: the \
             difference is {}{} ({range})",
            points(test.mean),
            match judge {
                Judge::Accuracy => " points",
                Judge::Loss => "",
            }
        ),
    };
    let whole = |steps: f64| format!("{steps:.0}");
    let goal = target.describe();
    text += &match (&against.steps, against.shows_steps) {
        (Some(steps), Statement::Lower) => format!(
            "; it reaches {goal} in fewer steps, by {} ({})",
            whole(-steps.mean),
            between(steps, &whole)
        ),
        (Some(steps), Statement::Higher) => format!(
            "; it needs more steps to {goal}, by {} ({})",
            whole(steps.mean),
            between(steps, &whole)
        ),
        (Some(steps), _) => format!(
            "; that it reaches {goal} in fewer or in more steps is not shown ({})",
            between(steps, &whole)
        ),
        (None, _) => format!(
            "; {goal} was reached by {} of {} runs of {name} and {} of {} of {other}",
            outcome.reached, outcome.runs, first.reached, first.runs
        ),
    };
    text + "."
}
