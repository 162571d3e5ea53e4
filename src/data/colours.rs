//! The colours of pictures changed at random, as torchvision's `ColorJitter` changes them without a hue:
//! what is drawn, which pictures have such colours, and what they become. The shaders are
//! `shaders/data/augment.wgsl` and, for the mean grey, `shaders/data/mean_grey.wgsl`.
//!
//! Values are those of bytes, 0 to 255, and are kept within them after each change; they are not rounded.
//! torchvision draws the order of the changes anew for each picture; here it is always brightness, contrast,
//! saturation.

use super::Storage;
use super::samples::refuse;
use crate::error::Result;

/// The lowest factor that a strength draws, and its span: [max(0, 1 - v), 1 + v], as in torchvision.
pub(super) fn range(strength: f64) -> [f64; 2] {
    let low = (1.0 - strength).max(0.0);
    [low, 1.0 + strength - low]
}

/// The largest value.
const WHITE: f64 = 255.0;

/// `factor` shares of `v`, the rest of `other`.
fn blend(v: f64, other: f64, factor: f64) -> f64 {
    (factor * v + (1.0 - factor) * other).clamp(0.0, WHITE)
}

/// The grey of a pixel (torchvision's `rgb_to_grayscale`).
fn grey(red: f64, green: f64, blue: f64) -> f64 {
    0.2989 * red + 0.587 * green + 0.114 * blue
}

/// Something of each change of colours: how strong it is at most, or the factor that is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Colours {
    pub(super) brightness: f64,
    pub(super) contrast: f64,
    pub(super) saturation: f64,
}

impl Colours {
    /// The changes by their keys, in the order in which they follow each other.
    pub(super) fn named(&self) -> [(&'static str, f64); 3] {
        [
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
        ]
    }

    /// The changes that are on, of strengths.
    pub(super) fn on(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        self.named().into_iter().filter(|(_, v)| *v != 0.0)
    }

    /// Refuses strengths that are on for pictures of so many channels without such colours.
    pub(super) fn check(&self, channels: usize, storage: Storage) -> Result<()> {
        let Some((key, strength)) = self.on().next() else {
            return Ok(());
        };
        if storage != Storage::Bytes {
            return Err(refuse(
                format!("augment.{key}"),
                format!("{strength}, with pictures of {}", storage.name()),
                "pictures of bytes, 0 to 255, whose colours brightness, contrast and saturation change \
                 (ColorJitter)",
                "leave it out, or give the pictures as bytes",
            ));
        }
        if !matches!(channels, 1 | 3) {
            return Err(refuse(
                format!("augment.{key}"),
                format!("{strength}, with pictures of {channels} channels"),
                "pictures of one channel (grey) or three (red, green, blue), whose colours brightness, contrast \
                 and saturation change (ColorJitter)",
                "leave it out",
            ));
        }
        if channels == 1 && self.saturation != 0.0 {
            return Err(refuse(
                "augment.saturation",
                format!("{}, with grey pictures", self.saturation),
                "pictures of three channels: grey ones have brightness and contrast, and nothing to saturate",
                "leave augment.saturation out",
            ));
        }
        Ok(())
    }

    /// A picture under these strengths, changed by the factors that are `drawn`, in f64 from the definition.
    pub(super) fn change(
        &self,
        drawn: &Self,
        [channels, height, width]: [usize; 3],
        values: &[f64],
    ) -> Vec<f64> {
        let plane = height * width;
        let mut picture = values.to_vec();
        let greys = |picture: &[f64]| -> Vec<f64> {
            let at = |channel: usize, pixel: usize| picture[channel * plane + pixel];
            match channels {
                3 => (0..plane)
                    .map(|p| grey(at(0, p), at(1, p), at(2, p)))
                    .collect(),
                _ => picture[..plane].to_vec(),
            }
        };
        if self.brightness != 0.0 {
            for v in &mut picture {
                *v = blend(*v, 0.0, drawn.brightness);
            }
        }
        if self.contrast != 0.0 {
            let mean = greys(&picture).iter().sum::<f64>() / plane as f64;
            for v in &mut picture {
                *v = blend(*v, mean, drawn.contrast);
            }
        }
        if self.saturation != 0.0 {
            let greys = greys(&picture);
            for (at, v) in picture.iter_mut().enumerate() {
                *v = blend(*v, greys[at % plane], drawn.saturation);
            }
        }
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn colours(brightness: f64, contrast: f64, saturation: f64) -> Colours {
        Colours {
            brightness,
            contrast,
            saturation,
        }
    }

    #[test]
    fn factors_lie_about_one_and_above_nothing() {
        assert_eq!(range(0.0), [1.0, 0.0]);
        assert_eq!(range(0.25), [0.75, 0.5]);
        assert_eq!(range(3.0), [0.0, 4.0]);
    }

    #[test]
    fn colours_are_blended_and_stay_bytes() {
        let drawn = colours(2.0, 0.5, 0.0);
        let grey = [100.0, 200.0];
        let changed = |on: Colours| on.change(&drawn, [1, 1, 2], &grey);
        assert_eq!(changed(colours(0.0, 0.0, 0.0)), grey);
        assert_eq!(changed(colours(1.0, 0.0, 0.0)), [200.0, 255.0]);
        // Half of each, half of the mean 227.5.
        assert_eq!(changed(colours(1.0, 1.0, 0.0)), [213.75, 241.25]);
        // Without colours the picture is its own grey.
        let found = colours(0.0, 0.0, 1.0).change(&drawn, [3, 1, 1], &[100.0, 50.0, 200.0]);
        assert!(found.iter().all(|v| (v - 82.04).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn pictures_without_such_colours_are_refused() {
        let (bytes, floats) = (Storage::Bytes, Storage::Floats);
        for (on, channels, storage, part) in [
            (
                colours(0.2, 0.0, 0.0),
                3,
                floats,
                "augment.brightness: 0.2, with pictures of floats; expected pictures of bytes",
            ),
            (
                colours(0.0, 0.0, 0.3),
                4,
                bytes,
                "augment.saturation: 0.3, with pictures of 4 channels; expected pictures of one",
            ),
            (
                colours(0.2, 0.0, 0.3),
                1,
                bytes,
                "augment.saturation: 0.3, with grey pictures; expected pictures of three channels",
            ),
        ] {
            let message = on.check(channels, storage).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        assert!(colours(0.2, 0.1, 0.0).check(1, bytes).is_ok());
        assert!(colours(0.2, 0.1, 0.3).check(3, bytes).is_ok());
        assert!(colours(0.0, 0.0, 0.0).check(4, floats).is_ok());
    }
}
