//! What the proofs need to know about each layer besides its own code: the arguments to prove it
//! with, and how far f32 arithmetic may take its kernels from the reference. A layer of `LAYERS`
//! without a line here fails by name.

use wavetrain::args::Args;
use wavetrain::layer::{LAYERS, Layer};

use super::followed::{self, Follow};
use super::functions as f;
use super::rounded::Num;

/// How far a layer's kernels may be from its reference.
#[derive(Clone, Copy)]
pub(crate) enum Bounds {
    /// Sums of products over the input (y), the output (dx) and the samples (gradients of
    /// parameters): 4 sqrt(n) 2^-24 of the sum of magnitudes, which is the reference itself, given
    /// magnitudes.
    Products,
    /// What is chosen is kept exactly; dx adds up what comes back from several windows.
    Chosen,
    /// Several such products one after the other, added up: the error of each passes through the
    /// sums behind it.
    Chain,
    /// Steps of a recurrent layer: its formulas, followed by running error analysis through all of them
    /// (`recurrent/bounds.rs`).
    Steps,
    /// Element by element: y from x, and dx from x, y and dy.
    Elements {
        y: fn(Num) -> Num,
        dx: fn(Num, Num, Num) -> Num,
    },
    /// The shader's formulas, followed for the whole input.
    Followed(Follow),
}

/// A layer with arguments.
pub(crate) struct Proof {
    /// The name in `LAYERS`.
    pub(crate) name: &'static str,
    /// Its arguments.
    pub(crate) arguments: &'static str,
    pub(crate) bounds: Bounds,
}

/// The identity and its gradient: nothing is computed.
const COPY: Bounds = Bounds::Elements {
    y: |x| x,
    dx: |_, _, dy| dy,
};

pub(crate) static PROOFS: &[Proof] = &[
    Proof {
        name: "linear",
        arguments: "out_features = 10",
        bounds: Bounds::Products,
    },
    Proof {
        name: "linear",
        arguments: "out_features = 7\nbias = false",
        bounds: Bounds::Products,
    },
    Proof {
        name: "flatten",
        arguments: "",
        bounds: COPY,
    },
    Proof {
        name: "relu",
        arguments: "",
        // What is kept is kept exactly.
        bounds: COPY,
    },
    Proof {
        name: "gelu",
        arguments: "",
        bounds: Bounds::Elements {
            y: f::gelu,
            dx: f::gelu_slope,
        },
    },
    Proof {
        name: "gelu",
        arguments: "approximate = \"tanh\"",
        bounds: Bounds::Elements {
            y: f::gelu_tanh,
            dx: f::gelu_tanh_slope,
        },
    },
    Proof {
        name: "tanh",
        arguments: "",
        bounds: Bounds::Elements {
            y: f::tanh,
            dx: f::tanh_slope,
        },
    },
    Proof {
        name: "sigmoid",
        arguments: "",
        bounds: Bounds::Elements {
            y: f::sigmoid,
            dx: f::sigmoid_slope,
        },
    },
    Proof {
        name: "dropout",
        arguments: "p = 0.5",
        // 0, or times a power of two.
        bounds: COPY,
    },
    Proof {
        name: "dropout",
        arguments: "p = 0.3",
        bounds: Bounds::Elements {
            y: |x| x * Num::constant(1.0 / 0.7),
            dx: |_, _, dy| dy * Num::constant(1.0 / 0.7),
        },
    },
    Proof {
        name: "dropout",
        arguments: "p = 0.0",
        bounds: COPY,
    },
    Proof {
        name: "leaky_relu",
        arguments: "negative_slope = 0.3",
        bounds: Bounds::Elements {
            y: |x| x * Num::constant(0.3),
            dx: |_, _, dy| dy * Num::constant(0.3),
        },
    },
    Proof {
        name: "silu",
        arguments: "",
        bounds: Bounds::Elements {
            y: f::silu,
            dx: f::silu_slope,
        },
    },
    Proof {
        name: "scale",
        arguments: "factor = -0.7",
        bounds: Bounds::Elements {
            y: |x| x * Num::constant(0.7),
            dx: |_, _, dy| dy * Num::constant(0.7),
        },
    },
    Proof {
        name: "residual",
        arguments: "body = [\"tanh\"]",
        bounds: Bounds::Elements {
            y: |x| f::tanh(x) + x,
            dx: |x, _, dy| f::tanh_slope(x, f::tanh(x), dy) + dy,
        },
    },
    Proof {
        name: "residual",
        arguments: "body = [{ linear = 17 }, \"relu\", { linear = 10 }]\nshortcut = [{ linear = 10 }]",
        bounds: Bounds::Chain,
    },
    Proof {
        name: "conv2d",
        arguments: "out_channels = 3\nkernel_size = 3\npadding = 1",
        bounds: Bounds::Products,
    },
    Proof {
        name: "conv2d",
        arguments: "out_channels = 9\nkernel_size = [2, 3]\nstride = 2\npadding = [1, 2]\nbias = false",
        bounds: Bounds::Products,
    },
    Proof {
        name: "max_pool2d",
        arguments: "kernel_size = 2",
        bounds: Bounds::Chosen,
    },
    Proof {
        name: "max_pool2d",
        arguments: "kernel_size = 3\nstride = 2\npadding = 1\nceil_mode = true",
        bounds: Bounds::Chosen,
    },
    Proof {
        name: "max_pool2d",
        arguments: "kernel_size = [3, 2]\nstride = [1, 3]",
        bounds: Bounds::Chosen,
    },
    Proof {
        name: "avg_pool2d",
        arguments: "kernel_size = [2, 3]\nstride = [3, 1]\npadding = 1",
        bounds: Bounds::Products,
    },
    Proof {
        name: "avg_pool2d",
        arguments: "kernel_size = 2",
        bounds: Bounds::Products,
    },
    Proof {
        name: "avg_pool2d",
        arguments: "kernel_size = 3\nstride = 2\npadding = 1\nceil_mode = true",
        bounds: Bounds::Products,
    },
    Proof {
        name: "avg_pool2d",
        arguments: "kernel_size = 3\nstride = 2\npadding = 1\nceil_mode = true\ncount_include_pad = false",
        bounds: Bounds::Products,
    },
    Proof {
        name: "global_avg_pool",
        arguments: "",
        bounds: Bounds::Products,
    },
    Proof {
        name: "lstm",
        arguments: "hidden_size = 5",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "lstm",
        arguments: "hidden_size = 33\nbias = false",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "lstm",
        arguments: "hidden_size = 3\nnum_layers = 2\nbidirectional = true",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "lstm",
        arguments: "hidden_size = 1",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "lstm",
        arguments: "hidden_size = 6\nnum_layers = 3\ndropout = 0.3",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "gru",
        arguments: "hidden_size = 5",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "gru",
        arguments: "hidden_size = 33\nbias = false",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "gru",
        arguments: "hidden_size = 3\nnum_layers = 2\nbidirectional = true",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "gru",
        arguments: "hidden_size = 1",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "gru",
        arguments: "hidden_size = 6\nnum_layers = 3\ndropout = 0.3",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "rnn",
        arguments: "hidden_size = 5",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "rnn",
        arguments: "hidden_size = 33\nbias = false",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "rnn",
        arguments: "hidden_size = 3\nnum_layers = 2\nbidirectional = true",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "rnn",
        arguments: "hidden_size = 1",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "rnn",
        arguments: "hidden_size = 6\nnum_layers = 3\ndropout = 0.3",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "rnn",
        arguments: "hidden_size = 7\nnonlinearity = \"relu\"",
        bounds: Bounds::Steps,
    },
    Proof {
        name: "layer_norm",
        arguments: "",
        bounds: Bounds::Followed(followed::layer_norm),
    },
    Proof {
        name: "layer_norm",
        arguments: "eps = 0.1\nbias = false",
        bounds: Bounds::Followed(followed::layer_norm),
    },
    Proof {
        name: "layer_norm",
        arguments: "elementwise_affine = false",
        bounds: Bounds::Followed(followed::layer_norm),
    },
    Proof {
        name: "rms_norm",
        arguments: "",
        bounds: Bounds::Followed(followed::rms_norm),
    },
    Proof {
        name: "rms_norm",
        arguments: "eps = 0.1\nelementwise_affine = false",
        bounds: Bounds::Followed(followed::rms_norm),
    },
    Proof {
        name: "multihead_attention",
        arguments: "num_heads = 2\ncausal = true",
        bounds: Bounds::Followed(followed::attention),
    },
    Proof {
        name: "multihead_attention",
        arguments: "num_heads = 1",
        bounds: Bounds::Followed(followed::attention),
    },
    Proof {
        name: "multihead_attention",
        arguments: "num_heads = 5\ncausal = true\nbias = false",
        bounds: Bounds::Followed(followed::attention),
    },
    Proof {
        name: "multihead_attention",
        arguments: "num_heads = 2\ncausal = true\ndropout = 0.3",
        bounds: Bounds::Followed(followed::attention),
    },
    Proof {
        name: "positional_embedding",
        arguments: "",
        bounds: Bounds::Products,
    },
    Proof {
        name: "positional_embedding",
        arguments: "kind = \"sinusoidal\"",
        bounds: Bounds::Followed(followed::sines),
    },
    Proof {
        name: "repeat",
        arguments: "times = 2\nlayers = [{ linear = 6 }, \"relu\", { linear = 5 }]",
        bounds: Bounds::Chain,
    },
    Proof {
        name: "image_rows",
        arguments: "",
        bounds: Bounds::Chosen,
    },
    Proof {
        name: "last",
        arguments: "",
        bounds: Bounds::Chosen,
    },
];

/// Layers that other files prove in the same three ways, with bounds of their own: those whose
/// statistics run over the batch or over neighbours (`norms`), and that of tokens (`embedding`).
pub(crate) const PROVED_APART: &[&str] = &["batch_norm2d", "local_response_norm", "embedding"];

impl Proof {
    pub(crate) fn layer(&self) -> Box<dyn Layer> {
        let entry = LAYERS.iter().find(|entry| entry.name == self.name).unwrap();
        let layer = (entry.parse)(Args::parse(self.arguments).unwrap()).unwrap();
        layer.validate().unwrap();
        layer
    }

    pub(crate) fn title(&self) -> String {
        format!("{} {{ {} }}", self.name, self.arguments.replace('\n', ", "))
    }

    pub(crate) fn of(name: &str) -> impl Iterator<Item = &'static Self> {
        PROOFS.iter().filter(move |proof| proof.name == name)
    }
}

#[test]
fn every_layer_is_proved_and_every_example_is_a_layer() {
    for entry in LAYERS {
        let name = entry.name;
        assert!(
            Proof::of(name).next().is_some() || PROVED_APART.contains(&name),
            "layer {name} has no line in tests/proofs/table.rs"
        );
        let layer = (entry.parse)(Args::parse(entry.example).unwrap())
            .unwrap_or_else(|error| panic!("the example of layer {name}: {error}"));
        assert_eq!(layer.name(), name);
        let rust = format!("{}/src/layer/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&rust).is_file(), "{rust} is missing");
        let golden = format!(
            "{}/tests/golden/layers/{name}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        // Dropout's masks come from this program's own generator.
        assert!(
            name == "dropout" || std::path::Path::new(&golden).is_file(),
            "{golden} is missing: add layer {name} to scripts/golden/layers.py"
        );
    }
    for proof in PROOFS {
        assert!(
            LAYERS.iter().any(|entry| entry.name == proof.name),
            "{}",
            proof.name
        );
    }
}
