//! Numbers that are predicted: what training, evaluation and files make of their units.

use wavetrain::config::Config;
use wavetrain::data::{Dataset, Samples, Targets, Task, Units};
use wavetrain::loss::RowTargets;
use wavetrain::model::{Model, Weights};
use wavetrain::train::{Errors, Evaluator, Event, Flow, Prediction, Split, Trainer};

use super::adapter::gpu;
use wavetrain::gpu::ClassName;

/// Rows of three features and two numbers that follow from them, far from 0 and of different sizes.
fn samples(first: usize, count: usize) -> Samples {
    let x = |i: usize, j: usize| ((i * (7 + 2 * j) + j) % 23) as f32 / 11.0 - 1.0;
    let (mut values, mut numbers) = (Vec::new(), Vec::new());
    for i in first..first + count {
        let row = [x(i, 0), x(i, 1), x(i, 2)];
        values.extend(row);
        numbers.push(5000.0 + 300.0 * row[0] - 100.0 * row[1]);
        numbers.push(0.01 * row[2] - 0.02 * row[0]);
    }
    let targets = Targets::Numbers {
        width: 2,
        values: numbers,
    };
    Samples::from_rows(vec![false; 3], values, targets).unwrap()
}

fn dataset() -> Dataset {
    let task = Task::Numbers(vec!["far".into(), "small".into()]);
    Dataset::of("numbers", samples(0, 101), samples(101, 37), task).unwrap()
}

fn config(loss: &str, more: &str) -> Config {
    let text = format!(
        "[data]\nbatch = 16\nvalidation = 0.2\n[model]\nlayers = [{{ linear = 16 }}, \"tanh\", {{ linear = \"outputs\" }}]\n\
         [loss]\n{loss}\n[optimizer]\nkind = \"adamw\"\n[schedule]\npolicy = \"one_cycle\"\nmax_lr = 0.02\n\
         [train]\nepochs = 30\n{more}"
    );
    Config::parse("numbers", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn quiet() -> impl FnMut(&Event<'_>) -> wavetrain::Result<Flow> {
    |_: &Event<'_>| Ok(Flow::Continue)
}

#[test]
fn numbers_are_learned_and_predicted_in_their_own_units() {
    let Some(gpu) = gpu(ClassName::LanesPlain) else {
        return;
    };
    for loss in [
        "kind = \"mse\"",
        "kind = \"l1\"",
        "kind = \"huber\"\ndelta = 0.5",
    ] {
        let mut trainer = Trainer::new(gpu.clone(), config(loss, ""), dataset()).unwrap();
        let summary = trainer.run(&mut [&mut quiet()]).unwrap();
        let test = summary
            .evaluations
            .iter()
            .find(|e| e.split == Split::Test)
            .unwrap();
        let errors = test.errors.unwrap();
        assert!(test.accuracy.is_nan());
        assert!(errors.r2 > 0.95, "{loss}: {errors:?}");
        // The means of one number's errors in the hundreds and one's in the hundredths.
        assert!(
            errors.mae < 40.0 && errors.rmse < 50.0,
            "{loss}: {errors:?}"
        );
        let numbers = summary.numbers.unwrap();
        assert_eq!((numbers.each.len(), numbers.shown.len()), (2, 2 * 37));
        assert_eq!(numbers.worst.len(), 24);
        check_model(&gpu, &trainer.weights().unwrap(), &errors, test.loss);
        let far = numbers
            .shown
            .iter()
            .find(|record| record.number == 0)
            .unwrap();
        assert!((4000.0..6000.0).contains(&far.predicted), "{far:?}");
    }
}

/// The file of the weights says how numbers come back to their units.
fn check_model(
    gpu: &std::sync::Arc<wavetrain::gpu::Gpu>,
    weights: &Weights,
    errors: &Errors,
    loss: f64,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, weights.to_safetensors().unwrap()).unwrap();
    let model = Model::open(&path).unwrap();
    let mut evaluator = Evaluator::new(gpu.clone(), &model, 256).unwrap();
    let test = samples(101, 37);
    let all: Vec<u32> = (0..37).collect();
    let outputs = evaluator.run(&test, &all).unwrap();
    assert_eq!(outputs.errors.as_ref(), Some(errors));
    assert_eq!(outputs.loss, loss);
    assert_eq!(outputs.predictions.len(), 74);
    let inputs = test.values(&all).unwrap();
    let told = evaluator.predict(inputs).unwrap();
    let told = told.into_iter().map(|prediction| match prediction {
        Prediction::Numbers(numbers) => numbers,
        other => panic!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>().concat(), outputs.predictions);
    let odd = evaluator.predict(vec![0.0_f32; 4]).unwrap_err().to_string();
    assert!(odd.contains("4 values; expected a multiple of 3"), "{odd}");
    let bytes = evaluator.predict(vec![0_u8; 3]).unwrap_err().to_string();
    assert!(bytes.contains("bytes of the shape [3]"), "{bytes}");
    let restored = model.description.units.restored(&outputs.rows);
    assert_eq!(restored, outputs.predictions);
    // Classes are no numbers to predict.
    let classes =
        Samples::from_rows(vec![false; 3], vec![0.0; 3], Targets::Classes(vec![0])).unwrap();
    assert!(evaluator.run(&classes, &[0]).is_err());
}

/// The loss of an evaluation is the f64 reference's over what the network gave.
#[test]
fn the_loss_is_that_of_standardised_numbers() {
    let Some(gpu) = gpu(ClassName::LanesPlain) else {
        return;
    };
    let config = config("kind = \"huber\"", "");
    let loss = config.loss.clone();
    let mut trainer = Trainer::new(gpu.clone(), config, dataset()).unwrap();
    let (evaluation, rows) = trainer.evaluate(Split::Test).unwrap();
    let weights = trainer.weights().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, weights.to_safetensors().unwrap()).unwrap();
    let model = Model::open(&path).unwrap();
    let mut evaluator = Evaluator::new(gpu, &model, 256).unwrap();
    let test = samples(101, 37);
    let all: Vec<u32> = (0..37).collect();
    let outputs = evaluator.run(&test, &all).unwrap();
    let wide = |values: &[f32]| -> Vec<f64> { values.iter().copied().map(f64::from).collect() };
    let Targets::Numbers { values, .. } = test.targets() else {
        panic!("numbers")
    };
    let units: &Units = &model.description.units;
    let learned: Vec<f64> = values
        .chunks(2)
        .flat_map(|row| [0, 1].map(|j| (f64::from(row[j]) - units.mean[j]) / units.deviation[j]))
        .map(|value| f64::from(value as f32))
        .collect();
    let reference = loss.reference(&wide(&outputs.rows), 2, RowTargets::Numbers(&learned));
    for (found, expected) in rows.iter().zip(&reference.losses) {
        assert!(
            (found.loss - expected).abs() <= 1e-6 * expected.max(1.0),
            "{found:?} {expected}"
        );
    }
    let mean = reference.losses.iter().sum::<f64>() / 37.0;
    assert!((evaluation.loss - mean).abs() < 1e-6 * mean);
}

/// The same bits whether samples lie on the device or are sent, in one batch or in several.
#[test]
fn snapshots_and_averages_of_numbers_have_a_share_that_is_explained() {
    let Some(gpu) = gpu(ClassName::LanesPlain) else {
        return;
    };
    let config = config(
        "kind = \"mse\"",
        "[cycle_end]\nsnapshot = true\naverage = true\n",
    );
    let mut points = Vec::new();
    let mut watch = |event: &Event<'_>| {
        if let Event::LowPoint { point, .. } = event {
            points.push(**point);
        }
        Ok(Flow::Continue)
    };
    let mut trainer = Trainer::new(gpu, config, dataset()).unwrap();
    trainer.run(&mut [&mut watch]).unwrap();
    let last = points.last().expect("a cycle ended");
    assert!(last.single > 0.9 && last.single <= 1.0, "{last:?}");
    // One member is itself.
    assert!(
        (last.ensemble.unwrap() - last.single).abs() < 1e-6,
        "{last:?}"
    );
    assert!(
        (last.average.unwrap() - last.single).abs() < 1e-6,
        "{last:?}"
    );
}

#[test]
fn losses_and_tasks_must_fit() {
    let Some(gpu) = gpu(ClassName::LanesPlain) else {
        return;
    };
    let text = |config: Config, data: Dataset| {
        Trainer::new(gpu.clone(), config, data)
            .err()
            .map(|error| error.to_string())
    };
    let error = text(config("kind = \"cross_entropy\"", ""), dataset()).unwrap();
    assert!(error.contains("2 numbers"), "{error}");
    let samples = |n: usize| {
        let labels = Targets::Classes((0..n as u32).map(|i| i % 2).collect());
        Samples::from_rows(vec![false; 3], vec![0.5; 3 * n], labels).unwrap()
    };
    let classes = Dataset::new("classes", samples(40), samples(10), 2).unwrap();
    let error = text(config("kind = \"l1\"", ""), classes).unwrap();
    assert!(error.contains("numbers to predict"), "{error}");
}
