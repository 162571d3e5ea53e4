//! How values become the network's input.

use super::samples::BLOCK;
use super::{Samples, Storage};
use crate::error::{Error, Result};

/// `data.normalize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", rename = "normalization")]
pub enum Normalize {
    /// Bytes: value / 255. Numbers of a table: as [`Normalize::Standard`]. Other floats are left as they
    /// are.
    #[default]
    Unit,
    /// Mean 0 and deviation 1 for each channel over the training samples. A channel is one index
    /// of a sample's first dimension, so each value of `[features]` is one of its own. The
    /// deviation is the population's; a channel that is constant only loses its mean.
    Standard,
    /// Minus the training samples' mean picture, not scaled (bytes: -255 to 255).
    MeanImage,
    /// The values as they are (bytes: 0 to 255).
    None,
}

/// How values become the network's input: `x = (value - mean) * scale` in f32, element by element.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    /// One value for each element of a sample.
    pub mean: Vec<f32>,
    /// One value for each element of a sample.
    pub scale: Vec<f32>,
}

impl Normalization {
    /// Measures the samples that are trained on, those at `indices`.
    ///
    /// # Errors
    /// If `indices` is empty or holds one that is not below the number of samples; samples that cannot
    /// be read.
    pub fn new(kind: Normalize, samples: &Samples, indices: &[u32]) -> Result<Self> {
        let count = samples.len();
        let outside = indices.iter().find(|&&index| index as usize >= count);
        if indices.is_empty() || outside.is_some() {
            return Err(Error::Argument {
                what: "indices of the training samples".into(),
                found: outside.map_or("none".into(), ToString::to_string),
                expected: format!("at least one, each below {count}, the number of samples"),
                help: "take them from Split::new".into(),
            });
        }
        let elements = samples.elements();
        let constant = |scale| Self {
            mean: vec![0.0; elements],
            scale: vec![scale; elements],
        };
        match (kind, samples.storage()) {
            (Normalize::Unit, Storage::Bytes) => Ok(constant(1.0 / 255.0)),
            (Normalize::Unit, Storage::Floats) if samples.inputs().flags().is_none() => {
                let Some([least, largest]) = unscaled(samples, indices)? else {
                    return Ok(constant(1.0));
                };
                Err(Error::Argument {
                    what: "data.normalize".into(),
                    found: format!(
                        "\"unit\", which leaves floats as they are, and these are numbers from {least} to {largest}"
                    ),
                    expected: "values of about 1".into(),
                    help: "set data.normalize = \"standard\", divide them by 255, or keep them as u8; \
                           data.normalize = \"none\" trains on them as they are"
                        .into(),
                })
            }
            (Normalize::Unit, Storage::Floats) => standard(samples, indices),
            (Normalize::None, _) | (_, Storage::Tokens) => Ok(constant(1.0)),
            (Normalize::MeanImage, _) => mean_image(samples, indices),
            (Normalize::Standard, _) => standard(samples, indices),
        }
    }

    /// The input that a sample becomes: what the GPU computes, for checks and references.
    ///
    /// # Errors
    /// If `index` is not below the number of samples, or a sample that cannot be read.
    pub fn input(&self, samples: &Samples, index: u32) -> Result<Vec<f32>> {
        let values = samples.values(&[index])?;
        let statistics = self.mean.iter().zip(&self.scale);
        let pairs = values.iter().zip(statistics);
        Ok(pairs.map(|(v, (mean, scale))| (v - mean) * scale).collect())
    }
}

/// Samples that are looked at.
const LOOKED_AT: usize = 1000;
/// Values of a sample that may be pixels, at least.
const PIXELS: usize = 16;
/// What the largest of many pixels is at least.
const BRIGHT: f32 = 100.0;

/// The least and the largest of floats that nobody scaled: pixels of 8 or 16 bits, as they are or as a change
/// of size left them.
fn unscaled(samples: &Samples, indices: &[u32]) -> Result<Option<[f32; 2]>> {
    if samples.elements() < PIXELS {
        return Ok(None);
    }
    let [least, largest] = range(samples, (indices.len(), &|at| indices[at]))?;
    Ok((least >= 0.0 && largest > BRIGHT).then_some([least, largest]))
}

/// The ranges of two parts of floats of which one holds pixels as they are, and the other has been divided.
///
/// # Errors
/// Samples that cannot be read.
pub(crate) fn two_scales(one: &Samples, other: &Samples) -> Result<Option<[[f32; 2]; 2]>> {
    let parts = [one, other];
    let are_floats =
        |part: &&Samples| part.storage() == Storage::Floats && part.inputs().flags().is_none();
    if one.elements() < PIXELS || !parts.iter().all(are_floats) {
        return Ok(None);
    }
    let of = |part: &Samples| range(part, (part.len(), &|at| at as u32));
    let ranges = [of(one)?, of(other)?];
    let is = |wanted: fn(&f32) -> bool| ranges.iter().any(|[_, largest]| wanted(largest));
    let differ = is(|largest| *largest > BRIGHT) && is(|largest| *largest > 0.0 && *largest <= 1.0);
    Ok((differ && ranges.iter().all(|[least, _]| *least >= 0.0)).then_some(ranges))
}

/// The least and the largest value of some of `count` samples, whose indices `of` gives.
fn range(samples: &Samples, (count, of): (usize, &dyn Fn(usize) -> u32)) -> Result<[f32; 2]> {
    let stride = count.div_ceil(LOOKED_AT).max(1);
    let some: Vec<u32> = (0..count).step_by(stride).map(of).collect();
    let (mut least, mut largest) = (f32::INFINITY, f32::NEG_INFINITY);
    for_each(samples, &some, |sample| {
        least = sample.iter().copied().fold(least, f32::min);
        largest = sample.iter().copied().fold(largest, f32::max);
    })?;
    Ok([least, largest])
}

/// Calls `each` with every sample at `indices`, in their order.
fn for_each(samples: &Samples, indices: &[u32], mut each: impl FnMut(&[f32])) -> Result<()> {
    for block in indices.chunks(BLOCK) {
        let values = samples.values(block)?;
        values.chunks_exact(samples.elements()).for_each(&mut each);
    }
    Ok(())
}

fn mean_image(samples: &Samples, indices: &[u32]) -> Result<Normalization> {
    let mut sums = vec![0.0_f64; samples.elements()];
    for_each(samples, indices, |sample| {
        for (sum, &value) in sums.iter_mut().zip(sample) {
            *sum += f64::from(value);
        }
    })?;
    let count = indices.len() as f64;
    Ok(Normalization {
        mean: sums.iter().map(|sum| (sum / count) as f32).collect(),
        scale: vec![1.0; samples.elements()],
    })
}

/// What is known of the values of a channel.
#[derive(Debug, Clone, Copy)]
struct Channel {
    sum: f64,
    low: f64,
    high: f64,
    /// Sum of the squared distances to the mean.
    squares: f64,
}

/// Mean and 1 / deviation of each channel, in f64 and in two passes: the textbook's single pass
/// loses all digits where the mean is large against the deviation.
fn standard(samples: &Samples, indices: &[u32]) -> Result<Normalization> {
    // Every shape has a first dimension that is not 0 (`Samples`); 1 is the harmless answer.
    let size = samples.shape().iter().skip(1).product::<usize>().max(1);
    let nothing = Channel {
        sum: 0.0,
        low: f64::INFINITY,
        high: f64::NEG_INFINITY,
        squares: 0.0,
    };
    let mut channels = vec![nothing; samples.elements() / size];
    for_each(samples, indices, |sample| {
        for (channel, values) in channels.iter_mut().zip(sample.chunks_exact(size)) {
            for value in values.iter().copied().map(f64::from) {
                channel.sum += value;
                channel.low = channel.low.min(value);
                channel.high = channel.high.max(value);
            }
        }
    })?;
    let count = (indices.len() * size) as f64;
    for_each(samples, indices, |sample| {
        for (channel, values) in channels.iter_mut().zip(sample.chunks_exact(size)) {
            let mean = channel.sum / count;
            for value in values.iter().copied().map(f64::from) {
                channel.squares += (value - mean) * (value - mean);
            }
        }
    })?;
    let mut result = Normalization {
        mean: Vec::with_capacity(samples.elements()),
        scale: Vec::with_capacity(samples.elements()),
    };
    let flags = samples.inputs().flags().unwrap_or_default();
    for (at, channel) in channels.into_iter().enumerate() {
        let (mean, scale) = match flags.get(at) {
            Some(true) => (0.0, 1.0),
            _ => channel.moments(count),
        };
        result.mean.extend(std::iter::repeat_n(mean, size));
        result.scale.extend(std::iter::repeat_n(scale, size));
    }
    Ok(result)
}

impl Channel {
    /// Mean and 1 / deviation of `count` values.
    fn moments(self, count: f64) -> (f32, f32) {
        if self.low == self.high {
            return (self.low as f32, 1.0);
        }
        let scale = 1.0 / (self.squares / count).sqrt();
        // A deviation below f32's normal range is as good as none.
        let scale = if scale <= f64::from(f32::MAX) {
            scale as f32
        } else {
            1.0
        };
        ((self.sum / count) as f32, scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(samples: &Samples) -> Vec<u32> {
        (0..samples.len() as u32).collect()
    }

    fn inputs(kind: Normalize, samples: &Samples, indices: &[u32]) -> Vec<Vec<f32>> {
        let normalization = Normalization::new(kind, samples, indices).unwrap();
        let chosen = indices.iter();
        chosen
            .map(|&i| normalization.input(samples, i).unwrap())
            .collect()
    }

    /// Two channels of two pixels; three samples.
    fn pictures() -> Samples {
        let values = vec![0, 10, 7, 7, 20, 30, 7, 7, 255, 0, 9, 9];
        Samples::from_bytes(&[2, 1, 2], values, vec![0, 1, 0]).unwrap()
    }

    #[test]
    fn standard_gives_each_channel_mean_0_and_deviation_1() {
        let samples = pictures();
        let x = inputs(Normalize::Standard, &samples, &all(&samples));
        for channel in [0..2, 2..4] {
            let values: Vec<f64> = x
                .iter()
                .flat_map(|sample| sample[channel.clone()].iter().map(|&v| f64::from(v)))
                .collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            assert!(
                mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6,
                "{mean} {variance}"
            );
        }
    }

    #[test]
    fn only_the_samples_that_are_trained_on_count_and_a_constant_channel_is_0() {
        let samples = pictures();
        // The second channel is 7 in both of these samples.
        let measured = Normalization::new(Normalize::Standard, &samples, &[0, 1]).unwrap();
        assert_eq!(measured.mean, [15.0, 15.0, 7.0, 7.0]);
        // Deviations -15, -5, 5, 15: variance 125.
        let scale = (1.0 / 125.0_f64.sqrt()) as f32;
        assert_eq!(measured.scale, [scale, scale, 1.0, 1.0]);
        assert_eq!(measured.input(&samples, 1).unwrap()[2..], [0.0, 0.0]);
    }

    #[test]
    fn unit_mean_image_and_none_of_bytes() {
        let samples = pictures();
        let every = all(&samples);
        assert_eq!(inputs(Normalize::Unit, &samples, &every)[2][0], 1.0);
        assert_eq!(inputs(Normalize::None, &samples, &every)[2][0], 255.0);
        let mean = Normalization::new(Normalize::MeanImage, &samples, &[0, 1]).unwrap();
        assert_eq!(mean.mean, [10.0, 20.0, 7.0, 7.0]);
        assert_eq!(mean.input(&samples, 2).unwrap(), [245.0, -20.0, 2.0, 2.0]);
    }

    #[test]
    fn floats_are_standardised_by_feature_and_left_alone_by_unit() {
        // The first feature is constant and has no exact mean in binary; the second is far from 0.
        let values = vec![
            0.1,
            1e6 - 1.0,
            0.1,
            1e6 + 1.0,
            0.1,
            1e6 - 1.0,
            0.1,
            1e6 + 1.0,
        ];
        let samples = Samples::from_floats(&[2], values.clone(), vec![0, 1, 0, 1]).unwrap();
        let every = all(&samples);
        let x = inputs(Normalize::Standard, &samples, &every);
        assert_eq!(x[0], [0.0, -1.0]);
        assert_eq!(x[1], [0.0, 1.0]);
        assert_eq!(inputs(Normalize::Unit, &samples, &every).concat(), values);
        assert_eq!(inputs(Normalize::None, &samples, &every).concat(), values);
    }

    #[test]
    fn a_deviation_too_small_for_f32_does_not_become_infinite() {
        let values = vec![0.0, f32::from_bits(1)];
        let samples = Samples::from_floats(&[1], values, vec![0, 1]).unwrap();
        let measured = Normalization::new(Normalize::Standard, &samples, &[0, 1]).unwrap();
        assert_eq!(measured.scale, [1.0]);
    }

    #[test]
    fn indices_are_checked() {
        let samples = pictures();
        let message = |indices| {
            let found = Normalization::new(Normalize::Standard, &samples, indices);
            found.unwrap_err().to_string()
        };
        assert!(message(&[]).contains("none"));
        assert!(message(&[0, 3]).contains("3; expected at least one, each below 3"));
    }

    #[test]
    fn pixels_as_floats_are_not_trained_on_by_mistake() {
        let of = |largest: f32, fraction: f32| {
            let values = (0..32).map(|i| fraction + largest * (i % 4) as f32 / 3.0);
            Samples::from_floats(&[1, 4, 4], values.collect(), vec![0, 1]).unwrap()
        };
        let unit = |samples: &Samples| Normalization::new(Normalize::Unit, samples, &all(samples));
        let error = unit(&of(255.0, 0.0)).unwrap_err().to_string();
        assert!(
            error.contains("0 to 255") && error.contains("standard"),
            "{error}"
        );
        // As a change of size leaves them, and of 16 bits.
        let error = unit(&of(252.25, 0.5)).unwrap_err().to_string();
        assert!(error.contains("numbers from 0.5 to 252.75"), "{error}");
        assert!(unit(&of(65535.0, 0.0)).is_err());
        assert!(unit(&of(1.0, 0.0)).is_ok() && unit(&of(255.0, -1.0)).is_ok());
        assert!(Normalization::new(Normalize::None, &of(255.0, 0.0), &[0, 1]).is_ok());
    }
}
