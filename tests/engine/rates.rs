//! The rate's way: from the schedule through the step ring to the weights, step by step.

use std::path::Path;

use super::fixture::{Keeper, Setup, data, gpu, gpus, weight_bits};
use super::rounded::U;

#[test]
fn the_gpu_records_the_schedules_rates() {
    let schedules = [
        "policy = \"triangular\"\nbase_lr = 0.003\nmax_lr = 0.11\nstep_size_up = 7\nstep_size_down = 4",
        "policy = \"triangular2\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 5\ncycle_momentum = true",
        "policy = \"exp_range\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 9\ngamma = 0.99",
        "policy = \"sinusoidal\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 9",
        "policy = \"constant\"\nlr = 0.0123",
    ];
    for (schedule, chunk) in schedules.into_iter().flat_map(|s| [(s, 1), (s, 32)]) {
        let setup = Setup {
            schedule: schedule.into(),
            train: format!("steps = 70\nchunk = {chunk}"),
            ..Setup::default()
        };
        let mut trainer = setup.trainer(gpu(), data(100, 6));
        let mut keeper = Keeper::default();
        trainer.run(&mut [&mut keeper]).unwrap();
        let (config, policy) = (setup.config(), setup.policy());
        assert_eq!(keeper.records.len(), 70);
        for (step, record) in keeper.records.iter().enumerate() {
            let rate = policy.at(step as u64);
            assert_eq!(record.step, step as u64);
            // What travels is an f32: equal, not near.
            assert_eq!(record.lr, f64::from(rate.lr as f32), "{schedule} at {step}");
            let own = config.optimizer.momentum().map(|m| m.value);
            let momentum = rate.momentum.or(own).unwrap();
            assert_eq!(
                record.momentum,
                f64::from(momentum as f32),
                "{schedule} at {step}"
            );
        }
    }
}

/// Momentum 0, decay 0: what a step did to the weights, over its gradient, is its rate. Runs of n =
/// 1 to 32 steps, each in one submission, give the weights after each step of a chunk of 32.
#[test]
fn the_weights_moved_by_the_rate_at_every_step_of_a_chunk() {
    let setup = Setup {
        layers: r#"[{ linear = 12 }, "tanh", { linear = 4 }]"#.into(),
        optimizer: "kind = \"sgd\"\nmomentum = 0.0".into(),
        train: "steps = 32\nchunk = 32".into(),
        ..Setup::default()
    };
    let schedule = setup.policy();
    for gpu in gpus() {
        let class = gpu.class();
        let start = setup.trainer(gpu.clone(), data(100, 6)).weights().unwrap();
        let mut before = start.clone();
        for n in 1..=32_u64 {
            let mut trainer = setup.trainer(gpu.clone(), data(100, 6));
            trainer.set_weights(&start, Path::new("start")).unwrap();
            let records = trainer.advance(n, 32).unwrap();
            assert_eq!(records.len(), n as usize);
            let after = trainer.weights().unwrap();
            let gradients = trainer.gradients().unwrap();
            let rate = schedule.at(n - 1).lr;
            let (mut moved, mut squares, mut error) = (0.0, 0.0, 0.0);
            for (name, g) in &gradients.tensors {
                let pairs = before.tensors[name]
                    .values
                    .iter()
                    .zip(&after.tensors[name].values);
                for ((w0, w1), g) in pairs.zip(&g.values) {
                    let [w0, w1, g] = [*w0, *w1, *g].map(f64::from);
                    moved += (w0 - w1) * g;
                    squares += g * g;
                    // Rounding of the product and of the difference.
                    error += g.abs() * U * (2.0 * rate * g.abs() + w1.abs());
                }
            }
            // f32 sums of squares: tests/proofs/gradient_norm.rs counts the roundings.
            let (norm, length) = (records[n as usize - 1].grad_norm, f64::sqrt(squares));
            assert!(
                (norm - length).abs() <= 70.0 * U * length,
                "{norm} {length}"
            );
            let found = moved / squares;
            let allowed = error / squares + U * rate;
            assert!(
                (found - rate).abs() <= allowed,
                "{class:?}, step {}: the weights moved by {found}, the rate is {rate}, allowed is {allowed:e}",
                n - 1
            );
            // Neighbouring steps' rates are far outside.
            assert!(
                allowed < (schedule.at(n).lr - rate).abs() / 10.0,
                "{allowed:e}"
            );
            before = after;
        }
    }
}

#[test]
fn clipping_keeps_every_gradient_at_its_norm() {
    let setup = |clip_norm: &str| Setup {
        optimizer: format!("kind = \"adamw\"\nclip_norm = {clip_norm}"),
        schedule: "policy = \"constant\"\nlr = 0.01".into(),
        ..Setup::default()
    };
    for gpu in gpus() {
        let class = gpu.class();
        let mut free = setup("\"none\"").trainer(gpu.clone(), data(100, 6));
        let free = free.advance(60, 8).unwrap();
        let mut norms: Vec<f64> = free.iter().map(|record| record.grad_norm).collect();
        norms.sort_by(f64::total_cmp);
        let clip_norm = norms[30];
        let mut trainer = setup(&clip_norm.to_string()).trainer(gpu, data(100, 6));
        let (mut clipped, mut kept) = (0, 0);
        for _ in 0..60 {
            let record = trainer.advance(1, 1).unwrap()[0];
            let factor = record.clip_factor.unwrap();
            let wanted = (clip_norm / (record.grad_norm + 1e-6)).min(1.0);
            let what = format!("{class:?}: {record:?}");
            assert!((factor - wanted).abs() <= 32.0 * U * wanted, "{what}");
            let gradients = trainer.gradients().unwrap();
            let all = gradients.tensors.values().flat_map(|t| &t.values);
            let length = all.map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            let expected = factor * record.grad_norm;
            assert!((length - expected).abs() <= 100.0 * U * expected, "{what}");
            if factor < 1.0 {
                clipped += 1;
            } else {
                kept += 1;
            }
        }
        assert!(
            clipped > 5 && kept > 5,
            "{class:?}: {clipped} clipped, {kept} kept"
        );
    }
}

/// A gradient that is short enough stays the same bits, so the run does.
#[test]
fn a_norm_that_is_never_reached_changes_nothing() {
    let run = |clip_norm: &str| {
        let setup = Setup {
            optimizer: format!("kind = \"sgd\"\n{clip_norm}"),
            ..Setup::default()
        };
        let mut trainer = setup.trainer(gpu(), data(100, 6));
        let records = trainer.advance(40, 8).unwrap();
        let factors = records.iter().filter_map(|r| r.clip_factor);
        let factors: Vec<f64> = factors.collect();
        (factors, weight_bits(&trainer))
    };
    let (none, plain) = run("");
    let (all, clipped) = run("clip_norm = 1e6");
    assert_eq!((none.len(), all), (0, vec![1.0; 40]));
    assert_eq!(plain, clipped);
}

/// A first layer of zeros keeps the loss at ln 4, whatever the second is; the gradient of the first
/// grows with the second.
#[test]
fn a_norm_that_no_f32_holds_ends_the_run() {
    let trainer = |optimizer: &str| {
        let setup = Setup {
            layers: r#"[{ linear = { out_features = 1024, bias = false } }, { linear = { out_features = 4, bias = false } }]"#
                .into(),
            optimizer: optimizer.into(),
            train: "steps = 60\nchunk = 7".into(),
            ..Setup::default()
        };
        let mut trainer = setup.trainer(gpu(), data(100, 6));
        let mut weights = trainer.weights().unwrap();
        for (name, tensor) in &mut weights.tensors {
            for (i, w) in tensor.values.iter_mut().enumerate() {
                let row = i / 1024;
                *w = match name.as_str() {
                    "0.weight" => 0.0,
                    _ => [3e38, -3e38, 2e38, -1e38][row],
                };
            }
        }
        trainer.set_weights(&weights, Path::new("large")).unwrap();
        trainer
    };
    let mut clipped = trainer("kind = \"adamw\"\nclip_norm = 1.0");
    let mut keeper = Keeper::default();
    let error = clipped.run(&mut [&mut keeper]).unwrap_err();
    assert!(!error.is_users_mistake());
    let expected = "training diverged: the gradient's norm, which optimizer.clip_norm needs, became \
                    too large for an f32 at step 0";
    let text = error.to_string();
    assert!(
        text.starts_with(expected) && text.contains("optimizer.betas[0]"),
        "{text}"
    );
    let &[record] = &keeper.records[..] else {
        panic!("{:?}", keeper.records);
    };
    assert!((record.loss - 4.0_f64.ln()).abs() < 1e-6, "{record:?}");
    assert!(record.clip_factor.is_some_and(f64::is_nan) && record.grad_norm > 3.5e38);
    assert_eq!(keeper.names.last().unwrap(), "finished");
    // Who does not clip is told the norm, and trains on.
    let record = trainer("kind = \"sgd\"").advance(1, 1).unwrap()[0];
    assert!(
        record.is_finite() && record.grad_norm > 3.5e38,
        "{record:?}"
    );
}
