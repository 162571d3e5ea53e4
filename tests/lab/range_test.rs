//! The range test: it disturbs nothing, its verdicts are right on curves that are known, and
//! `"auto"` trains between what it found.

use std::sync::Arc;

use wavetrain::config::Bounds;
use wavetrain::gpu::Gpu;
use wavetrain::lab::find::{self, RangeTest, RangeTestOptions, Sweep, Verdict, confirm};
use wavetrain::{Config, Trainer};

use super::fixture::{Setup, bits, data, gpus, weight_bits};

fn options() -> RangeTestOptions {
    RangeTestOptions {
        steps: 60,
        seeds: 2,
        ..RangeTestOptions::default()
    }
}

/// Steps that give bounds.
fn hundred() -> RangeTestOptions {
    RangeTestOptions {
        steps: 100,
        ..options()
    }
}

/// A net with all that training changes: velocities, running statistics would be in `tests/engine`.
fn setup() -> Setup {
    Setup {
        schedule:
            "policy = \"triangular\"\nbase_lr = \"auto\"\nmax_lr = \"auto\"\nstep_size_up = 5"
                .into(),
        ..Setup::default()
    }
}

#[test]
fn training_is_the_same_with_a_range_test_in_front() {
    for gpu in gpus() {
        let plain = Setup::default();
        let mut without = plain.trainer(gpu.clone(), data(90, 40));
        let expected = bits(&without.advance(20, 4).unwrap());
        let mut with = plain.trainer(gpu.clone(), data(90, 40));
        let before = with.state().unwrap();
        let test = find::find(&mut with, &options(), &mut |_| Ok(())).unwrap();
        assert_eq!(test.sweeps.len(), 2);
        assert_eq!(with.state().unwrap(), before);
        assert_eq!(with.schedule().describe(), without.schedule().describe());
        assert_eq!(bits(&with.advance(20, 4).unwrap()), expected);
        assert_eq!(weight_bits(&with), weight_bits(&without));
        // In the middle of training, too.
        let middle = with.state().unwrap();
        let from_here = RangeTestOptions {
            keep_weights: true,
            ..options()
        };
        find::find(&mut with, &from_here, &mut |_| Ok(())).unwrap();
        assert_eq!(with.state().unwrap(), middle);
        let rest = bits(&with.advance(9, 2).unwrap());
        assert_eq!(rest, bits(&without.advance(9, 9).unwrap()));
    }
}

/// A step of a range test is an update, however many batches it takes.
#[test]
fn a_range_test_counts_updates() {
    let setup = |data: &str, train: &str| Setup {
        data: data.into(),
        train: format!("steps = 40\n{train}"),
        ..Setup::default()
    };
    let find = |setup: &Setup| {
        let mut trainer = setup.trainer(gpus()[0].clone(), data(192, 40));
        let before = trainer.state().unwrap();
        let test = find::find(&mut trainer, &options(), &mut |_| Ok(())).unwrap();
        assert_eq!(trainer.state().unwrap(), before);
        assert_eq!(trainer.steps_per_epoch(), 12);
        test
    };
    let one = find(&setup("batch = 16", ""));
    let four = find(&setup("batch = 4", "accumulate = 4"));
    for (one, four) in one.sweeps.iter().zip(&four.sweeps) {
        assert!(one.points.len() > 20);
        for (one, four) in one.points.iter().zip(&four.points).take(20) {
            assert_eq!((one.step, one.lr), (four.step, four.lr));
            let off = (one.loss - four.loss).abs();
            assert!(off < 1e-4 * one.loss, "{one:?}, {four:?}");
        }
    }
}

#[test]
fn every_step_has_the_rate_of_its_place() {
    let mut trainer = Setup::default().trainer(gpus()[0].clone(), data(90, 40));
    for linear in [false, true] {
        let options = RangeTestOptions {
            from: 0.001,
            to: 0.2,
            linear,
            ..options()
        };
        let mut told = Vec::new();
        let test = find::find(&mut trainer, &options, &mut |progress| {
            if let find::FindProgress::Sweep { number, step } = progress {
                told.push((number, step));
            }
            Ok(())
        });
        let test = test.unwrap();
        assert_eq!(told.first(), Some(&(0, 10)));
        assert_eq!(told.last(), Some(&(1, 60)));
        for sweep in &test.sweeps {
            for (i, point) in sweep.points.iter().enumerate() {
                let rate = options.rate(i as u64) as f32;
                assert_eq!((point.step, point.lr), (i as u64, f64::from(rate)));
                assert!(point.smoothed.is_finite() && (0.0..=1.0).contains(&point.accuracy));
            }
        }
        assert_ne!(test.sweeps[0].points[0].loss, test.sweeps[1].points[0].loss);
    }
}

/// A trainer whose bounds are to be found.
fn provisional(gpu: Arc<Gpu>) -> Trainer {
    let config = setup().config();
    assert!(config.schedule.wants_bounds());
    let settled = config.settle(900, Some(&Bounds::provisional())).unwrap();
    Trainer::settled(gpu, settled, data(900, 40)).unwrap()
}

#[test]
fn auto_trains_between_the_bounds_that_were_found() {
    for gpu in gpus() {
        let mut trainer = provisional(gpu);
        let options = RangeTestOptions {
            steps: 100,
            seeds: 2,
            ..RangeTestOptions::default()
        };
        let found = find::find_and_adopt(&mut trainer, &options, &mut |_| Ok(()));
        let (test, used) = found.unwrap();
        assert_eq!(used, options);
        let (base, max) = (test.base_lr.unwrap(), test.max_lr.unwrap());
        assert!(base < max);
        assert_eq!(trainer.schedule().at(0).lr, base);
        assert_eq!(trainer.schedule().at(5).lr, max);
        let records = trainer.advance(6, 6).unwrap();
        assert_eq!(records[5].lr, f64::from(max as f32));
        // The run's own configuration holds the numbers and where they come from.
        let info = trainer.info();
        let again = Config::parse("config.toml", &info.config).unwrap();
        assert_eq!(again.schedule.policy().unwrap().at(5).lr, max);
        for words in [
            "a range test from 0.00001 to 10 in 100 steps, 2 seeds, trial cycles of 100 steps",
            "bounds = ",
        ] {
            assert!(info.config.contains(words), "{}", info.config);
        }
    }
}

#[test]
fn a_test_that_is_cut_off_is_made_wider_before_training() {
    let mut trainer = provisional(gpus()[0].clone());
    // Both ends lie where the loss falls.
    let options = RangeTestOptions {
        from: 0.02,
        to: 0.1,
        steps: 60,
        seeds: 1,
        ..RangeTestOptions::default()
    };
    let plain = find::find(&mut trainer, &options, &mut |_| Ok(())).unwrap();
    assert_ne!(plain.verdict, Verdict::Ok);
    let found = find::find_and_adopt(&mut trainer, &options, &mut |_| Ok(()));
    let (test, used) = found.unwrap();
    assert!(
        used.from < 0.001 && used.to > 1.0 && used.steps > 60,
        "{used:?}"
    );
    let (base, max) = (test.base_lr.unwrap(), test.max_lr.unwrap());
    assert!(used.from < base && base < max && max < used.to);
}

/// A sweep over a made-up curve: `loss(x)` at the logarithm of the rate, from 1e-5 to 10.
fn sweep(seed: u64, steps: u64, loss: impl Fn(f64) -> f64) -> Sweep {
    let options = RangeTestOptions {
        steps,
        ..RangeTestOptions::default()
    };
    let records = (0..steps).map(|i| {
        let lr = options.rate(i);
        (i, lr, loss(lr.log10()))
    });
    Sweep::from_curve(seed, records)
}

/// A fall of 2 about 0.01 and a wall about 1, with noise.
fn typical(x: f64, noise: f64, i: u64) -> f64 {
    let random = ((i.wrapping_mul(2_654_435_761) >> 7) % 1000) as f64 / 500.0 - 1.0;
    0.3 + 2.0 / (1.0 + (4.0 * (x + 2.0)).exp()) + (6.0 * x).exp() + noise * random
}

fn verdict(steps: u64, curve: impl Fn(u64, f64) -> f64) -> find::RangeTest {
    let options = RangeTestOptions {
        steps,
        ..RangeTestOptions::default()
    };
    let sweeps = (0..3).map(|seed| {
        let step = std::cell::Cell::new(seed * 1000);
        sweep(seed, steps, |x| {
            step.set(step.get() + 1);
            curve(step.get(), x)
        })
    });
    find::judge(sweeps.collect(), &options)
}

#[test]
fn a_typical_curve_gives_bounds_where_it_falls_and_before_it_turns() {
    for noise in [0.0, 0.05, 0.2] {
        for steps in [80, 200, 1000] {
            let test = verdict(steps, |i, x| typical(x, noise, i));
            assert_eq!(test.verdict, Verdict::Ok, "{noise} {steps}: {}", test.says);
            let (base, max) = (test.base_lr.unwrap(), test.max_lr.unwrap());
            // The fall has done a twentieth at 10^-2.74 = 0.0018; the least is about 10^-0.7 = 0.2.
            assert!(
                (0.0006..0.008).contains(&base),
                "{noise} {steps}: base {base}"
            );
            assert!((0.03..0.2).contains(&max), "{noise} {steps}: max {max}");
        }
    }
}

#[test]
fn verdicts_say_why_there_are_no_bounds() {
    type Curve = fn(u64, f64) -> f64;
    let cases: [(Verdict, u64, Curve); 7] = [
        (Verdict::Flat, 200, |i, x| typical(-9.0 + 0.0 * x, 0.1, i)),
        (Verdict::NoDivergence, 200, |i, x| typical(x - 1.5, 0.05, i)),
        (Verdict::Short, 20, |i, x| typical(x, 0.05, i)),
        (Verdict::Short, 200, |i, x| typical(x + 2.8, 0.05, i)),
        (Verdict::Diverged, 200, |i, x| {
            2.3 + 0.0001 * i as f64 + (2.0 * x + 12.0).exp()
        }),
        (Verdict::Diverged, 200, |_, _| f64::NAN),
        (Verdict::Noisy, 200, |i, x| typical(x, 2.5, i)),
    ];
    for (number, (expected, steps, curve)) in cases.into_iter().enumerate() {
        let test = verdict(steps, curve);
        assert_eq!(test.verdict, expected, "case {number}: {}", test.says);
        assert_eq!((test.base_lr, test.max_lr), (None, None));
        assert!(test.says.contains(':'), "what to do: {}", test.says);
    }
}

#[test]
fn sweeps_that_disagree_are_noisy() {
    let options = RangeTestOptions::default();
    let at = |shift: f64| sweep(0, 200, move |x| typical(x + shift, 0.0, 0));
    let together = find::judge(vec![at(0.0), at(0.1), at(-0.1)], &options);
    assert_eq!(together.verdict, Verdict::Ok);
    let apart = find::judge(vec![at(0.0), at(1.2)], &options);
    assert_eq!(apart.verdict, Verdict::Noisy);
    // More sweeps reach further, and agree no less.
    let shifts = [-0.42, -0.2, -0.1, 0.0, 0.1, 0.2, 0.42];
    let many = find::judge(shifts.map(at).to_vec(), &options);
    assert_eq!(many.verdict, Verdict::Ok);
    assert_eq!(find::judge(Vec::new(), &options).base_lr, None);
}

#[test]
fn bounds_have_intervals_over_their_sweeps() {
    let options = RangeTestOptions::default();
    let at = |shift: f64| sweep(0, 200, move |x| typical(x + shift, 0.0, 0));
    let test = find::judge(vec![at(0.0), at(0.1), at(-0.1)], &options);
    let ends = [test.base_lr_interval, test.max_lr_interval].map(Option::unwrap);
    for ([low, high], rate) in ends.into_iter().zip([test.base_lr, test.max_lr]) {
        let rate = rate.unwrap();
        assert!(low < rate && rate < high, "{low} {rate} {high}");
        // The mean of three logarithms 0.1 apart, by R's qt(0.975, 2): 0.248 on either side, and half a step.
        assert!((1.7..1.9).contains(&(high / rate)), "{}", high / rate);
        // No more digits than are known.
        assert_eq!(format!("{rate:.1e}").parse::<f64>().unwrap(), rate);
    }
    let alone = find::judge(vec![at(0.0)], &options);
    assert!(alone.max_lr.is_some() && alone.max_lr_interval.is_none());
    // What is in the file is read back, as are files without intervals.
    let text = serde_json::to_string(&test).unwrap();
    assert_eq!(
        serde_json::from_str::<find::RangeTest>(&text).unwrap(),
        test
    );
}

#[test]
fn the_rule_that_gave_each_bound_is_said() {
    let options = RangeTestOptions::default();
    let smooth = find::judge(vec![sweep(0, 200, |x| typical(x, 0.0, 0))], &options);
    assert!(smooth.rules[0].contains("twentieth"), "{:?}", smooth.rules);
    assert!(smooth.rules[1].contains("least"), "{:?}", smooth.rules);
    // Noise hides the beginning; a wall right behind the least loss ends the sweep.
    let noisy = verdict(200, |i, x| typical(x, 0.3, i));
    assert!(noisy.rules[0].contains("scatter"), "{:?}", noisy.rules);
    let wall = |x: f64| if x > -1.0 { 50.0 } else { typical(x, 0.0, 0) };
    let walled = find::judge(vec![sweep(0, 200, wall)], &options);
    assert!(walled.rules[1].contains("stopped"), "{:?}", walled.rules);
}

#[test]
fn sweeps_are_added_until_the_bounds_are_known() {
    let mut trainer = provisional(gpus()[0].clone());
    let find = |trainer: &mut Trainer, until: f64| {
        let options = RangeTestOptions {
            until: Some(until),
            ..hundred()
        };
        let test = find::find(trainer, &options, &mut |_| Ok(())).unwrap();
        (test.sweeps.len(), test.until.unwrap(), test.verdict)
    };
    let before = trainer.state().unwrap();
    let (sweeps, until, verdict) = find(&mut trainer, 8.0);
    assert_eq!(verdict, Verdict::Ok);
    assert!(
        (2..20).contains(&sweeps) && until.is_reached(),
        "{sweeps} {until:?}"
    );
    let (sweeps, until, _) = find(&mut trainer, 1.000_1);
    assert!(sweeps == 20 && !until.is_reached(), "{sweeps} {until:?}");
    assert_eq!(trainer.state().unwrap(), before);
}

#[test]
fn trial_cycles_settle_the_high_bound() {
    let mut trainer = provisional(gpus()[0].clone());
    let before = trainer.state().unwrap();
    let alone = RangeTestOptions {
        trial_steps: 0,
        ..hundred()
    };
    let curve = find::find(&mut trainer, &alone, &mut |_| Ok(())).unwrap();
    assert_eq!(curve.trials, None);
    let mut cycles = 0;
    let test = find::find(&mut trainer, &hundred(), &mut |progress| {
        cycles += u64::from(matches!(progress, find::FindProgress::Cycle { .. }));
        Ok(())
    });
    let test = test.unwrap();
    assert_eq!(trainer.state().unwrap(), before);
    let trials = test.trials.as_ref().unwrap();
    assert_eq!(trials.cycle_steps, 100);
    let trained = trials.multiples.iter().map(|m| m.losses.len() as u64);
    assert_eq!(cycles, trained.sum::<u64>());
    assert_eq!(test.base_lr, curve.base_lr);
    let ends = |test: &RangeTest| {
        let [low, high] = test.max_lr_interval.unwrap();
        [low, test.max_lr.unwrap(), high]
    };
    for (settled, curve) in ends(&test).into_iter().zip(ends(&curve)) {
        let ratio = settled / curve;
        // The ends have two digits.
        let off = (ratio / trials.factor - 1.0).abs();
        assert!(off <= 0.05, "{ratio} {trials:?}");
    }
    let mut multiples = trials.multiples.iter();
    let taken = multiples.find(|m| m.factor == trials.factor).unwrap();
    assert!(taken.regret.unwrap() <= 0.01, "{trials:?}");
    assert!(test.rules[1].contains("trial cycles"), "{:?}", test.rules);
    // A cycle between the bounds is the one that was tried.
    let high = curve.max_lr.unwrap() * trials.factor;
    assert_eq!((taken.base_lr, taken.max_lr), (test.base_lr.unwrap(), high));
}

#[test]
fn cycles_confirm_bounds_and_disturb_nothing() {
    let mut trainer = provisional(gpus()[0].clone());
    let mut test = find::find(&mut trainer, &hundred(), &mut |_| Ok(())).unwrap();
    let before = trainer.state().unwrap();
    let mut told = Vec::new();
    let found = confirm::confirm(&mut trainer, &test, 40, &mut |done, all| {
        told.push((done, all));
        Ok(())
    });
    let found = found.unwrap();
    assert_eq!(trainer.state().unwrap(), before);
    assert_eq!((told.len(), told.last()), (10, Some(&(10, 10))));
    assert_eq!(found.multiples.len(), 5);
    let least = found
        .multiples
        .iter()
        .filter_map(|m| m.regret)
        .fold(1.0, f64::min);
    assert_eq!(least, 0.0);
    for multiple in &found.multiples {
        assert_eq!(multiple.losses.len(), 2);
        assert_eq!(multiple.max_lr, test.max_lr.unwrap() * multiple.factor);
    }
    let short = confirm::confirm(&mut trainer, &test, 19, &mut |_, _| Ok(())).unwrap_err();
    assert!(short.to_string().contains("at least 20 steps"), "{short}");
    test.max_lr = None;
    let open = confirm::confirm(&mut trainer, &test, 40, &mut |_, _| Ok(())).unwrap_err();
    assert!(open.to_string().contains("bounds"), "{open}");
}

/// Losses at the end for each of the five multiples, from a loss of 2 at first.
fn confirmed(losses: [&[f64]; 5]) -> confirm::Confirmation {
    let multiples = confirm::MULTIPLES.iter().zip(losses);
    let multiples = multiples.map(|(factor, losses)| find::Multiple {
        factor: *factor,
        base_lr: 0.01 * factor,
        max_lr: 0.1 * factor,
        losses: losses.iter().map(|l| l.is_finite().then_some(*l)).collect(),
        regret: None,
    });
    confirm::judge(100, 2.0, multiples.collect())
}

#[test]
fn regrets_are_shares_of_the_whole_fall() {
    let found = confirmed([
        &[1.0, 1.2],
        &[0.6, 0.8],
        &[0.5, 0.5],
        &[0.4, 0.4],
        &[1.9, 2.1],
    ]);
    assert_eq!(found.best, Some(2.0));
    let expected = [0.4375, 0.1875, 0.0625, 0.0, 1.0];
    for (multiple, expected) in found.multiples.iter().zip(expected) {
        let regret = multiple.regret.unwrap();
        assert!((regret - expected).abs() < 1e-12, "{multiple:?}");
    }
    let difference = found.difference.unwrap();
    assert!((difference.mean - 0.1).abs() < 1e-12);
    assert!(found.says.contains("more than chance"), "{}", found.says);
}

#[test]
fn what_may_be_chance_is_called_so() {
    let chance = confirmed([
        &[1.0, 1.2],
        &[0.6, 0.8],
        &[0.5, 0.55],
        &[0.3, 0.51],
        &[1.9, 2.1],
    ]);
    assert!(chance.says.contains("may be chance"), "{}", chance.says);
    let one = confirmed([&[1.0], &[0.6], &[0.5], &[0.3], &[1.9]]);
    assert!(one.says.contains("one seed"), "{}", one.says);
    let own = confirmed([&[1.0], &[0.6], &[0.2], &[0.3], &[1.9]]);
    assert_eq!((own.best, own.difference), (Some(1.0), None));
    let bad = f64::NAN;
    let high = confirmed([
        &[1.0, 1.0],
        &[0.6, 0.8],
        &[0.2, bad],
        &[bad, bad],
        &[bad, bad],
    ]);
    assert_eq!(high.best, Some(0.5));
    assert!(high.says.contains("diverge"), "{}", high.says);
    assert_eq!(high.multiples[2].regret, None);
    let all = confirmed([&[bad], &[bad], &[bad], &[bad], &[bad]]);
    assert_eq!(all.best, None);
}

#[test]
fn what_is_to_be_pasted_keeps_what_was_written() {
    let bounds = Bounds {
        intervals: None,
        base_lr: 0.02,
        max_lr: 0.3,
        from: "a test".into(),
    };
    let found = |schedule: &str| {
        let setup = Setup {
            schedule: schedule.into(),
            ..Setup::default()
        };
        let samples = data(900, 40).train.extent();
        find::between(&setup.config(), samples, &bounds).unwrap()
    };
    let auto = found("policy = \"one_cycle\"\nmax_lr = \"auto\"");
    assert_eq!(
        (auto.schedule.name(), auto.bounds.as_ref()),
        ("one_cycle", Some(&bounds))
    );
    let own = found("policy = \"sinusoidal\"\nbase_lr = 0.1\nmax_lr = 0.2\nstep_size_up = 7");
    assert_eq!((own.schedule.at(0).lr, own.schedule.at(7).lr), (0.02, 0.3));
    let other = found("policy = \"constant\"\nlr = 0.1");
    assert_eq!(
        (other.schedule.name(), other.schedule.at(0).lr),
        ("triangular", 0.02)
    );
}

#[test]
fn options_that_make_no_test_are_refused_by_name() {
    let wrong = |change: fn(&mut RangeTestOptions), name: &str| {
        let mut options = RangeTestOptions::default();
        change(&mut options);
        let error = options.check().unwrap_err();
        assert!(error.is_users_mistake());
        assert!(error.to_string().contains(name), "{error}");
    };
    wrong(|o| o.from = 0.0, "from");
    wrong(|o| o.from = -1.0, "from");
    wrong(|o| o.from = f64::NAN, "from");
    wrong(|o| o.to = 1e-6, "to");
    wrong(|o| o.to = f64::INFINITY, "to");
    wrong(|o| o.to = 1e39, "to");
    wrong(|o| o.steps = 0, "steps");
    wrong(|o| o.steps = 1, "steps");
    wrong(|o| o.seeds = 0, "seeds");
    for until in [1.0, 0.5, -2.0, f64::NAN, f64::INFINITY] {
        let options = RangeTestOptions {
            until: Some(until),
            ..RangeTestOptions::default()
        };
        let error = options.check().unwrap_err();
        assert!(error.to_string().contains("until"), "{error}");
    }
    let linear = RangeTestOptions {
        from: 0.0,
        linear: true,
        ..RangeTestOptions::default()
    };
    linear.check().unwrap();
    assert_eq!((linear.rate(0), linear.rate(199)), (0.0, 10.0));
}
