//! Data that does not fit into one binding is streamed: the same bits.

use std::sync::Arc;

use wavetrain::data::{Dataset, Inputs, Samples, Storage, Targets, Task};
use wavetrain::error::{Error, Result};
use wavetrain::gpu::{Gpu, LimitsChoice, Selection};
use wavetrain::kernel::plan::Key;
use wavetrain::train::Split;

use super::fixture::{CLASSES, Setup, bits, gpu, samples, weight_bits};

/// A data set of 10,000 pictures of 60 values, larger than the batches of one submission.
fn large(floats: bool) -> Dataset {
    let shape = [3, 4, 5];
    let of = |seed, count| {
        let bytes = samples(seed, count, 60);
        let (values, labels) = (bytes.read_all().unwrap(), bytes.labels().to_vec());
        if floats {
            let values = values.into_iter().map(|v| f32::from(v) / 255.0);
            Samples::from_floats(&shape, values.collect(), labels).unwrap()
        } else {
            Samples::from_bytes(&shape, values, labels).unwrap()
        }
    };
    Dataset::new("large", of(2, 10_000), of(3, 300), CLASSES).unwrap()
}

#[test]
fn streamed_data_gives_the_same_bits_as_resident_data() {
    let augment = "[augment]\nhorizontal_flip = 0.5\nshift = 2\nrotation = 20\ncutout = 2";
    for (floats, augment) in [(false, ""), (true, ""), (false, augment), (true, augment)] {
        let value_bytes = if floats { 4 } else { 1 };
        // Room for the 4096 samples of one evaluation's submission, not for all.
        let limit = 5_000 * 60 * value_bytes;
        let small = Selection {
            class: Some(gpu().class().name()),
            limits: LimitsChoice::Binding(limit),
            ..Selection::default()
        };
        let small = Arc::new(Gpu::open(&small).unwrap());
        assert_eq!(small.max_binding_bytes(), limit);
        let setup = Setup {
            data: format!("batch = 48\nvalidation = 0.3\nnormalize = \"standard\"\n{augment}"),
            layers: r#"["flatten", { linear = 24 }, "relu", { dropout = 0.3 }, { linear = 4 }]"#
                .into(),
            train: "steps = 150\nchunk = 32".into(),
            ..Setup::default()
        };
        let mut outcomes = Vec::new();
        for gpu in [gpu(), small] {
            let mut trainer = setup.trainer(gpu, large(floats));
            let buffers = &trainer.plan().buffers;
            let resident = buffers
                .iter()
                .find(|buffer| buffer.key == Key::Samples)
                .unwrap()
                .bytes;
            // One chunk of one step, then chunks of 32: each is streamed on its own.
            let mut records = trainer.advance(1, 1).unwrap();
            let before = trainer.evaluate(Split::Validation).unwrap();
            records.extend(trainer.advance(149, 32).unwrap());
            // Also streams samples of its own.
            let strip = trainer.augmented().unwrap();
            assert_eq!(strip.is_empty(), augment.is_empty());
            let after = [Split::Validation, Split::Test].map(|s| trainer.evaluate(s).unwrap());
            outcomes.push((
                resident,
                bits(&records),
                weight_bits(&trainer),
                before,
                after,
                strip,
            ));
        }
        let [resident, streamed] = [&outcomes[0], &outcomes[1]];
        assert!(
            resident.0 > limit && streamed.0 <= limit,
            "{} {}",
            resident.0,
            streamed.0
        );
        assert!(resident.1 == streamed.1, "losses differ");
        assert!(resident.2 == streamed.2, "weights differ");
        assert_eq!(resident.3, streamed.3);
        assert_eq!(resident.4, streamed.4);
        assert!(resident.5 == streamed.5, "strips differ");
    }
}

/// Samples that are made as they are read; those from `missing` on cannot be.
#[derive(Debug)]
struct Made {
    like: Samples,
    missing: u32,
}

impl Inputs for Made {
    fn len(&self) -> usize {
        self.like.len()
    }

    fn shape(&self) -> &[usize] {
        self.like.shape()
    }

    fn storage(&self) -> Storage {
        self.like.storage()
    }

    fn read(&self, indices: &[u32], into: &mut [u8]) -> Result<()> {
        if let Some(missing) = indices.iter().find(|index| **index >= self.missing) {
            return Err(Error::Data {
                file: "a generator".into(),
                problem: format!("has no sample {missing}"),
                help: "ask for less".into(),
            });
        }
        into.copy_from_slice(&self.like.read(indices)?);
        Ok(())
    }
}

fn made(floats: bool, missing: u32) -> Result<Dataset> {
    let Dataset { train, test, .. } = large(floats);
    let of = |like: Samples, missing| {
        let targets = Targets::Classes(like.labels().to_vec());
        Samples::new(Made { like, missing }, targets)
    };
    Dataset::new("large", of(train, missing)?, of(test, u32::MAX)?, CLASSES)
}

/// A device on which the samples do not fit into one binding.
fn small(floats: bool) -> Arc<Gpu> {
    let value_bytes = if floats { 4 } else { 1 };
    let small = Selection {
        class: Some(gpu().class().name()),
        limits: LimitsChoice::Binding(5_000 * 60 * value_bytes),
        ..Selection::default()
    };
    Arc::new(Gpu::open(&small).unwrap())
}

#[test]
fn samples_that_are_made_as_they_are_read_train_to_the_same_bits() {
    for floats in [false, true] {
        let setup = Setup {
            data: "batch = 48\nvalidation = 0.3\nnormalize = \"standard\"".into(),
            train: "steps = 60\nchunk = 8".into(),
            layers: r#"["flatten", { linear = 24 }, "relu", { linear = 4 }]"#.into(),
            ..Setup::default()
        };
        let bits_of = |gpu: Arc<Gpu>, dataset: Dataset| {
            let fingerprint = dataset.fingerprint().unwrap();
            let mut trainer = setup.trainer(gpu, dataset);
            let records = trainer.advance(60, 8).unwrap();
            let evaluation = trainer.evaluate(Split::Validation).unwrap();
            assert!(trainer.info().config.contains(&fingerprint));
            (bits(&records), weight_bits(&trainer), evaluation)
        };
        let expected = bits_of(gpu(), large(floats));
        assert!(bits_of(gpu(), made(floats, u32::MAX).unwrap()) == expected);
        assert!(bits_of(small(floats), made(floats, u32::MAX).unwrap()) == expected);
    }
}

#[test]
fn batches_of_a_step_that_do_not_fit_together_are_sent_one_after_the_other() {
    // A step has 480 samples, of which 300 fit at a time; an evaluation's batch has 256.
    let few = Selection {
        class: Some(gpu().class().name()),
        limits: LimitsChoice::Binding(300 * 60 + 64),
        ..Selection::default()
    };
    let few = Arc::new(Gpu::open(&few).unwrap());
    let with = |gpu: Arc<Gpu>, workers: usize| {
        let setup = Setup {
            data: format!(
                "batch = 48\nvalidation = 0.3\nworkers = {workers}\n[augment]\nhorizontal_flip = 0.5\nshift = 1"
            ),
            layers: r#"["flatten", { linear = 8 }, "relu", { linear = 4 }]"#.into(),
            train: "steps = 40\naccumulate = 10\nchunk = 1".into(),
            ..Setup::default()
        };
        let mut trainer = setup.trainer(gpu, large(false));
        let lies = trainer.info().residence.clone();
        let summary = trainer.run(&mut []).unwrap();
        let records = trainer.advance(3, 2).unwrap();
        let outcome = (weight_bits(&trainer), summary.evaluations, bits(&records));
        (outcome, lies, summary.waited)
    };
    let (expected, lies, waited) = with(gpu(), 1);
    assert_eq!((&*lies, waited), ("on the device", None));
    for workers in [1, 2, 7] {
        let (found, lies, waited) = with(few.clone(), workers);
        let threads = match workers {
            1 => "1 thread".into(),
            workers => format!("{workers} threads"),
        };
        assert_eq!(lies, format!("in memory, read ahead by {threads}"));
        assert!(waited.is_some_and(|share| (0.0..=1.0).contains(&share)));
        assert!(found == expected, "{workers}");
    }
}

/// Inputs that panic.
#[derive(Debug)]
struct Panicking(Samples);

impl Inputs for Panicking {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn storage(&self) -> Storage {
        self.0.storage()
    }

    fn checksum(&self) -> Option<u32> {
        Some(0)
    }

    fn read(&self, _: &[u32], _: &mut [u8]) -> Result<()> {
        panic!("on purpose")
    }
}

#[test]
fn inputs_that_panic_are_an_error() {
    let of = |like: Samples| {
        let targets = Targets::Classes(like.labels().to_vec());
        Samples::new(Panicking(like), targets).unwrap()
    };
    let Dataset { train, test, .. } = large(false);
    let dataset = Dataset::new("large", of(train), of(test), CLASSES).unwrap();
    let setup = Setup {
        data: "batch = 48".into(),
        layers: r#"["flatten", { linear = 4 }]"#.into(),
        ..Setup::default()
    };
    let mut trainer = setup.trainer(small(false), dataset);
    let error = trainer.advance(1, 1).unwrap_err().to_string();
    assert!(error.contains("panicked while they were read"), "{error}");
}

#[test]
fn samples_that_cannot_be_read_are_an_error_with_their_words() {
    let setup = Setup {
        data: "batch = 48\nshuffle = false".into(),
        layers: r#"["flatten", { linear = 4 }]"#.into(),
        ..Setup::default()
    };
    // Nothing is read before there is a fingerprint of all.
    let refused = wavetrain::Trainer::new(gpu(), setup.config(), made(false, 9_999).unwrap());
    let error = refused.unwrap_err();
    assert!(error.to_string().contains("has no sample 9999"), "{error}");
    let beyond = large(false).train.read(&[10_000]).unwrap_err();
    assert!(
        beyond.to_string().contains("positions below 10000"),
        "{beyond}"
    );
}

#[test]
fn a_loss_over_classes_refuses_numbers() {
    let numbers = |count: usize| {
        let targets = Targets::Numbers {
            width: 2,
            values: vec![0.5; 2 * count],
        };
        let like = samples(2, count, 10);
        Samples::new(
            Made {
                like,
                missing: u32::MAX,
            },
            targets,
        )
        .unwrap()
    };
    let task = Task::Numbers(vec!["x".into(), "y".into()]);
    let dataset = Dataset::of("numbers", numbers(100), numbers(20), task).unwrap();
    let classes = Dataset::new("numbers", numbers(100), numbers(20), 2).unwrap_err();
    assert!(
        classes.to_string().contains("train.labels: numbers"),
        "{classes}"
    );
    let with = |loss: &str| {
        let setup = Setup {
            loss: format!("kind = \"{loss}\""),
            layers: "[{ linear = 2 }]".into(),
            ..Setup::default()
        };
        wavetrain::Trainer::new(gpu(), setup.config(), dataset.clone()).map(drop)
    };
    let error = with("cross_entropy").unwrap_err();
    assert!(error.is_users_mistake(), "{error}");
    let expected = "loss.kind: cross_entropy, for an output of the shape [2]";
    assert!(error.to_string().contains(expected), "{error}");
    assert!(error.to_string().contains("loss.kind = \"mse\""), "{error}");
    with("mse").unwrap();
}
