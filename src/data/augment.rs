//! Augmentation of pictures while they train: what is drawn for each sample, and what it does.
//! The shader is `shaders/data/augment.wgsl`.

use glam::{Affine2, Mat2, Vec2};
use serde::{Deserialize, Serialize};

use super::colours::{Colours, range};
use super::strengths::{MOST_PIXELS, probability, rotation, scale, shear, strength};
use super::{Normalization, Storage};
use crate::args::{choice, whole};
use crate::error::{Error, Result};
use crate::rng::{Key, uniform};

/// What a shift and the affine map bring in from beyond the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename = "padding")]
pub enum Padding {
    /// The picture mirrored as often as it takes, the edge itself not repeated (PyTorch's `reflect`).
    #[default]
    Reflect,
    /// The value 0 before normalisation: black, as in torchvision's pipelines, which pad pictures
    /// and normalise later.
    Zero,
}

/// `[augment]`: random changes to the pictures of a training step, none by default.
///
/// They follow each other: brightness, contrast and saturation, as torchvision's `ColorJitter` changes them
/// but always in this order; the affine map (bilinear), the shift and the flips, which are one map with one
/// padding beyond the picture's edge; normalisation; the cut-out. Each has its own random numbers, a
/// function of the run's seed, the step and the sample's place in the update, so neither the chunk nor the
/// batches that an update takes its samples in nor where the samples lie nor the class of kernels changes them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Probability that a picture is mirrored left to right, in [0, 1].
    #[serde(deserialize_with = "probability")]
    pub horizontal_flip: f64,
    /// Probability that it is mirrored top to bottom, in [0, 1].
    #[serde(deserialize_with = "probability")]
    pub vertical_flip: f64,
    /// Most pixels that a picture moves, up or down and left or right, each evenly from -shift to
    /// shift: padding by so many and a random crop.
    #[serde(deserialize_with = "whole::<_, _, 0, MOST_PIXELS>")]
    pub shift: usize,
    /// What a shift and the affine map bring in.
    #[serde(deserialize_with = "choice")]
    pub padding: Padding,
    /// Largest angle in degrees, either way, about the middle; from 0 to 180.
    #[serde(deserialize_with = "rotation")]
    pub rotation: f64,
    /// Lowest and highest factor that a picture grows by, from 0.01 to 100.
    #[serde(deserialize_with = "scale")]
    pub scale: [f64; 2],
    /// Largest angle in degrees, either way, by which upright lines lean; below 90.
    #[serde(deserialize_with = "shear")]
    pub shear: f64,
    /// Side of a square, wholly within the picture, that becomes 0 after normalisation; 0 cuts
    /// nothing.
    #[serde(deserialize_with = "whole::<_, _, 0, MOST_PIXELS>")]
    pub cutout: usize,
    /// How far the factor lies from 1 at most that multiplies a picture's values.
    #[serde(deserialize_with = "strength")]
    pub brightness: f64,
    /// How far the share of the picture lies from 1 at most that is blended with its mean grey.
    #[serde(deserialize_with = "strength")]
    pub contrast: f64,
    /// How far the share of the picture lies from 1 at most that is blended with the grey picture.
    #[serde(deserialize_with = "strength")]
    pub saturation: f64,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            horizontal_flip: 0.0,
            vertical_flip: 0.0,
            shift: 0,
            padding: Padding::Reflect,
            rotation: 0.0,
            scale: [1.0; 2],
            shear: 0.0,
            cutout: 0,
            brightness: 0.0,
            contrast: 0.0,
            saturation: 0.0,
        }
    }
}

/// What a random number is for: the `draw` of the generator's counter, whose `element` is the
/// sample's place in the update. The shader has the same numbers.
#[repr(u32)]
enum Purpose {
    Flip = 0,
    Shift = 1,
    Cutout = 2,
    Turn = 3,
    Shear = 4,
    Light = 5,
    Saturation = 6,
}

/// What happens to one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Whether it is mirrored left to right.
    pub flip: bool,
    /// Whether it is mirrored top to bottom.
    pub vertical_flip: bool,
    /// Rows and columns by which the place that is read lies off.
    pub shift: [i32; 2],
    /// First row and first column of the square that is cut out.
    pub cutout: [usize; 2],
    /// Angle in degrees, clockwise.
    pub rotation: f64,
    /// Factor that it grows by.
    pub scale: f64,
    /// Angle in degrees by which upright lines lean.
    pub shear: f64,
    /// What its values are multiplied by.
    pub brightness: f64,
    /// The share of it that is blended with its mean grey.
    pub contrast: f64,
    /// The share of it that is blended with the grey picture.
    pub saturation: f64,
}

impl Default for Draw {
    /// Nothing changes, where nothing is cut out.
    fn default() -> Self {
        Self {
            flip: false,
            vertical_flip: false,
            shift: [0; 2],
            cutout: [0; 2],
            rotation: 0.0,
            scale: 1.0,
            shear: 0.0,
            brightness: 1.0,
            contrast: 1.0,
            saturation: 1.0,
        }
    }
}

fn refuse(key: &str, found: String, expected: &str, help: &str) -> Error {
    Error::Argument {
        what: key.into(),
        found,
        expected: expected.into(),
        help: help.into(),
    }
}

impl Augment {
    /// Whether nothing is on.
    #[must_use]
    pub fn is_off(&self) -> bool {
        let flips = self.horizontal_flip != 0.0 || self.vertical_flip != 0.0;
        let moves = flips || self.shift != 0 || self.is_affine();
        !moves && self.cutout == 0 && !self.is_coloured()
    }

    /// Whether pictures are turned, scaled or sheared.
    #[must_use]
    pub fn is_affine(&self) -> bool {
        self.rotation != 0.0 || self.scale != [1.0; 2] || self.shear != 0.0
    }

    /// Whether colours change.
    #[must_use]
    pub fn is_coloured(&self) -> bool {
        self.strengths().on().next().is_some()
    }

    /// The lowest factor and the span that each change of colours is drawn from, by its key.
    #[must_use]
    pub fn factors(&self) -> [(&'static str, [f64; 2]); 3] {
        let named = self.strengths().named();
        named.map(|(key, strength)| (key, range(strength)))
    }

    fn strengths(&self) -> Colours {
        Colours {
            brightness: self.brightness,
            contrast: self.contrast,
            saturation: self.saturation,
        }
    }

    /// Whether samples of `shape`, whose values lie as `storage`, can be augmented like this.
    ///
    /// # Errors
    /// Samples that are no pictures, a shift or a cut-out that is too large for them, colours of pictures
    /// that have none.
    pub fn check(&self, shape: &[usize], storage: Storage) -> Result<()> {
        if self.is_off() {
            return Ok(());
        }
        let &[channels, height, width] = shape else {
            return Err(refuse(
                "augment",
                format!("samples of shape {shape:?}, which are no pictures"),
                "samples of shape [channels, height, width]",
                "leave the table [augment] out: lists of features are not augmented",
            ));
        };
        let side = height.min(width);
        if self.shift >= side && self.shift > 0 {
            return Err(refuse(
                "augment.shift",
                format!("{}, with pictures of {height}x{width}", self.shift),
                &format!("at most {}, below the shorter side", side - 1),
                "lower augment.shift, or leave it out",
            ));
        }
        if self.cutout > side {
            return Err(refuse(
                "augment.cutout",
                format!("{}, with pictures of {height}x{width}", self.cutout),
                &format!("at most {side}, the shorter side"),
                "lower augment.cutout, or leave it out",
            ));
        }
        self.strengths().check(channels, storage)
    }

    /// What is on, in a few words; nothing where nothing is.
    #[must_use]
    pub fn describe(&self) -> String {
        let colours = self.strengths().on();
        let mut words: Vec<String> = colours.map(|(key, v)| format!("{key} {v}")).collect();
        let moved = words.len();
        if self.rotation != 0.0 {
            words.push(format!("rotation {}°", self.rotation));
        }
        if self.scale != [1.0; 2] {
            words.push(format!("scale {} to {}", self.scale[0], self.scale[1]));
        }
        if self.shear != 0.0 {
            words.push(format!("shear {}°", self.shear));
        }
        if self.shift > 0 {
            words.push(format!("shift {}", self.shift));
        }
        // What comes in stands behind the last that brings it in.
        if let Some(last) = words[moved..].last_mut() {
            last.push_str(match self.padding {
                Padding::Reflect => " (reflect)",
                Padding::Zero => " (zero)",
            });
        }
        if self.horizontal_flip != 0.0 {
            words.push(format!("horizontal flip {}", self.horizontal_flip));
        }
        if self.vertical_flip != 0.0 {
            words.push(format!("vertical flip {}", self.vertical_flip));
        }
        if self.cutout > 0 {
            words.push(format!("cutout {}", self.cutout));
        }
        words.join(", ")
    }

    /// What is drawn for the sample at `row` of its batch, of `height` x `width` pixels, under
    /// the step's key of [`crate::rng::Stream::Augment`].
    ///
    /// # Panics
    /// If the cut-out is larger than the picture ([`Augment::check`]).
    #[must_use]
    pub fn draw(&self, key: Key, row: u32, height: usize, width: usize) -> Draw {
        let words = |purpose: Purpose| key.words(row, purpose as u32);
        let places = 2 * self.shift as u32 + 1;
        let shift = words(Purpose::Shift).map(|word| (word % places) as i32 - self.shift as i32);
        let [cut_y, cut_x] = words(Purpose::Cutout);
        let first = |word: u32, side: usize| word as usize % (side + 1 - self.cutout);
        let [turn, scale] = key.uniforms(row, Purpose::Turn as u32).map(f64::from);
        let [shear, _] = key.uniforms(row, Purpose::Shear as u32).map(f64::from);
        let [brightness, contrast] = key.uniforms(row, Purpose::Light as u32).map(f64::from);
        let [saturation, _] = key.uniforms(row, Purpose::Saturation as u32).map(f64::from);
        let factor = |strength: f64, uniform: f64| {
            let [low, span] = range(strength);
            low + span * uniform
        };
        Draw {
            // The comparisons that the shader makes, in f32.
            flip: uniform(words(Purpose::Flip)[0]) < self.horizontal_flip as f32,
            vertical_flip: uniform(words(Purpose::Flip)[1]) < self.vertical_flip as f32,
            shift,
            cutout: [first(cut_y, height), first(cut_x, width)],
            rotation: self.rotation * (2.0 * turn - 1.0),
            scale: self.scale[0] + (self.scale[1] - self.scale[0]) * scale,
            shear: self.shear * (2.0 * shear - 1.0),
            brightness: factor(self.brightness, brightness),
            contrast: factor(self.contrast, contrast),
            saturation: factor(self.saturation, saturation),
        }
    }

    /// Where a place along a side of so many pixels is read; nowhere where 0 comes in.
    fn read(&self, at: i64, side: usize) -> Option<usize> {
        let last = side as i64 - 1;
        let at = match self.padding {
            Padding::Reflect => last - (last - at.abs() % (2 * last).max(1)).abs(),
            Padding::Zero => at,
        };
        usize::try_from(at).ok().filter(|at| *at < side)
    }

    /// The normalised input that a picture `[channels, height, width]` becomes, in f64: the
    /// definition that the shader is held against.
    ///
    /// # Panics
    /// If `values` does not hold a picture of `shape`.
    #[must_use]
    pub fn input(
        &self,
        draw: &Draw,
        [channels, height, width]: [usize; 3],
        values: &[f64],
        normalization: &Normalization,
    ) -> Vec<f64> {
        let place = draw.place(height, width).map(|row| row.map(f64::from));
        let drawn = Colours {
            brightness: draw.brightness,
            contrast: draw.contrast,
            saturation: draw.saturation,
        };
        let shape = [channels, height, width];
        let values = &self.strengths().change(&drawn, shape, values)[..];
        let mut x = Vec::with_capacity(values.len());
        for plane in values.chunks_exact(height * width).take(channels) {
            let value = |h: i64, w: i64| {
                let inside = [self.read(h, height), self.read(w, width)];
                match inside {
                    [Some(h), Some(w)] => plane[h * width + w],
                    _ => 0.0,
                }
            };
            for (h, w) in (0..height).flat_map(|h| (0..width).map(move |w| (h, w))) {
                let flipped = |at: usize, side: usize, flip: bool| match flip {
                    true => (side - 1 - at) as i64,
                    false => at as i64,
                };
                let row = flipped(h, height, draw.vertical_flip) + i64::from(draw.shift[0]);
                let column = flipped(w, width, draw.flip) + i64::from(draw.shift[1]);
                let value = match self.is_affine() {
                    true => bilinear(&value, place, row as f64, column as f64),
                    false => value(row, column),
                };
                let cut = |at: usize, first: usize| (first..first + self.cutout).contains(&at);
                let element = x.len();
                let mean = f64::from(normalization.mean[element]);
                let scale = f64::from(normalization.scale[element]);
                x.push(match cut(h, draw.cutout[0]) && cut(w, draw.cutout[1]) {
                    true => 0.0,
                    false => (value - mean) * scale,
                });
            }
        }
        x
    }
}

/// How far beyond the edge a place is read at most: far outside it is as good as anywhere.
const FARTHEST: f64 = 4_194_304.0;

/// The value between four neighbours at the place that a pixel comes from.
fn bilinear(value: &dyn Fn(i64, i64) -> f64, place: [[f64; 3]; 2], h: f64, w: f64) -> f64 {
    let at = place.map(|[a, b, c]| a * w + b * h + c);
    let [x, y] = at.map(|at| at.clamp(-FARTHEST, FARTHEST));
    let (left, top) = (x.floor(), y.floor());
    let (right, down) = (x - left, y - top);
    let (column, row) = (left as i64, top as i64);
    (1.0 - down) * ((1.0 - right) * value(row, column) + right * value(row, column + 1))
        + down * ((1.0 - right) * value(row + 1, column) + right * value(row + 1, column + 1))
}

impl Draw {
    /// Where a pixel of the turned picture comes from: column and row are these rows' products
    /// with (column, row, 1). The inverse of torchvision's affine map, which scales, then shears,
    /// then turns about the middle.
    #[must_use]
    pub fn place(&self, height: usize, width: usize) -> [[f32; 3]; 2] {
        let (sin, cos) = libm::sincos(self.rotation.to_radians());
        let turn = Mat2::from_cols_array(&[cos, sin, -sin, cos].map(|v| v as f32));
        let lean = -libm::tan(self.shear.to_radians());
        let shear = Mat2::from_cols(Vec2::X, Vec2::new(lean as f32, 1.0));
        let scale = Mat2::from_diagonal(Vec2::splat(self.scale as f32));
        let middle = Vec2::new(width as f32 - 1.0, height as f32 - 1.0) / 2.0;
        let forward = Affine2::from_translation(middle)
            * Affine2::from_mat2(turn * shear * scale)
            * Affine2::from_translation(-middle);
        let back = forward.inverse();
        let [x, y] = [back.matrix2.row(0), back.matrix2.row(1)];
        [
            [x.x, x.y, back.translation.x],
            [y.x, y.y, back.translation.y],
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    const ALL: Augment = Augment {
        horizontal_flip: 0.3,
        vertical_flip: 0.6,
        shift: 2,
        padding: Padding::Reflect,
        rotation: 20.0,
        scale: [0.8, 1.25],
        shear: 10.0,
        cutout: 3,
        brightness: 0.4,
        contrast: 1.5,
        saturation: 0.8,
    };

    fn draws(seed: u64, steps: u64) -> Vec<Draw> {
        let keys = (0..steps).map(|step| Key::new(seed, Stream::Augment, step));
        keys.flat_map(|key| (0..100).map(move |row| ALL.draw(key, row, 7, 5)))
            .collect()
    }

    #[test]
    fn draws_are_spread_evenly() {
        let draws = draws(1, 500);
        let n = draws.len() as f64;
        // Five standard errors of a share p.
        let near = |count: usize, p: f64| {
            let (share, allowed) = (count as f64 / n, 5.0 * (p * (1.0 - p) / n).sqrt());
            assert!(
                (share - p).abs() < allowed,
                "{share} is not {p} +- {allowed}"
            );
        };
        near(draws.iter().filter(|d| d.flip).count(), 0.3);
        near(draws.iter().filter(|d| d.vertical_flip).count(), 0.6);
        near(
            draws.iter().filter(|d| d.flip && d.vertical_flip).count(),
            0.18,
        );
        for (dy, dx) in (-2..=2)
            .flat_map(|dy| (-2..=2).map(move |dx| [dy, dx]))
            .map(|s| (s[0], s[1]))
        {
            near(draws.iter().filter(|d| d.shift == [dy, dx]).count(), 0.04);
        }
        for [y, x] in (0..5).flat_map(|y| (0..3).map(move |x| [y, x])) {
            near(
                draws.iter().filter(|d| d.cutout == [y, x]).count(),
                1.0 / 15.0,
            );
        }
        // Flip, shift and the rest do not depend on each other.
        let both = draws.iter().filter(|d| d.flip && d.shift[0] == -2);
        near(both.count(), 0.06);
        for (part, low, high) in [
            (
                draws.iter().map(|d| d.rotation).collect::<Vec<_>>(),
                -20.0,
                20.0,
            ),
            (draws.iter().map(|d| d.scale).collect(), 0.8, 1.25),
            (draws.iter().map(|d| d.shear).collect(), -10.0, 10.0),
            (draws.iter().map(|d| d.brightness).collect(), 0.6, 1.4),
            (draws.iter().map(|d| d.contrast).collect(), 0.0, 2.5),
            (draws.iter().map(|d| d.saturation).collect(), 0.2, 1.8),
        ] {
            assert!(part.iter().all(|v| (low..=high).contains(v)));
            for tenth in 0..10 {
                let from = low + (high - low) * f64::from(tenth) / 10.0;
                let to = from + (high - low) / 10.0;
                near(part.iter().filter(|v| (from..to).contains(*v)).count(), 0.1);
            }
        }
    }

    #[test]
    fn another_seed_step_or_row_draws_anew() {
        let (a, b) = (draws(1, 2), draws(2, 2));
        assert_eq!(a, draws(1, 2));
        let differing = |a: &[Draw], b: &[Draw]| a.iter().zip(b).filter(|(a, b)| a != b).count();
        assert_eq!(differing(&a, &b), 200);
        assert_eq!(differing(&a[..100], &a[100..]), 100);
        assert_eq!(differing(&a[..99], &a[1..]), 99);
        // One augmentation more leaves the others' draws as they are.
        let key = Key::new(1, Stream::Augment, 0);
        let alone = Augment {
            horizontal_flip: 0.3,
            ..Augment::default()
        };
        assert!((0..100).all(|row| alone.draw(key, row, 7, 5).flip == a[row as usize].flip));
    }

    #[test]
    fn a_picture_is_shifted_flipped_and_cut() {
        let normalization = Normalization {
            mean: vec![1.0; 6],
            scale: vec![2.0; 6],
        };
        let picture = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut draw = Draw {
            shift: [0, 1],
            ..Draw::default()
        };
        let input = |augment: &Augment, draw: &Draw| {
            let x = augment.input(draw, [1, 2, 3], &picture, &normalization);
            x.iter().map(|x| x / 2.0 + 1.0).collect::<Vec<_>>()
        };
        let mut augment = Augment {
            shift: 1,
            ..Augment::default()
        };
        assert_eq!(input(&augment, &draw), [2.0, 3.0, 2.0, 5.0, 6.0, 5.0]);
        augment.padding = Padding::Zero;
        assert_eq!(input(&augment, &draw), [2.0, 3.0, 0.0, 5.0, 6.0, 0.0]);
        draw.flip = true;
        assert_eq!(input(&augment, &draw), [0.0, 3.0, 2.0, 0.0, 6.0, 5.0]);
        draw.vertical_flip = true;
        assert_eq!(input(&augment, &draw), [0.0, 6.0, 5.0, 0.0, 3.0, 2.0]);
        draw.vertical_flip = false;
        // What is cut out is 0 after normalisation: here 1 before it.
        augment.cutout = 1;
        draw.cutout = [1, 1];
        assert_eq!(input(&augment, &draw), [0.0, 3.0, 2.0, 0.0, 1.0, 5.0]);
    }

    /// A turn brings in what a shift does: no black corners where the padding mirrors.
    #[test]
    fn one_padding_holds_for_the_turn_and_the_shift() {
        let normalization = Normalization {
            mean: vec![0.0; 25],
            scale: vec![1.0; 25],
        };
        let draw = Draw {
            shift: [2, -2],
            rotation: 40.0,
            scale: 0.3,
            shear: 20.0,
            ..Draw::default()
        };
        let mut augment = Augment {
            rotation: 40.0,
            shift: 2,
            ..Augment::default()
        };
        let white = [7.0; 25];
        let found = augment.input(&draw, [1, 5, 5], &white, &normalization);
        assert!(found.iter().all(|v| (v - 7.0).abs() < 1e-9), "{found:?}");
        augment.padding = Padding::Zero;
        let found = augment.input(&draw, [1, 5, 5], &white, &normalization);
        assert!(found.contains(&0.0));
        // Mirrored as often as it takes.
        let places = |side| {
            (-5..8)
                .map(|at| Augment::default().read(at, side).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(places(3), [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
        assert_eq!(places(1), [0; 13]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |shape: &[usize]| ALL.check(shape, Storage::Bytes).unwrap_err().to_string();
        assert!(message(&[784]).contains("samples of shape [784], which are no pictures"));
        assert!(
            message(&[1, 2, 9])
                .contains("augment.shift: 2, with pictures of 2x9; expected at most 1")
        );
        let cut = Augment {
            cutout: 9,
            ..Augment::default()
        };
        assert!(
            cut.check(&[3, 8, 10], Storage::Floats)
                .unwrap_err()
                .to_string()
                .contains("at most 8")
        );
        assert!(ALL.check(&[3, 3, 3], Storage::Bytes).is_ok());
        assert!(Augment::default().check(&[784], Storage::Floats).is_ok());
    }
}
