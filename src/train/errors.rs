//! How far predictions of numbers are off.

use serde::{Deserialize, Deserializer, Serialize};

use crate::data::Units;

/// JSON has no NaN and no infinity: they are written as `null`.
fn null_is_nan<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

/// How far predictions are off, in the numbers' own units. Of several numbers for each sample each is
/// the mean over them, as `uniform_average` of scikit-learn's metrics.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Root of the mean squared error.
    #[serde(deserialize_with = "null_is_nan")]
    pub rmse: f64,
    /// Mean absolute error.
    #[serde(deserialize_with = "null_is_nan")]
    pub mae: f64,
    /// The share of the numbers' variance that the predictions explain: 1 - sum (t - p)^2 / sum (t -
    /// mean t)^2, at most 1; 0 for predictions as good as the mean. Of numbers that are all alike it is
    /// 1 where they are met, and 0 else.
    #[serde(deserialize_with = "null_is_nan")]
    pub r2: f64,
}

/// Predictions beside what was to be predicted, in the numbers' own units: rows of `width` numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Predicted {
    /// Numbers of a sample.
    pub width: usize,
    /// What was to be predicted.
    pub wanted: Vec<f32>,
    /// What was predicted.
    pub predicted: Vec<f32>,
}

impl Predicted {
    /// From what a network gave and the words of what it learns ([`crate::data::Samples::targets_of`]).
    pub(super) fn new(units: &Units, outputs: &[f32], targets: &[u32]) -> Self {
        Self {
            width: units.width(),
            wanted: units.restored(bytemuck::cast_slice(targets)),
            predicted: units.restored(outputs),
        }
    }

    /// How far they are off, each number of a sample on its own.
    #[must_use]
    pub fn each(&self) -> Vec<Errors> {
        let of = |number| {
            let values = |values: &[f32]| -> Vec<f64> {
                let column = values.iter().skip(number).step_by(self.width);
                column.copied().map(f64::from).collect()
            };
            Errors::of(&values(&self.wanted), &values(&self.predicted))
        };
        (0..self.width).map(of).collect()
    }

    /// How far they are off.
    #[must_use]
    pub fn errors(&self) -> Errors {
        let each = self.each();
        let mean = |of: fn(&Errors) -> f64| each.iter().map(of).sum::<f64>() / each.len() as f64;
        Errors {
            rmse: mean(|e| e.rmse),
            mae: mean(|e| e.mae),
            r2: mean(|e| e.r2),
        }
    }
}

impl Errors {
    fn of(wanted: &[f64], predicted: &[f64]) -> Self {
        let count = wanted.len() as f64;
        let mean = wanted.iter().sum::<f64>() / count;
        let off = || wanted.iter().zip(predicted).map(|(t, p)| t - p);
        let squares: f64 = off().map(|d| d * d).sum();
        let spread: f64 = wanted.iter().map(|t| (t - mean) * (t - mean)).sum();
        Self {
            rmse: (squares / count).sqrt(),
            mae: off().map(f64::abs).sum::<f64>() / count,
            r2: match (spread > 0.0, squares == 0.0) {
                (true, _) => 1.0 - squares / spread,
                (false, true) => 1.0,
                (false, false) => 0.0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples in the documentation of scikit-learn's `r2_score`, `mean_absolute_error` and
    /// `root_mean_squared_error`.
    #[test]
    fn errors_are_those_of_scikit_learn() {
        let of = |width, wanted: &[f32], predicted: &[f32]| {
            let (wanted, predicted) = (wanted.to_vec(), predicted.to_vec());
            Predicted {
                width,
                wanted,
                predicted,
            }
            .errors()
        };
        let one = of(1, &[3.0, -0.5, 2.0, 7.0], &[2.5, 0.0, 2.0, 8.0]);
        assert!((one.r2 - 0.948_608_137_044_967_9).abs() < 1e-12, "{one:?}");
        assert!((one.mae - 0.5).abs() < 1e-12);
        assert!((one.rmse - 0.612_372_435_695_794_5).abs() < 1e-12);
        let two = of(
            2,
            &[0.5, 1.0, -1.0, 1.0, 7.0, -6.0],
            &[0.0, 2.0, -1.0, 2.0, 8.0, -5.0],
        );
        assert!((two.rmse - 0.822_748_612_186_187_5).abs() < 1e-6, "{two:?}");
        assert!((two.mae - 0.75).abs() < 1e-12);
        assert_eq!(of(1, &[-2.0; 3], &[-2.0; 3]).r2, 1.0);
        assert_eq!(of(1, &[-2.0; 3], &[-2.0, -2.0, -1.0]).r2, 0.0);
    }
}
