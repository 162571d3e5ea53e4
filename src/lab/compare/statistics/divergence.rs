//! How often a variant diverges.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF};

/// Runs of a variant that diverged, with an exact interval of how often it does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Divergence {
    /// Runs that diverged.
    pub diverged: u64,
    /// All runs.
    pub runs: u64,
    /// The interval of the share, 0 to 1.
    pub share: [f64; 2],
}

impl Divergence {
    /// The exact interval at the level `1 - error` (Clopper and Pearson, Biometrika 26, 1934).
    #[must_use]
    pub fn of(diverged: u64, runs: u64, error: f64) -> Self {
        let (k, n) = (diverged as f64, runs as f64);
        let low = match diverged {
            0 => 0.0,
            _ => quantile(error / 2.0, k, n - k + 1.0),
        };
        let high = match diverged >= runs {
            true => 1.0,
            false => quantile(1.0 - error / 2.0, k + 1.0, n - k),
        };
        Self {
            diverged,
            runs,
            share: [low, high],
        }
    }
}

fn quantile(share: f64, a: f64, b: f64) -> f64 {
    Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(share))
}
