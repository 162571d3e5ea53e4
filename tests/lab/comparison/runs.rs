//! What a comparison trains.

use std::io::ErrorKind;

use wavetrain::data::Judge;
use wavetrain::disk::Disk;
use wavetrain::lab::compare::{self, Between, Outcomes, Record, Store, Variant};
use wavetrain::train::State;

use super::{Laid, Nobody, compared, constant, variant};
use crate::fixture::{Setup, gpu};

#[test]
fn runs_differ_in_nothing_but_what_is_compared_and_go_on_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let rates = ["0.05", "0.06", "1e30"];
    let records = compared(folder.path(), &rates);
    assert_eq!(records.len(), 6);
    let of = |rate: &str, seed: u64| {
        let name = format!("lr {rate}");
        let mut records = records.iter();
        let record = records.find(|r| r.variant == name && r.seed_number == seed);
        record.unwrap().clone()
    };
    // The same rate in another company: the same bits, seed by seed; another seed: another run.
    let alone = tempfile::tempdir().unwrap();
    let alone = compared(alone.path(), &["0.07", "0.05"]);
    for seed in 0..2 {
        let other = alone
            .iter()
            .find(|r| r.variant == "lr 0.05" && r.seed_number == seed);
        assert_eq!(Some(&of("0.05", seed)), other);
        let curve = &of("0.05", seed).curve;
        assert_eq!((curve.len(), curve.last().unwrap().step), (8, 24));
    }
    assert_ne!(of("0.05", 0).curve, of("0.05", 1).curve);
    // Each test sample has its bit, and they say what the whole says.
    let samples = of("0.05", 0).samples;
    assert_eq!(samples.values().len(), 50);
    assert!(samples.values().iter().all(|bit| [0.0, 1.0].contains(bit)));
    assert!((samples.mean() - of("0.05", 0).test).abs() < 1e-6);
    // What diverged is kept, with the accuracy of chance.
    let wild = of("1e30", 0);
    assert!(wild.diverged.is_some());
    assert_eq!((wild.test, wild.last(Judge::Accuracy)), (0.25, 0.0));

    // Nothing is done twice; what is missing is done again, to the same bits.
    let before = std::fs::read(folder.path().join("runs/01-01.json")).unwrap();
    std::fs::remove_file(folder.path().join("runs/02-01.json")).unwrap();
    assert_eq!(compared(folder.path(), &rates), records);
    let after = std::fs::read(folder.path().join("runs/01-01.json")).unwrap();
    assert_eq!(before, after);
}

#[test]
fn variants_that_train_the_same_are_trained_once() {
    let folder = tempfile::tempdir().unwrap();
    let cycle = "base_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 12";
    let variants = [
        variant("one", &format!("policy = \"triangular\"\n{cycle}")),
        variant("two", &format!("policy = \"triangular2\"\n{cycle}")),
        constant("0.05"),
    ];
    // In one cycle both are the same, in two they are not.
    let laid = Laid::of(folder.path(), &variants, &[24, 48]).unwrap();
    let same: Vec<_> = laid.plan.arms.iter().map(|arm| arm.same_as).collect();
    assert_eq!(same, [None, None, Some(0), None, None, None]);
    let records = laid.run().unwrap();
    assert_eq!(records.len(), 10);
    let outcomes = Outcomes::of(&laid.plan, &records);
    assert_eq!(outcomes.contrasts, 3);
    let twin = &outcomes.arms[2];
    assert_eq!(twin.same_as.as_deref(), Some("one"));
    assert!(twin.against.as_ref().unwrap().judgement.is_none());
    assert_eq!(twin.test, outcomes.arms[0].test);
    // Another seed is another thing, and so is another momentum.
    for set in ["seed = 2\n", ""] {
        let mut other = constant("0.05");
        match set {
            "" => other.config.optimizer = variant_with_momentum(),
            _ => other.config.seed += 1,
        }
        other.name = "other".into();
        let arms = compare::arms(&[constant("0.05"), other], &[24]).unwrap();
        assert_eq!(arms[1].same_as, None, "{set}");
    }
    // Another name is not.
    let mut renamed = constant("0.05");
    renamed.name = "renamed".into();
    let arms = compare::arms(&[constant("0.05"), renamed], &[24]).unwrap();
    assert_eq!(arms[1].same_as, Some(0));
}

fn variant_with_momentum() -> Box<dyn wavetrain::optim::Optimizer> {
    let config = wavetrain::Config::parse(
        "x",
        "[optimizer]\nmomentum = 0.5\n[schedule]\npolicy = \"constant\"\nlr = 1.0\n",
    );
    config.unwrap().optimizer
}

#[test]
fn a_schedule_that_is_longer_than_the_runs_is_refused() {
    let long = variant(
        "long",
        "policy = \"one_cycle\"\nmax_lr = 0.1\ntotal_steps = 100",
    );
    let both = [constant("0.05"), long];
    let error = compare::arms(&both, &[24, 120]).err().unwrap();
    assert!(error.is_users_mistake());
    assert!(
        error
            .to_string()
            .contains("shorter than a cycle of long, which has 100"),
        "{error}"
    );
}

/// Steps of a comparison are updates: a variant of four small batches is that of a large one.
#[test]
fn variants_may_take_several_batches_to_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let variant = |name: &str, data: &str, train: &str| {
        let setup = Setup {
            data: format!("{data}\nvalidation = 0.2"),
            schedule: "policy = \"constant\"\nlr = 0.05".into(),
            train: format!("steps = 40\n{train}"),
            ..Setup::default()
        };
        let config = setup.config();
        assert_eq!(config.steps_per_epoch(200).unwrap(), 10);
        Variant {
            name: name.into(),
            config,
            ..constant("0.05")
        }
    };
    let variants = [
        variant("16", "batch = 16", ""),
        variant("4 x 4", "batch = 4", "accumulate = 4"),
    ];
    let laid = Laid::of(folder.path(), &variants, &[24]).unwrap();
    let records = laid.run().unwrap();
    assert_eq!(records.len(), 4);
    for (one, four) in records[..2].iter().zip(&records[2..]) {
        assert_eq!(one.seed_number, four.seed_number);
        assert_eq!(one.curve.last().unwrap().step, 24);
        let steps = |record: &Record| record.curve.iter().map(|p| p.step).collect::<Vec<_>>();
        assert_eq!(steps(one), steps(four));
        // Rounding may turn a sample or two of fifty.
        let apart = (one.test - four.test).abs();
        assert!(apart <= 0.04, "{} {}", one.test, four.test);
        assert!(one.test > 0.5);
    }
}

/// The disk is full when a run is over: what was kept of it in the middle is gone on from.
#[test]
fn a_run_that_was_interrupted_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let rates = ["0.05", "0.1"];
    let whole = compared(tempfile::tempdir().unwrap().path(), &rates);
    let full = Disk::failing(|_, path| match path.ends_with("01-01.json") {
        true => Err(ErrorKind::StorageFull.into()),
        false => Ok(()),
    });
    let mut laid = Laid::new(folder.path(), &rates, &[24]);
    laid.store = Store::new(folder.path()).on(full);
    let error = laid.run().unwrap_err();
    assert!(error.to_string().contains("01-01.json"), "{error}");

    // A mark in what was kept shows that nothing before it is done again.
    let half = folder.path().join("runs/01-01.safetensors");
    let bytes = std::fs::read(&half).unwrap();
    let (state, mut record): (State, Record) = State::from_bytes_with(&bytes).unwrap();
    assert!(state.done > 0 && record.curve.len() as u64 * 3 == state.done);
    record.curve[0].accuracy = 0.123;
    std::fs::write(&half, state.to_bytes_with(&record).unwrap()).unwrap();
    let mut again = compared(folder.path(), &rates);
    assert_eq!(again[0].curve[0].accuracy, 0.123);
    again[0].curve[0] = whole[0].curve[0];
    assert_eq!(again, whole);
    assert!(!half.exists());
    // What is not whole, or of something else, is not gone on from.
    record.trained = "something else".into();
    for wrong in [
        bytes[..bytes.len() / 2].to_vec(),
        state.to_bytes_with(&record).unwrap(),
    ] {
        std::fs::remove_file(folder.path().join("runs/01-01.json")).unwrap();
        std::fs::write(&half, wrong).unwrap();
        assert_eq!(compared(folder.path(), &rates), whole);
    }
}

#[test]
fn rates_are_tuned_with_seeds_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let between = |policy: &str, bounds| Variant {
        name: policy.into(),
        policy: Some(Between {
            policy: policy.into(),
            bounds,
            factors: Vec::new(),
        }),
        ..constant("0.05")
    };
    // One starts where nothing is learned, one where all diverges.
    let mut variants = [
        between("constant", [1e-9, 1e-9]),
        between("triangular", [1e28, 1e30]),
        constant("0.1"),
    ];
    let laid = Laid::new(folder.path(), &["0.05", "0.1"], &[24]);
    let store = Store::new(&folder.path().join("tuning"));
    let (settings, along) = (&laid.plan.settings, &laid.plan.along);
    let tuned = compare::tune(
        &mut variants,
        (settings, along, 3),
        (&store, 1),
        &|| Ok(gpu()),
        &Nobody,
    );
    let tuned = tuned.unwrap().0;
    assert_eq!(tuned.len(), 2);
    let rates: Vec<f64> = tuned[0].tried.iter().map(|tried| tried.rate).collect();
    assert_eq!(rates, [0.5e-9, 1e-9, 2e-9]);
    assert_eq!(
        variants[0].policy.as_ref().unwrap().factors,
        [tuned[0].choice().factor]
    );
    assert!(tuned[1].tried.iter().all(|tried| tried.score.is_none()));
    assert!(tuned[1].is_at_an_end() && tuned[1].chosen == 0);
    let plan = store.plan().unwrap().unwrap();
    assert!(plan.settings.first_seed > 1 << 31);
    assert_eq!(laid.plan.settings.first_seed, 0);
}
