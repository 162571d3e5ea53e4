//! Small nets on made-up pictures.

use std::path::Path;
use std::sync::Arc;

use wavetrain::gpu::{ClassName, Gpu};
use wavetrain::rng::{Key, Stream};
use wavetrain::{Config, Dataset, Samples, Trainer};

use super::adapter;

#[path = "../support/given.rs"]
mod given;

/// Devices of all classes that the adapter runs.
pub(crate) fn gpus() -> Vec<Arc<Gpu>> {
    let all: Vec<Arc<Gpu>> = ClassName::ALL
        .into_iter()
        .filter_map(adapter::gpu)
        .filter(|gpu| given::is_given(gpu))
        .collect();
    assert!(all.len() >= 2);
    all
}

/// Noisy pictures of three classes.
pub(crate) fn pictures(seed: u64, count: usize, shape: &[usize]) -> Samples {
    let elements: usize = shape.iter().product();
    let patterns = Key::new(1, Stream::Bench, 0);
    let noise = Key::new(seed, Stream::Bench, 1);
    let (mut bytes, mut labels) = (Vec::new(), Vec::new());
    for n in 0..count {
        let label = noise.words(n as u32, 1)[0] % 3;
        for e in 0..elements {
            let pattern = patterns.words(label * elements as u32 + e as u32, 0)[0] % 150;
            let noise = noise.words((n * elements + e) as u32, 0)[0] % 100;
            bytes.push((pattern + noise) as u8);
        }
        labels.push(label);
    }
    Samples::from_bytes(shape, bytes, labels).unwrap()
}

pub(crate) fn dataset(shape: &[usize]) -> Dataset {
    let (train, test) = (pictures(2, 90, shape), pictures(3, 700, shape));
    let dataset = Dataset::new("made up", train, test, 3).unwrap();
    dataset
        .with_class_names(["round", "square", "other"])
        .unwrap()
}

/// A net with all that a file must keep: running statistics, a weight that is not trained, branches.
pub(crate) const LAYERS: &str = r#"[
    { conv2d = { out_channels = 6, kernel_size = 3, padding = 1, bias = false } },
    "batch_norm2d", "relu",
    { residual = { body = [
        { conv2d = { out_channels = 8, kernel_size = [3, 1], padding = [1, 0] } },
        { batch_norm2d = { weight = false, weight_init = 0.5 } },
    ], shortcut = [{ conv2d = { out_channels = 8, kernel_size = 1 } }] } },
    { leaky_relu = 0.1 }, { avg_pool2d = 2 }, "flatten", { linear = 3 }]"#;

pub(crate) fn config(layers: &str, data: &str, train: &str) -> Config {
    let text = format!(
        "[data]\nbatch = 16\n{data}\n[model]\nlayers = {layers}\n[schedule]\npolicy = \
         \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 5\n[train]\nsteps = 9\n{train}\n"
    );
    Config::parse("made up", &text).unwrap_or_else(|error| panic!("{error}"))
}

/// Writes what a run folder keeps of a network.
pub(crate) fn save(trainer: &Trainer, folder: &Path) -> std::path::PathBuf {
    let weights = trainer.weights().unwrap();
    if let Some(beside) = &weights.beside {
        std::fs::write(folder.join("mean_image.safetensors"), beside).unwrap();
    }
    let file = folder.join("model.safetensors");
    std::fs::write(&file, weights.to_safetensors().unwrap()).unwrap();
    file
}
