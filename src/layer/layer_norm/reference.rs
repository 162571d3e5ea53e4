//! The f64 reference of the normalisation of rows, row by row from the definition.

use crate::layer::{Pass, ReferenceGradients};

/// A row's mean (0 where it is not subtracted) and 1 / sqrt(variance + eps).
fn statistics(x: &[f64], eps: f64, centred: bool) -> [f64; 2] {
    let n = x.len() as f64;
    let mean = if centred {
        x.iter().sum::<f64>() / n
    } else {
        0.0
    };
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    [mean, 1.0 / (variance + eps).sqrt()]
}

/// y = xhat w + b.
pub(in crate::layer) fn forward(pass: &Pass<'_>, eps: f64, centred: bool) -> Vec<f64> {
    let (weight, bias) = (pass.parameter("weight"), pass.parameter("bias"));
    let mut y = Vec::with_capacity(pass.x.len());
    for x in pass.x.chunks_exact(pass.node.input.features()) {
        let [mean, invstd] = statistics(x, eps, centred);
        for (i, x) in x.iter().enumerate() {
            let (w, b) = (weight.map_or(1.0, |w| w[i]), bias.map_or(0.0, |b| b[i]));
            y.push((x - mean) * invstd * w + b);
        }
    }
    y
}

/// Mean and deviation depend on each x of the row.
pub(in crate::layer) fn backward(
    pass: &Pass<'_>,
    dy: &[f64],
    eps: f64,
    centred: bool,
) -> ReferenceGradients {
    let features = pass.node.input.features();
    let (weight, n) = (pass.parameter("weight"), features as f64);
    let mut dx = Vec::with_capacity(dy.len());
    let mut dw = vec![0.0; features];
    let mut db = vec![0.0; features];
    for (x, dy) in pass.x.chunks_exact(features).zip(dy.chunks_exact(features)) {
        let [mean, invstd] = statistics(x, eps, centred);
        let xhat: Vec<f64> = x.iter().map(|x| (x - mean) * invstd).collect();
        let g: Vec<f64> = (0..features)
            .map(|i| dy[i] * weight.map_or(1.0, |w| w[i]))
            .collect();
        let product = g.iter().zip(&xhat).map(|(g, xhat)| g * xhat).sum::<f64>() / n;
        let sum = if centred {
            g.iter().sum::<f64>() / n
        } else {
            0.0
        };
        for i in 0..features {
            dx.push(invstd * (g[i] - sum - xhat[i] * product));
            dw[i] += dy[i] * xhat[i];
            db[i] += dy[i];
        }
    }
    let names = pass.node.fit.parameters.iter();
    let parameters = names.map(|spec| match spec.name.as_str() {
        "bias" => db.clone(),
        _ => dw.clone(),
    });
    ReferenceGradients {
        parameters: parameters.collect(),
        dx,
    }
}
