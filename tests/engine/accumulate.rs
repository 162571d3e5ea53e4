//! Several batches, one update (`train.accumulate`).

use std::sync::Arc;

use wavetrain::data::{Dataset, Samples};
use wavetrain::gpu::{Gpu, LimitsChoice, Selection};
use wavetrain::model::Weights;
use wavetrain::train::Trainer;

use super::fixture::{CLASSES, Keeper, Setup, bits, data, gpu, gpus, samples, weight_bits};

/// A rate so small that no weight moves.
const STILL: &str = "policy = \"constant\"\nlr = 1e-38";

fn setup(data: &str, train: &str) -> Setup {
    Setup {
        data: data.into(),
        train: train.into(),
        ..Setup::default()
    }
}

/// Gradients of the first steps, one after the other.
fn gradients(mut trainer: Trainer, steps: usize) -> Vec<Weights> {
    let step = |_| {
        trainer.advance(1, 1).unwrap();
        trainer.gradients().unwrap()
    };
    (0..steps).map(step).collect()
}

/// The sum over the batches `first ..` as the tree of `src/optim/accumulate.rs` adds them, in f32.
fn tree(values: &[f32]) -> f32 {
    if values.len() == 1 {
        return values[0];
    }
    let (left, right) = values.split_at(values.len().next_power_of_two() / 2);
    tree(left) + tree(right)
}

#[test]
fn the_gradients_of_the_batches_are_added_in_the_tree_to_the_bit() {
    let still = |data: &str, train: &str| Setup {
        layers: r#"[{ linear = 24 }, "relu", { linear = 4 }]"#.into(),
        schedule: STILL.into(),
        ..setup(data, train)
    };
    let order = "batch = 8\nshuffle = false";
    for gpu in gpus() {
        // 8 and 4 batches of 8: what the mean of one is divided by more is a power of two, so exact.
        for accumulate in [8, 4] {
            let one = still(order, "steps = 8").trainer(Arc::clone(&gpu), data(64, 10));
            let single = gradients(one, accumulate);
            let train = format!("steps = 8\naccumulate = {accumulate}");
            let all = still(order, &train).trainer(Arc::clone(&gpu), data(64, 10));
            let all = gradients(all, 1).remove(0);
            for (name, sum) in &all.tensors {
                for (i, found) in sum.values.iter().enumerate() {
                    let each: Vec<f32> = single
                        .iter()
                        .map(|g| g.tensors[name].values[i] / accumulate as f32)
                        .collect();
                    let expected = tree(&each);
                    assert!(
                        *found == expected,
                        "{:?}, {name}[{i}]: {found}, not {expected}",
                        gpu.class()
                    );
                }
            }
        }
    }
}

/// Everything that came out of a run, as bits.
fn outcome(gpu: Arc<Gpu>, setup: &Setup, dataset: Dataset) -> impl PartialEq + use<> {
    let mut trainer = setup.trainer(gpu, dataset);
    let mut keeper = Keeper::default();
    trainer.run(&mut [&mut keeper]).unwrap();
    assert_eq!(keeper.records.len(), 25);
    (bits(&keeper.records), weight_bits(&trainer))
}

#[test]
fn neither_the_chunk_nor_where_the_samples_lie_changes_a_bit() {
    let pictures = |seed, count| {
        let flat = samples(seed, count, 48);
        let bytes = flat.read_all().unwrap();
        Samples::from_bytes(&[3, 4, 4], bytes, flat.labels().to_vec()).unwrap()
    };
    let dataset = || Dataset::new("x", pictures(2, 6_000), pictures(3, 20), CLASSES).unwrap();
    // Room for the 4096 samples of an evaluation's submission, not for all.
    let small = Selection {
        class: Some(gpu().class().name()),
        limits: LimitsChoice::Binding(240_000),
        ..Selection::default()
    };
    let small = Arc::new(Gpu::open(&small).unwrap());
    let of = |gpu: Arc<Gpu>, chunk: &str| {
        let augment = "[augment]\nhorizontal_flip = 0.5\nshift = 1\nrotation = 20";
        // The last step of an epoch has one batch of its eleven.
        let setup = Setup {
            data: format!("batch = 16\n{augment}"),
            layers: r#"["flatten", { linear = 24 }, "relu", { dropout = 0.3 }, { linear = 4 }]"#
                .into(),
            train: format!("steps = 25\naccumulate = 11\neval_every = 9\nchunk = {chunk}"),
            ..Setup::default()
        };
        outcome(gpu, &setup, dataset())
    };
    let single = of(gpu(), "1");
    assert!(of(gpu(), "7") == single, "chunks of 7 and of 1 differ");
    assert!(of(gpu(), "\"auto\"") == single, "automatic chunks differ");
    assert!(of(small, "1") == single, "streamed samples differ");
}

#[test]
fn an_epoch_is_as_many_updates_as_its_samples_fill() {
    // 100 samples in updates of 4 batches of 8: three, and one of a single batch of 4.
    let mut trainer =
        setup("batch = 8", "epochs = 2\naccumulate = 4").trainer(gpu(), data(100, 10));
    assert_eq!((trainer.steps_per_epoch(), trainer.total_steps()), (4, 8));
    assert_eq!(trainer.info().samples_per_step(), 32);
    let records = trainer.advance(8, 8).unwrap();
    let epochs: Vec<u64> = records.iter().map(|record| record.epoch).collect();
    assert_eq!(epochs, [0, 0, 0, 0, 1, 1, 1, 1]);
    // A share of right answers says how many samples there were.
    let whole = |share: f64, of: f64| (share * of - (share * of).round()).abs() < 1e-9;
    assert!(whole(records[3].accuracy, 4.0) && whole(records[2].accuracy, 32.0));
    let dropping = setup("batch = 8\ndrop_last = true", "epochs = 2\naccumulate = 4");
    assert_eq!(dropping.trainer(gpu(), data(100, 10)).steps_per_epoch(), 3);
}

#[test]
fn batch_norm_sees_the_batches_in_their_order() {
    let still = |accumulate: usize, steps: usize| {
        let setup = Setup {
            layers: r#"[{ conv2d = { out_channels = 3, kernel_size = 3 } }, "batch_norm2d", "flatten", { linear = 4 }]"#.into(),
            schedule: STILL.into(),
            ..setup(
                "batch = 8\nshuffle = false",
                &format!("steps = {steps}\naccumulate = {accumulate}"),
            )
        };
        let flat = samples(2, 60, 36);
        let bytes = flat.read_all().unwrap();
        let samples = Samples::from_bytes(&[1, 6, 6], bytes, flat.labels().to_vec()).unwrap();
        let dataset = Dataset::new("x", samples.clone(), samples, CLASSES).unwrap();
        let mut trainer = setup.trainer(gpu(), dataset);
        trainer.advance(steps as u64, 1).unwrap();
        trainer.weights().unwrap()
    };
    // 60 samples are eight batches of 8, the last of them of 4: three updates of at most three.
    let (single, three) = (still(1, 8), still(3, 3));
    for name in ["1.running_mean", "1.running_var"] {
        assert_eq!(single.tensors[name], three.tensors[name], "{name}");
    }
    assert_eq!(single.counters, three.counters);
    assert_eq!(three.counters["1.num_batches_tracked"], 8);
}

#[test]
fn a_state_put_back_trains_on_to_the_same_bits() {
    let setup = setup("batch = 8", "steps = 20\naccumulate = 5");
    let mut trainer = setup.trainer(gpu(), data(100, 10));
    trainer.advance(7, 3).unwrap();
    let state = trainer.state().unwrap();
    let rest = trainer.advance(9, 4).unwrap();
    let last = weight_bits(&trainer);
    trainer.restore(&state).unwrap();
    assert_eq!(bits(&trainer.advance(9, 1).unwrap()), bits(&rest));
    assert_eq!(weight_bits(&trainer), last);
}
