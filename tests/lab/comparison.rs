//! Comparisons: runs that are alike but for what is compared, kept as they end; and statements that
//! are right about data whose truth is known.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use wavetrain::data::Judge;
use wavetrain::disk::Disk;
use wavetrain::lab::compare::statistics::{ContrastVerdict, looks};
use wavetrain::lab::compare::{
    self, Along, Arm, Between, ComparisonEnded, ComparisonPlan, Outcomes, Pace, Record, Settings,
    Store, Target, Variant, Watch, Wishes, Work, check_seeds,
};
use wavetrain::schedule::{POLICIES, Span};
use wavetrain::train::State;

use super::fixture::{Setup, data, gpu};

// -------------------------------------------------------------------------------- what is wished

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

// ----------------------------------------------------------------------------------------- runs

fn variant(name: &str, schedule: &str) -> Variant {
    let setup = Setup {
        data: "batch = 16\nvalidation = 0.2".into(),
        schedule: schedule.into(),
        ..Setup::default()
    };
    Variant {
        name: name.into(),
        config: setup.config(),
        found: None,
        policy: None,
        dataset: data(200, 40),
    }
}

fn constant(rate: &str) -> Variant {
    variant(
        &format!("lr {rate}"),
        &format!("policy = \"constant\"\nlr = {rate}"),
    )
}

/// A comparison of constant rates, laid out in `folder`.
struct Laid {
    arms: Vec<Arm>,
    plan: ComparisonPlan,
    store: Store,
}

impl Laid {
    fn new(folder: &Path, rates: &[&str], budgets: &[u64]) -> Self {
        let variants: Vec<Variant> = rates.iter().map(|rate| constant(rate)).collect();
        Self::of(folder, &variants, budgets).unwrap()
    }

    fn of(folder: &Path, variants: &[Variant], budgets: &[u64]) -> wavetrain::error::Result<Self> {
        let arms = compare::arms(variants, budgets)?;
        let test = variants[0].dataset.test.len();
        let judged = (Judge::Accuracy, test, 4);
        let settings = Settings::new(budgets.to_vec(), &Wishes::default(), judged)?;
        let along = Along {
            samples: 20,
            every: budgets.iter().map(|steps| steps.div_ceil(8)).collect(),
        };
        let store = Store::new(folder);
        let plan = store.begin(ComparisonPlan::new(&arms, settings, along, looks::fixed(2)))?;
        Ok(Self { arms, plan, store })
    }

    fn work(&self) -> Work<'_> {
        Work {
            arms: &self.arms,
            plan: &self.plan,
            workers: 1,
            open: &|| Ok(gpu()),
        }
    }

    /// Trains two seeds.
    fn run(&self) -> wavetrain::error::Result<Vec<Record>> {
        Ok(compare::run(&self.work(), &self.store, 2, &Nobody)?.0)
    }
}

struct Nobody;

impl Watch for Nobody {}

/// The runs without what a clock says.
fn timeless(records: &[Record]) -> Vec<Record> {
    let mut records = records.to_vec();
    for record in &mut records {
        (record.seconds, record.evaluating) = (0.0, 0.0);
    }
    records
}

fn compared(folder: &Path, rates: &[&str]) -> Vec<Record> {
    timeless(&Laid::new(folder, rates, &[24]).run().unwrap())
}

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

/// Interrupts after some questions.
struct Impatient(AtomicUsize);

impl Watch for Impatient {
    fn interrupted(&self) -> bool {
        self.0.fetch_add(1, Ordering::SeqCst) >= 6
    }
}

#[test]
fn an_interruption_keeps_the_run_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let rates = ["0.05", "0.1"];
    let laid = Laid::new(folder.path(), &rates, &[24]);
    let watch = Impatient(AtomicUsize::new(0));
    let (records, ended) = compare::conduct(&laid.work(), &laid.store, None, &watch).unwrap();
    assert_eq!((records.len(), ended), (0, ComparisonEnded::Interrupted));
    assert!(folder.path().join("runs/01-01.safetensors").exists());
    let whole = compared(tempfile::tempdir().unwrap().path(), &rates);
    assert_eq!(compared(folder.path(), &rates), whole);
}

/// Whose time is up from the beginning, or never.
struct Clock(f64);

impl Watch for Clock {
    fn time_left(&self) -> Option<f64> {
        Some(self.0)
    }
}

#[test]
fn a_comparison_ends_where_all_is_settled_or_the_time_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut laid = Laid::new(folder.path(), &["0.05", "1e-9"], &[24]);
    laid.plan.looks = looks::planned(None);
    let conduct =
        |seconds| compare::conduct(&laid.work(), &laid.store, None, &Clock(seconds)).unwrap();
    let (records, ended) = conduct(0.0);
    assert_eq!((records.len(), ended), (0, ComparisonEnded::Late));
    // A rate at which nothing is learned is worse, as some look shows.
    let (records, ended) = conduct(1e9);
    assert_eq!(ended, ComparisonEnded::Settled);
    assert!(records.len() < 40);
    let outcomes = Outcomes::of(&laid.plan, &records);
    let verdict = outcomes.arms[1]
        .against
        .as_ref()
        .unwrap()
        .judgement
        .unwrap()
        .verdict;
    assert_eq!(
        (verdict, outcomes.is_settled()),
        (ContrastVerdict::Worse, true)
    );
    // More seeds than the plan has are said to be beyond it.
    laid.plan.looks = looks::fixed(2);
    assert!(Outcomes::of(&laid.plan, &records).beyond);
}

/// Two at once share the runs: each is done by one of them.
#[test]
fn two_in_one_folder_share_the_runs() {
    let folder = tempfile::tempdir().unwrap();
    let rates = ["0.05", "0.1", "0.2"];
    let whole = compared(tempfile::tempdir().unwrap().path(), &rates);
    let one = || compared(folder.path(), &rates);
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(one);
        (one(), other.join().unwrap())
    });
    assert_eq!((&first, &second), (&whole, &whole));
}

#[test]
fn a_folder_of_another_comparison_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!Store::exists(folder.path()));
    let laid = Laid::new(folder.path(), &["0.05", "0.1"], &[24]);
    assert!(Store::exists(folder.path()));
    let variants = |rates: &[&str]| -> Vec<Variant> { rates.iter().map(|r| constant(r)).collect() };
    for (rates, budget) in [(["0.05", "0.2"], 24), (["0.05", "0.1"], 48)] {
        let error = Laid::of(folder.path(), &variants(&rates), &[budget])
            .err()
            .unwrap();
        assert!(error.is_users_mistake());
        assert!(
            error.to_string().contains("holds another comparison"),
            "{error}"
        );
    }
    // The looks are those that were planned first.
    let mut more = laid.plan.clone();
    more.looks = looks::fixed(9);
    assert_eq!(laid.store.begin(more).unwrap(), laid.plan);
    // Another version's.
    let file = folder.path().join("plan.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(env!("CARGO_PKG_VERSION"), "0.0.7")).unwrap();
    let error = laid.store.begin(laid.plan.clone()).unwrap_err();
    assert!(error.to_string().contains("version 0.0.7"), "{error}");
    std::fs::write(&file, "{}").unwrap();
    let error = laid.store.begin(laid.plan.clone()).unwrap_err();
    assert!(
        error.is_users_mistake() && error.to_string().contains("cannot read"),
        "{error}"
    );
}

#[test]
fn records_that_no_run_gives_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let laid = Laid::new(folder.path(), &["0.05", "0.1"], &[24]);
    laid.run().unwrap();
    let [one, two] = ["01-01", "01-02"].map(|name| folder.path().join(format!("runs/{name}.json")));
    let whole = std::fs::read_to_string(&one).unwrap();
    let change = |key: &str, value: serde_json::Value| {
        let mut record: serde_json::Value = serde_json::from_str(&whole).unwrap();
        record[key] = value;
        record.to_string()
    };
    for (text, sentence) in [
        ("{".to_owned(), "is no run of a comparison"),
        (
            std::fs::read_to_string(&two).unwrap(),
            "is the run of lr 0.05, 24 steps, seed 2",
        ),
        (change("test", 1.7.into()), "has the accuracy 1.7"),
        (change("test", 0.999.into()), "and its test samples"),
        (
            change("samples", "bits 8 ff".into()),
            "has the scores of 8 test samples; expected 50",
        ),
        (
            change("samples", "bits 9 ff".into()),
            "1 bytes of scores for 9 samples",
        ),
        (
            change("trained", "x".into()),
            "another configuration or version",
        ),
        (change("seconds", (-1.0).into()), "took -1 seconds"),
        (change("variant", "lr 0.1".into()), "is the run of lr 0.1"),
        (
            change(
                "curve",
                serde_json::json!([{"step": 25, "accuracy": 0.5, "loss": 1.0}]),
            ),
            "at step 25",
        ),
    ] {
        std::fs::write(&one, text).unwrap();
        let error = laid.run().unwrap_err();
        assert!(error.is_users_mistake(), "{error}");
        let error = error.to_string();
        assert!(
            error.contains(sentence) && error.contains("01-01.json"),
            "{error}"
        );
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
    let tuned = tuned.unwrap().unwrap();
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
