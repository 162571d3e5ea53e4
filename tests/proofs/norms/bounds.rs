//! How far f32 arithmetic may take the kernels that normalise from their references: the formulas of
//! the shaders, followed by running error analysis.

use wavetrain::kernel::Mode;
use wavetrain::layer::{Layer, Pass};

use super::super::rounded::{Num, U, sum_error};
use super::Case;

/// The expected values with their bounds.
pub(super) struct Expected {
    pub(super) y: Vec<Num>,
    pub(super) dx: Vec<Num>,
    pub(super) parameters: Vec<Vec<Num>>,
    /// The running statistics after the step.
    pub(super) states: Vec<Vec<Num>>,
}

fn n(value: f64) -> Num {
    Num::exact(value)
}

fn c(value: f64) -> Num {
    Num::constant(value)
}

/// A number of the reference with what its f32 may be off.
fn about(value: f64, error: f64) -> Num {
    Num { value, error }
}

/// 1 / sqrt(v). WGSL grants sqrt the error of 1 / inverseSqrt, 2 ulp and a division's 2.5 ulp, which
/// are 9 roundings, and the division 5 more.
pub(crate) fn inverse_sqrt(v: Num) -> Num {
    let value = 1.0 / v.value.sqrt();
    let low = (v.value - v.error).max(v.value / 2.0);
    let moved = value * 0.5 * v.error / low;
    about(value, moved + 14.0 * U * (value + moved))
}

fn root(v: Num) -> Num {
    let value = v.value.sqrt();
    let low = (v.value - v.error).max(v.value / 2.0);
    let moved = value * 0.5 * v.error / low;
    about(value, moved + 9.0 * U * (value + moved))
}

/// A sum in whatever order: its terms' own errors, and the rounding of the additions.
pub(crate) fn sum(terms: &[Num]) -> Num {
    let value = terms.iter().map(|t| t.value).sum();
    let own: f64 = terms.iter().map(|t| t.error).sum();
    let magnitude: f64 = terms.iter().map(|t| t.value.abs() + t.error).sum();
    about(value, own + sum_error(terms.len(), magnitude))
}

fn relu(y: Num) -> Num {
    about(y.value.max(0.0), y.error)
}

/// The gradient of a relu in front of the layer.
fn gated(case: &Case, x: f64, dx: Num) -> Num {
    if case.gate && x <= 0.0 { n(0.0) } else { dx }
}

/// A channel's batch statistics: its mean, and the sum of squared deviations M2.
///
/// The mean is a sum of n terms. A deviation from a mean that is off by e moves M2 by at most 2 e
/// times the sum of the magnitudes of deviations, and by n e^2.
pub(crate) fn moments(x: &[f64]) -> (Num, Num) {
    let count = x.len() as f64;
    let mean = x.iter().sum::<f64>() / count;
    let magnitude: f64 = x.iter().map(|x| x.abs()).sum();
    let error = sum_error(x.len(), magnitude) / count;
    let deviations: f64 = x.iter().map(|x| (x - mean).abs()).sum();
    let squares: f64 = x.iter().map(|x| (x - mean).powi(2)).sum();
    let off = sum_error(x.len(), squares)
        + 4.0 * U * squares
        + 2.0 * error * deviations
        + count * error * error;
    (about(mean, error), about(squares, off))
}

/// What a pass through `batch_norm2d` knows of a channel.
struct Channel {
    /// Its elements' positions in x.
    elements: Vec<usize>,
    mean: Num,
    invstd: Num,
    w: Num,
    b: Num,
    /// The running mean and variance after the step.
    states: [Num; 2],
}

impl Channel {
    fn new(layer: &dyn Layer, case: &Case, pass: &Pass<'_>, channel: usize) -> Self {
        let arguments = layer.arguments();
        let number = |key: &str| c(arguments[key].as_float().unwrap());
        let of = |name: &str, none: f64| {
            let state = pass.state(name).map_or(none, |state| state[channel]);
            n(pass.parameter(name).map_or(state, |values| values[channel]))
        };
        let plane = case.input[1] * case.input[2];
        let of_row = |row: usize| {
            let first = (row * case.input[0] + channel) * plane;
            first..first + plane
        };
        let elements: Vec<usize> = (0..pass.samples).flat_map(of_row).collect();
        let mut states = [0, 1].map(|state| n(pass.states[state][channel]));
        let (mut mean, mut variance) = (states[0], states[1]);
        if case.mode == Mode::Train {
            let x: Vec<f64> = elements.iter().map(|i| pass.x[*i]).collect();
            let count = x.len() as f64;
            let (batch, m2) = moments(&x);
            (mean, variance) = (batch, m2 / n(count));
            let momentum = number("momentum");
            let keep = n(1.0) - momentum;
            states[0] = keep * states[0] + momentum * mean;
            states[1] = keep * states[1] + momentum * (m2 / n(count - 1.0));
        }
        Self {
            elements,
            mean,
            invstd: inverse_sqrt(variance + number("eps")),
            w: of("weight", 1.0),
            b: of("bias", 0.0),
            states,
        }
    }

    /// The gradients of weight and bias.
    fn sums(&self, pass: &Pass<'_>, dy: &[f64]) -> [Num; 2] {
        let terms: Vec<Num> = self.elements.iter().map(|i| n(dy[*i])).collect();
        let db = sum(&terms);
        let term = |i: &usize| n(dy[*i]) * (n(pass.x[*i]) - n(self.mean.value));
        let terms: Vec<Num> = self.elements.iter().map(term).collect();
        let mut product = sum(&terms);
        // A mean that is off moves all terms at once: by the sum of dy.
        product.error += self.mean.error * (db.value.abs() + db.error);
        [product * self.invstd, db]
    }
}

/// What `batch_norm2d` must give: the bounds around its own reference's values.
pub(super) fn batch_norm2d(
    layer: &dyn Layer,
    case: &Case,
    pass: &Pass<'_>,
    dy: &[f64],
) -> Expected {
    let specs = &pass.node.fit.parameters;
    let mut expected = Expected {
        y: vec![n(0.0); pass.x.len()],
        dx: vec![n(0.0); pass.x.len()],
        parameters: vec![Vec::new(); specs.len()],
        states: vec![Vec::new(); 2],
    };
    for channel in 0..case.input[0] {
        let channel = Channel::new(layer, case, pass, channel);
        for (list, state) in expected.states.iter_mut().zip(channel.states) {
            list.push(state);
        }
        let Channel {
            mean, invstd, w, b, ..
        } = channel;
        let [dw, db] = channel.sums(pass, dy);
        let count = n(channel.elements.len() as f64);
        for i in channel.elements {
            let x = n(pass.x[i]);
            let y = (x - mean) * (invstd * w) + b;
            expected.y[i] = if case.relu { relu(y) } else { y };
            let through = (n(dy[i]) - db / count) - (x - mean) * invstd * (dw / count);
            expected.dx[i] = gated(case, pass.x[i], (invstd * w) * through);
        }
        for (list, spec) in expected.parameters.iter_mut().zip(specs) {
            list.push(if spec.name == "bias" { db } else { dw });
        }
    }
    expected
}

/// Windows of `local_response_norm`.
struct Windows {
    case: Case,
    size: usize,
    within: bool,
}

impl Windows {
    /// Sample, channel, row and column of an element.
    fn split(&self, i: usize) -> [usize; 4] {
        let [channels, height, width] = self.case.input;
        [
            i / (channels * height * width),
            i / (height * width) % channels,
            i / width % height,
            i % width,
        ]
    }

    /// Whether element j is in the window of element i.
    fn holds(&self, i: usize, j: usize) -> bool {
        let near =
            |a: usize, b: usize, below: usize, above: usize| b + below >= a && b <= a + above;
        let ([ni, ci, hi, wi], [nj, cj, hj, wj]) = (self.split(i), self.split(j));
        let reach = (self.size - 1) / 2;
        if self.within {
            (ni, ci) == (nj, cj) && near(hi, hj, reach, reach) && near(wi, wj, reach, reach)
        } else {
            (ni, hi, wi) == (nj, hj, wj) && near(ci, cj, self.size / 2, reach)
        }
    }

    /// The elements of i's sample.
    fn neighbours(&self, i: usize) -> std::ops::Range<usize> {
        let sample = self.case.elements();
        i / sample * sample..(i / sample + 1) * sample
    }
}

/// What `local_response_norm` must give.
pub(super) fn local_response_norm(
    layer: &dyn Layer,
    case: &Case,
    pass: &Pass<'_>,
    dy: &[f64],
) -> Expected {
    let arguments = layer.arguments();
    let number = |key: &str| arguments[key].as_float().unwrap();
    let windows = Windows {
        case: case.clone(),
        size: arguments["size"].as_integer().unwrap() as usize,
        within: arguments["within_channel"].as_bool().unwrap(),
    };
    let elements = windows.size.pow(if windows.within { 2 } else { 1 });
    let share = number("alpha") / elements as f64;
    let (k, beta) = (c(number("k")), number("beta"));
    let all = pass.x.len();
    let [mut power, mut y, mut ratio] = [(); 3].map(|()| vec![n(0.0); all]);
    for i in 0..all {
        let window = windows.neighbours(i).filter(|j| windows.holds(i, *j));
        let squares: Vec<Num> = window.map(|j| n(pass.x[j]) * n(pass.x[j])).collect();
        let bracket = k + c(share) * sum(&squares);
        power[i] = if beta == 0.75 {
            let r = inverse_sqrt(bracket);
            r * root(r)
        } else {
            (-c(beta) * bracket.ln()).exp()
        };
        y[i] = n(pass.x[i]) * power[i];
        ratio[i] = n(dy[i]) * y[i] / bracket;
    }
    let dx = (0..all).map(|i| {
        let holding = windows.neighbours(i).filter(|j| windows.holds(*j, i));
        let terms: Vec<Num> = holding.map(|j| ratio[j]).collect();
        let factor = c(2.0) * c(share) * c(beta) * n(pass.x[i]);
        gated(case, pass.x[i], n(dy[i]) * power[i] - factor * sum(&terms))
    });
    Expected {
        dx: dx.collect(),
        y,
        parameters: Vec::new(),
        states: Vec::new(),
    }
}
