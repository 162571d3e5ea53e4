//! The embedded presets: complete configurations, commented, to run or to start from.

use std::path::Path;

use super::problem::{self, Problem};
use super::suggest;
use super::text::Texts;
use crate::error::Result;

/// One embedded configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The name on the command line.
    pub name: &'static str,
    /// What it trains, in a line.
    pub summary: &'static str,
    /// Its TOML, with comments.
    pub text: &'static str,
}

/// The preset that is used when none is named.
pub const DEFAULT: &str = "glyphs";

/// The table of presets: the only place that lists them.
pub static PRESETS: &[Preset] = &[
    Preset {
        name: "glyphs",
        summary: "digits that the program draws itself, a small network; needs no download (the default)",
        text: include_str!("../../assets/presets/glyphs.toml"),
    },
    Preset {
        name: "mnist-mlp",
        summary: "MNIST with one hidden layer, 784-256-10: one triangular cycle in 4 epochs; needs data.dir",
        text: include_str!("../../assets/presets/mnist-mlp.toml"),
    },
    Preset {
        name: "mnist-lenet",
        summary: "MNIST with Caffe's LeNet: one triangular cycle in 2 epochs; needs data.dir",
        text: include_str!("../../assets/presets/mnist-lenet.toml"),
    },
    Preset {
        name: "fashion-cnn",
        summary: "Fashion-MNIST with a small convolutional network, triangular2; needs data.dir",
        text: include_str!("../../assets/presets/fashion-cnn.toml"),
    },
    Preset {
        name: "cifar10-quick",
        summary: "CIFAR-10 with Caffe's cifar10_quick and Smith's cyclical rate of 0.001 to 0.006; needs data.dir",
        text: include_str!("../../assets/presets/cifar10-quick.toml"),
    },
    Preset {
        name: "cifar10-full",
        summary: "CIFAR-10 with Caffe's cifar10_full, three cycles of 0.001 to 0.006; needs data.dir",
        text: include_str!("../../assets/presets/cifar10-full.toml"),
    },
    Preset {
        name: "cifar10-resnet20",
        summary: "CIFAR-10 with ResNet-20 and projection shortcuts; needs data.dir",
        text: include_str!("../../assets/presets/cifar10-resnet20.toml"),
    },
    Preset {
        name: "cifar10-resnet9",
        summary: "CIFAR-10 with David Page's ResNet-9; needs data.dir",
        text: include_str!("../../assets/presets/cifar10-resnet9.toml"),
    },
    Preset {
        name: "table-classify",
        summary: "a class of the rows of a CSV file: two hidden layers, AdamW, one cycle, its bounds found; needs data.dir and data.target",
        text: include_str!("../../assets/presets/table-classify.toml"),
    },
    Preset {
        name: "table-regress",
        summary: "a number of the rows of a CSV file: two hidden layers, AdamW, one cycle, its bounds found; needs data.dir and data.target",
        text: include_str!("../../assets/presets/table-regress.toml"),
    },
    Preset {
        name: "glyphs-gru",
        summary: "the program's own digits, read row by row by a GRU: one cycle, its bounds found; needs no download",
        text: include_str!("../../assets/presets/glyphs-gru.toml"),
    },
    Preset {
        name: "numbers-lstm",
        summary: "the numbers in words, an LSTM that carries its state on, one cycle, as in fastai's book; needs no download",
        text: include_str!("../../assets/presets/numbers-lstm.toml"),
    },
    Preset {
        name: "sums-gpt",
        summary: "sums of two numbers, a small transformer, one cycle; needs no download",
        text: include_str!("../../assets/presets/sums-gpt.toml"),
    },
    Preset {
        name: "shakespeare-lstm",
        summary: "Shakespeare letter by letter, an LSTM of 128: one cycle, its bounds found; needs data.dir",
        text: include_str!("../../assets/presets/shakespeare-lstm.toml"),
    },
    Preset {
        name: "shakespeare-gpt",
        summary: "Shakespeare letter by letter, nanoGPT's network for a CPU: one cycle; needs data.dir",
        text: include_str!("../../assets/presets/shakespeare-gpt.toml"),
    },
];

/// The preset called `name`.
///
/// # Errors
/// [`crate::error::Error::Config`] if there is none, with the names and the nearest one.
pub fn find(name: &str) -> Result<&'static Preset> {
    lookup(name).map_err(|problem| problem::error(&[problem], &Texts::default()))
}

/// [`find`], with what is wrong.
pub(super) fn lookup(name: &str) -> Result<&'static Preset, Problem> {
    if let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) {
        return Ok(preset);
    }
    let names = || PRESETS.iter().map(|preset| preset.name);
    let mut problem = Problem::keyless(format!(
        "{name:?} is no preset; the presets are {}",
        suggest::list(names(), "and")
    ));
    if let Some(near) = suggest::nearest(name, names()) {
        problem = problem.help(format!("did you mean `{near}`?"));
    }
    Err(if !name.is_empty() && Path::new(name).exists() {
        problem.help(format!("for the file of this name write ./{name}"))
    } else {
        problem.help("a file is named by a path that ends in .toml or has a slash")
    })
}
