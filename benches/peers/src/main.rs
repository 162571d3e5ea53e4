//! The models of `wavetrain bench` on burn: whole training steps, a batch from host memory, the
//! loss read back each step.
//!
//!     peers [wgpu|flex] [MODEL]...

mod models;
mod sequences;

use std::time::{Duration, Instant};

use burn::grad_clipping::GradientClippingConfig;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::prelude::*;

use models::{Input, Lenet, Mlp, Net, Quick};
use sequences::{Gpt, Letters, Rows, SYMBOLS};

/// Steps before the clock starts: burn tunes its kernels in them.
const WARM_UP: usize = 3;
/// Steps that are timed, at least and at most, and the time for them.
const LEAST: usize = 5;
const MOST: usize = 200;
const TIME: Duration = Duration::from_secs(20);

fn main() {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    let backends = match wanted.first().map(String::as_str) {
        Some(name @ ("wgpu" | "flex")) => vec![name.to_owned()],
        _ => vec!["wgpu".to_owned(), "flex".to_owned()],
    };
    wanted.retain(|name| !backends.contains(name));
    println!("model          batch  peer              ms/step   steps   first step");
    for backend in &backends {
        let device = match backend.as_str() {
            "wgpu" => Device::wgpu(DeviceKind::DefaultDevice),
            _ => Device::flex(),
        }
        .autodiff();
        let run = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
        if run("mlp-512") {
            let net = Mlp::new(&device, [784, 512, 512, 10]);
            bench("mlp-512", backend, net, [128, 1, 28, 28], &device);
        }
        if run("mlp-64") {
            let net = Mlp::new(&device, [128, 64, 64, 10]);
            bench("mlp-64", backend, net, [16, 1, 1, 128], &device);
        }
        if run("lenet") {
            let net = Lenet::new(&device);
            bench("lenet", backend, net, [128, 1, 28, 28], &device);
        }
        if run("cifar10_quick") {
            let net = Quick::new(&device);
            bench("cifar10_quick", backend, net, [100, 3, 32, 32], &device);
        }
        if run("gru-64") {
            let net = Rows::new(&device);
            let samples = Samples::pictures([128, 1, 28, 28]);
            time("gru-64", backend, net, samples, adamw(), &device);
        }
        if run("lstm-256") {
            let net = Letters::new(&device);
            let samples = Samples::tokens([32, 64], SYMBOLS);
            time("lstm-256", backend, net, samples, sgd(), &device);
        }
        if run("gpt-128") {
            let net = Gpt::new(&device);
            let samples = Samples::tokens([12, 64], SYMBOLS);
            time("gpt-128", backend, net, samples, adamw(), &device);
        }
    }
}

/// A made-up batch in host memory, and its right answers.
struct Samples {
    floats: Option<TensorData>,
    tokens: Option<TensorData>,
    labels: TensorData,
    batch: usize,
}

impl Samples {
    /// Pictures of ten classes.
    fn pictures(shape: [usize; 4]) -> Self {
        let values: Vec<f32> = (0..shape.iter().product::<usize>())
            .map(|i| (i * 2_654_435_761 % 256) as f32 / 255.0)
            .collect();
        let labels: Vec<i32> = (0..shape[0]).map(|i| (i * 7 % 10) as i32).collect();
        Self {
            floats: Some(TensorData::new(values, shape)),
            tokens: None,
            labels: TensorData::new(labels, [shape[0]]),
            batch: shape[0],
        }
    }

    /// Tokens, and one at each position that is to be told.
    fn tokens(shape: [usize; 2], symbols: usize) -> Self {
        let made = |factor: usize| -> Vec<i32> {
            (0..shape[0] * shape[1])
                .map(|i| (i * factor % 1009 % symbols) as i32)
                .collect()
        };
        Self {
            floats: None,
            tokens: Some(TensorData::new(made(2_654_435_761), shape)),
            labels: TensorData::new(made(40_503), [shape[0] * shape[1]]),
            batch: shape[0],
        }
    }

    /// The batch on the device.
    fn input(&self, device: &Device) -> Input {
        match (&self.floats, &self.tokens) {
            (Some(floats), _) => Input::Floats(Tensor::from_data(floats.clone(), device)),
            (None, Some(tokens)) => Input::Tokens(Tensor::from_data(tokens.clone(), device)),
            (None, None) => unreachable!("a batch has floats or tokens"),
        }
    }
}

/// SGD with momentum 0.9 as in PyTorch: burn's own default dampens the gradient by 0.1.
fn sgd() -> ModuleOptimizer {
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    SgdConfig::new().with_momentum(Some(momentum)).init()
}

/// AdamW after clipping by norm. burn clips each tensor by a norm of its own, not all of them by
/// one.
fn adamw() -> ModuleOptimizer {
    AdamWConfig::new()
        .with_epsilon(1e-8)
        .with_weight_decay(0.01)
        .with_grad_clipping(Some(GradientClippingConfig::Norm(1.0)))
        .init()
}

/// Times training steps of a net over pictures under SGD.
fn bench<N: Net>(name: &str, backend: &str, net: N, shape: [usize; 4], device: &Device) {
    time(name, backend, net, Samples::pictures(shape), sgd(), device);
}

/// Times training steps of a net on made-up data and prints one row of the table.
fn time<N: Net>(
    name: &str,
    backend: &str,
    mut net: N,
    samples: Samples,
    mut optimizer: ModuleOptimizer,
    device: &Device,
) {
    let start = Instant::now();
    let cross_entropy = CrossEntropyLossConfig::new().init(device);
    let mut first = Duration::ZERO;
    let mut timed = Duration::ZERO;
    let mut times = Vec::new();
    for step in 0..WARM_UP + MOST {
        let begin = Instant::now();
        let y = Tensor::<1, Int>::from_data(samples.labels.clone(), device);
        let loss = cross_entropy.forward(net.forward(samples.input(device)), y);
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = optimizer.step(0.001, net, gradients);
        let loss: f32 = loss.into_scalar();
        // The loss alone does not wait for the update.
        device.sync().expect("the device fails");
        assert!(loss.is_finite(), "{name} on {backend}: the loss is {loss}");
        if step == 0 {
            first = start.elapsed();
        }
        if step >= WARM_UP {
            times.push(begin.elapsed());
            timed += begin.elapsed();
            if timed > TIME && times.len() >= LEAST {
                break;
            }
        }
    }
    times.sort();
    let median = 1e3 * times[times.len() / 2].as_secs_f64();
    println!(
        "{name:<14}{:>6}  {:<14}{median:>11.3}{:>8}{:>11.2} s",
        samples.batch,
        format!("burn {backend}"),
        times.len(),
        first.as_secs_f64()
    );
}
