//! The models of `wavetrain bench` on burn: whole training steps, a batch from host memory, the
//! loss read back each step.
//!
//!     peers [wgpu|flex] [MODEL]...

mod models;

use std::time::{Duration, Instant};

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;

use models::{Lenet, Mlp, Net, Quick};

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
    }
}

/// Times training steps of a net on made-up data and prints one row of the table.
fn bench<N: Net>(name: &str, backend: &str, mut net: N, shape: [usize; 4], device: &Device) {
    let start = Instant::now();
    let batch = shape[0];
    let values: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|i| (i * 2_654_435_761 % 256) as f32 / 255.0)
        .collect();
    let labels: Vec<i32> = (0..batch).map(|i| (i * 7 % 10) as i32).collect();
    // PyTorch's momentum: burn's own default dampens the gradient by 0.1.
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let mut optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
    let cross_entropy = CrossEntropyLossConfig::new().init(device);
    let mut first = Duration::ZERO;
    let mut timed = Duration::ZERO;
    let mut times = Vec::new();
    for step in 0..WARM_UP + MOST {
        let begin = Instant::now();
        let x = Tensor::<4>::from_data(TensorData::new(values.clone(), shape), device);
        let y = Tensor::<1, Int>::from_data(TensorData::new(labels.clone(), [batch]), device);
        let loss = cross_entropy.forward(net.forward(x), y);
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
        "{name:<14}{batch:>6}  {:<14}{median:>11.3}{:>8}{:>11.2} s",
        format!("burn {backend}"),
        times.len(),
        first.as_secs_f64()
    );
}
