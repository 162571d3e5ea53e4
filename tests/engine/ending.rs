//! How runs end: done, stopped by an observer, interrupted, diverged; and what observers hear.

use wavetrain::error::Error;
use wavetrain::train::{Ended, Flow};

use super::fixture::{Keeper, Setup, data, gpu};

/// 100 samples in batches of 16: 7 steps an epoch; cycles of 10 steps.
fn setup(train: &str) -> Setup {
    Setup {
        train: train.into(),
        ..Setup::default()
    }
}

#[test]
fn observers_hear_everything_in_order() {
    let mut trainer = setup("epochs = 3\nchunk = 5").trainer(gpu(), data(100, 6));
    let mut keeper = Keeper::default();
    let summary = trainer.run(&mut [&mut keeper]).unwrap();
    let names: Vec<&str> = keeper.names.iter().map(String::as_str).collect();
    let wanted = [
        "started",
        "steps",
        "steps",
        "epoch 0 ended at 7",
        "evaluated at 7",
        "steps",
        "cycle 0 ended at 10",
        "steps",
        "epoch 1 ended at 14",
        "evaluated at 14",
        "steps",
        "steps",
        "cycle 1 ended at 20",
        "epoch 2 ended at 21",
        "evaluated at 21",
        "trained",
        "finished",
    ];
    assert_eq!(names, wanted);
    assert_eq!(keeper.chunks, [5, 2, 5, 2, 5, 2]);
    assert_eq!((summary.steps, summary.ended), (21, Ended::Done));
    assert_eq!(keeper.summary, Some(summary));
    let epochs: Vec<u64> = keeper.records.iter().map(|record| record.epoch).collect();
    assert_eq!(epochs, [[0; 7], [1; 7], [2; 7]].concat());
}

#[test]
fn an_observer_stops_a_run_after_a_step() {
    for (chunk, last) in [(1, 0), (1, 9), (5, 9), (32, 12)] {
        let mut trainer = setup(&format!("steps = 40\neval_every = 1000\nchunk = {chunk}"))
            .trainer(gpu(), data(100, 6));
        let mut keeper = Keeper {
            answer: Some(("started", Flow::StopAfter(last))),
            ..Keeper::default()
        };
        let summary = trainer.run(&mut [&mut keeper]).unwrap();
        assert_eq!(keeper.records.len() as u64, last + 1, "chunk {chunk}");
        assert_eq!((summary.steps, summary.ended), (last + 1, Ended::Stopped));
        assert_eq!(summary.evaluations[0].step, last + 1);
        assert_eq!(keeper.names.last().unwrap(), "finished");
    }
    // Steps that are under way when the answer comes are finished and reported.
    let mut trainer = setup("steps = 40\nchunk = 3").trainer(gpu(), data(100, 6));
    let mut keeper = Keeper {
        answer: Some(("steps", Flow::StopAfter(0))),
        ..Keeper::default()
    };
    let summary = trainer.run(&mut [&mut keeper]).unwrap();
    assert_eq!(summary.steps as usize, keeper.records.len());
    assert!((3..=9).contains(&summary.steps), "{}", summary.steps);
}

#[test]
fn an_interrupted_run_keeps_what_is_done_and_evaluates_nothing() {
    let mut trainer =
        setup("steps = 40\neval_every = 1000\nchunk = 4").trainer(gpu(), data(100, 6));
    let mut keeper = Keeper {
        answer: Some(("steps", Flow::Interrupt)),
        ..Keeper::default()
    };
    let summary = trainer.run(&mut [&mut keeper]).unwrap();
    assert_eq!(summary.ended, Ended::Interrupted);
    assert!(keeper.evaluations.is_empty() && summary.evaluations.is_empty());
    assert_eq!(summary.steps as usize, keeper.records.len());
    assert!(summary.steps < 40);
    let end: Vec<&str> = keeper
        .names
        .iter()
        .rev()
        .take(2)
        .map(String::as_str)
        .collect();
    assert_eq!(end, ["finished", "trained"]);
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_with_its_step_and_rate() {
    let mut steps = Vec::new();
    for (chunk, loss) in [
        (1, "cross_entropy"),
        (32, "cross_entropy"),
        (1, "mse"),
        (32, "mse"),
    ] {
        let setup = Setup {
            layers: r#"[{ linear = 24 }, "relu", { linear = 4 }]"#.into(),
            loss: format!("kind = \"{loss}\""),
            schedule: "policy = \"triangular\"\nbase_lr = 0.0\nmax_lr = 1e30\nstep_size_up = 40"
                .into(),
            ..setup(&format!("steps = 80\nchunk = {chunk}"))
        };
        let mut trainer = setup.trainer(gpu(), data(100, 6));
        let mut keeper = Keeper::default();
        let error = trainer.run(&mut [&mut keeper]).unwrap_err();
        assert!(!error.is_users_mistake());
        let text = error.to_string();
        let Error::Diverged {
            step,
            lr,
            last,
            help,
            ..
        } = error
        else {
            panic!("{text}");
        };
        assert!(step >= 2, "the rate of step 0 is 0: {text}");
        assert_eq!(lr, f64::from(setup.policy().at(step).lr as f32));
        assert!(
            last.contains("last finite loss") && help.contains("lower"),
            "{text}"
        );
        // The bad step is the last that is shown; all before it are finite.
        assert_eq!(keeper.records.len() as u64, step + 1);
        let (bad, good) = keeper.records.split_last().unwrap();
        assert!(!bad.loss.is_finite() && good.iter().all(|r| r.loss.is_finite()));
        let diverged = format!("diverged at {step}");
        assert!(keeper.names.contains(&diverged) && !keeper.names.contains(&"trained".to_owned()));
        assert_eq!(keeper.names.last().unwrap(), "finished");
        let summary = keeper.summary.unwrap();
        assert_eq!((summary.ended, summary.steps), (Ended::Diverged, step + 1));
        steps.push(step);
    }
    assert_eq!(
        (steps[0], steps[2]),
        (steps[1], steps[3]),
        "the chunk changes the step"
    );
}

/// Updates after which no step comes that would show what they left, in several optimizers and ends.
#[test]
fn a_run_whose_last_update_is_not_finite_has_diverged() {
    let net = r#"[{ linear = 24 }, "relu", { linear = 4 }]"#;
    let steep = r#"[{ scale = 1e6 }, { linear = 24 }, "relu", { linear = 4 }]"#;
    for (layers, loss, optimizer, rate, train, words) in [
        (steep, "mse", "sgd", "3e38", "steps = 1", "tensor `"),
        (
            steep,
            "mse",
            "sgd",
            "3e38",
            "steps = 1\nchunk = 8",
            "tensor `",
        ),
        (
            steep,
            "cross_entropy",
            "sgd",
            "3e38",
            "epochs = 3",
            "tensor `",
        ),
        (
            net,
            "mse",
            "sgd",
            "1e30",
            "steps = 1",
            "the loss over the test set became ",
        ),
        (
            net,
            "mse",
            "adam",
            "1e30",
            "steps = 1",
            "the loss over the test set became ",
        ),
    ] {
        let setup = Setup {
            layers: layers.into(),
            loss: format!("kind = \"{loss}\""),
            optimizer: format!("kind = \"{optimizer}\""),
            // The last step alone has the rate.
            schedule: format!("policy = \"multi_step\"\nlr = {rate}\nmilestones = [1000]"),
            ..setup(train)
        };
        let setup = match train {
            "epochs = 3" => Setup {
                schedule: format!(
                    "policy = \"piecewise\"\npoints = [[0, 1e-9], [19, 1e-9], [20, {rate}]]"
                ),
                ..setup
            },
            _ => setup,
        };
        let mut trainer = setup.trainer(gpu(), data(100, 6));
        let mut keeper = Keeper::default();
        let error = trainer.run(&mut [&mut keeper]).unwrap_err();
        assert!(matches!(error, Error::Diverged { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(words) && text.contains(" after the update at step "),
            "{text}"
        );
        let last = keeper.records.last().unwrap();
        assert!(
            keeper.records.iter().all(|r| r.loss.is_finite()),
            "the steps do not show it"
        );
        let diverged = format!("diverged at {}", last.step);
        assert!(keeper.names.contains(&diverged), "{:?}", keeper.names);
        assert!(!keeper.names.contains(&"trained".to_owned()));
        let summary = keeper.summary.unwrap();
        assert_eq!(
            (summary.ended, summary.steps),
            (Ended::Diverged, last.step + 1)
        );
    }
}

/// An observer that fails ends the run with its own error.
#[test]
fn an_observers_error_ends_the_run() {
    let mut trainer = setup("steps = 40").trainer(gpu(), data(100, 6));
    let mut broken = |event: &wavetrain::train::Event<'_>| match event {
        wavetrain::train::Event::Steps(_) => Err(Error::Kernel {
            kernel: "observer".into(),
            problem: "has had enough".into(),
        }),
        _ => Ok(Flow::Continue),
    };
    let error = trainer.run(&mut [&mut broken]).unwrap_err();
    assert!(error.to_string().contains("has had enough"));
}
