//! The nets over pictures and rows of numbers, as `src/bench/models.rs` of wavetrain lists them.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;

/// What a net reads.
#[derive(Debug, Clone)]
pub enum Input {
    /// Pictures [N, C, H, W].
    Floats(Tensor<4>),
    /// Tokens [N, T].
    Tokens(Tensor<2, Int>),
}

impl Input {
    /// The pictures.
    pub fn floats(self) -> Tensor<4> {
        match self {
            Self::Floats(x) => x,
            Self::Tokens(_) => panic!("a net over pictures was given tokens"),
        }
    }

    /// The tokens.
    pub fn tokens(self) -> Tensor<2, Int> {
        match self {
            Self::Tokens(x) => x,
            Self::Floats(_) => panic!("a net over tokens was given pictures"),
        }
    }
}

/// A net from samples to logits, a row for each of them or of their positions.
pub trait Net: Module {
    /// The logits.
    fn forward(&self, x: Input) -> Tensor<2>;
}

/// Three linear layers with relu between them.
#[derive(Module, Debug)]
pub struct Mlp {
    first: Linear,
    second: Linear,
    third: Linear,
}

impl Mlp {
    /// A net with layers of these widths.
    pub fn new(device: &Device, [a, b, c, d]: [usize; 4]) -> Self {
        Self {
            first: LinearConfig::new(a, b).init(device),
            second: LinearConfig::new(b, c).init(device),
            third: LinearConfig::new(c, d).init(device),
        }
    }
}

impl Net for Mlp {
    fn forward(&self, x: Input) -> Tensor<2> {
        let x = relu(self.first.forward(x.floats().flatten::<2>(1, 3)));
        self.third.forward(relu(self.second.forward(x)))
    }
}

/// Caffe's LeNet.
#[derive(Module, Debug)]
pub struct Lenet {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    first: Linear,
    second: Linear,
}

impl Lenet {
    /// The net, freshly initialised.
    pub fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 20], [5, 5]).init(device),
            conv2: Conv2dConfig::new([20, 50], [5, 5]).init(device),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            first: LinearConfig::new(800, 500).init(device),
            second: LinearConfig::new(500, 10).init(device),
        }
    }
}

impl Net for Lenet {
    fn forward(&self, x: Input) -> Tensor<2> {
        let x = self.pool.forward(self.conv1.forward(x.floats()));
        let x = self.pool.forward(self.conv2.forward(x));
        self.second
            .forward(relu(self.first.forward(x.flatten::<2>(1, 3))))
    }
}

/// Caffe's cifar10_quick.
#[derive(Module, Debug)]
pub struct Quick {
    conv1: Conv2d,
    conv2: Conv2d,
    conv3: Conv2d,
    max_pool: MaxPool2d,
    avg_pool: AvgPool2d,
    first: Linear,
    second: Linear,
}

impl Quick {
    /// The net, freshly initialised.
    pub fn new(device: &Device) -> Self {
        let conv = |from, to| {
            Conv2dConfig::new([from, to], [5, 5])
                .with_padding(PaddingConfig2d::Explicit(2, 2, 2, 2))
                .init(device)
        };
        Self {
            conv1: conv(3, 32),
            conv2: conv(32, 32),
            conv3: conv(32, 64),
            max_pool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_ceil_mode(true)
                .init(),
            avg_pool: AvgPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_ceil_mode(true)
                .init(),
            first: LinearConfig::new(1024, 64).init(device),
            second: LinearConfig::new(64, 10).init(device),
        }
    }
}

impl Net for Quick {
    fn forward(&self, x: Input) -> Tensor<2> {
        let x = relu(self.max_pool.forward(self.conv1.forward(x.floats())));
        let x = self.avg_pool.forward(relu(self.conv2.forward(x)));
        let x = self.avg_pool.forward(relu(self.conv3.forward(x)));
        let x = self.first.forward(x.flatten::<2>(1, 3));
        self.second.forward(x)
    }
}
