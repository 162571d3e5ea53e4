//! Training on pictures that are changed at random: the same bits whatever the chunk (and
//! wherever the samples lie: `residence.rs`), other bits for another seed, and evaluation sees the pictures as they are.

use std::sync::Arc;

use wavetrain::data::{Dataset, Normalization, Samples};
use wavetrain::gpu::Gpu;
use wavetrain::rng::{Key, Stream};
use wavetrain::train::{Event, Flow, Trainer};

use super::fixture::{CLASSES, Setup, bits, gpu, gpus, weight_bits};

const AUGMENT: &str = "[augment]\nhorizontal_flip = 0.5\nshift = 2\nrotation = 20\n\
                       scale = [0.8, 1.2]\nshear = 5\ncutout = 3\n\
                       brightness = 0.3\ncontrast = 0.4\nsaturation = 0.5";

fn pictures(seed: u64, count: usize) -> Samples {
    let [side, channels] = [9, 3];
    let flat = super::fixture::samples(seed, count, channels * side * side);
    let bytes = flat.read_all().unwrap();
    Samples::from_bytes(&[channels, side, side], bytes, flat.labels().to_vec()).unwrap()
}

fn data() -> Dataset {
    Dataset::new("made up", pictures(2, 70), pictures(3, 20), CLASSES).unwrap()
}

fn setup(augment: &str, chunk: &str) -> Setup {
    Setup {
        data: format!("batch = 16\n{augment}"),
        layers: "[{ conv2d = { out_channels = 3, kernel_size = 3 } }, \"relu\", \"flatten\", { linear = 4 }]"
            .into(),
        train: format!("steps = 12\neval_every = 6\nchunk = {chunk}"),
        ..Setup::default()
    }
}

type Outcome = (Vec<[u64; 7]>, Vec<(String, Vec<u32>)>, Vec<u64>);

fn train(gpu: Arc<Gpu>, setup: &Setup) -> Outcome {
    let mut trainer = setup.trainer(gpu, data());
    let mut records = Vec::new();
    let mut evaluations = Vec::new();
    trainer
        .run(&mut [&mut |event: &Event<'_>| {
            match event {
                Event::Steps(steps) => records.extend_from_slice(steps),
                Event::Evaluated(e) => evaluations.push(e.loss.to_bits()),
                _ => {}
            }
            Ok(Flow::Continue)
        }])
        .unwrap();
    (bits(&records), weight_bits(&trainer), evaluations)
}

#[test]
fn the_chunk_changes_no_bit() {
    for gpu in gpus() {
        let one = train(Arc::clone(&gpu), &setup(AUGMENT, "1"));
        assert_eq!(one, train(Arc::clone(&gpu), &setup(AUGMENT, "5")));
        assert_eq!(one, train(gpu, &setup(AUGMENT, "\"auto\"")));
    }
}

#[test]
fn another_seed_and_no_augmentation_train_otherwise() {
    let augmented = train(gpu(), &setup(AUGMENT, "\"auto\""));
    assert_ne!(augmented.0, train(gpu(), &setup("", "\"auto\"")).0);
    // The run's seed draws, not the data's: with the same first weights only the pictures differ.
    let start = |seed| {
        let other = Setup {
            seed,
            ..setup(AUGMENT, "\"auto\"")
        };
        let mut trainer = other.trainer(gpu(), data());
        trainer.augmented().unwrap()
    };
    let (a, b) = (start(5), start(6));
    assert_eq!(a[0].pixels[0], b[0].pixels[0]);
    assert_ne!(a[0].pixels[1..], b[0].pixels[1..]);
}

/// The untrained network's evaluation is the same bits with and without augmentation.
#[test]
fn evaluation_sees_the_pictures_as_they_are() {
    let evaluate = |augment: &str| {
        let mut trainer: Trainer = setup(augment, "\"auto\"").trainer(gpu(), data());
        trainer.evaluate_all().unwrap()[0].loss.to_bits()
    };
    assert_eq!(evaluate(AUGMENT), evaluate(""));
}

#[test]
fn the_strip_shows_samples_and_their_variants() {
    let flipped = setup("[augment]\nhorizontal_flip = 1", "\"auto\"");
    let dataset = data();
    let bytes = dataset.train.read_all().unwrap();
    let strip = flipped.trainer(gpu(), dataset).augmented().unwrap();
    assert_eq!(strip.len(), 8);
    for sample in &strip {
        let original = &bytes[sample.index * 243..(sample.index + 1) * 243];
        assert_eq!(sample.pixels[0], original);
        assert_eq!(sample.pixels.len(), 6);
        let mirrored: Vec<u8> = (original.chunks(9))
            .flat_map(|row| row.iter().rev().copied())
            .collect();
        assert!(sample.pixels[1..].iter().all(|p| *p == mirrored));
    }
    let mut plain = setup("", "\"auto\"").trainer(gpu(), data());
    assert!(plain.augmented().unwrap().is_empty());
}

#[test]
fn the_strip_shows_the_colours_that_are_drawn() {
    let setup = setup(
        "[augment]\nbrightness = 0.3\ncontrast = 0.4\nsaturation = 0.5",
        "\"auto\"",
    );
    let augment = setup.config().augment;
    let plain = Normalization {
        mean: vec![0.0; 243],
        scale: vec![1.0; 243],
    };
    let strip = setup.trainer(gpu(), data()).augmented().unwrap();
    assert_eq!(strip.len(), 8);
    for (row, sample) in strip.iter().enumerate() {
        let values: Vec<f64> = sample.pixels[0].iter().map(|v| f64::from(*v)).collect();
        for (step, pixels) in sample.pixels[1..].iter().enumerate() {
            let key = Key::new(setup.seed, Stream::Augment, step as u64);
            let draw = augment.draw(key, row as u32, 9, 9);
            let wanted = augment.input(&draw, [3, 9, 9], &values, &plain);
            for (found, wanted) in pixels.iter().zip(&wanted) {
                let off = (f64::from(*found) - wanted).abs();
                assert!(off < 0.51, "{found} is not {wanted}, rounded");
            }
            assert_ne!(*pixels, sample.pixels[0]);
        }
    }
}

#[test]
fn colours_of_floats_cannot_be_augmented() {
    let floats = |seed, count| {
        let bytes = pictures(seed, count);
        let all: Vec<u32> = (0..count as u32).collect();
        let labels = bytes.labels().to_vec();
        Samples::from_floats(bytes.shape(), bytes.values(&all).unwrap(), labels).unwrap()
    };
    let dataset = Dataset::new("floats", floats(2, 70), floats(3, 20), CLASSES).unwrap();
    let setup = setup("[augment]\ncontrast = 0.4", "\"auto\"");
    let error = Trainer::new(gpu(), setup.config(), dataset).unwrap_err();
    assert!(error.is_users_mistake());
    let message = error.to_string();
    assert!(
        message.contains("augment.contrast: 0.4, with pictures of floats"),
        "{message}"
    );
}

#[test]
fn lists_of_features_cannot_be_augmented() {
    let setup = Setup {
        data: "batch = 16\n[augment]\nshift = 2".into(),
        ..Setup::default()
    };
    let error = Trainer::new(gpu(), setup.config(), super::fixture::data(40, 6)).unwrap_err();
    assert!(error.is_users_mistake());
    let message = error.to_string();
    assert!(
        message.contains("samples of shape [6], which are no pictures"),
        "{message}"
    );
}

#[test]
fn pictures_whose_mean_grey_takes_too_long_are_refused_by_their_pixels() {
    let with = |augment: &str, side: usize| {
        let of = |count: u32| {
            let bytes = vec![9; count as usize * side * side];
            Samples::from_bytes(&[1, side, side], bytes, (0..count).collect()).unwrap()
        };
        let dataset = Dataset::new("large", of(2), of(1), 2).unwrap();
        let setup = Setup {
            data: format!("batch = 1\n[augment]\n{augment} = 0.5"),
            layers: r#"["global_avg_pool", { linear = 2 }]"#.into(),
            ..Setup::default()
        };
        wavetrain::Trainer::new(gpu(), setup.config(), dataset).map(drop)
    };
    let error = with("contrast", 1960).unwrap_err();
    assert!(error.is_users_mistake(), "{error}");
    let error = error.to_string();
    for expected in [
        "augment.contrast",
        "3841600 pixels",
        "take smaller pictures",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    with("brightness", 1960).unwrap();
    with("contrast", 1950).unwrap();
}
