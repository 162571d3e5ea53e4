//! The table of shaders that are files: the only place that lists them. (Matrix products, whose
//! register blocks depend on the adapter, are made by `matmul`.)

use std::borrow::Cow;

use super::source::{
    COLOURS, FEATURES, INDEX, NUMBERS, NUMERIC, PIXELS, POOL, RECURRENT, ROWS, STEP, STEPS, Shader,
    Skeleton, Snippet, THREEFRY, UNARY,
};

/// One line of the table.
#[derive(Debug)]
pub struct ShaderEntry {
    /// The name: the file is `shaders/NAME.wgsl`.
    pub name: &'static str,
    /// What it computes, in a line.
    pub summary: &'static str,
    snippets: &'static [&'static Snippet],
    text: &'static str,
    skeleton: Option<&'static Skeleton>,
}

impl ShaderEntry {
    /// The shader.
    #[must_use]
    pub fn shader(&self) -> Shader {
        Shader {
            name: Cow::Borrowed(self.name),
            summary: Cow::Borrowed(self.summary),
            snippets: self.snippets.to_vec(),
            text: Cow::Borrowed(self.text),
            skeleton: self.skeleton,
        }
    }
}

macro_rules! shaders {
    (@on) => { None };
    (@on $skeleton:ident) => { Some(&$skeleton) };
    ($($name:literal: $summary:literal, [$($snippet:ident),*] $(on $skeleton:ident)?;)*) => {
        /// All shaders that are files.
        pub static SHADERS: &[ShaderEntry] = &[$(ShaderEntry {
            name: $name,
            summary: $summary,
            snippets: &[$(&$snippet),*],
            text: include_str!(concat!("../../shaders/", $name, ".wgsl")),
            skeleton: shaders!(@on $($skeleton)?),
        }),*];
    };
}

shaders! {
    "bench/copy": "the adapter's memory: a copy, in two forms", [INDEX];
    "bench/multiply_add": "the adapter's arithmetic: multiply-adds in registers", [];
    "bench/nothing": "the smallest dispatch", [];
    "data/augment": "the batch from pictures changed at random: colours, affine map, shift, flip, cut-out", [STEP, INDEX, THREEFRY, COLOURS];
    "data/gather_bytes": "the batch from samples of bytes: gather, cast, normalise", [STEP, INDEX, NUMERIC] on FEATURES;
    "data/gather_floats": "the batch from samples of floats: gather, normalise", [STEP, INDEX, NUMERIC] on FEATURES;
    "data/gather_pixels_bytes": "the batch as pixels of channels, from samples of bytes", [STEP, INDEX, NUMERIC] on PIXELS;
    "data/gather_pixels_floats": "the batch as pixels of channels, from samples of floats", [STEP, INDEX, NUMERIC] on PIXELS;
    "data/gather_steps_bytes": "the batch as sequences, from samples of bytes", [STEP, INDEX, NUMERIC] on STEPS;
    "data/gather_steps_floats": "the batch as sequences, from samples of floats", [STEP, INDEX, NUMERIC] on STEPS;
    "data/gather_tokens": "the batch as lists of tokens, windows of streams", [STEP, INDEX];
    "data/mean_grey": "the mean grey of each picture of a batch, which contrast is about", [STEP, THREEFRY, COLOURS];
    "layer/relu": "y = max(x, 0) and its gradient", [INDEX, NUMERIC] on UNARY;
    "layer/leaky_relu": "y = x or negative_slope x, and its gradient", [INDEX, NUMERIC] on UNARY;
    "layer/silu": "y = x / (1 + exp(-x)) and its gradient", [INDEX, NUMERIC] on UNARY;
    "layer/scale": "y = factor x and its gradient", [INDEX, NUMERIC] on UNARY;
    "layer/residual": "the sum of two branches, and of their gradients", [INDEX];
    "layer/max_pool2d": "the largest value of each window, and its gradient", [INDEX] on POOL;
    "layer/avg_pool2d": "the mean of each window, and its gradient", [INDEX] on POOL;
    "layer/global_avg_pool": "the mean of each channel, and its gradient", [INDEX];
    "layer/batch_norm2d": "mean and variance of channels, normalisation and gradients", [STEP, INDEX];
    "layer/local_response_norm": "y = x s^-beta, s from squares nearby, and its gradient", [INDEX];
    "layer/layer_norm": "rows normalised by mean and deviation, or by root mean square, and gradients", [NUMERIC];
    "layer/positional_embedding": "a row for each step of a sequence, trained or of sines, and its gradient", [INDEX, NUMERIC];
    "layer/image_rows": "pixels of channels to rows of pixels, and back", [INDEX];
    "layer/last": "the last step of a sequence, and its gradient", [INDEX];
    "layer/flatten": "pixels of channels, or the steps of a sequence, to features in PyTorch's order, and back", [INDEX];
    "layer/gelu": "y = x P(x), exact or by tanh, and its gradient", [INDEX, NUMERIC] on UNARY;
    "layer/tanh": "y = tanh(x) and its gradient", [INDEX, NUMERIC] on UNARY;
    "layer/sigmoid": "y = 1 / (1 + exp(-x)) and its gradient", [INDEX, NUMERIC] on UNARY;
    "layer/embedding": "rows of a table for tokens, and the table's gradient", [STEP, INDEX, NUMERIC];
    "layer/conv2d_parts": "the weight gradient of a convolution from the parts of its sum", [INDEX];
    "layer/lstm": "the steps of an LSTM, forward and backward", [STEP, INDEX, NUMERIC] on RECURRENT;
    "layer/gru": "the steps of a GRU, forward and backward", [NUMERIC] on RECURRENT;
    "layer/rnn": "the steps of a plain recurrent layer, forward and backward", [NUMERIC] on RECURRENT;
    "layer/carried": "states that go on from batch to batch", [STEP, INDEX];
    "layer/directions": "two directions side by side, and back", [INDEX];
    "layer/dropout": "zeros by chance, the rest scaled, and the gradient", [STEP, INDEX, THREEFRY];
    "loss/cross_entropy": "softmax cross entropy: loss, right answers and gradient", [STEP, NUMERIC] on ROWS;
    "loss/cross_entropy_weighted": "softmax cross entropy with a weight for each class", [STEP, NUMERIC] on ROWS;
    "loss/mse": "mean squared error against one-hot rows: loss, right answers and gradient", [STEP, NUMERIC] on ROWS;
    "loss/mse_numbers": "mean squared error of numbers: loss and gradient", [STEP, NUMERIC] on NUMBERS;
    "loss/l1": "mean absolute error: loss and gradient", [STEP, NUMERIC] on NUMBERS;
    "loss/huber": "Huber's loss: loss and gradient", [STEP, NUMERIC] on NUMBERS;
    "optim/accumulate": "the gradients of several batches, added up pairwise", [INDEX];
    "optim/adam": "one update of all parameters by Adam or AdamW", [STEP, INDEX];
    "optim/clip_norm": "the factor of clipping by norm, and gradients times it", [STEP, INDEX];
    "optim/gradient_norm": "the sum of the squares of all gradients, in parts", [STEP];
    "optim/sgd": "one update of all parameters by SGD with momentum", [STEP, INDEX];
}

/// The shader of that name.
///
/// # Panics
/// If the table has none: a mistake in the calling layer, found by its first test.
#[must_use]
pub fn named(name: &str) -> Shader {
    SHADERS
        .iter()
        .find(|entry| entry.name == name)
        .unwrap_or_else(|| panic!("no shader is called {name}"))
        .shader()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shader_validates_and_says_what_it_is() {
        for entry in SHADERS {
            let reflection = entry.shader().compose().reflect().unwrap();
            assert!(!reflection.entries.is_empty(), "{}", entry.name);
            assert!(entry.text.starts_with("// "), "{}", entry.name);
            for (name, point) in &reflection.entries {
                let storage = point
                    .bindings
                    .values()
                    .filter(|b| matches!(b.kind, crate::kernel::reflect::Kind::Storage { .. }));
                assert!(storage.count() <= 8, "{} {name}", entry.name);
            }
        }
    }
}
