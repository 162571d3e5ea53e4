//! What a comparison is asked for, and what its variants take of it.

use wavetrain::data::Judge;
use wavetrain::lab::compare::{self, Along, Pace, Settings, Target, Wishes, check_seeds};
use wavetrain::schedule::{POLICIES, Span};

use crate::fixture::Setup;

#[test]
fn what_makes_no_comparison_is_refused_by_its_name() {
    for (target, margin, budgets, name) in [
        ("98.0", 0.3, &[10][..], "target"),
        ("0", 0.3, &[10], "target"),
        ("nan", 0.3, &[10], "target"),
        ("loss=-1", 0.3, &[10], "target"),
        ("accuracy=1.1", 0.3, &[10], "target"),
        ("perplexity=2", 0.3, &[10], "target"),
        ("0.5", 0.0, &[10], "margin"),
        ("0.5", -1.0, &[10], "margin"),
        ("0.5", f64::NAN, &[10], "margin"),
        ("0.5", 0.3, &[], "budget"),
        ("0.5", 0.3, &[0, 10], "budget"),
        ("0.5", 0.3, &[20, 10], "budget"),
        ("0.5", 0.3, &[10, 10], "budget"),
    ] {
        let settings = Target::parse(target).and_then(|target| {
            let wishes = Wishes {
                target: Some(target),
                margin: Some(margin),
            };
            Settings::new(budgets.to_vec(), &wishes, (Judge::Accuracy, 100, 10))
        });
        let error = settings.unwrap_err();
        assert!(
            error.is_users_mistake() && error.to_string().starts_with(name),
            "{error}"
        );
    }
    assert!(check_seeds(Some(1)).is_err() && check_seeds(Some(0)).is_err());
    assert!(check_seeds(Some(2)).is_ok() && check_seeds(None).is_ok());
}

#[test]
fn no_margin_is_less_than_two_test_samples() {
    let of =
        |judge, samples| Settings::new(vec![10], &Wishes::default(), (judge, samples, 10)).unwrap();
    assert_eq!(of(Judge::Accuracy, 10_000).margin_at(0.9), 0.003);
    assert_eq!(of(Judge::Accuracy, 100).margin_at(0.9), 0.02);
    assert_eq!(of(Judge::Loss, 100).margin_at(1.5), 0.03);
}

const SPAN: Span = Span {
    base_lr: 0.01,
    max_lr: 0.2,
    steps: 400,
    half: 100,
};

#[test]
fn every_policy_takes_something_or_says_why_not() {
    for entry in POLICIES {
        match compare::take(entry.name, &SPAN, POLICIES) {
            Ok(policy) => {
                let rates: Vec<f64> = (0..SPAN.steps).map(|step| policy.at(step).lr).collect();
                let highest = rates.iter().copied().fold(0.0, f64::max);
                assert!(highest <= SPAN.max_lr, "{}: {highest}", entry.name);
                assert!(highest >= 0.1, "{}: {highest}", entry.name);
            }
            Err(error) => {
                assert!(
                    ["piecewise", "warmup", "sequence"].contains(&entry.name),
                    "{error}"
                );
                assert!(error.to_string().contains("variants themselves"), "{error}");
            }
        }
    }
    let error = compare::take("triangulr", &SPAN, POLICIES).unwrap_err();
    assert!(error.is_users_mistake());
    for words in ["no policy", "did you mean triangular?", "one_cycle"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    let short = Span { steps: 2, ..SPAN };
    let error = compare::take("one_cycle", &short, POLICIES).unwrap_err();
    assert!(error.to_string().contains("at least 3 steps"), "{error}");
}

#[test]
fn evaluations_along_the_way_take_a_quarter_of_the_time_at_most() {
    for (step, sample, budgets, validation) in [
        (1e-3, 1e-5, &[250][..], 2400),
        (1e-1, 1e-5, &[250, 1000], 6000),
        (1e-4, 1e-4, &[10_000, 40_000], 100_000),
        (1e-3, 1e-6, &[100], 50),
    ] {
        let pace = Pace {
            step,
            sample,
            samples_per_step: step / sample,
        };
        let along = Along::new(pace, budgets, validation, false);
        assert!(along.samples <= validation);
        for (steps, every) in budgets.iter().zip(&along.every) {
            let looks = steps.div_ceil(*every);
            let evaluating = looks as f64 * along.samples as f64 * sample;
            let share = evaluating / (evaluating + *steps as f64 * step);
            assert!(share <= 0.25 || looks == 1, "{share}: {along:?}");
            assert!(looks <= 41);
        }
    }
}

#[test]
fn whole_cycles_fill_the_steps() {
    let config = Setup {
        train: "epochs = 8".into(),
        schedule: "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.2\nstep_size_up = 40".into(),
        ..Setup::default()
    };
    // 13 steps in an epoch, 104 in all: one cycle of 80 is nearest.
    let run = config.config().settle(200, None).unwrap();
    let steps = compare::budget(&run, None);
    assert_eq!((steps, compare::half_cycle(&run, steps)), (104, 52));
    let steps = compare::budget(&run, Some(405));
    assert_eq!((steps, compare::half_cycle(&run, steps)), (400, 40));
    assert_eq!(compare::budget(&run, Some(1)), 1);
    assert_eq!(compare::budgets(&run, &[], false), [104]);
    assert_eq!(compare::budgets(&run, &[81, 405], true), [80, 400]);
}
