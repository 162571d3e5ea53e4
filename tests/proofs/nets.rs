//! Convolutional networks train as PyTorch trains them: losses within 1 % for as long as PyTorch's
//! own runs agree within 0.2 %, in f32, in f64 and from weights moved by a millionth
//! (`scripts/golden/nets.py` keeps no more).

use std::path::Path;

use wavetrain::config::Config;
use wavetrain::data::{Dataset, Samples};
use wavetrain::train::Trainer;

use super::adapter;
use super::golden::{self, Case};
use super::parts;
use super::stage::Stage;

const BIAS_TWICE: &str = "lr_mult = { weight = 1, bias = 2 }";

/// The layers of a network of the golden file.
fn layers(name: &str) -> String {
    match name {
        "cifar10_quick" | "cifar10_quick_pixels" => format!(
            r#"[{{ conv2d = {{ out_channels = 32, kernel_size = 5, padding = 2, {BIAS_TWICE} }} }},
            {{ max_pool2d = {{ kernel_size = 3, stride = 2, ceil_mode = true }} }}, "relu",
            {{ conv2d = {{ out_channels = 32, kernel_size = 5, padding = 2, {BIAS_TWICE} }} }}, "relu",
            {{ avg_pool2d = {{ kernel_size = 3, stride = 2, ceil_mode = true }} }},
            {{ conv2d = {{ out_channels = 64, kernel_size = 5, padding = 2, {BIAS_TWICE} }} }}, "relu",
            {{ avg_pool2d = {{ kernel_size = 3, stride = 2, ceil_mode = true }} }}, "flatten",
            {{ linear = {{ out_features = 64, {BIAS_TWICE} }} }},
            {{ linear = {{ out_features = 10, {BIAS_TWICE} }} }}]"#
        ),
        "lenet" => r#"[{ conv2d = { out_channels = 20, kernel_size = 5 } }, { max_pool2d = 2 },
            { conv2d = { out_channels = 50, kernel_size = 5 } }, { max_pool2d = 2 }, "flatten",
            { linear = 500 }, "relu", { linear = 10 }]"#
            .into(),
        "batch_norm" => r#"[
            { conv2d = { out_channels = 9, kernel_size = 3, padding = 1, bias = false } },
            "batch_norm2d", "relu", { max_pool2d = 2 },
            { conv2d = { out_channels = 14, kernel_size = 3, stride = 2 } }, "batch_norm2d", "silu",
            "flatten", { linear = 10 }]"#
            .into(),
        "residual" => r#"[
            { conv2d = { out_channels = 8, kernel_size = 3, padding = 1 } }, "batch_norm2d", "relu",
            { residual = { body = [
                { conv2d = { out_channels = 8, kernel_size = 3, padding = 1 } }, "batch_norm2d", "relu",
                { conv2d = { out_channels = 8, kernel_size = 1 } }] } }, "relu",
            { residual = { body = [
                { conv2d = { out_channels = 12, kernel_size = 3, stride = 2, padding = 1 } },
                { leaky_relu = 0.1 }],
                shortcut = [{ conv2d = { out_channels = 12, kernel_size = 1, stride = 2 } }] } },
            "global_avg_pool", { linear = 10 }]"#
            .into(),
        other => panic!("{other} has no layers here"),
    }
}

fn config(case: &Case, half: f64, steps: usize) -> Config {
    let name = case.get("name").text();
    let (momentum_form, decay) = match name.as_str() {
        "cifar10_quick" | "cifar10_quick_pixels" => ("caffe", 0.004),
        "lenet" => ("torch", 0.0005),
        "residual" => ("torch", 0.001),
        _ => ("torch", 0.0),
    };
    let text = format!(
        "[data]\nbatch = {}\nshuffle = false\nnormalize = \"{}\"\n[model]\nlayers = {}\n\
         [optimizer]\nkind = \"sgd\"\nmomentum = 0.9\nweight_decay = {decay}\n\
         momentum_form = \"{momentum_form}\"\n[schedule]\npolicy = \"triangular\"\nbase_lr = {}\n\
         max_lr = {}\nstep_size_up = {half}\n[train]\nsteps = {steps}\n",
        case.get("batch").number(),
        case.get("normalize").text(),
        layers(&name),
        case.get("base_lr").number(),
        case.get("max_lr").number(),
    );
    Config::parse(&name, &text).unwrap_or_else(|error| panic!("{error}"))
}

/// The whole numbers from 0 to 1023 that the script makes, too.
fn spread(count: usize, seed: u64) -> impl Iterator<Item = u64> {
    (1..=count as u64).map(move |i| (i * 2_654_435_761 + seed * 40_503) % (1 << 32) / (1 << 22))
}

fn dataset(shape: &[usize], count: usize) -> Dataset {
    let width: usize = shape.iter().product();
    let samples = || {
        let bytes = spread(count * width, 5).map(|word| (word / 4) as u8);
        let labels = spread(count, 6).map(|word| (word % 10) as u32);
        Samples::from_bytes(shape, bytes.collect(), labels.collect()).unwrap()
    };
    Dataset::new("made up", samples(), samples(), 10).unwrap()
}

/// Matrices and kernels by the formula, biases of 0; the rest of a batch norm as it begins.
fn set_weights(trainer: &mut Trainer) {
    let mut weights = trainer.weights().unwrap();
    for (name, tensor) in &mut weights.tensors {
        let count = tensor.values.len();
        if tensor.shape.len() >= 2 {
            let width = (6.0 / (count / tensor.shape[0]) as f64).sqrt();
            let seed = name.bytes().map(u64::from).sum();
            let values = spread(count, seed).map(|word| (word as f64 - 511.5) / 512.0 * width);
            tensor.values = values.map(|value| value as f32).collect();
        } else if name.ends_with("bias") {
            tensor.values = vec![0.0; count];
        }
    }
    trainer
        .set_weights(&weights, Path::new("the formula"))
        .unwrap();
}

#[test]
fn convolutional_networks_train_as_in_pytorch() {
    let file = golden::read("nets.json");
    let (samples, half) = (
        file.get("samples_in_a_run").number() as usize,
        file.get("half_cycle").number(),
    );
    let cases = file.get("cases").list();
    assert_eq!(cases.len(), 5);
    let parts = Stage::classes().flat_map(|class| cases.iter().map(move |case| (class, case)));
    parts::each(parts, |(class, case)| {
        if parts::leaves_out_convolutions(class) {
            return Ok(());
        }
        let (name, losses) = (case.get("name").text(), case.get("loss").numbers());
        assert!(losses.len() >= 10, "{name}");
        let shape: Vec<usize> = case
            .get("shape")
            .numbers()
            .iter()
            .map(|n| *n as usize)
            .collect();
        let config = config(case, half, losses.len());
        let gpu = adapter::gpu(class).unwrap();
        let mut trainer = Trainer::new(gpu, config, dataset(&shape, samples)).unwrap();
        set_weights(&mut trainer);
        let records = trainer.advance(losses.len() as u64, 2).unwrap();
        assert_eq!(records.len(), losses.len());
        let mut both = records.iter().zip(&losses);
        let off = both.find(|(record, wanted)| (record.loss / **wanted - 1.0).abs() > 0.01);
        off.map_or(Ok(()), |(record, wanted)| {
            Err(format!(
                "{name} on {} at step {}: loss {}, PyTorch {wanted}",
                class.as_str(),
                record.step,
                record.loss
            ))
        })
    });
}
