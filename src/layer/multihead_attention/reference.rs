//! The f64 reference of attention, from the definition: scores, softmax, sums, head by head.

use super::MultiheadAttention;
use crate::layer::{Pass, ReferenceGradients};
use crate::rng::uniform;

/// y = x w^T + b of each row.
fn project(x: &[f64], inputs: usize, w: &[f64], b: Option<&[f64]>) -> Vec<f64> {
    let mut y = Vec::new();
    for x in x.chunks_exact(inputs) {
        for (o, w) in w.chunks_exact(inputs).enumerate() {
            let dot: f64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
            y.push(dot + b.map_or(0.0, |b| b[o]));
        }
    }
    y
}

/// dx, dw and db of [`project`].
fn project_back(dy: &[f64], x: &[f64], inputs: usize, w: &[f64]) -> [Vec<f64>; 3] {
    let outputs = w.len() / inputs;
    let mut dx = vec![0.0; x.len()];
    let mut dw = vec![0.0; w.len()];
    let mut db = vec![0.0; outputs];
    for (n, dy) in dy.chunks_exact(outputs).enumerate() {
        for (o, g) in dy.iter().enumerate() {
            db[o] += g;
            for i in 0..inputs {
                dx[n * inputs + i] += g * w[o * inputs + i];
                dw[o * inputs + i] += g * x[n * inputs + i];
            }
        }
    }
    [dx, dw, db]
}

/// One sample and head.
struct Head {
    sample: usize,
    head: usize,
    steps: usize,
    /// Numbers of the head, and of all heads.
    size: usize,
    width: usize,
    /// The weights, query by query, and by what factor each is kept.
    p: Vec<f64>,
    kept: Vec<f64>,
}

impl Head {
    fn new(
        layer: &MultiheadAttention,
        pass: &Pass<'_>,
        qkv: &[f64],
        (sample, head): (usize, usize),
    ) -> Self {
        let (steps, width) = (pass.node.input.rows(), pass.node.input.features());
        let mut one = Self {
            sample,
            head,
            steps,
            size: width / layer.num_heads,
            width,
            p: vec![0.0; steps * steps],
            kept: vec![1.0; steps * steps],
        };
        let scale = 1.0 / (one.size as f64).sqrt();
        for i in 0..steps {
            let seen = if layer.causal { i + 1 } else { steps };
            let score = |j: usize| {
                let terms = (0..one.size).map(|c| qkv[one.at(0, i, c)] * qkv[one.at(1, j, c)]);
                scale * terms.sum::<f64>()
            };
            let scores: Vec<f64> = (0..seen).map(score).collect();
            let most = scores.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let total: f64 = scores.iter().map(|s| (s - most).exp()).sum();
            for (j, s) in scores.iter().enumerate() {
                one.p[i * steps + j] = (s - most).exp() / total;
            }
        }
        if pass.training && layer.dropout > 0.0 {
            let first = (sample * layer.num_heads + head) * steps * steps;
            for (element, kept) in (first..).zip(&mut one.kept) {
                let word = pass.key.words(element as u32, pass.node.id as u32)[0];
                // The comparison that the shader makes, in f32.
                let drops = uniform(word) < layer.dropout as f32;
                *kept = if drops {
                    0.0
                } else {
                    1.0 / (1.0 - layer.dropout)
                };
            }
        }
        one
    }

    /// Where number `c` of the query (0), key (1) or value (2) of a step lies in a row of all three.
    fn at(&self, which: usize, step: usize, c: usize) -> usize {
        let row = self.sample * self.steps + step;
        (row * 3 + which) * self.width + self.head * self.size + c
    }

    /// Where number `c` of the output of a step lies.
    fn out(&self, step: usize, c: usize) -> usize {
        (self.sample * self.steps + step) * self.width + self.head * self.size + c
    }

    fn forward(&self, qkv: &[f64], o: &mut [f64]) {
        for i in 0..self.steps {
            for j in 0..self.steps {
                let weight = self.p[i * self.steps + j] * self.kept[i * self.steps + j];
                for c in 0..self.size {
                    o[self.out(i, c)] += weight * qkv[self.at(2, j, c)];
                }
            }
        }
    }

    /// Through the sum of the values, the softmax of each row, and the scores.
    fn backward(&self, qkv: &[f64], g: &[f64], dqkv: &mut [f64]) {
        let scale = 1.0 / (self.size as f64).sqrt();
        for i in 0..self.steps {
            let row = |j: usize| i * self.steps + j;
            let mut dp = vec![0.0; self.steps];
            for j in 0..self.steps {
                for c in 0..self.size {
                    let g = g[self.out(i, c)];
                    dp[j] += self.kept[row(j)] * g * qkv[self.at(2, j, c)];
                    dqkv[self.at(2, j, c)] += self.p[row(j)] * self.kept[row(j)] * g;
                }
            }
            let mean: f64 = (0..self.steps).map(|j| self.p[row(j)] * dp[j]).sum();
            for j in 0..self.steps {
                let ds = scale * self.p[row(j)] * (dp[j] - mean);
                for c in 0..self.size {
                    dqkv[self.at(0, i, c)] += ds * qkv[self.at(1, j, c)];
                    dqkv[self.at(1, j, c)] += ds * qkv[self.at(0, i, c)];
                }
            }
        }
    }
}

/// Queries, keys and values, and the output before its projection.
fn inner(layer: &MultiheadAttention, pass: &Pass<'_>) -> (Vec<f64>, Vec<f64>, Vec<Head>) {
    let width = pass.node.input.features();
    let weight = pass.parameter("in_proj_weight").unwrap_or_default();
    let qkv = project(pass.x, width, weight, pass.parameter("in_proj_bias"));
    let pairs = (0..pass.samples).flat_map(|n| (0..layer.num_heads).map(move |h| (n, h)));
    let heads: Vec<Head> = pairs
        .map(|pair| Head::new(layer, pass, &qkv, pair))
        .collect();
    let mut o = vec![0.0; pass.x.len()];
    heads.iter().for_each(|head| head.forward(&qkv, &mut o));
    (qkv, o, heads)
}

pub(super) fn forward(layer: &MultiheadAttention, pass: &Pass<'_>) -> Vec<f64> {
    let (_, o, _) = inner(layer, pass);
    let weight = pass.parameter("out_proj.weight").unwrap_or_default();
    let bias = pass.parameter("out_proj.bias");
    project(&o, pass.node.input.features(), weight, bias)
}

pub(super) fn backward(
    layer: &MultiheadAttention,
    pass: &Pass<'_>,
    dy: &[f64],
) -> ReferenceGradients {
    let width = pass.node.input.features();
    let (qkv, o, heads) = inner(layer, pass);
    let weight = |name: &str| pass.parameter(name).unwrap_or_default();
    let [g, dw_out, db_out] = project_back(dy, &o, width, weight("out_proj.weight"));
    let mut dqkv = vec![0.0; qkv.len()];
    heads
        .iter()
        .for_each(|head| head.backward(&qkv, &g, &mut dqkv));
    let [dx, dw, db] = project_back(&dqkv, pass.x, width, weight("in_proj_weight"));
    let parameters = match layer.bias {
        true => vec![dw, db, dw_out, db_out],
        false => vec![dw, dw_out],
    };
    ReferenceGradients { dx, parameters }
}
