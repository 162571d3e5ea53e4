//! Whether a run has learned anything: what it ended with against what guessing gives.

use statrs::distribution::{Beta, ContinuousCDF};

use crate::draw::words::{digits, loss, percent, things};
use crate::train::event::{Ended, Evaluation, RunInfo, Split, Summary};

/// The chance with which a network that guesses may be called one that has learned.
const ERROR: f64 = 0.05;

/// What to do about it.
pub const HELP: &str =
    "train at lower rates: `wavetrain find` reads their bounds from the loss; or for more steps";

/// Why the end of a run shows nothing that was learned, in a sentence; `None` where it does, and of runs
/// that were interrupted or diverged. Looked at is the last evaluation of the test set:
///
/// - the loss, where that of guessing is known ([`crate::loss::Loss::of_guessing`]): above it is worse;
/// - the accuracy, where each sample has a class: it has to be above 1 / classes by more than chance
///   allows, by the exact one-sided binomial test at 5 %;
/// - where numbers are predicted R², which is 0 for who predicts their mean.
#[must_use]
pub fn nothing_learned(info: &RunInfo, summary: &Summary) -> Option<String> {
    if !matches!(summary.ended, Ended::Done | Ended::Stopped) {
        return None;
    }
    let mut evaluations = summary.evaluations.iter();
    let test = evaluations.rfind(|evaluation| evaluation.split == Split::Test)?;
    if let Some(errors) = test.errors {
        let said = format!(
            "R² on the test set is {}, not above 0, that of predicting the mean",
            digits(errors.r2)
        );
        return (errors.r2 <= 0.0).then_some(said);
    }
    let classes = info.classes.len();
    if classes < 2 {
        return None;
    }
    lossy(info, test, classes).or_else(|| {
        let each = info.positions == 1 && test.perplexity.is_none();
        let [.., samples] = info.samples;
        (each && is_chance(test.accuracy, samples, classes)).then(|| {
            format!(
                "the test accuracy is {}, and guessing gives {}: the difference is within chance \
                 (binomial test at 5 %, {})",
                percent(test.accuracy),
                percent(1.0 / classes as f64),
                things(samples as u64, "sample")
            )
        })
    })
}

/// A loss above that of guessing.
fn lossy(info: &RunInfo, test: &Evaluation, classes: usize) -> Option<String> {
    let guessing = info.guessing?;
    (test.loss > guessing).then(|| {
        format!(
            "the test loss is {}, above {}, that of guessing one of {classes}",
            loss(test.loss),
            loss(guessing)
        )
    })
}

/// Whether a network that guesses is right so often on `samples` samples with more than a chance of 5 %.
/// Of binomial counts P(X >= right) is the regularised incomplete beta function (Abramowitz and Stegun,
/// 26.5.24).
fn is_chance(accuracy: f64, samples: usize, classes: usize) -> bool {
    let right = (accuracy * samples as f64).round();
    if samples == 0 || right.is_nan() {
        return false;
    }
    if right < 1.0 {
        return true;
    }
    let beta = Beta::new(right, samples as f64 - right + 1.0);
    beta.is_ok_and(|beta| beta.cdf(1.0 / classes as f64) > ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_binomial_tail() {
        // 10 coins: P(X >= 8) = 56 / 1024 = 0.0547, P(X >= 9) = 11 / 1024 = 0.0107.
        assert!(is_chance(0.8, 10, 2));
        assert!(!is_chance(0.9, 10, 2));
        assert!(!is_chance(1.0, 10, 2));
        assert!(is_chance(0.0, 10, 2));
        // Of 10,000 samples of 10 classes the standard deviation is 30: 1.645 of them are 49.
        assert!(is_chance(0.1045, 10_000, 10));
        assert!(!is_chance(0.1055, 10_000, 10));
        assert!(!is_chance(f64::NAN, 10, 2) && !is_chance(0.5, 0, 2));
    }
}
