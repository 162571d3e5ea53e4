//! The rate's way: from the schedule through the step ring to the weights, step by step.

use std::path::Path;

use super::fixture::{Keeper, Setup, data, gpu, gpus};
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
            // f32 sums of squares: tests/layers/gradient_norm.rs counts the roundings.
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
