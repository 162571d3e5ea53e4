//! Comparisons: runs that are alike but for what is compared, kept as they end; and statements that
//! are right about data whose truth is known.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Mutex;

use wavetrain::data::Judge;
use wavetrain::disk::Disk;
use wavetrain::lab::compare::{
    self, Interval, Point, Record, Settings, Statement, Store, Target, Variant, statistics,
};
use wavetrain::rng::{Key, Stream};
use wavetrain::schedule::{POLICIES, Span};
use wavetrain::train::State;

use super::fixture::{Setup, data, gpu};

/// What simulated runs are to reach.
const GOAL: Target = Target {
    of: Judge::Accuracy,
    value: 0.85,
};

// -------------------------------------------------------------------------------- what is shown

/// A number from a standard normal distribution (Box and Muller).
fn normal(key: &Key, at: u32) -> f64 {
    let [a, b] = key
        .words(at, 0)
        .map(|word| (f64::from(word) + 0.5) / 2_f64.powi(32));
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

/// Made-up runs of some variants over seeds: a seed moves all variants, each run by itself, and the
/// last variant is better by `effect`.
fn simulated(number: u64, variants: usize, seeds: u64, effect: f64) -> Vec<Record> {
    let key = Key::new(number, Stream::Bench, 7);
    let mut records = Vec::new();
    for variant in 0..variants {
        for seed in 0..seeds {
            let common = 0.01 * normal(&key, 1000 + seed as u32);
            let own = 0.003 * normal(&key, (variant as u64 * 100 + seed) as u32);
            let better = if variant + 1 == variants { effect } else { 0.0 };
            let accuracy = 0.9 + common + own + better;
            let point = |step| Point {
                step,
                accuracy: accuracy - 10.0 / step as f64,
                loss: None,
            };
            records.push(Record {
                variant,
                seed_number: seed,
                curve: (1..=20).map(|i| point(i * 100)).collect(),
                test: accuracy,
                test_loss: None,
                diverged: None,
            });
        }
    }
    records
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("variant {i}")).collect()
}

fn statements(number: u64, variants: usize, effect: f64) -> Vec<Statement> {
    let records = simulated(number, variants, 5, effect);
    let outcomes = statistics::outcomes(&names(variants), &records, GOAL, Judge::Accuracy);
    let shows = outcomes
        .iter()
        .filter_map(|o| Some(o.against_first.as_ref()?.shows));
    shows.collect()
}

#[test]
fn a_known_effect_is_found_and_none_is_made_up() {
    const RUNS: u64 = 10_000;
    for variants in [2, 5] {
        let found = (0..RUNS).filter(|n| {
            let shown = statements(*n, variants, 0.02);
            shown.last() == Some(&Statement::Higher)
        });
        let found = found.count();
        assert!(
            found as u64 * 100 >= 95 * RUNS,
            "{variants}: found in {found} of {RUNS}"
        );
        let false_ones = (RUNS..2 * RUNS).filter(|n| {
            let shown = statements(*n, variants, 0.0);
            shown.iter().any(|shows| *shows != Statement::NotShown)
        });
        let false_ones = false_ones.count();
        assert!(
            false_ones as u64 * 100 <= 5 * RUNS,
            "{variants}: {false_ones} of {RUNS} are false"
        );
    }
}

/// Values of Student's t from a table (two-sided 95 %): 2 to 4 degrees of freedom.
#[test]
fn intervals_are_students() {
    let interval = Interval::of(&[1.0, 2.0, 3.0], 0.05);
    assert_eq!(interval.mean, 2.0);
    assert!((interval.half.unwrap() - 4.302_653 / 3_f64.sqrt()).abs() < 1e-5);
    let interval = Interval::of(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.05);
    let deviation = 2.5_f64.sqrt();
    assert!((interval.half.unwrap() - 2.776_445 * deviation / 5_f64.sqrt()).abs() < 1e-5);
    assert_eq!(
        Interval::of(&[0.7], 0.05),
        Interval {
            mean: 0.7,
            half: None
        }
    );
    let corrected = Interval::of(&[1.0, 2.0, 3.0], 0.05 / 4.0);
    assert!(corrected.half.unwrap() > 2.0 * interval.half.unwrap());
}

#[test]
fn sentences_say_what_is_shown_and_what_is_not() {
    let say = |records: &[Record], count: usize| {
        let outcomes = statistics::outcomes(&names(count), records, GOAL, Judge::Accuracy);
        statistics::sentences(&outcomes, GOAL, Judge::Accuracy).join("\n")
    };
    let better = say(&simulated(3, 2, 5, 0.05), 2);
    assert!(
        better.contains("variant 1 ends higher than variant 0"),
        "{better}"
    );
    assert!(
        better.contains("it reaches 85.0 % in fewer steps"),
        "{better}"
    );
    let same = say(&simulated(4, 2, 5, 0.0), 2);
    assert!(same.contains("is not shown"), "{same}");
    let one = say(&simulated(4, 2, 1, 0.5), 2);
    assert!(one.contains("One seed allows no interval"), "{one}");
    let mut diverged = simulated(5, 2, 3, 0.0);
    diverged[5].diverged = Some(17);
    diverged[5].test = 0.1;
    diverged[5].curve.clear();
    let text = say(&diverged, 2);
    assert!(text.contains("1 of 3 runs of variant 1 diverged"), "{text}");
    assert!(
        text.contains("was reached by 2 of 3 runs of variant 1"),
        "{text}"
    );
    let outcomes = statistics::outcomes(&names(2), &diverged, GOAL, Judge::Accuracy);
    assert_eq!((outcomes[1].diverged, outcomes[1].runs), (1, 3));
    assert!(outcomes[1].test.mean < 0.7, "a diverged run counts");
}

#[test]
fn the_target_is_what_the_first_ends_with_unless_it_is_set() {
    let records = simulated(6, 2, 5, 0.0);
    let last: f64 = records[..5]
        .iter()
        .map(|record| record.last(Judge::Accuracy))
        .sum::<f64>()
        / 5.0;
    let settings = Settings::new(5, 2000, None, Judge::Accuracy).unwrap();
    let target = statistics::target(&records, &settings).value;
    assert!(target <= last && last - target < 0.001);
    let half = Target::parse("0.5").unwrap();
    let set = Settings::new(5, 2000, Some(half), Judge::Accuracy).unwrap();
    assert_eq!(statistics::target(&records, &set), half);
    for (seeds, steps, target, name) in [
        (0, 10, "0.5", "seeds"),
        (1, 0, "0.5", "steps"),
        (1, 1, "98.0", "target"),
        (1, 1, "0", "target"),
        (1, 1, "nan", "target"),
        (1, 1, "loss=-1", "target"),
        (1, 1, "accuracy=1.1", "target"),
        (1, 1, "perplexity=2", "target"),
    ] {
        let settings = Target::parse(target)
            .and_then(|target| Settings::new(seeds, steps, Some(target), Judge::Accuracy));
        let error = settings.unwrap_err();
        assert!(
            error.is_users_mistake() && error.to_string().contains(name),
            "{error}"
        );
    }
}

/// Where runs are judged by the loss, less is better.
#[test]
fn a_loss_is_better_where_it_is_lower() {
    let mut records = simulated(6, 2, 5, 0.05);
    for record in &mut records {
        record.test_loss = Some(1.0 - record.test);
        for point in &mut record.curve {
            point.loss = Some(1.0 - point.accuracy);
        }
    }
    let judge = Judge::Loss;
    let settings = Settings::new(5, 2000, None, judge).unwrap();
    let target = statistics::target(&records, &settings);
    assert_eq!(target.of, Judge::Loss);
    let target = Target::parse("loss=0.15").unwrap();
    let outcomes = statistics::outcomes(&names(2), &records, target, judge);
    let against = outcomes[1].against_first.unwrap();
    assert_eq!(against.shows, Statement::Lower);
    assert_eq!(against.shows_steps, Statement::Lower);
    assert!(outcomes[0].best.mean < 0.2);
    let sentence = statistics::sentences(&outcomes, target, judge).join(" ");
    let wanted =
        "variant 1 ends with a loss that is lower than variant 0's on the test set, by 0.0";
    assert!(sentence.starts_with(wanted), "{sentence}");
    assert!(sentence.contains("in fewer steps"), "{sentence}");
    assert_eq!(
        Target::parse("loss=1.9").unwrap().describe(),
        "a loss of 1.900"
    );
}

// ------------------------------------------------------------------------------ what each takes

const SPAN: Span = Span {
    base_lr: 0.01,
    max_lr: 0.2,
    steps: 400,
    half: 100,
};

#[test]
fn every_policy_takes_something_or_says_why_not() {
    for entry in POLICIES {
        match compare::take(entry.name, &SPAN) {
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
    let error = compare::take("triangulr", &SPAN).unwrap_err();
    assert!(error.is_users_mistake());
    for words in ["no policy", "did you mean triangular?", "one_cycle"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    let short = Span { steps: 2, ..SPAN };
    let error = compare::take("one_cycle", &short).unwrap_err();
    assert!(error.to_string().contains("at least 3 steps"), "{error}");
}

// ----------------------------------------------------------------------------------------- runs

fn variants(rates: &[&str]) -> Vec<Variant> {
    let variant = |rate: &&str| {
        let setup = Setup {
            data: "batch = 16\nvalidation = 0.2".into(),
            schedule: format!("policy = \"constant\"\nlr = {rate}"),
            ..Setup::default()
        };
        let dataset = data(200, 40);
        let settled = setup.config().settle(200, None).unwrap();
        Variant {
            name: format!("lr {rate}"),
            takes: settled.schedule.describe(),
            settled,
            dataset,
        }
    };
    rates.iter().map(variant).collect()
}

fn data_of_200() -> wavetrain::Dataset {
    data(200, 40)
}

fn compared(folder: &Path, rates: &[&str], workers: usize) -> (Vec<Record>, usize) {
    let settings = Settings::new(2, 24, None, Judge::Accuracy).unwrap();
    let (variants, store) = (variants(rates), Store::new(folder));
    store.begin(&variants, &settings).unwrap();
    let ran = Mutex::new(0);
    let count = |_: usize, all: usize, _: &str| {
        assert_eq!(all, 2 * rates.len());
        *ran.lock().unwrap() += 1;
    };
    let records = compare::run(&variants, &settings, &store, workers, &|| Ok(gpu()), &count);
    (records.unwrap(), ran.into_inner().unwrap())
}

#[test]
fn runs_differ_in_nothing_but_what_is_compared_and_go_on_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let rates = ["0.05", "0.0500", "1e30"];
    let (records, ran) = compared(folder.path(), &rates, 1);
    assert_eq!((records.len(), ran), (6, 6));
    let of = |variant: usize, seed: u64| {
        let mut records = records.iter();
        let record = records.find(|r| r.variant == variant && r.seed_number == seed);
        record.unwrap().clone()
    };
    // The same rate: the same bits, seed by seed; another seed: another run.
    for seed in 0..2 {
        let (one, other) = (of(0, seed), of(1, seed));
        assert_eq!((&one.curve, one.test), (&other.curve, other.test));
        assert_eq!(one.curve.last().unwrap().step, 24);
        assert_eq!(one.curve.len(), 24);
    }
    assert_ne!(of(0, 0).curve, of(0, 1).curve);
    // What diverged is kept, with the accuracy of chance.
    let wild = of(2, 0);
    assert!(wild.diverged.is_some());
    assert_eq!((wild.test, wild.last(Judge::Accuracy)), (0.25, 0.0));

    // Nothing is done twice; what is missing is done again, to the same bits.
    let (again, ran) = compared(folder.path(), &rates, 1);
    assert_eq!((&again, ran), (&records, 0));
    std::fs::remove_file(folder.path().join("runs/02-01.json")).unwrap();
    let (again, ran) = compared(folder.path(), &rates, 2);
    assert_eq!((&again, ran), (&records, 1));
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
        let settled = setup.config().settle(200, None).unwrap();
        assert_eq!(settled.steps_per_epoch, 10);
        Variant {
            name: name.into(),
            takes: settled.schedule.describe(),
            settled,
            dataset: data_of_200(),
        }
    };
    let variants = [
        variant("16", "batch = 16", ""),
        variant("4 x 4", "batch = 4", "accumulate = 4"),
    ];
    let settings = Settings::new(2, 24, None, Judge::Accuracy).unwrap();
    let store = Store::new(folder.path());
    store.begin(&variants, &settings).unwrap();
    let run = || {
        compare::run(
            &variants,
            &settings,
            &store,
            1,
            &|| Ok(gpu()),
            &|_, _, _| {},
        )
    };
    let records = run().unwrap();
    assert_eq!(records.len(), 4);
    for seed in 0..2 {
        let of = |variant| {
            let mut records = records.iter();
            let found = records.find(|r| (r.variant, r.seed_number) == (variant, seed));
            found.unwrap()
        };
        let (one, four) = (of(0), of(1));
        assert_eq!(one.curve.last().unwrap().step, 24);
        let steps = |record: &Record| record.curve.iter().map(|p| p.step).collect::<Vec<_>>();
        assert_eq!(steps(one), steps(four));
        // Rounding may turn a sample or two of fifty.
        assert!(
            (one.test - four.test).abs() <= 0.04,
            "{} {}",
            one.test,
            four.test
        );
        assert!(one.test > 0.5);
    }
}

/// The disk is full when a run is over: what was kept of it in the middle is gone on from.
#[test]
fn a_run_that_was_interrupted_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let rates = ["0.05", "0.1"];
    let (whole, _) = compared(tempfile::tempdir().unwrap().path(), &rates, 1);
    let full = Disk::failing(|_, path| match path.ends_with("01-01.json") {
        true => Err(ErrorKind::StorageFull.into()),
        false => Ok(()),
    });
    let settings = Settings::new(2, 24, None, Judge::Accuracy).unwrap();
    let (variants, store) = (variants(&rates), Store::new(folder.path()).on(full));
    store.begin(&variants, &settings).unwrap();
    let open = || Ok(gpu());
    let error = compare::run(&variants, &settings, &store, 1, &open, &|_, _, _| {}).unwrap_err();
    assert!(error.to_string().contains("01-01.json"), "{error}");

    // A mark in what was kept shows that nothing before it is done again.
    let half = folder.path().join("runs/01-01.safetensors");
    let bytes = std::fs::read(&half).unwrap();
    let (state, mut record): (State, Record) = State::from_bytes_with(&bytes).unwrap();
    assert!(state.done > 0 && record.curve.len() as u64 == state.done);
    record.curve[0].accuracy = 0.123;
    std::fs::write(&half, state.to_bytes_with(&record).unwrap()).unwrap();
    let (mut again, _) = compared(folder.path(), &rates, 1);
    assert_eq!(again[0].curve[0].accuracy, 0.123);
    again[0].curve[0] = whole[0].curve[0];
    assert_eq!(again, whole);
    assert!(!half.exists());
    // What is not whole is not gone on from.
    std::fs::remove_file(folder.path().join("runs/01-01.json")).unwrap();
    std::fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(compared(folder.path(), &rates, 1), (whole, 1));
}

/// Two at once share the runs: each is done by one of them.
#[test]
fn two_in_one_folder_share_the_runs() {
    let folder = tempfile::tempdir().unwrap();
    let rates = ["0.05", "0.1", "0.2"];
    let (whole, _) = compared(tempfile::tempdir().unwrap().path(), &rates, 1);
    let one = || compared(folder.path(), &rates, 1);
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(one);
        (one(), other.join().unwrap())
    });
    assert_eq!((&first.0, &second.0), (&whole, &whole));
}

#[test]
fn a_folder_of_another_comparison_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let settings = Settings::new(2, 24, None, Judge::Accuracy).unwrap();
    assert!(!Store::exists(folder.path()));
    store.begin(&variants(&["0.05", "0.1"]), &settings).unwrap();
    assert!(Store::exists(folder.path()));
    let more = Settings::new(3, 24, None, Judge::Accuracy).unwrap();
    for (rates, settings) in [(["0.05", "0.2"], settings), (["0.05", "0.1"], more)] {
        let error = store.begin(&variants(&rates), &settings).unwrap_err();
        assert!(error.is_users_mistake());
        assert!(
            error.to_string().contains("holds another comparison"),
            "{error}"
        );
    }
    std::fs::write(folder.path().join("runs/01-01.json"), "{").unwrap();
    let variants = variants(&["0.05", "0.1"]);
    let nothing = |_: usize, _: usize, _: &str| {};
    let error = compare::run(&variants, &settings, &store, 1, &|| Ok(gpu()), &nothing);
    let error = error.unwrap_err();
    assert!(
        error.to_string().contains("is no run of a comparison"),
        "{error}"
    );
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
}
