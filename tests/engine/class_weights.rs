//! Classes that count more than others.

use super::fixture::{CLASSES, Setup, data, gpu};
use wavetrain::Dataset;
use wavetrain::data::Samples;
use wavetrain::model::Model;
use wavetrain::train::{Evaluator, Split};

/// A data set in which class 0 has most samples.
fn skewed() -> Dataset {
    let set = data(120, 10);
    let few = |samples: &Samples| {
        let keep: Vec<u32> = (0..samples.len() as u32)
            .filter(|at| samples.labels()[*at as usize] == 0 || at % 4 == 0)
            .collect();
        let labels = keep
            .iter()
            .map(|at| samples.labels()[*at as usize])
            .collect();
        Samples::from_bytes(samples.shape(), samples.read(&keep).unwrap(), labels).unwrap()
    };
    Dataset::new("skewed", few(&set.train), few(&set.test), CLASSES).unwrap()
}

fn setup(loss: &str, data: &str, train: &str) -> Setup {
    Setup {
        data: data.into(),
        layers: "[{ linear = 12 }, \"tanh\", { linear = 4 }]".into(),
        loss: format!("kind = \"cross_entropy\"\n{loss}"),
        train: format!("steps = 6\n{train}"),
        ..Setup::default()
    }
}

#[test]
fn the_mean_is_over_the_weights_of_all_batches_of_an_update() {
    let balanced = "class_weights = \"balanced\"\nlabel_smoothing = 0.1";
    let records = |batch: &str, train: &str| {
        let setup = setup(balanced, batch, train);
        let mut trainer = setup.trainer(gpu(), skewed());
        let records = trainer.advance(3, 1).unwrap();
        let gradients = trainer.gradients().unwrap();
        (records, gradients.tensors["0.weight"].values.clone())
    };
    let (whole, gradient) = records("batch = 16", "");
    let (parts, of_parts) = records("batch = 4", "accumulate = 4");
    for (a, b) in whole.iter().zip(&parts) {
        assert!((a.loss - b.loss).abs() < 1e-6 * a.loss, "{a:?} {b:?}");
        assert_eq!(a.accuracy, b.accuracy);
    }
    let largest = gradient.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
    for (a, b) in gradient.iter().zip(&of_parts) {
        assert!((a - b).abs() < 1e-5 * largest, "{a} {b}");
    }
}

/// The file of the weights holds what was found, so that an evaluation is the same to the bit.
#[test]
fn weights_that_were_found_stand_in_the_file() {
    let mut trainer =
        setup("class_weights = \"balanced\"", "batch = 16", "").trainer(gpu(), skewed());
    trainer.advance(6, 2).unwrap();
    let (expected, _) = trainer.evaluate(Split::Test).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, trainer.weights().unwrap().to_safetensors().unwrap()).unwrap();
    let model = Model::open(&path).unwrap();
    let written = model.description.loss["class_weights"].as_table().unwrap();
    let set = skewed();
    let count = |class: u32| {
        set.train
            .labels()
            .iter()
            .filter(|label| **label == class)
            .count()
    };
    for (name, weight) in written {
        let own = count(name.parse().unwrap());
        let wanted = set.train.len() as f64 / (CLASSES * own) as f64;
        assert!(
            (weight.as_float().unwrap() - wanted).abs() < 1e-6,
            "{name}: {weight}"
        );
    }
    let mut evaluator = Evaluator::new(gpu(), &model, 256).unwrap();
    let all: Vec<u32> = (0..set.test.len() as u32).collect();
    let outputs = evaluator.run(&set.test, &all).unwrap();
    assert_eq!(
        (outputs.loss, outputs.accuracy),
        (expected.loss, expected.accuracy)
    );
}

#[test]
fn weights_of_no_class_are_refused() {
    let refused = |loss: &str| {
        let config = setup(loss, "batch = 16", "").config();
        wavetrain::Trainer::new(gpu(), config, skewed())
            .err()
            .map(|error| error.to_string())
    };
    let error = refused("class_weights = { cat = 2.0 }").unwrap();
    assert!(
        error.contains("\"cat\", which is no class of the data"),
        "{error}"
    );
    for unknown in ["\"balance\"", "[1, 2, 3]", "{ a = \"x\" }"] {
        let config = setup(&format!("class_weights = {unknown}"), "", "");
        let error = wavetrain::Config::parse("setup", &config.text()).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("expected \"balanced\", or a table"),
            "{error}"
        );
    }
    let error = refused("class_weights = { 0 = 0, 1 = 0, 2 = 0, 3 = 0 }").unwrap();
    assert!(error.contains("0 for every class"), "{error}");
    assert_eq!(refused("class_weights = { 0 = 0.5 }"), None);
}
