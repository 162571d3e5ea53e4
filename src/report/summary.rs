//! `summary.json`: how a run ended, with the pictures of its worst mistakes as PNG.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::train::event::{
    Augmented, Confusion, Ended, Evaluation, Mistake, NumbersRecord, Summary, SymbolRecord,
};

use super::folder::{RunFolder, SUMMARY};

/// A [`Summary`] as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredSummary {
    /// Steps done.
    pub steps: u64,
    /// Why the run ended.
    pub ended: Ended,
    /// Seconds from the first step to the last, evaluations included.
    pub seconds: f64,
    /// Steps per second, evaluations not included.
    pub steps_per_second: f64,
    /// The share of the time of the steps in which the device waited for samples; nothing where they lie on
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited: Option<f64>,
    /// The last evaluation of each split.
    pub evaluations: Vec<Evaluation>,
    /// Which classes were taken for which, over the test set.
    pub confusion: Confusion,
    /// The share of the test set whose class is among the five likeliest, of ten classes or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// The worst mistakes on the test set, by falling loss.
    pub mistakes: Vec<StoredMistake>,
    /// The symbols that were predicted worst on the test set, by falling loss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symbols: Vec<SymbolRecord>,
    /// How the numbers of the test set were predicted, where numbers are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumbersRecord>,
    /// Training samples with variants, where pictures are changed while they train.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub augmented: Vec<StoredAugmented>,
}

/// An [`Augmented`] as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredAugmented {
    /// Position in the training set.
    pub index: usize,
    /// Its class.
    pub label: usize,
    /// Pictures as PNG in base64: the sample, then its variants.
    pub pngs: Vec<String>,
}

/// A [`Mistake`] as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredMistake {
    /// Position in the test set.
    pub index: usize,
    /// The true class.
    pub label: usize,
    /// The class that the model chose.
    pub predicted: usize,
    /// The sample's loss; nothing where it is not finite.
    pub loss: Option<f64>,
    /// The probability of the class that it chose, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// What the sample is called, such as its file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The picture as PNG in base64, for samples that are pictures.
    pub png: Option<String>,
}

impl StoredSummary {
    /// The summary as it is stored, for samples of shape `sample_shape`.
    #[must_use]
    pub fn new(summary: &Summary, sample_shape: &[usize]) -> Self {
        let mistake = |mistake: &Mistake| StoredMistake {
            index: mistake.index,
            label: mistake.label,
            predicted: mistake.predicted,
            loss: Some(mistake.loss).filter(|loss| loss.is_finite()),
            probability: mistake.probability.filter(|p| p.is_finite()),
            name: mistake.name.clone(),
            png: picture(sample_shape, &mistake.pixels).map(|png| STANDARD.encode(png)),
        };
        let augmented = |sample: &Augmented| StoredAugmented {
            index: sample.index,
            label: sample.label,
            pngs: (sample.pixels.iter())
                .filter_map(|pixels| picture(sample_shape, pixels))
                .map(|png| STANDARD.encode(png))
                .collect(),
        };
        Self {
            steps: summary.steps,
            ended: summary.ended,
            seconds: finite(summary.seconds),
            steps_per_second: finite(summary.steps_per_second),
            waited: summary.waited.filter(|share| share.is_finite()),
            evaluations: summary.evaluations.clone(),
            confusion: summary.confusion.clone(),
            top5: summary.top5,
            mistakes: summary.mistakes.iter().map(mistake).collect(),
            symbols: summary.symbols.clone(),
            numbers: summary.numbers.clone(),
            augmented: summary.augmented.iter().map(augmented).collect(),
        }
    }

    /// Reads `summary.json`; `None` where a run has not ended.
    ///
    /// # Errors
    /// [`crate::error::Error::Data`] if it is broken, [`crate::error::Error::Io`].
    pub fn read(folder: &RunFolder) -> Result<Option<Self>> {
        match folder.file(SUMMARY).exists() {
            true => folder.read_json(SUMMARY).map(Some),
            false => Ok(None),
        }
    }

    /// Writes `summary.json`.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] if it cannot be written.
    pub fn write(&self, folder: &RunFolder) -> Result<()> {
        folder.write_json(SUMMARY, self)
    }
}

/// A rate of no steps in no time is no number; JSON would lose it.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

/// A picture `[channels, height, width]` as PNG: three channels in colour, otherwise the first one
/// in grey. Nothing for samples that are no pictures.
fn picture(shape: &[usize], pixels: &[u8]) -> Option<Vec<u8>> {
    let &[channels, height, width] = shape else {
        return None;
    };
    let plane = height.checked_mul(width)?;
    if plane == 0 || pixels.len() != plane.checked_mul(channels)? {
        return None;
    }
    let (colour, bytes) = if channels == 3 {
        let interleaved = (0..plane).flat_map(|i| [0, 1, 2].map(|c| pixels[c * plane + i]));
        (png::ColorType::Rgb, interleaved.collect())
    } else {
        (png::ColorType::Grayscale, pixels[..plane].to_vec())
    };
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(
        &mut file,
        u32::try_from(width).ok()?,
        u32::try_from(height).ok()?,
    );
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&bytes).ok()?;
    writer.finish().ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_decode_to_their_pixels() {
        let grey: Vec<u8> = (0..6).map(|i| i * 40).collect();
        let png = picture(&[1, 2, 3], &grey).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; 6];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, grey);

        // Planes of red, green and blue become triples.
        let planes = [1, 2, 10, 20, 100, 200];
        let png = picture(&[3, 1, 2], &planes).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; 6];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, [1, 10, 100, 2, 20, 200]);
    }

    #[test]
    fn samples_that_are_no_pictures_have_none() {
        assert!(picture(&[4], &[1, 2, 3, 4]).is_none());
        assert!(picture(&[1, 2, 2], &[]).is_none());
        assert!(picture(&[1, 0, 2], &[]).is_none());
        assert!(picture(&[1, usize::MAX, 2], &[1]).is_none());
    }
}
