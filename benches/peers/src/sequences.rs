//! The nets over sequences, as `src/bench/models.rs` of wavetrain lists them.

use burn::module::Param;
use burn::nn::attention::generate_autoregressive_mask;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::gru::{Gru, GruConfig};
use burn::nn::{
    Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    Lstm, LstmConfig,
};
use burn::prelude::*;
use burn::tensor::activation::gelu;

use crate::models::{Input, Net};

/// Symbols of the nets over tokens.
pub const SYMBOLS: usize = 65;

/// Rows of a picture through a GRU, of which the last step is classified.
#[derive(Module, Debug)]
pub struct Rows {
    gru: Gru,
    linear: Linear,
}

impl Rows {
    /// The net, freshly initialised.
    pub fn new(device: &Device) -> Self {
        Self {
            gru: GruConfig::new(28, 64, true).init(device),
            linear: LinearConfig::new(64, 10).init(device),
        }
    }
}

impl Net for Rows {
    fn forward(&self, x: Input) -> Tensor<2> {
        let x = x.floats().squeeze_dim::<3>(1);
        let [batch, steps, _] = x.dims();
        let y = self.gru.forward(x, None);
        let last = y.slice([0..batch, steps - 1..steps]).squeeze_dim::<2>(1);
        self.linear.forward(last)
    }
}

/// Tokens through an LSTM, of which every step is classified.
#[derive(Module, Debug)]
pub struct Letters {
    embedding: Embedding,
    lstm: Lstm,
    linear: Linear,
}

impl Letters {
    /// The net, freshly initialised.
    pub fn new(device: &Device) -> Self {
        Self {
            embedding: EmbeddingConfig::new(SYMBOLS, 256).init(device),
            lstm: LstmConfig::new(256, 256, true).init(device),
            linear: LinearConfig::new(256, SYMBOLS).init(device),
        }
    }
}

impl Net for Letters {
    fn forward(&self, x: Input) -> Tensor<2> {
        let (y, _) = self.lstm.forward(self.embedding.forward(x.tokens()), None);
        self.linear.forward(y).flatten::<2>(0, 1)
    }
}

/// A block of a transformer: attention and two linear layers, each after a normalisation.
#[derive(Module, Debug)]
struct Block {
    before: LayerNorm,
    attention: MultiHeadAttention,
    between: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Block {
    fn new(width: usize, heads: usize, device: &Device) -> Self {
        let norm = || LayerNormConfig::new(width).with_bias(false).init(device);
        let linear = |from, to| LinearConfig::new(from, to).with_bias(false).init(device);
        Self {
            before: norm(),
            attention: MultiHeadAttentionConfig::new(width, heads)
                .with_dropout(0.0)
                .with_query_bias(false)
                .with_key_bias(false)
                .with_value_bias(false)
                .with_output_bias(false)
                .init(device),
            between: norm(),
            up: linear(width, 4 * width),
            down: linear(4 * width, width),
        }
    }

    fn forward(&self, x: Tensor<3>, mask: Tensor<3, Bool>) -> Tensor<3> {
        let input = MhaInput::self_attn(self.before.forward(x.clone())).mask_attn(mask);
        let x = x + self.attention.forward(input).context;
        let y = gelu(self.up.forward(self.between.forward(x.clone())));
        x + self.down.forward(y)
    }
}

/// The network that nanoGPT trains on a CPU.
#[derive(Module, Debug)]
pub struct Gpt {
    embedding: Embedding,
    positions: Param<Tensor<2>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl Gpt {
    /// The net, freshly initialised.
    pub fn new(device: &Device) -> Self {
        let small = Initializer::Normal {
            mean: 0.0,
            std: 0.02,
        };
        Self {
            embedding: EmbeddingConfig::new(SYMBOLS, 128)
                .with_initializer(small.clone())
                .init(device),
            positions: small.init([64, 128], device),
            blocks: (0..4).map(|_| Block::new(128, 4, device)).collect(),
            norm: LayerNormConfig::new(128).with_bias(false).init(device),
        }
    }
}

impl Net for Gpt {
    fn forward(&self, x: Input) -> Tensor<2> {
        let x = x.tokens();
        let [batch, steps] = x.dims();
        let mask = generate_autoregressive_mask(batch, steps, &x.device());
        let mut y = self.embedding.forward(x) + self.positions.val().unsqueeze::<3>();
        for block in &self.blocks {
            y = block.forward(y, mask.clone());
        }
        // The head is the table of the embedding.
        let y = self.norm.forward(y).flatten::<2>(0, 1);
        y.matmul(self.embedding.weight.val().transpose())
    }
}
