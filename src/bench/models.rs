//! Whole training steps on made-up data.

use std::sync::Arc;

use super::{StepFigure, median, seconds};
use crate::config::Config;
use crate::data::{Dataset, Samples, Task};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernel::plan::Op;
use crate::rng::{Key, Stream};
use crate::train::Trainer;

/// A model whose training steps are measured.
#[derive(Debug)]
pub struct BenchModel {
    /// Its name.
    pub name: &'static str,
    /// Shape of a sample.
    pub shape: &'static [usize],
    /// Symbols that samples are tokens of, to be gone on with; 0: samples are bytes in ten classes.
    pub symbols: usize,
    /// Samples of a batch.
    pub batch: usize,
    /// Batches of a step.
    pub accumulate: usize,
    /// Steps of one submission.
    pub chunk: usize,
    /// Its layers, as in `model.layers`.
    pub layers: &'static str,
    /// What trains it, as in `[optimizer]`.
    pub optimizer: &'static str,
    /// Steps of the test of memory: none for models with long steps.
    pub long_run: bool,
}

const SGD: &str = "kind = \"sgd\"";
/// All that can stand between gradients and parameters.
const ADAMW: &str = "kind = \"adamw\"\nclip_norm = 1.0";

/// The table of models.
pub static MODELS: &[BenchModel] = &[
    BenchModel {
        name: "mlp-512",
        shape: &[784],
        symbols: 0,
        batch: 128,
        accumulate: 1,
        chunk: 4,
        layers: r#"[{ linear = 512 }, "relu", { linear = 512 }, "relu", { linear = 10 }]"#,
        optimizer: SGD,
        long_run: false,
    },
    BenchModel {
        name: "mlp-512-adamw",
        shape: &[784],
        symbols: 0,
        batch: 128,
        accumulate: 1,
        chunk: 4,
        layers: r#"[{ linear = 512 }, "relu", { linear = 512 }, "relu", { linear = 10 }]"#,
        optimizer: ADAMW,
        long_run: false,
    },
    BenchModel {
        name: "mlp-64",
        shape: &[128],
        symbols: 0,
        batch: 16,
        accumulate: 1,
        chunk: 32,
        layers: r#"[{ linear = 64 }, "relu", { linear = 64 }, "relu", { linear = 10 }]"#,
        optimizer: SGD,
        long_run: true,
    },
    // Gradients of four batches, one update.
    BenchModel {
        name: "mlp-64-x4",
        shape: &[128],
        symbols: 0,
        batch: 16,
        accumulate: 4,
        chunk: 8,
        layers: r#"[{ linear = 64 }, "relu", { linear = 64 }, "relu", { linear = 10 }]"#,
        optimizer: SGD,
        long_run: false,
    },
    BenchModel {
        name: "lenet",
        shape: &[1, 28, 28],
        symbols: 0,
        batch: 128,
        accumulate: 1,
        chunk: 1,
        layers: r#"[
            { conv2d = { out_channels = 20, kernel_size = 5 } }, { max_pool2d = 2 },
            { conv2d = { out_channels = 50, kernel_size = 5 } }, { max_pool2d = 2 },
            "flatten", { linear = 500 }, "relu", { linear = 10 }]"#,
        optimizer: SGD,
        long_run: false,
    },
    BenchModel {
        name: "cifar10_quick",
        shape: &[3, 32, 32],
        symbols: 0,
        batch: 100,
        accumulate: 1,
        chunk: 1,
        layers: r#"[
            { conv2d = { out_channels = 32, kernel_size = 5, padding = 2 } },
            { max_pool2d = { kernel_size = 3, stride = 2, ceil_mode = true } }, "relu",
            { conv2d = { out_channels = 32, kernel_size = 5, padding = 2 } }, "relu",
            { avg_pool2d = { kernel_size = 3, stride = 2, ceil_mode = true } },
            { conv2d = { out_channels = 64, kernel_size = 5, padding = 2 } }, "relu",
            { avg_pool2d = { kernel_size = 3, stride = 2, ceil_mode = true } },
            "flatten", { linear = 64 }, { linear = 10 }]"#,
        optimizer: SGD,
        long_run: false,
    },
    // The layers of the preset cifar10-resnet9.
    BenchModel {
        name: "resnet9",
        shape: &[3, 32, 32],
        symbols: 0,
        batch: 128,
        accumulate: 1,
        chunk: 1,
        layers: r#"[
            { conv2d = { out_channels = 64, kernel_size = 3, padding = 1, bias = false } }, "batch_norm2d", "relu",
            { conv2d = { out_channels = 128, kernel_size = 3, padding = 1, bias = false } }, "batch_norm2d", "relu", { max_pool2d = 2 },
            { residual = { body = [
                { conv2d = { out_channels = 128, kernel_size = 3, padding = 1, bias = false } }, "batch_norm2d", "relu",
                { conv2d = { out_channels = 128, kernel_size = 3, padding = 1, bias = false } }, "batch_norm2d", "relu",
            ] } },
            { conv2d = { out_channels = 256, kernel_size = 3, padding = 1, bias = false } }, "batch_norm2d", "relu", { max_pool2d = 2 },
            { conv2d = { out_channels = 512, kernel_size = 3, padding = 1, bias = false } }, "batch_norm2d", "relu", { max_pool2d = 2 },
            { residual = { body = [
                { conv2d = { out_channels = 512, kernel_size = 3, padding = 1, bias = false } }, "batch_norm2d", "relu",
                { conv2d = { out_channels = 512, kernel_size = 3, padding = 1, bias = false } }, "batch_norm2d", "relu",
            ] } },
            { max_pool2d = 4 },
            "flatten",
            { linear = { out_features = 10, bias = false } },
            { scale = 0.125 },
        ]"#,
        optimizer: SGD,
        long_run: false,
    },
    // Rows of digits through a recurrent layer: the layers of the preset glyphs-gru.
    BenchModel {
        name: "gru-64",
        shape: &[1, 28, 28],
        symbols: 0,
        batch: 128,
        accumulate: 1,
        chunk: 1,
        layers: r#"["image_rows", { gru = 64 }, "last", { linear = 10 }]"#,
        optimizer: ADAMW,
        long_run: false,
    },
    BenchModel {
        name: "lstm-256",
        shape: &[64],
        symbols: 65,
        batch: 32,
        accumulate: 1,
        chunk: 1,
        layers: r#"[{ embedding = 256 }, { lstm = 256 }, { linear = 65 }]"#,
        optimizer: SGD,
        long_run: false,
    },
    // The layers of the preset shakespeare-gpt.
    BenchModel {
        name: "gpt-128",
        shape: &[64],
        symbols: 65,
        batch: 12,
        accumulate: 1,
        chunk: 1,
        layers: r#"[
            { embedding = { embedding_dim = 128, init = { normal = 0.02 } } },
            { positional_embedding = { init = { normal = 0.02 } } },
            { repeat = { times = 4, layers = [
                { residual = { body = [
                    { layer_norm = { bias = false } },
                    { multihead_attention = { num_heads = 4, causal = true, bias = false, init = { normal = 0.02 }, out_init = { normal = 0.00707 } } },
                ] } },
                { residual = { body = [
                    { layer_norm = { bias = false } },
                    { linear = { out_features = 512, bias = false, init = { normal = 0.02 } } },
                    "gelu",
                    { linear = { out_features = 128, bias = false, init = { normal = 0.00707 } } },
                ] } },
            ] } },
            { layer_norm = { bias = false } },
            { linear = { out_features = 65, bias = false, tie = "0.weight" } },
        ]"#,
        optimizer: ADAMW,
        long_run: false,
    },
];

/// Samples of the made-up data set.
const SAMPLES: usize = 2048;

/// The model of that name.
///
/// # Errors
/// If there is none.
pub(super) fn named(name: &str) -> Result<&'static BenchModel> {
    MODELS
        .iter()
        .find(|model| model.name == name)
        .ok_or_else(|| Error::Argument {
            what: "model".into(),
            found: format!("`{name}`"),
            expected: "the name of a model".into(),
            help: format!(
                "choose one of {}",
                MODELS.iter().map(|m| m.name).collect::<Vec<_>>().join(", ")
            ),
        })
}

pub(super) fn chosen(names: &[String]) -> Result<Vec<&'static BenchModel>> {
    if names.is_empty() {
        return Ok(MODELS.iter().collect());
    }
    names.iter().map(|name| named(name)).collect()
}

fn made_up(shape: &[usize], count: usize, stream: u64) -> Result<Samples> {
    let width: usize = shape.iter().product();
    let key = Key::new(0, Stream::Bench, stream);
    let bytes = (0..count * width).map(|i| key.words(i as u32, 1)[0] as u8);
    let labels = (0..count).map(|i| key.words(i as u32, 2)[0] % 10);
    Samples::from_bytes(shape, bytes.collect(), labels.collect())
}

/// Windows of a made-up text.
fn text([steps, symbols]: [usize; 2], count: usize, stream: u64) -> Result<Samples> {
    let key = Key::new(0, Stream::Bench, stream);
    let tokens = (0..=count * steps).map(|i| key.words(i as u32, 1)[0] % symbols as u32);
    Samples::windows([steps, symbols], tokens.collect())
}

/// A trainer of a model on made-up data.
pub(super) fn trainer(gpu: &Arc<Gpu>, model: &BenchModel) -> Result<Trainer> {
    let config = format!(
        "[data]\nbatch = {}\n[model]\nlayers = {}\n[optimizer]\n{}\n[schedule]\npolicy = \"triangular\"\n\
         base_lr = 0.0001\nmax_lr = 0.001\nstep_size_up = 1000\n[train]\nsteps = 1000000\naccumulate = {}\n\
         chunk = {}\n",
        model.batch, model.layers, model.optimizer, model.accumulate, model.chunk
    );
    let config = Config::parse(model.name, &config)?;
    let dataset = match model.symbols {
        0 => {
            let train = made_up(model.shape, SAMPLES, 10)?;
            Dataset::new("made up", train, made_up(model.shape, 256, 11)?, 10)?
        }
        symbols => {
            let steps = model.shape.iter().product();
            let train = text([steps, symbols], SAMPLES, 10)?;
            let test = text([steps, symbols], 256, 11)?;
            let names = (0..symbols).map(|symbol| symbol.to_string()).collect();
            Dataset::of("made up", train, test, Task::Tokens(names))?
        }
    };
    Trainer::new(Arc::clone(gpu), config, dataset)
}

/// Operations of one measurement, about.
const FLOPS: f64 = 3e9;

/// Steps longer than this many seconds are measured in the first rounds only, this many.
const LONG: f64 = 2.0;
const ROUNDS_OF_LONG: usize = 3;

#[derive(Debug)]
pub(super) struct Bench {
    model: &'static BenchModel,
    trainer: Trainer,
    times: Vec<f64>,
    ratios: Vec<f64>,
}

impl Bench {
    pub(super) fn new(gpu: &Arc<Gpu>, model: &'static BenchModel) -> Result<Self> {
        let mut trainer = trainer(gpu, model)?;
        trainer.advance(model.chunk as u64, model.chunk)?;
        Ok(Self {
            model,
            trainer,
            times: Vec::new(),
            ratios: Vec::new(),
        })
    }

    /// Operations of a step: forward and backward of each of its batches, and one update.
    fn flops(&self) -> f64 {
        let plan = self.trainer.plan();
        let of = |ops: &[Op]| ops.iter().map(Op::flops).sum::<u64>() as f64;
        let batch = of(&plan.forward) + of(&plan.backward);
        self.model.accumulate as f64 * batch + of(&plan.accumulate) + of(&plan.update)
    }

    /// Measures one round. A long step takes part in the first rounds only, so that the others get
    /// theirs and the whole ends in time.
    pub(super) fn measure(&mut self, multiply_add: f64) -> Result<()> {
        if self.times.len() >= ROUNDS_OF_LONG && median(&self.times) > LONG {
            return Ok(());
        }
        let wanted = (FLOPS / self.flops()).ceil() as usize;
        let steps = wanted.clamp(1, 64).next_multiple_of(self.model.chunk);
        let time = seconds(|| {
            self.trainer
                .advance(steps as u64, self.model.chunk)
                .map(|_| ())
        })?;
        let step = time / steps as f64;
        self.times.push(step);
        self.ratios.push(self.flops() / step / 1e9 / multiply_add);
        Ok(())
    }

    pub(super) fn figure(&self) -> StepFigure {
        let step = median(&self.times);
        StepFigure {
            model: self.model.name.into(),
            batch: self.model.batch * self.model.accumulate,
            ms: 1e3 * step,
            gflops: self.flops() / step / 1e9,
            of_multiply_add: median(&self.ratios),
            first_cold_s: None,
            first_warm_s: None,
            peak_rss_mb: None,
            rss_500_mb: None,
            rss_10000_mb: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Selection;

    #[test]
    fn a_step_of_several_batches_counts_them_all() {
        let gpu = Arc::new(Gpu::open(&Selection::default()).unwrap());
        let bench = |name| Bench::new(&gpu, named(name).unwrap()).unwrap();
        let (one, four) = (bench("mlp-64"), bench("mlp-64-x4"));
        assert_eq!(four.figure().batch, 64);
        let ratio = four.flops() / one.flops();
        assert!(ratio > 3.0 && ratio < 4.2, "{ratio}");
    }

    #[test]
    fn models_of_presets_have_their_layers() {
        for (name, preset) in [
            (
                "resnet9",
                include_str!("../../assets/presets/cifar10-resnet9.toml"),
            ),
            (
                "gru-64",
                include_str!("../../assets/presets/glyphs-gru.toml"),
            ),
            (
                "gpt-128",
                include_str!("../../assets/presets/shakespeare-gpt.toml"),
            ),
        ] {
            let preset: toml::Table = toml::from_str(preset).unwrap();
            let model = named(name).unwrap();
            let own: toml::Table = toml::from_str(&format!("layers = {}", model.layers)).unwrap();
            assert_eq!(own["layers"], preset["model"]["layers"], "{name}");
            let batch = preset["data"]["batch"].as_integer();
            assert_eq!(Some(model.batch as i64), batch, "{name}");
        }
    }
}
