//! A file of weights describes its network, and the network that is made from it is the same.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use wavetrain::data::{Normalize, Storage};
use wavetrain::gpu::{Gpu, LimitsChoice, Selection};
use wavetrain::model::Model;
use wavetrain::train::{Evaluator, evaluation_batch};
use wavetrain::{Dataset, Samples, Trainer};

use super::fixture::{LAYERS, config, dataset, gpus, save};

const SHAPE: [usize; 3] = [2, 6, 6];

/// Loss and accuracy of the file's network are those of the trainer, to the bit, in every class
/// and for every normalisation.
#[test]
fn a_network_from_its_file_evaluates_to_the_same_bits() {
    for gpu in gpus() {
        for normalize in ["unit", "standard", "mean_image", "none"] {
            let data = format!("validation = 0.3\nnormalize = \"{normalize}\"");
            let mut trainer =
                Trainer::new(gpu.clone(), config(LAYERS, &data, ""), dataset(&SHAPE)).unwrap();
            trainer.advance(9, 4).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let model = Model::open(&save(&trainer, folder.path())).unwrap();
            assert_eq!(model.weights, trainer.weights().unwrap());
            let batch = evaluation_batch(16, &model.network().unwrap());
            let mut evaluator = Evaluator::new(gpu.clone(), &model, batch).unwrap();
            let settings = config(LAYERS, &data, "").data;
            let found = evaluator.evaluate(&dataset(&SHAPE), &settings).unwrap();
            let expected = trainer.evaluate_all().unwrap();
            assert_eq!(found.len(), 2);
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found.split, expected.split);
                assert_eq!(found.loss.to_bits(), expected.loss.to_bits(), "{normalize}");
                assert_eq!(found.accuracy.to_bits(), expected.accuracy.to_bits());
            }
        }
    }
}

/// The outputs are in the order of the samples, and the loss follows from them.
#[test]
fn outputs_and_losses_belong_together() {
    let gpu = gpus().remove(0);
    let mut trainer = Trainer::new(gpu.clone(), config(LAYERS, "", ""), dataset(&SHAPE)).unwrap();
    trainer.advance(5, 5).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = Model::open(&save(&trainer, folder.path())).unwrap();
    let test = dataset(&SHAPE).test;
    let mut evaluator = Evaluator::new(gpu, &model, 7).unwrap();
    let outputs = evaluator
        .run(&test, &[5, 0, 699, 5, 12, 13, 14, 15])
        .unwrap();
    assert_eq!(outputs.rows.len(), 8 * 3);
    assert_eq!(outputs.rows[0..3], outputs.rows[9..12]);
    for ((row, outcome), sample) in outputs
        .rows
        .chunks_exact(3)
        .zip(&outputs.outcomes)
        .zip([5, 0, 699, 5, 12, 13, 14, 15])
    {
        let total: f64 = row.iter().map(|x| f64::from(*x).exp()).sum();
        let loss = total.ln() - f64::from(row[test.labels()[sample] as usize]);
        assert!((outcome.loss - loss).abs() < 1e-5 * (1.0 + loss), "{loss}");
        assert!(row.iter().all(|x| *x <= row[outcome.chosen]));
    }
    let refused = evaluator.run(&test, &[700]).unwrap_err().to_string();
    assert!(
        refused.contains("position 700; expected positions below 700"),
        "{refused}"
    );
    let floats = Samples::from_floats(&SHAPE, vec![0.0; 72], vec![0]).unwrap();
    let refused = evaluator.run(&floats, &[0]).unwrap_err().to_string();
    assert!(
        refused.contains("floats of the shape [2, 6, 6]"),
        "{refused}"
    );
}

#[test]
fn the_same_weights_give_the_same_file() {
    let bytes = |train: &str| {
        let gpu = gpus().remove(0);
        let data = "normalize = \"mean_image\"";
        let mut trainer = Trainer::new(gpu, config(LAYERS, data, train), dataset(&SHAPE)).unwrap();
        trainer.advance(9, 3).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = save(&trainer, folder.path());
        let beside = fs::read(folder.path().join("mean_image.safetensors")).unwrap();
        (fs::read(file).unwrap(), beside)
    };
    let (first, beside) = bytes("chunk = 4");
    assert_eq!(
        (&first, &beside),
        (&bytes("chunk = \"auto\"").0, &bytes("").1)
    );
    let header = String::from_utf8_lossy(&first[8..4000]).into_owned();
    assert!(
        header.starts_with("{\"__metadata__\":{\"format\":\"pt\",\"wavetrain\":\"{"),
        "{header}"
    );
    for absent in ["chunk", "epochs", "seconds", "\\\"dir\\\""] {
        assert!(!header.contains(absent), "{absent} in {header}");
    }
}

#[test]
fn a_description_says_everything() {
    let gpu = gpus().remove(0);
    let trainer = Trainer::new(
        gpu.clone(),
        config(LAYERS, "normalize = \"standard\"", ""),
        dataset(&SHAPE),
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let description = Model::open(&save(&trainer, folder.path()))
        .unwrap()
        .description;
    assert_eq!(description.input, SHAPE);
    assert_eq!(description.values, Storage::Bytes);
    assert_eq!(description.classes, ["round", "square", "other"]);
    assert_eq!(description.normalize, Normalize::Standard);
    assert_eq!(description.data["source"].as_str(), Some("made up"));
    assert!(!folder.path().join("mean_image.safetensors").exists());

    // Features without a picture's shape, and more of them than a header should hold.
    for features in [3, 5000] {
        let samples = |n: usize| {
            let values = (0..n * features).map(|i| (i % 17) as f32).collect();
            let labels = (0..n as u32).map(|i| i % 2).collect();
            Samples::from_floats(&[features], values, labels).unwrap()
        };
        let dataset = Dataset::new("features", samples(32), samples(16), 2).unwrap();
        let config = config("[{ linear = 2 }]", "normalize = \"standard\"", "");
        let trainer = Trainer::new(gpu.clone(), config, dataset).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let model = Model::open(&save(&trainer, folder.path())).unwrap();
        assert_eq!(model.description.values, Storage::Floats);
        assert_eq!(model.description.normalization.mean.len(), features);
        let beside = folder.path().join("mean_image.safetensors").exists();
        assert_eq!(beside, features > 4096);
    }
}

/// A file with another description, and what is said about it.
fn refused(file: &Path, from: &str, to: &str) -> String {
    let mut weights = wavetrain::model::Weights::read(file).unwrap();
    let text = weights.description.as_mut().unwrap();
    assert!(text.contains(from), "{from} in {text}");
    *text = text.replace(from, to);
    let folder = tempfile::tempdir().unwrap();
    if let Some(beside) = &weights.beside {
        fs::write(folder.path().join("mean_image.safetensors"), beside).unwrap();
    }
    let changed = folder.path().join("changed.safetensors");
    fs::write(&changed, weights.to_safetensors().unwrap()).unwrap();
    let error = Model::open(&changed).unwrap_err();
    assert!(error.is_users_mistake());
    error.to_string()
}

#[test]
fn descriptions_that_are_wrong_are_refused_with_a_reason() {
    let gpu = gpus().remove(0);
    let trainer = |normalize: &str| {
        let data = format!("normalize = \"{normalize}\"");
        Trainer::new(gpu.clone(), config(LAYERS, &data, ""), dataset(&SHAPE)).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = save(&trainer("unit"), folder.path());
    for (from, to, expected) in [
        (
            "{\"format\":1",
            "{\"format\":2",
            "has the format 2, expected 1",
        ),
        ("{\"format\":1", "{\"format\":", "is no description"),
        ("[2,6,6]", "[2,0,6]", "has the input shape [2, 0, 6]"),
        (
            "[2,6,6]",
            "[1,16384,16384]",
            "has the input shape [1, 16384, 16384], expected",
        ),
        ("[2,6,6]", "[2,6,8]", "tensor `7.weight` has the shape"),
        ("[2,6,6]", "[3,6,6]", "2 numbers of `mean`, expected 3"),
        ("[0.0,0.0]", "[0.0,1e39]", "number out of range"),
        (
            "leaky_relu",
            "leaky_relux",
            "no layer is called `leaky_relux`",
        ),
        ("negative_slope", "negative", "unknown field"),
        (
            "cross_entropy",
            "crossentropy",
            "its loss is \"crossentropy\"",
        ),
        ("[\"round\",\"square\",\"other\"]", "[]", "names no class"),
        ("[\"round\",", "[", "has 2 classes"),
    ] {
        let found = refused(&file, from, to);
        assert!(found.contains(expected), "{from} -> {to}: {found}");
    }

    let mut bare = trainer("unit").weights().unwrap();
    bare.description = None;
    let alone = folder.path().join("alone.safetensors");
    fs::write(&alone, bare.to_safetensors().unwrap()).unwrap();
    let found = Model::open(&alone).unwrap_err().to_string();
    assert!(
        found.contains("alone.safetensors: holds weights alone"),
        "{found}"
    );

    let file = save(&trainer("mean_image"), folder.path());
    let found = refused(&file, "\"checksum\":\"crc32:", "\"checksum\":\"crc32:0");
    assert!(found.contains("belongs to another model"), "{found}");
    fs::remove_file(folder.path().join("mean_image.safetensors")).unwrap();
    let found = Model::open(&file).unwrap_err().to_string();
    assert!(
        found.contains("mean_image.safetensors, which it needs"),
        "{found}"
    );
}

/// Where the adapter cannot bind a batch of 256, what trains is evaluated all the same, in smaller
/// batches, by the trainer and from the file to the same bits.
#[test]
fn what_trains_is_evaluated_where_bindings_are_small() {
    let small = Selection {
        limits: LimitsChoice::Binding(300_000),
        ..Selection::default()
    };
    let gpu = Arc::new(Gpu::open(&small).unwrap());
    let layers = "[\"flatten\", { linear = 500 }, \"relu\", { linear = 3 }]";
    let mut trainer = Trainer::new(gpu.clone(), config(layers, "", ""), dataset(&SHAPE)).unwrap();
    trainer.advance(5, 5).unwrap();
    let expected = trainer.evaluate_all().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = Model::open(&save(&trainer, folder.path())).unwrap();
    let batch = evaluation_batch(16, &model.network().unwrap());
    let mut evaluator = Evaluator::new(gpu, &model, batch).unwrap();
    let data = config(layers, "", "").data;
    let found = evaluator.evaluate(&dataset(&SHAPE), &data).unwrap();
    assert_eq!(found[0].loss.to_bits(), expected[0].loss.to_bits());
    assert!(found[0].loss.is_finite() && found[0].samples == 700);
}
