//! Evaluation against the references, and weights on their way in and out.

use std::path::Path;

use wavetrain::data::{Dataset, Normalization, Samples, Split as DataSplit};
use wavetrain::layer::{Pass, chain};
use wavetrain::loss::RowTargets;
use wavetrain::model::Weights;
use wavetrain::rng::{Key, Stream};
use wavetrain::train::{Split, Trainer};

use super::fixture::{CLASSES, Keeper, Setup, data, gpu, gpus, samples, weight_bits};
use super::rounded::{LOG_NEAR_ONE, exp_error, sum_error};

/// What the references say of some samples: loss, chosen class, how far the loss may be off, and
/// the distance of the largest output to the next.
struct Expected {
    loss: f64,
    chosen: usize,
    error: f64,
    margin: f64,
}

fn expected(
    setup: &Setup,
    trainer: &Trainer,
    inputs: &[Vec<f32>],
    labels: &[u32],
) -> Vec<Expected> {
    let config = setup.config();
    let weights = trainer.weights().unwrap();
    let nodes = trainer.network().nodes();
    let parameters = trainer.network().parameters();
    let parameters = parameters.map(|p| &weights.tensors[&p.name].values);
    let wide = |values: &Vec<f32>| -> Vec<f64> { values.iter().map(|v| f64::from(*v)).collect() };
    let parameters: Vec<Vec<f64>> = parameters.map(wide).collect();
    let x: Vec<f64> = inputs.iter().flatten().map(|v| f64::from(*v)).collect();
    let pass = Pass {
        node: &nodes[0],
        samples: inputs.len(),
        x: &x,
        parameters: &parameters,
        states: &[],
        training: false,
        key: Key::new(0, Stream::Dropout, 0),
    };
    let logits = chain::reference_forward(nodes, &pass).pop().unwrap();
    let positive: Vec<Vec<f64>> = parameters
        .iter()
        .map(|p| p.iter().map(|v| v.abs()).collect())
        .collect();
    let positive = Pass {
        parameters: &positive,
        ..pass
    };
    let sums = chain::reference_forward(nodes, &positive).pop().unwrap();
    let widths = nodes.iter().map(|node| node.output().elements());
    let terms = 2 * (inputs[0].len() + widths.sum::<usize>());
    let reference = config
        .loss
        .reference(&logits, CLASSES, RowTargets::Classes(labels));
    let rows = logits.chunks(CLASSES).zip(sums.chunks(CLASSES)).enumerate();
    rows.map(|(r, (logits, sums))| {
        let largest = sums.iter().copied().fold(0.0, f64::max);
        let logit_error = sum_error(terms, largest);
        let mut sorted = logits.to_vec();
        sorted.sort_by(f64::total_cmp);
        let spread = sorted[CLASSES - 1] - sorted[0];
        Expected {
            loss: reference.losses[r],
            chosen: reference.chosen[r],
            error: 2.0 * logit_error + exp_error(spread) + LOG_NEAR_ONE,
            margin: sorted[CLASSES - 1] - sorted[CLASSES - 2] - 2.0 * logit_error,
        }
    })
    .collect()
}

/// Checks one part of the data sample by sample.
fn check(trainer: &mut Trainer, split: Split, wanted: &[Expected], labels: &[u32]) {
    let (evaluation, outcomes) = trainer.evaluate(split).unwrap();
    assert_eq!(outcomes.len(), wanted.len());
    let mut right = 0;
    for (i, (found, wanted)) in outcomes.iter().zip(wanted).enumerate() {
        let off = (found.loss - wanted.loss).abs();
        assert!(
            off <= wanted.error,
            "{split:?} sample {i}: loss {}, the reference says {}; allowed is {:e}",
            found.loss,
            wanted.loss,
            wanted.error
        );
        if wanted.margin > 0.0 {
            assert_eq!(found.chosen, wanted.chosen, "{split:?} sample {i}");
        }
        right += usize::from(found.chosen == labels[i] as usize);
    }
    let n = wanted.len() as f64;
    let mean = wanted.iter().map(|w| w.loss).sum::<f64>() / n;
    let error = wanted.iter().map(|w| w.error).sum::<f64>() / n;
    assert!(
        (evaluation.loss - mean).abs() <= 2.0 * error,
        "{} {mean}",
        evaluation.loss
    );
    assert_eq!((evaluation.accuracy * n).round() as usize, right);
    assert_eq!(evaluation.split, split);
}

/// More samples than one submission of an evaluation takes, and a last batch that is not full.
#[test]
fn evaluations_equal_the_references_sample_by_sample() {
    let dataset = Dataset::new("made up", samples(2, 300, 8), samples(3, 4_500, 8), CLASSES);
    let dataset = dataset.unwrap();
    let setup = Setup {
        data: "batch = 16\nvalidation = 0.25".into(),
        ..Setup::default()
    };
    for gpu in gpus() {
        let mut trainer = setup.trainer(gpu, dataset.clone());
        trainer.advance(10, 5).unwrap();
        let config = setup.config();
        let split = DataSplit::new(300, 0.25, config.data.seed).unwrap();
        let kind = config.data.normalize;
        let normalization = Normalization::new(kind, &dataset.train, &split.train).unwrap();
        let part = |samples: &Samples, indices: &[u32]| {
            let input = |i: u32| normalization.input(samples, i).unwrap();
            let pairs = indices
                .iter()
                .map(|i| (input(*i), samples.labels()[*i as usize]));
            pairs.unzip::<_, _, Vec<_>, Vec<_>>()
        };
        let all: Vec<u32> = (0..4_500).collect();
        for (split, (inputs, labels)) in [
            (Split::Validation, part(&dataset.train, &split.validation)),
            (Split::Test, part(&dataset.test, &all)),
        ] {
            let wanted = expected(&setup, &trainer, &inputs, &labels);
            check(&mut trainer, split, &wanted, &labels);
        }
    }
}

/// Evaluating changes nothing of the training.
#[test]
fn evaluating_leaves_no_trace() {
    let mut plain = Setup::default().trainer(gpu(), data(100, 10));
    let mut watched = Setup::default().trainer(gpu(), data(100, 10));
    for _ in 0..5 {
        plain.advance(3, 3).unwrap();
        watched.advance(3, 3).unwrap();
        watched.evaluate_all().unwrap();
    }
    assert_eq!(weight_bits(&plain), weight_bits(&watched));
}

#[test]
fn weights_go_out_and_in_without_a_bit_lost() {
    let mut first = Setup::default().trainer(gpu(), data(100, 10));
    first.advance(10, 5).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let weights = first.weights().unwrap();
    std::fs::write(file.path(), weights.to_safetensors().unwrap()).unwrap();
    let read = Weights::read(file.path()).unwrap();
    assert_eq!(read, weights);
    let mut second = Setup {
        seed: 99,
        ..Setup::default()
    }
    .trainer(gpu(), data(100, 10));
    assert_ne!(weight_bits(&first), weight_bits(&second));
    second.set_weights(&read, Path::new("file")).unwrap();
    assert_eq!(weight_bits(&first), weight_bits(&second));
    let [a, b] = [&mut first, &mut second].map(|t| t.evaluate(Split::Test).unwrap().1);
    assert_eq!(a, b);
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name() {
    let mut trainer = Setup::default().trainer(gpu(), data(100, 10));
    let good = trainer.weights().unwrap();
    let mut refuse = |weights: Weights, name: &str| {
        let error = trainer.set_weights(&weights, Path::new("w")).unwrap_err();
        assert!(error.is_users_mistake(), "{error}");
        let error = error.to_string();
        assert!(error.contains("w: ") && error.contains(name), "{error}");
    };
    let mut missing = good.clone();
    missing.tensors.remove("3.bias");
    refuse(missing, "`3.bias` of shape [4] is missing");
    let mut extra = good.clone();
    extra
        .tensors
        .insert("7.weight".into(), good.tensors["3.bias"].clone());
    refuse(extra, "`7.weight` belongs to no layer");
    let mut misshapen = good.clone();
    misshapen.tensors.get_mut("0.weight").unwrap().shape = vec![10, 24];
    refuse(
        misshapen,
        "`0.weight` has the shape [10, 24], expected [24, 10]",
    );
    let mut infinite = good.clone();
    infinite.tensors.get_mut("0.bias").unwrap().values[3] = f32::NAN;
    refuse(infinite, "`0.bias` holds NaN at 3");
}

#[test]
fn the_best_evaluation_is_of_what_is_held_out_or_else_of_the_test_set() {
    for (held_out, split) in [(0.2, Split::Validation), (0.0, Split::Test)] {
        let setup = Setup {
            data: format!("batch = 16\nvalidation = {held_out}"),
            ..Setup::default()
        };
        let mut keeper = Keeper::default();
        let mut trainer = setup.trainer(gpus()[0].clone(), data(90, 40));
        trainer.run(&mut [&mut keeper]).unwrap();
        let of = keeper.evaluations.iter().filter(|e| e.split == split);
        let mut best = f64::NEG_INFINITY;
        let mut expected = Vec::new();
        for evaluation in of {
            if evaluation.accuracy > best {
                best = evaluation.accuracy;
                expected.push((evaluation.step, best, 4));
            }
        }
        assert!(!expected.is_empty());
        assert_eq!(keeper.bests, expected, "{split:?}");
    }
}
