//! The state of a trainer as a value: what is put back, and what begins again, is the same bits.

use std::path::Path;

use wavetrain::Config;
use wavetrain::config::Schedule;
use wavetrain::data::{Dataset, Samples};
use wavetrain::schedule::{Constant, Policy, Triangular};
use wavetrain::train::{State, Trainer};

use super::fixture::{CLASSES, Setup, bits, data, gpus, samples, weight_bits};

/// A net with all that has a state: velocities, running statistics, dropout; and, at 50 samples in
/// batches of 16, a smaller last batch.
pub(crate) fn setup() -> Setup {
    Setup {
        layers: r#"[{ conv2d = { out_channels = 5, kernel_size = 3 } }, "batch_norm2d", "relu", "flatten", { dropout = 0.3 }, { linear = 4 }]"#
            .into(),
        ..Setup::default()
    }
}

pub(crate) fn pictures() -> Dataset {
    let shaped = |seed, count| {
        let flat = samples(seed, count, 36);
        let bytes = flat.read_all().unwrap();
        Samples::from_bytes(&[1, 6, 6], bytes, flat.labels().to_vec()).unwrap()
    };
    Dataset::new("pictures", shaped(2, 50), shaped(3, 30), CLASSES).unwrap()
}

fn schedule(config: &str) -> Box<dyn Policy> {
    let Schedule::Fixed(policy) = Config::parse("schedule", config).unwrap().schedule else {
        panic!("nothing is open in {config}");
    };
    policy
}

/// Everything that shows what a trainer would do next: records of ten steps, then weights, then the
/// whole state.
fn future(trainer: &mut Trainer) -> impl PartialEq + std::fmt::Debug + use<> {
    let records = bits(&trainer.advance(10, 4).unwrap());
    (records, weight_bits(trainer), trainer.state().unwrap())
}

#[test]
fn what_is_put_back_trains_on_to_the_same_bits() {
    for gpu in gpus() {
        let mut trainer = setup().trainer(gpu.clone(), pictures());
        trainer.advance(7, 3).unwrap();
        let state = trainer.state().unwrap();
        assert_eq!(state.done, 7);
        // As a text in between, too.
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
        let expected = future(&mut trainer);
        // Another seed, another order, a rate that destroys the weights.
        trainer.set_order_seed(91);
        trainer.begin(17, Box::new(Constant { lr: 1e30 })).unwrap();
        let wild = trainer.advance(9, 4).unwrap();
        assert!(wild.iter().any(|record| !record.loss.is_finite()));
        trainer.restore(&state).unwrap();
        trainer.set_schedule(setup().policy());
        assert_eq!(trainer.state().unwrap(), state);
        assert_eq!(future(&mut trainer), expected, "{:?}", gpu.class());
    }
}

#[test]
fn a_trainer_that_begins_again_is_a_new_one() {
    let other = "[schedule]\npolicy = \"triangular2\"\nbase_lr = 0.02\nmax_lr = 0.3\nstep_size_up = 3\ncycle_momentum = true";
    for gpu in gpus() {
        let mut trainer = setup().trainer(gpu.clone(), pictures());
        trainer.begin(6, Box::new(Constant { lr: 1e30 })).unwrap();
        trainer.advance(13, 5).unwrap();
        trainer.begin(23, schedule(other)).unwrap();
        let mut fresh = Setup {
            seed: 23,
            schedule: other.lines().skip(1).collect::<Vec<_>>().join("\n"),
            ..setup()
        }
        .trainer(gpu.clone(), pictures());
        assert_eq!(trainer.info().schedule, fresh.info().schedule);
        assert_eq!(trainer.info().period, fresh.info().period);
        assert_eq!(trainer.state().unwrap(), fresh.state().unwrap());
        assert_eq!(weight_bits(&trainer), weight_bits(&fresh));
        assert_eq!(
            future(&mut trainer),
            future(&mut fresh),
            "{:?}",
            gpu.class()
        );
        let at = |t: &mut Trainer| t.evaluate_all().unwrap();
        assert_eq!(at(&mut trainer), at(&mut fresh));
    }
}

#[test]
fn beginning_again_lays_nothing_out_and_the_seeds_matter() {
    let gpu = gpus().remove(0);
    let mut trainer = setup().trainer(gpu, pictures());
    let plan = trainer.plan().clone();
    let mut begin = |seed, order| {
        let policy = Triangular(wavetrain::schedule::Cycle::new(0.01, 0.1, 5));
        trainer.set_order_seed(order);
        trainer.begin(seed, Box::new(policy)).unwrap();
        trainer.set_total_steps(4);
        assert_eq!(trainer.plan(), &plan);
        assert_eq!((trainer.total_steps(), trainer.info().total_steps), (4, 4));
        trainer.run(&mut []).unwrap();
        assert_eq!((trainer.done(), trainer.seed()), (4, seed));
        weight_bits(&trainer)
    };
    let first = begin(1, 1);
    assert_ne!(begin(2, 1), first);
    assert_ne!(begin(1, 2), first);
    assert_eq!(begin(1, 1), first);
}

#[test]
fn the_state_of_another_model_is_refused_and_changes_nothing() {
    let gpu = gpus().remove(0);
    let state = setup().trainer(gpu.clone(), pictures()).state().unwrap();
    let mut other = Setup::default().trainer(gpu, data(50, 6));
    let before = other.state().unwrap();
    let error = other.restore(&state).unwrap_err();
    assert!(error.is_users_mistake());
    let message = error.to_string();
    assert!(
        message.contains("state, tensor `0.") && message.contains("the shape ["),
        "{message}"
    );
    assert_eq!(other.state().unwrap(), before);
}

/// All samples in each batch, a constant rate: nothing but the optimizer knows how many steps were
/// done.
fn timeless(optimizer: &str) -> Setup {
    Setup {
        data: "batch = 100\nshuffle = false".into(),
        layers: r#"[{ linear = 12 }, "tanh", { linear = 4 }]"#.into(),
        optimizer: optimizer.into(),
        schedule: "policy = \"constant\"\nlr = 0.01".into(),
        ..Setup::default()
    }
}

#[test]
fn an_optimizer_counts_its_updates_from_moments_of_zero() {
    for optimizer in ["kind = \"adamw\"", "kind = \"adam\"", "kind = \"sgd\""] {
        let gpu = gpus().remove(0);
        let trainer = || timeless(optimizer).trainer(gpu.clone(), data(100, 6));
        let mut worn = trainer();
        worn.advance(7, 3).unwrap();
        let (weights, state) = (worn.weights().unwrap(), worn.state().unwrap());
        assert_eq!((state.done, state.updates), (7, 7));
        // Moments of zero, wherever the run is: a new run from these weights.
        let mut fresh = trainer();
        fresh.set_weights(&weights, Path::new("worn")).unwrap();
        fresh.advance(5, 5).unwrap();
        worn.forget_moments().unwrap();
        assert_eq!(worn.state().unwrap().updates, 0);
        worn.advance(5, 2).unwrap();
        assert_eq!(weight_bits(&worn), weight_bits(&fresh), "{optimizer}");
        let after = worn.state().unwrap();
        assert_eq!((after.done, after.updates), (12, 5));
        // The moments of 7 updates, at another step: they are 7 updates old.
        worn.restore(&state).unwrap();
        worn.advance(5, 5).unwrap();
        let kept = weight_bits(&worn);
        assert_ne!(kept, weight_bits(&fresh), "{optimizer}");
        let moved = wavetrain::train::State { done: 0, ..state };
        worn.restore(&moved).unwrap();
        worn.advance(5, 2).unwrap();
        assert_eq!(weight_bits(&worn), kept, "{optimizer}");
        assert_eq!(worn.state().unwrap().updates, 12);
    }
}
