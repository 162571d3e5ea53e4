//! What it would take to show a difference of the margin.

use serde::{Deserialize, Serialize};

use super::contrast::{Contrast, cautious, sum};
use crate::lab::student::quantile;

/// The chance to show it.
const POWER: f64 = 0.8;
/// Seeds beyond which nobody goes.
const MOST: u64 = 10_000;

/// What shows a difference of the margin in four of five comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needed {
    /// So many seeds in all.
    Seeds(u64),
    /// More seeds than these.
    MoreSeeds(u64),
    /// No number of seeds: so many test samples.
    Samples(u64),
}

impl Needed {
    /// From the variances that were seen, for a two-sided test at the level `error`; `least` as in
    /// [`Contrast::of`].
    #[must_use]
    pub fn of(contrast: &Contrast, margin: f64, error: f64, least: f64) -> Self {
        let (s, n) = (contrast.seeds as f64, contrast.samples as f64);
        // What the samples alone do, without what seeds do to single samples.
        let alone = (contrast.over_samples - contrast.rest / s).max(0.0);
        let suffices = |seeds: u64| {
            let s = seeds as f64;
            let by_samples = ((alone + contrast.rest / s) / n).max(least * least);
            let parts = [(contrast.over_seeds / s, s - 1.0), (by_samples, n - 1.0)];
            let (standard, freedom) = (sum(parts).0, cautious(parts, error));
            let wanted = quantile(1.0 - error / 2.0, freedom) + quantile(POWER, freedom);
            wanted * standard <= margin
        };
        if !suffices(MOST) {
            let wanted = quantile(1.0 - error / 2.0, n) + quantile(POWER, n);
            // The least error is that of one sample: with more of them it shrinks.
            let floor = least * n * wanted / margin;
            let samples = (alone * (wanted / margin).powi(2)).max(floor);
            return match samples > n {
                true => Self::Samples(samples.ceil() as u64),
                false => Self::MoreSeeds(MOST),
            };
        }
        // More seeds never hinder.
        let (mut low, mut high) = (1, MOST);
        while low + 1 < high {
            let middle = u64::midpoint(low, high);
            match suffices(middle) {
                true => high = middle,
                false => low = middle,
            }
        }
        Self::Seeds(high)
    }
}
