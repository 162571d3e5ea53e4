//! The units of numbers that are predicted: a network learns them with mean 0 and deviation 1.

use super::{Samples, Targets};
use crate::error::Result;

/// How numbers become what a network learns: `y = (value - mean) / deviation`, for each of a sample's
/// numbers, and back.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Units {
    /// The mean of each number over the samples that are trained on.
    pub mean: Vec<f64>,
    /// The deviation of each (the population's); 1 for a number that is always the same.
    pub deviation: Vec<f64>,
}

impl Units {
    /// Measures the samples that are trained on, those at `indices`; empty where targets are no numbers.
    #[must_use]
    pub fn new(samples: &Samples, indices: &[u32]) -> Self {
        let Targets::Numbers { width, values } = samples.targets() else {
            return Self::default();
        };
        let count = indices.len().max(1) as f64;
        let of = |number: usize| {
            let value = move |at: &u32| f64::from(values[*at as usize * width + number]);
            let mean = indices.iter().map(value).sum::<f64>() / count;
            let squares = indices.iter().map(value).map(|v| (v - mean) * (v - mean));
            let deviation = (squares.sum::<f64>() / count).sqrt();
            match deviation >= f64::from(f32::MIN_POSITIVE) {
                true => (mean, deviation),
                false => (mean, 1.0),
            }
        };
        let (mean, deviation) = (0..*width).map(of).unzip();
        Self { mean, deviation }
    }

    /// Numbers of a sample; 0 where targets are classes.
    #[must_use]
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// The samples with the numbers that a network learns; as they are where these are not numbers.
    ///
    /// # Errors
    /// A number so far from the others that no f32 holds what it becomes.
    pub fn standardised(&self, samples: &Samples) -> Result<Samples> {
        match samples.targets() {
            Targets::Numbers { width, values } => samples.with_targets(Targets::Numbers {
                width: *width,
                values: self.each(values, |value, mean, deviation| (value - mean) / deviation),
            }),
            _ => Ok(samples.clone()),
        }
    }

    /// What a network says in the units of the numbers, rows of one for each.
    #[must_use]
    pub fn restored(&self, outputs: &[f32]) -> Vec<f32> {
        self.each(outputs, |value, mean, deviation| mean + value * deviation)
    }

    fn each(&self, values: &[f32], of: impl Fn(f64, f64, f64) -> f64) -> Vec<f32> {
        let units = self.mean.iter().zip(&self.deviation).cycle();
        let values = values.iter().zip(units);
        let each =
            values.map(|(value, (mean, deviation))| of(f64::from(*value), *mean, *deviation));
        each.map(|value| value as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_mean_0_and_deviation_1_over_what_is_trained_on() {
        let numbers = Targets::Numbers {
            width: 2,
            values: vec![1.0, 7.0, 3.0, 7.0, 500.0, 8.0],
        };
        let samples = Samples::from_bytes(&[1], vec![0; 3], vec![0; 3]).unwrap();
        let samples = samples.with_targets(numbers).unwrap();
        let units = Units::new(&samples, &[0, 1]);
        assert_eq!(
            (&units.mean, &units.deviation),
            (&vec![2.0, 7.0], &vec![1.0, 1.0])
        );
        let learned = units.standardised(&samples).unwrap();
        let Targets::Numbers { values, .. } = learned.targets() else {
            panic!("numbers stay numbers");
        };
        assert_eq!(values[..], [-1.0, 0.0, 1.0, 0.0, 498.0, 1.0]);
        assert_eq!(units.restored(values), [1.0, 7.0, 3.0, 7.0, 500.0, 8.0]);
    }

    #[test]
    fn classes_have_no_units() {
        let samples = Samples::from_bytes(&[1], vec![0; 3], vec![0; 3]).unwrap();
        assert_eq!(Units::new(&samples, &[0, 1]).width(), 0);
    }
}
