//! A schedule that depends on evaluations, in a run.

use wavetrain::train::{Ended, Split};

use super::fixture::{Keeper, Setup, bits, data, gpu, weight_bits};

/// 90 of 100 samples in batches of 16: 6 steps an epoch. Under a threshold that no loss passes the
/// rate halves with each evaluation after the first.
fn setup(train: &str) -> Setup {
    Setup {
        schedule: "policy = \"plateau\"\nlr = 0.1\nfactor = 0.5\npatience = 0\nthreshold = 0.99"
            .into(),
        train: train.into(),
        ..Setup::default()
    }
}

#[test]
fn the_rate_falls_after_evaluations_of_the_held_out_part() {
    let config = setup("steps = 30").config();
    assert_eq!(config.data.validation, 0.1);
    assert!(
        config
            .notes()
            .iter()
            .any(|note| note.contains("validation set"))
    );
    let mut trainer = setup("steps = 30\nchunk = 4").trainer(gpu(), data(100, 6));
    let mut keeper = Keeper::default();
    trainer.run(&mut [&mut keeper]).unwrap();
    let held_out = keeper.evaluations.iter();
    let held_out: Vec<u64> = held_out
        .filter(|e| e.split == Split::Validation)
        .map(|e| e.step)
        .collect();
    assert_eq!(held_out, [6, 12, 18, 24, 30]);
    for record in &keeper.records {
        let falls = (record.step / 6).saturating_sub(1);
        let wanted = 0.1 * 0.5_f64.powi(i32::try_from(falls).unwrap());
        assert_eq!(record.lr as f32, wanted as f32, "step {}", record.step);
    }
}

#[test]
fn its_state_is_part_of_the_trainers() {
    let mut trainer = setup("steps = 40").trainer(gpu(), data(100, 6));
    let after = |trainer: &mut wavetrain::train::Trainer| {
        let records = bits(&trainer.advance(6, 3).unwrap());
        trainer.observe(1.0);
        let more = bits(&trainer.advance(6, 3).unwrap());
        (
            records,
            more,
            weight_bits(trainer),
            trainer.state().unwrap(),
        )
    };
    trainer.advance(6, 3).unwrap();
    trainer.observe(2.0);
    trainer.advance(6, 3).unwrap();
    trainer.observe(2.0);
    let state = trainer.state().unwrap();
    assert_eq!(state.observed.len(), 2);
    assert_eq!(trainer.schedule().at(12).lr, 0.05);
    let expected = after(&mut trainer);
    assert_eq!(trainer.schedule().at(18).lr, 0.025);
    // Another state, and a schedule that was told nothing.
    let schedule = setup("steps = 40").policy();
    trainer.begin(17, schedule).unwrap();
    assert_eq!(trainer.schedule().at(12).lr, 0.1);
    trainer.restore(&state).unwrap();
    assert_eq!(after(&mut trainer), expected);
}

#[test]
fn a_run_stops_early_but_not_while_the_rate_rises() {
    // No rate, no better loss: every evaluation after the first is as good as it.
    let flat = Setup {
        schedule: "policy = \"constant\"\nlr = 0.0".into(),
        train: "steps = 60\neval_every = 5\nearly_stop = 3\nchunk = 4".into(),
        ..Setup::default()
    };
    let config = flat.config();
    assert_eq!(config.data.validation, 0.1);
    assert!(config.notes()[0].starts_with("train.early_stop reads"));
    let mut keeper = Keeper::default();
    let mut trainer = flat.trainer(gpu(), data(100, 6));
    let summary = trainer.run(&mut [&mut keeper]).unwrap();
    assert_eq!((summary.steps, summary.ended), (20, Ended::Stopped));
    assert_eq!(keeper.records.len(), 20);

    // Rates that do nothing in f32 weights, up for 20 steps and down for 20: the evaluations at 25,
    // 30 and 35 count, those before do not.
    let cycled = Setup {
        schedule: "policy = \"triangular\"\nbase_lr = 0.0\nmax_lr = 1e-30\nstep_size_up = 20"
            .into(),
        ..flat
    };
    let summary = cycled.trainer(gpu(), data(100, 6)).run(&mut []).unwrap();
    assert_eq!((summary.steps, summary.ended), (35, Ended::Stopped));
}
