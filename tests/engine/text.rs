//! Texts: windows of a stream in the order of epochs, states that go on, targets that do not count.

use std::sync::Arc;

use wavetrain::args::Args;
use wavetrain::data::{Dataset, IGNORED, Judge, Samples, Targets, Task, in_streams};
use wavetrain::gpu::{Gpu, LimitsChoice, Selection};
use wavetrain::rng::{Key, Stream};
use wavetrain::source::{Cache, Request, source};
use wavetrain::train::{Ended, Split};

use super::fixture::{Keeper, Setup, bits, gpu, gpus, weight_bits};

const SYMBOLS: usize = 7;
const CONTEXT: usize = 5;

/// A made-up text in which a symbol follows from the one before it, mostly.
fn tokens(seed: u64, count: usize) -> Vec<u32> {
    let key = Key::new(seed, Stream::Bench, 3);
    let mut tokens = vec![0];
    while tokens.len() < count {
        let [word, chance] = key.words(tokens.len() as u32, 0);
        let last = tokens[tokens.len() - 1];
        tokens.push(match chance % 4 {
            0 => word % SYMBOLS as u32,
            _ => (3 * last + 1) % SYMBOLS as u32,
        });
    }
    tokens
}

fn task() -> Task {
    Task::Tokens((0..SYMBOLS).map(|symbol| symbol.to_string()).collect())
}

fn text(train: usize, test: usize) -> Dataset {
    let windows = |seed, count| Samples::windows([CONTEXT, SYMBOLS], tokens(seed, count)).unwrap();
    Dataset::of("text", windows(1, train), windows(2, test), task()).unwrap()
}

fn setup(data: &str, layers: &str, train: &str) -> Setup {
    Setup {
        data: data.into(),
        layers: layers.into(),
        train: train.into(),
        ..Setup::default()
    }
}

const NET: &str =
    "[{ embedding = 6 }, { linear = 12 }, \"tanh\", { dropout = 0.2 }, { linear = 7 }]";
const LSTM: &str = "[{ embedding = 6 }, { lstm = 9 }, { linear = 7 }]";

#[test]
fn a_streamed_text_gives_the_same_bits_as_a_resident_one() {
    for (data, layers) in [
        ("batch = 4\nvalidation = 0.2", NET),
        ("batch = 4\nshuffle = false\nstateful = true", LSTM),
    ] {
        let setup = setup(
            &format!("source = \"text\"\n{data}"),
            layers,
            "steps = 200\nchunk = 16",
        );
        // Room for what one evaluation sends, not for the text.
        let small = Selection {
            class: Some(gpu().class().name()),
            limits: LimitsChoice::Binding(100_000),
            ..Selection::default()
        };
        let small = Arc::new(Gpu::open(&small).unwrap());
        let mut outcomes = Vec::new();
        for (gpu, dataset, lies) in [
            (gpu(), text(40_000, 500), "on the device"),
            (gpu(), in_its_file(40_000, 500), "on the device"),
            (small.clone(), text(40_000, 500), "in memory"),
            (small, in_its_file(40_000, 500), "in their file"),
        ] {
            let mut trainer = setup.trainer(gpu, dataset);
            assert!(trainer.info().residence.starts_with(lies));
            let records = trainer.advance(150, 16).unwrap();
            let (test, rows) = trainer.evaluate(Split::Test).unwrap();
            assert_eq!(trainer.measure(Split::Test).unwrap(), test);
            let some = trainer.measure_some(Split::Validation, 7).unwrap();
            assert!(some.loss.is_nan() != data.contains("validation"));
            let scores = trainer.test_scores(Judge::Loss).unwrap().1;
            let mean = scores.iter().map(|score| f64::from(*score)).sum::<f64>();
            assert!((mean / scores.len() as f64 - test.loss).abs() < 1e-6);
            // Of windows in streams, too, they stand in the order of the text.
            let windows: Vec<u32> = (0..scores.len() as u32).collect();
            let order = match data.contains("stateful") {
                true => in_streams(&windows, 4),
                false => windows,
            };
            for (window, rows) in order.iter().zip(rows.chunks(rows.len() / scores.len())) {
                let loss = rows.iter().map(|row| row.loss).sum::<f64>() / rows.len() as f64;
                assert!((f64::from(scores[*window as usize]) - loss).abs() < 1e-6);
            }
            outcomes.push((
                (bits(&records), weight_bits(&trainer)),
                (test.loss.to_bits(), some.loss.to_bits()),
                (rows, scores),
            ));
        }
        for other in &outcomes[1..] {
            assert!(outcomes[0].0 == other.0, "{data}: trained otherwise");
            assert_eq!(outcomes[0].1, other.1, "{data}");
            assert_eq!(outcomes[0].2, other.2, "{data}");
        }
    }
}

/// The same text as characters in files, from which it is read as it is needed.
fn in_its_file(train: usize, test: usize) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    for (name, seed, count) in [("train.txt", 1, train), ("test.txt", 2, test)] {
        let digits = tokens(seed, count);
        let digits: String = digits.iter().map(u32::to_string).collect();
        std::fs::write(folder.path().join(name), digits).unwrap();
    }
    let request = Request {
        dir: Some(folder.path().into()),
        cache: Cache::None,
        ..Request::default()
    };
    let arguments = format!("context = {CONTEXT}");
    let arguments = Args::parse(&arguments).unwrap();
    let source = (source("text").unwrap().parse)(arguments).unwrap();
    source.open(&request, &|_| {}).unwrap()
}

/// Steps in an epoch, phases and epochs: what is trained is what was asked for, and it learns.
#[test]
fn a_text_is_learned_and_judged_by_its_loss() {
    let setup = setup(
        "source = \"text\"\nbatch = 8",
        NET,
        "steps = 300\neval_every = 100",
    );
    let mut trainer = setup.trainer(gpu(), text(1001, 201));
    // (1001 - 5) / 5 windows in batches of 8.
    assert_eq!(trainer.steps_per_epoch(), 25);
    let summary = trainer.run(&mut []).unwrap();
    let last = summary.evaluations.last().unwrap();
    assert!(last.loss < 1.2, "{last:?}");
    assert!((last.perplexity.unwrap() - last.loss.exp()).abs() < 1e-12);
    assert!((last.bits.unwrap() - last.loss / std::f64::consts::LN_2).abs() < 1e-12);
    assert_eq!(last.sequences, None);
    assert!(summary.confusion.is_empty() && summary.mistakes.is_empty());
    let count: u64 = summary.symbols.iter().map(|symbol| symbol.count).sum();
    assert_eq!(count, 40 * CONTEXT as u64);
    assert!(summary.symbols.is_sorted_by(|a, b| a.loss >= b.loss));
}

#[test]
fn a_state_taken_between_two_windows_goes_on_to_the_same_bits() {
    let data = "source = \"text\"\nbatch = 4\nshuffle = false\nstateful = true";
    let repeated = LSTM.replace(
        "{ lstm = 9 }",
        "{ repeat = { times = 2, layers = [{ lstm = 6 }] } }",
    );
    let nets = gpus()
        .into_iter()
        .zip([LSTM, &repeated].into_iter().cycle());
    for (gpu, layers) in nets {
        let setup = setup(data, layers, "steps = 40");
        let mut whole = setup.trainer(Arc::clone(&gpu), text(501, 101));
        // 100 windows in 4 streams: 25 steps an epoch; the state is taken in the middle of one.
        assert_eq!(whole.steps_per_epoch(), 25);
        whole.advance(13, 4).unwrap();
        let state = whole.state().unwrap();
        let expected = bits(&whole.advance(27, 8).unwrap());
        let mut other = setup.trainer(gpu, text(501, 101));
        other.advance(3, 1).unwrap();
        other.restore(&state).unwrap();
        // An evaluation between two steps has states of its own.
        other.evaluate(Split::Test).unwrap();
        assert_eq!(bits(&other.advance(27, 8).unwrap()), expected);
        assert_eq!(weight_bits(&other), weight_bits(&whole));
    }
}

/// What is carried on matters: without it the second window of a stream begins at zero.
#[test]
fn states_go_on_from_window_to_window_and_start_at_zero_in_each_epoch() {
    let still = |stateful: bool| Setup {
        schedule: "policy = \"constant\"\nlr = 1e-38".into(),
        ..setup(
            &format!("source = \"text\"\nbatch = 4\nshuffle = false\nstateful = {stateful}"),
            LSTM,
            "steps = 75",
        )
    };
    let losses = |stateful: bool| -> Vec<f64> {
        let mut trainer = still(stateful).trainer(gpu(), text(501, 101));
        let records = trainer.advance(60, 10).unwrap();
        records.iter().map(|record| record.loss).collect()
    };
    let carried = losses(true);
    // The same weights, the same windows: each epoch is the one before it.
    assert_eq!(carried[..25], carried[25..50]);
    // Without streams the windows come in another order, but the text is the same.
    assert_ne!(carried[1..25], losses(false)[1..25]);
}

#[test]
fn targets_that_do_not_count_change_nothing() {
    let steps = 4;
    let tokens: Vec<u32> = tokens(4, 24 * steps);
    let dataset = |cover: u32| {
        let values = |from: u32| -> Vec<u32> {
            let target = |i: usize| match (i + from as usize) % 3 {
                0 => cover,
                _ => (tokens[i] + 1) % SYMBOLS as u32,
            };
            (0..tokens.len()).map(target).collect()
        };
        let samples = |from| {
            let values = values(from);
            let targets = Targets::Positions { steps, values };
            Samples::from_tokens([steps, SYMBOLS], tokens.clone(), targets).unwrap()
        };
        Dataset::of("sequences", samples(0), samples(1), task()).unwrap()
    };
    let still = |data: &str, train: &str| Setup {
        schedule: "policy = \"constant\"\nlr = 1e-38".into(),
        ..setup(data, NET, train)
    };
    // 24 sequences: one batch of all, and four of 6, whose targets that count differ in number.
    let one = still("batch = 24\nshuffle = false", "steps = 4");
    let four = still("batch = 6\nshuffle = false", "steps = 4\naccumulate = 4");
    let mut gradients = Vec::new();
    for setup in [one, four] {
        let mut trainer = setup.trainer(gpu(), dataset(IGNORED));
        let records = trainer.advance(1, 1).unwrap();
        gradients.push((records[0].loss, trainer.gradients().unwrap()));
        let evaluation = trainer.evaluate(Split::Test).unwrap().0;
        assert!(evaluation.sequences.is_some());
        assert!(evaluation.loss > 1.0 && evaluation.loss < 3.0);
    }
    let (whole, parts) = (&gradients[0], &gradients[1]);
    assert!((whole.0 - parts.0).abs() < 1e-6);
    for (name, tensor) in &whole.1.tensors {
        let others = &parts.1.tensors[name].values;
        for (a, b) in tensor.values.iter().zip(others) {
            assert!((a - b).abs() < 2e-7, "{name}: {a} {b}");
        }
    }
    // A target that counts is another loss.
    let setup = still("batch = 24\nshuffle = false", "steps = 4");
    let counted = setup.trainer(gpu(), dataset(0)).advance(1, 1).unwrap();
    assert_ne!(counted[0].loss, whole.0);
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let refused = |data: &str, layers: &str| {
        let config = setup(data, layers, "steps = 4").config();
        let outcome = wavetrain::Trainer::new(gpu(), config, text(501, 101));
        outcome.map(|_| ()).unwrap_err().to_string()
    };
    let stateful = "source = \"text\"\nbatch = 4\nshuffle = false\nstateful = true";
    let message = refused(stateful, NET);
    assert!(
        message.contains("data.stateful: true, for a network without a recurrent layer"),
        "{message}"
    );
    let wide = stateful.replace("batch = 4", "batch = 21");
    let message = refused(&wide, LSTM);
    assert!(
        message.contains("21 streams, with 20 windows of 5 tokens in the test part"),
        "{message}"
    );
    let message = refused("batch = 4", "[{ embedding = 6 }, { linear = 8 }]");
    assert!(
        message.contains("[5, 8], but the data has 7 symbols: [5, 7] is expected"),
        "{message}"
    );
    let message = refused("batch = 4", "[{ linear = 8 }]");
    assert!(
        message.contains("takes numbers, but its input are 5 tokens of 7 symbols"),
        "{message}"
    );
    let message = refused(
        "batch = 4",
        "[{ embedding = 6 }, { lstm = 4 }, \"last\", { linear = 7 }]",
    );
    assert!(
        message.contains("[7], but the data has 7 symbols: [5, 7] is expected"),
        "{message}"
    );
    let message = refused(
        "batch = 4",
        "[{ embedding = 6 }, { linear = { out_features = 7, tie = \"0.wieght\" } }]",
    );
    assert!(
        message.contains("is tied to 0.wieght, but no layer in front"),
        "{message}"
    );
}

/// Evaluations of a text are judged by the loss: which is best, when a run stops, when a rate falls.
#[test]
fn the_loss_decides_about_a_text() {
    let judged = |schedule: &str, train: &str| {
        let setup = Setup {
            schedule: schedule.into(),
            ..setup("source = \"text\"\nbatch = 8\nvalidation = 0.2", NET, train)
        };
        let mut trainer = setup.trainer(gpu(), text(1001, 201));
        let mut keeper = Keeper::default();
        let summary = trainer.run(&mut [&mut keeper]).unwrap();
        let held_out = keeper.evaluations.iter();
        let losses: Vec<f64> = held_out
            .filter(|evaluation| evaluation.split == Split::Validation)
            .map(|evaluation| evaluation.loss)
            .collect();
        (losses, keeper, summary)
    };
    // A rate that overshoots: losses go up and down.
    let (losses, keeper, summary) = judged(
        "policy = \"constant\"\nlr = 3.0",
        "steps = 400\neval_every = 5\nearly_stop = 4",
    );
    let mut best = f64::INFINITY;
    let better = losses.iter().enumerate().filter(|(_, loss)| {
        let is = **loss < best;
        best = best.min(**loss);
        is
    });
    let better: Vec<u64> = better.map(|(at, _)| 5 * (at as u64 + 1)).collect();
    let found: Vec<u64> = keeper.bests.iter().map(|best| best.0).collect();
    assert_eq!(found, better);
    assert_eq!(summary.ended, Ended::Stopped, "{losses:?}");
    assert_eq!(losses.len() as u64, better.last().unwrap() / 5 + 4);
    // Under a threshold that no loss passes the rate halves with each evaluation after the first.
    let (losses, keeper, _) = judged(
        "policy = \"plateau\"\nlr = 0.1\nfactor = 0.5\npatience = 0\nthreshold = 0.99",
        "steps = 30\neval_every = 6",
    );
    assert_eq!(losses.len(), 5);
    for record in &keeper.records {
        let falls = (record.step / 6).saturating_sub(1);
        let wanted = 0.1 * 0.5_f64.powi(i32::try_from(falls).unwrap());
        assert_eq!(record.lr as f32, wanted as f32, "step {}", record.step);
    }
}

/// A tied parameter has two names in files; one is enough to read, and two must be equal.
#[test]
fn tied_weights_have_both_names_in_files() {
    let layers = "[{ embedding = 6 }, { linear = 6 }, { linear = { out_features = 7, tie = \"0.weight\" } }]";
    let setup = setup("source = \"text\"\nbatch = 8", layers, "steps = 10");
    let mut trainer = setup.trainer(gpu(), text(301, 101));
    trainer.advance(3, 3).unwrap();
    let whole = trainer.weights().unwrap();
    assert_eq!(whole.tensors["0.weight"], whole.tensors["2.weight"]);
    let file = std::path::Path::new("a file");
    for left_out in ["0.weight", "2.weight"] {
        let mut other = setup.trainer(gpu(), text(301, 101));
        let mut weights = whole.clone();
        weights.tensors.remove(left_out);
        other.set_weights(&weights, file).unwrap();
        assert_eq!(other.weights().unwrap().tensors, whole.tensors);
    }
    let mut weights = whole.clone();
    weights.tensors.get_mut("2.weight").unwrap().values[1] += 1.0;
    let refused = trainer.set_weights(&weights, file).unwrap_err().to_string();
    assert!(
        refused.contains("`2.weight` is not `0.weight`, to which this model ties it"),
        "{refused}"
    );
}
