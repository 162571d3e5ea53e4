//! Means with Student's intervals.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Continuous, ContinuousCDF, StudentsT};

/// Degrees of freedom from which on Student's distribution is as good as the normal one.
const MANY: f64 = 1e6;

/// A mean and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Half the width of the interval; `None` of one value.
    pub half: Option<f64>,
}

impl Interval {
    /// Student's t interval of the mean of `values`, at the level `1 - error` (Student, Biometrika 6,
    /// 1908).
    #[must_use]
    pub fn of(values: &[f64], error: f64) -> Self {
        let n = values.len() as f64;
        let half = (values.len() > 1).then(|| {
            let error_of_mean = (variance(values) / n).sqrt();
            quantile(1.0 - error / 2.0, n - 1.0) * error_of_mean
        });
        Self {
            mean: mean(values),
            half,
        }
    }

    /// The ends of the interval, where it has any.
    #[must_use]
    pub fn ends(&self) -> Option<[f64; 2]> {
        self.half.map(|half| [self.mean - half, self.mean + half])
    }
}

/// The value below which Student's t with `freedom` degrees of freedom lies with the chance `share`;
/// infinite where there is no such distribution.
#[must_use]
pub fn quantile(share: f64, freedom: f64) -> f64 {
    if !(0.0..=1.0).contains(&share) || freedom.is_nan() || freedom <= 0.0 {
        return f64::INFINITY;
    }
    let Ok(t) = StudentsT::new(0.0, 1.0, freedom.min(MANY)) else {
        return f64::INFINITY;
    };
    let first = t.inverse_cdf(share);
    // The inverse has eight digits; a step of Newton gives the rest.
    let better = first - (t.cdf(first) - share) / t.pdf(first);
    if better.is_finite() { better } else { first }
}

/// The mean; NaN of no values.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The unbiased variance; 0 of fewer than two values.
#[must_use]
pub fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    let squares = values.iter().map(|value| (value - mean) * (value - mean));
    squares.sum::<f64>() / (values.len() - 1) as f64
}
