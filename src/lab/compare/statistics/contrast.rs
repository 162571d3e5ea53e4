//! A variant against the baseline: the difference, and how far chance moves it.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::lab::student::{mean, quantile, variance};

/// Differences of two variants, seed by seed and test sample by test sample, reduced to what the
/// statistics need.
#[derive(Debug, Clone, PartialEq)]
pub struct Differences {
    /// For each seed the mean over the test samples.
    pub seeds: Vec<f64>,
    /// For each test sample the mean over the seeds.
    pub samples: Vec<f64>,
    /// What is left when both are taken off: the variance of what a seed does to a single sample.
    pub rest: f64,
}

impl Differences {
    /// The differences `variant - baseline` of `pairs`: for each seed the scores of the test samples of
    /// both (1 for right and 0 for wrong, or a loss), equally many.
    #[must_use]
    pub fn of(pairs: &[(&[f32], &[f32])]) -> Self {
        let count = pairs.first().map_or(0, |pair| pair.0.len());
        let (s, n) = (pairs.len() as f64, count as f64);
        let (mut seeds, mut samples) = (Vec::with_capacity(pairs.len()), vec![0.0; count]);
        let mut squares = 0.0;
        for (variant, baseline) in pairs {
            let mut sum = 0.0;
            for ((mean, a), b) in samples.iter_mut().zip(*variant).zip(*baseline) {
                let difference = f64::from(*a) - f64::from(*b);
                sum += difference;
                squares += difference * difference;
                *mean += difference / s;
            }
            seeds.push(sum / n);
        }
        let grand = mean(&seeds);
        let of = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
        let left = squares - n * of(&seeds) - s * of(&samples) + s * n * grand * grand;
        let rest = match (s - 1.0) * (n - 1.0) {
            freedom if freedom > 0.0 => (left / freedom).max(0.0),
            _ => 0.0,
        };
        Self {
            seeds,
            samples,
            rest,
        }
    }
}

/// A difference with its two sources of chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Contrast {
    /// By how much the variant is better than the baseline: its score less the baseline's, with the
    /// sign turned where less is better.
    pub gain: f64,
    /// The standard error of the gain.
    pub error: f64,
    /// Degrees of freedom of the standard error (Satterthwaite).
    pub freedom: f64,
    /// Number of seeds.
    pub seeds: u64,
    /// Number of test samples.
    pub samples: u64,
    /// The variance over seeds of the difference.
    pub over_seeds: f64,
    /// The variance over test samples of the difference, averaged over seeds.
    pub over_samples: f64,
    /// The variance of what a seed does to a single test sample.
    pub rest: f64,
}

impl Contrast {
    /// The contrast of `differences`, in the direction in which more is better (`sign` 1) or less is
    /// (-1):
    ///
    /// `error^2 = (variance over seeds) / seeds + (variance over samples) / samples`.
    ///
    /// `least` is the smallest error that can be meant: one test sample, where samples are right or
    /// wrong, so that a few samples on which two variants agree are no proof that they always do.
    #[must_use]
    pub fn of(differences: &Differences, sign: f64, least: f64) -> Self {
        let samples = (
            differences.samples.len(),
            variance(&differences.samples),
            differences.rest,
        );
        Self::with(&differences.seeds, samples, (sign, least))
    }

    /// As [`Contrast::of`], from the differences of the seeds and of so many samples their variance and
    /// the rest.
    pub(super) fn with(
        seeds: &[f64],
        (samples, over_samples, rest): (usize, f64, f64),
        (sign, least): (f64, f64),
    ) -> Self {
        let (s, n) = (seeds.len() as f64, samples as f64);
        let over_seeds = variance(seeds);
        let by_samples = (over_samples / n).max(least * least);
        let (error, freedom) = sum([(over_seeds / s, s - 1.0), (by_samples, n - 1.0)]);
        Self {
            gain: sign * mean(seeds),
            error,
            freedom,
            seeds: seeds.len() as u64,
            samples: samples as u64,
            over_seeds,
            over_samples,
            rest,
        }
    }

    /// The two-sided interval of the gain at the level `1 - error`; unbounded of fewer than two seeds, or of
    /// fewer than two test samples.
    /// Its degrees of freedom are Satterthwaite's for a variance over seeds at the upper end of what its
    /// estimate leaves possible: those of the estimate itself are too many where seeds are few.
    #[must_use]
    pub fn interval(&self, error: f64) -> [f64; 2] {
        let half = match self.seeds.min(self.samples) {
            0 | 1 => f64::INFINITY,
            _ if self.error == 0.0 => 0.0,
            _ => quantile(1.0 - error / 2.0, self.cautious_freedom(error)) * self.error,
        };
        [self.gain - half, self.gain + half]
    }

    fn cautious_freedom(&self, error: f64) -> f64 {
        let by_seeds = self.over_seeds / self.seeds as f64;
        let by_samples = (self.error * self.error - by_seeds).max(0.0);
        let parts = [
            (by_seeds, self.seeds as f64 - 1.0),
            (by_samples, self.samples as f64 - 1.0),
        ];
        cautious(parts, error)
    }
}

/// The highest chance with which the variance over seeds is meant to be larger than what
/// [`cautious`] takes for it.
const UNDERRATED: f64 = 0.25;

/// Degrees of freedom of the sum of two independent parts, the seeds' first, with which a test at `error`
/// keeps its level.
///
/// Satterthwaite's take variances for known that are estimated. With three seeds whose variance happens
/// to be small they are far too many: where seeds and samples matter alike a test at 1.25 % errs in 2 %,
/// one at 0.125 % in 0.4 % of cases, and where the seeds matter more up to ten times too often. So they are
/// computed with the variance over seeds that its estimate leaves possible (with the chance
/// `sqrt(error)`, 25 % at most, it is larger still). Of two seeds no estimate is worth that: one degree of
/// freedom bounds the error whatever the parts are (Hajek, Mathematica Bohemica 87, 1962).
pub(super) fn cautious([(seeds, of_seeds), samples]: [(f64, f64); 2], error: f64) -> f64 {
    if of_seeds < 2.0 {
        return of_seeds;
    }
    let share = error.max(0.0).sqrt().min(UNDERRATED);
    let least = ChiSquared::new(of_seeds).map_or(0.0, |chi| chi.inverse_cdf(share));
    let underrated = (of_seeds / least.max(1e-9)).max(1.0);
    sum([(underrated * seeds, of_seeds), samples]).1
}

/// The standard error of a sum of independent parts, each with its variance and the degrees of freedom of
/// this, and the degrees of freedom of the sum.
pub(super) fn sum(parts: [(f64, f64); 2]) -> (f64, f64) {
    let variance: f64 = parts.iter().map(|(variance, _)| variance).sum();
    let shares = parts.iter().filter(|(variance, _)| *variance > 0.0);
    let shares: f64 = shares
        .map(|(variance, freedom)| variance * variance / freedom)
        .sum();
    match variance > 0.0 {
        true => (variance.sqrt(), variance * variance / shares),
        // No chance was seen: as few degrees of freedom as a part has.
        false => (0.0, parts[0].1.min(parts[1].1)),
    }
}
