//! The proofs for pictures that are changed at random: the batch that the kernel makes equals the
//! definition in f64 with the same draws, in both layouts and both kinds of storage; and the
//! definition is PyTorch's.

use wavetrain::data::{Augment, Draw, Normalization, Padding, Samples, Storage};
use wavetrain::kernel::Mode;
use wavetrain::kernel::plan::{Key as Buffer, Use};
use wavetrain::kernel::program::Phases;
use wavetrain::layer::{Flatten, Layer, Linear, Relu};
use wavetrain::model::{GATHERED, Network, PlanRequest, gather_plan};
use wavetrain::rng::Key;
use wavetrain::train::StepUniform;

use super::compare::{wide, within};
use super::data::{SAMPLES, samples};
use super::golden;
use super::layout::{load, poisoned};
use super::rounded::U;
use super::stage::{Stage, fold, step, values};

/// Changes for pictures of at least `side` pixels either way, each alone and all together.
fn changes(side: usize) -> Vec<Augment> {
    let none = Augment::default();
    let all = Augment {
        horizontal_flip: 0.5,
        vertical_flip: 0.5,
        shift: (side - 1).min(4),
        padding: Padding::Reflect,
        rotation: 25.0,
        scale: [0.7, 1.4],
        shear: 15.0,
        cutout: side.div_ceil(2),
        ..none
    };
    let colours = Augment {
        brightness: 0.6,
        contrast: 1.5,
        saturation: 0.8,
        ..none
    };
    let alone = [
        Augment {
            horizontal_flip: all.horizontal_flip,
            ..none
        },
        Augment {
            vertical_flip: all.vertical_flip,
            ..none
        },
        Augment {
            shift: all.shift,
            ..none
        },
        Augment {
            shift: all.shift,
            padding: Padding::Zero,
            ..none
        },
        Augment {
            rotation: 180.0,
            ..none
        },
        Augment {
            scale: [0.01, 3.0],
            ..none
        },
        Augment {
            scale: [0.01, 3.0],
            padding: Padding::Zero,
            ..none
        },
        Augment {
            shear: 60.0,
            ..none
        },
        Augment {
            cutout: side,
            ..none
        },
        all,
        Augment {
            padding: Padding::Zero,
            rotation: 0.0,
            ..all
        },
        Augment {
            brightness: 1.5,
            ..none
        },
        Augment {
            contrast: 1.5,
            ..none
        },
        Augment {
            saturation: 1.5,
            ..none
        },
        colours,
        Augment {
            saturation: 0.0,
            ..colours
        },
        Augment {
            brightness: colours.brightness,
            contrast: colours.contrast,
            saturation: colours.saturation,
            ..all
        },
        Augment {
            contrast: 0.4,
            shift: all.shift,
            padding: Padding::Zero,
            ..none
        },
    ];
    alone
        .into_iter()
        .filter(|augment| !augment.is_off())
        .collect()
}

/// One batch: how it is changed, stored and laid out.
struct Batch<'a> {
    shape: [usize; 3],
    rows: usize,
    count: usize,
    /// The place of its first sample in the update.
    first: usize,
    augment: &'a Augment,
    storage: Storage,
    pixels: bool,
}

impl Batch<'_> {
    fn network(&self) -> Network {
        let mut layers: Vec<Box<dyn Layer>> = vec![Box::new(Flatten {}), Box::new(Linear::new(2))];
        if self.pixels {
            layers.insert(0, Box::new(Relu {}));
        }
        Network::new(&layers, &self.shape).unwrap()
    }

    fn draw(&self, row: usize) -> Draw {
        let [_, height, width] = self.shape;
        let key = Key(step(1).key_augment);
        let place = self.first + row;
        self.augment.draw(key, place as u32, height, width)
    }

    /// Where the rows of the second batch of the list come from.
    fn places(&self) -> Vec<[f32; 4]> {
        let [_, height, width] = self.shape;
        let mut places = vec![[0.0; 4]; 4 * self.rows];
        for row in 0..self.count {
            let place = self.draw(row).place(height, width);
            let at = 2 * (self.rows + row);
            places[at..at + 2].copy_from_slice(&place.map(|[x, y, c]| [x, y, c, 0.0]));
        }
        places
    }

    /// The definition's batch, and how far rounding may take each element.
    fn wanted(
        &self,
        samples: &Samples,
        indices: &[u32],
        normalization: &Normalization,
    ) -> (Vec<f64>, Vec<f64>) {
        let elements = samples.elements();
        let (mut x, mut bounds) = (Vec::new(), Vec::new());
        for (row, index) in indices.iter().enumerate().take(self.count) {
            let picture = &wide(&samples.values(&[*index]).unwrap());
            let draw = self.draw(row);
            x.extend(
                self.augment
                    .input(&draw, self.shape, picture, normalization),
            );
            let largest = match self.augment.is_coloured() {
                true => 255.0,
                false => picture.iter().fold(0.0_f64, |m, v| m.max(v.abs())),
            };
            let off = self.off(&draw, largest);
            bounds.extend((0..elements).map(|i| {
                let [mean, scale] = [&normalization.mean, &normalization.scale]
                    .map(|table| f64::from(table[i]).abs());
                // Subtraction and product are rounded once each.
                (off + self.recoloured(&draw) + 4.0 * U * (largest + mean)) * scale
            }));
        }
        x.resize(self.rows * elements, 0.0);
        bounds.resize(self.rows * elements, 0.0);
        (x, bounds)
    }

    /// How far a value in other colours may be off: a mean of four of them is off by no more.
    fn recoloured(&self, draw: &Draw) -> f64 {
        if !self.augment.is_coloured() {
            return 0.0;
        }
        const WHITE: f64 = 255.0;
        let [_, height, width] = self.shape;
        // A factor is a product and a sum of rounded numbers, none larger than the largest factor.
        let blended = |strength: f64, factor: f64, v: f64, other: f64| {
            let (factor, rest) = (factor.abs(), (1.0 - factor).abs());
            let drawn = 4.0 * U * (1.0 + strength) * 2.0 * WHITE;
            let rounded = 4.0 * U * (factor + rest) * WHITE;
            factor * v + rest * other + drawn + rounded
        };
        let augment = self.augment;
        let v = blended(augment.brightness, draw.brightness, 0.0, 0.0);
        // Three products, two sums; then as many sums as an invocation has pixels, and those of 64
        // invocations.
        let sums = (height * width).div_ceil(64) + 64 + 8;
        let mean = v + sums as f64 * U * WHITE;
        let v = match augment.contrast == 0.0 {
            true => v,
            false => blended(augment.contrast, draw.contrast, v, mean),
        };
        match augment.saturation == 0.0 {
            true => v,
            false => blended(augment.saturation, draw.saturation, v, v + 6.0 * U * WHITE),
        }
    }

    /// How far a value between four pixels may be off, if none is larger than `largest`.
    fn off(&self, draw: &Draw, largest: f64) -> f64 {
        if !self.augment.is_affine() {
            return 0.0;
        }
        let [_, height, width] = self.shape;
        let place = draw
            .place(height, width)
            .map(|row| row.map(|v| f64::from(v).abs()));
        // Three products and two sums give a place, whose distance to the pixel before it is
        // exact; a value changes by at most twice the largest for each pixel either way.
        let places = place.map(|[x, y, c]| x * width as f64 + y * height as f64 + c);
        let moved: f64 = places.iter().map(|place| 4.0 * U * place).sum();
        2.0 * largest * moved + 12.0 * U * largest
    }

    fn check(&self, stage: &mut Stage) -> Result<(), String> {
        let request = PlanRequest {
            mode: Mode::Train,
            batch: self.rows,
            accumulate: 1,
            slots: 2,
            positions: 1,
            numbers: 0,
            class_weights: 0,
            storage: self.storage,
            samples: SAMPLES,
            augment: *self.augment,
            clip_norm: None,
        };
        let (mut plan, x) = gather_plan(&self.network(), &stage.gpu, &request).unwrap();
        if self.count < self.rows {
            fold(&mut plan);
        }
        let program = stage.realize(&mut plan);
        let samples = samples(&self.shape, self.storage);
        let elements = samples.elements();
        let normalization = Normalization {
            mean: values(7, elements, -1.0, 100.0),
            scale: values(8, elements, 0.001, 2.0),
        };
        let listed = 0..2 * self.rows;
        let indices: Vec<u32> = listed.map(|i| (i * 5 % SAMPLES) as u32).collect();
        stage.write(&Buffer::Samples, &samples.read_all().unwrap());
        stage.write(&Buffer::Indices(Use::Training), &indices);
        stage.write(&Buffer::Places(Use::Training), &self.places());
        stage.write(&Buffer::Mean, &normalization.mean);
        stage.write(&Buffer::Scale, &normalization.scale);
        stage.write(&GATHERED, &poisoned(&x, self.rows));
        let uniform = StepUniform {
            start: self.rows as u32,
            first_sample: self.first as u32,
            ..step(self.count)
        };
        stage.run(&program, Phases::Forward, &[uniform]);
        let found = load("x", &x, self.rows, &stage.read_matrix(&GATHERED, x.matrix))?;
        let batch = &indices[self.rows..];
        let (wanted, bounds) = self.wanted(&samples, batch, &normalization);
        within("x", elements, &found, &wanted, |i| bounds[i])
    }
}

/// Checks batches of many shapes; the first failure.
pub(crate) fn prove(stage: &mut Stage) -> Result<(), String> {
    let shapes = [
        [1, 3, 11],
        [3, 5, 7],
        [6, 2, 3],
        [2, 1, 9],
        [5, 33, 17],
        [3, 19, 17],
        [1, 23, 9],
    ];
    for shape in shapes {
        let [_, height, width] = shape;
        for augment in &changes(height.min(width)) {
            for (storage, pixels) in [
                (Storage::Bytes, true),
                (Storage::Floats, true),
                (Storage::Bytes, false),
                (Storage::Floats, false),
            ] {
                // Floats and other pictures have no such colours.
                if augment.check(&shape, storage).is_err() {
                    continue;
                }
                for (rows, count, first) in [(1, 1, 0), (17, 17, 34), (33, 20, 0)] {
                    let batch = Batch {
                        first,
                        shape,
                        rows,
                        count,
                        augment,
                        storage,
                        pixels,
                    };
                    batch.check(stage).map_err(|problem| {
                        format!(
                            "{shape:?} {storage:?}, pixels {pixels}, {count} of {rows} rows, {}: {problem}",
                            augment.describe()
                        )
                    })?;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_augmented_batch_is_the_definitions() {
    for mut stage in Stage::all() {
        prove(&mut stage).unwrap();
    }
}

#[test]
fn the_definition_is_pytorchs() {
    let cases = golden::read("augment.json").get("cases").list();
    assert_eq!(cases.len(), 17);
    for (at, case) in cases.iter().enumerate() {
        let drawn = case.get("drawn");
        let number = |key: &str| drawn.get(key).number();
        let pair = |key: &str| [0, 1].map(|i| drawn.get(key).numbers()[i]);
        let draw = Draw {
            flip: drawn.get("flip").flag(),
            vertical_flip: drawn.get("vertical_flip").flag(),
            shift: pair("shift").map(|v| v as i32),
            cutout: pair("cutout").map(|v| v as usize),
            rotation: number("rotation"),
            scale: number("scale"),
            shear: number("shear"),
            brightness: number("brightness"),
            contrast: number("contrast"),
            saturation: number("saturation"),
        };
        let strength = |factor: f64| if factor == 1.0 { 0.0 } else { 2.0 };
        let augment = Augment {
            shift: case.get("shift").number() as usize,
            padding: match case.get("padding").text().as_str() {
                "zero" => Padding::Zero,
                _ => Padding::Reflect,
            },
            // Whatever turns: the draw says by how much.
            rotation: if case.get("affine").flag() {
                180.0
            } else {
                0.0
            },
            cutout: case.get("cutout").number() as usize,
            brightness: strength(draw.brightness),
            contrast: strength(draw.contrast),
            saturation: strength(draw.saturation),
            ..Augment::default()
        };
        let shape: [usize; 3] = case.get("picture").shape().try_into().unwrap();
        let normalization = Normalization {
            mean: case.get("mean").floats(),
            scale: case.get("scale").floats(),
        };
        let picture = case.get("picture").data();
        let found = augment.input(&draw, shape, &picture, &normalization);
        let wanted = case.get("expected").data();
        for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            // The places are f32: off by some 2^-20 of a pixel, with steps of up to 400 between
            // pixels and factors of up to 4.
            let allowed = if augment.is_affine() { 1e-2 } else { 1e-12 };
            assert!(
                (found - wanted).abs() <= allowed,
                "case {at}, element {i}: {found} is not {wanted}"
            );
        }
    }
}
