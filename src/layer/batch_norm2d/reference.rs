//! The f64 reference of batch normalisation, channel by channel from the definition.

use super::BatchNorm2d;
use crate::layer::window::picture;
use crate::layer::{Pass, ReferenceGradients};

/// A channel: where its elements are, its statistics, its weight and bias.
struct Channel {
    rows: usize,
    sample: usize,
    first: usize,
    plane: usize,
    mean: f64,
    invstd: f64,
    weight: f64,
    bias: f64,
}

impl Channel {
    fn new(layer: &BatchNorm2d, pass: &Pass<'_>, c: usize) -> Self {
        let [channels, height, width] = picture(&pass.node.input);
        let plane = height * width;
        let state = |name: &str| pass.state(name).unwrap_or_default()[c];
        let weight = match (layer.has_weight(), layer.trains_weight()) {
            (false, _) => 1.0,
            (true, true) => pass.parameter("weight").unwrap_or_default()[c],
            (true, false) => state("weight"),
        };
        let mut channel = Self {
            rows: pass.samples,
            sample: channels * plane,
            first: c * plane,
            plane,
            mean: state("running_mean"),
            invstd: 0.0,
            weight,
            bias: pass.parameter("bias").map_or(0.0, |bias| bias[c]),
        };
        let mut variance = state("running_var");
        if pass.training {
            let n = (pass.samples * plane) as f64;
            channel.mean = channel.elements().map(|i| pass.x[i]).sum::<f64>() / n;
            let squares = channel
                .elements()
                .map(|i| (pass.x[i] - channel.mean).powi(2));
            variance = squares.sum::<f64>() / n;
        }
        channel.invstd = 1.0 / (variance + layer.eps).sqrt();
        channel
    }

    /// Positions of the channel's elements in all samples.
    fn elements(&self) -> impl Iterator<Item = usize> + use<> {
        let (sample, first, plane) = (self.sample, self.first, self.plane);
        (0..self.rows).flat_map(move |n| {
            let start = n * sample + first;
            start..start + plane
        })
    }

    fn xhat(&self, x: f64) -> f64 {
        (x - self.mean) * self.invstd
    }
}

/// y = xhat w + b, with the statistics of the batch in training, the running ones else.
pub(super) fn forward(layer: &BatchNorm2d, pass: &Pass<'_>) -> Vec<f64> {
    let mut y = vec![0.0; pass.x.len()];
    for c in 0..picture(&pass.node.input)[0] {
        let channel = Channel::new(layer, pass, c);
        for i in channel.elements() {
            y[i] = channel.xhat(pass.x[i]) * channel.weight + channel.bias;
        }
    }
    y
}

/// In training mean and variance depend on each x; in evaluation they are constants.
pub(super) fn backward(layer: &BatchNorm2d, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
    let mut dx = vec![0.0; pass.x.len()];
    let mut dw = Vec::new();
    let mut db = Vec::new();
    for c in 0..picture(&pass.node.input)[0] {
        let channel = Channel::new(layer, pass, c);
        let n = channel.elements().count() as f64;
        let sum: f64 = channel.elements().map(|i| dy[i]).sum();
        let products = channel.elements().map(|i| dy[i] * channel.xhat(pass.x[i]));
        let product: f64 = products.sum();
        for i in channel.elements() {
            let through = if pass.training {
                sum / n + channel.xhat(pass.x[i]) * product / n
            } else {
                0.0
            };
            dx[i] = channel.weight * channel.invstd * (dy[i] - through);
        }
        dw.push(product);
        db.push(sum);
    }
    let dw = layer.trains_weight().then_some(dw);
    let db = layer.has_bias().then_some(db);
    ReferenceGradients {
        dx,
        parameters: dw.into_iter().chain(db).collect(),
    }
}
