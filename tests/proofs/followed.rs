//! How far f32 arithmetic may take kernels whose results are no plain sums of products from their
//! references: the formulas of the shaders, followed by running error analysis.

use wavetrain::layer::{Layer, Pass};
use wavetrain::rng::uniform;

use super::norms::bounds::{inverse_sqrt, moments, sum};
use super::rounded::{Num, U, sum_error};

/// The reference's values with their bounds.
pub(crate) struct Expected {
    pub(crate) y: Vec<Num>,
    pub(crate) dx: Vec<Num>,
    pub(crate) parameters: Vec<Vec<Num>>,
}

/// Follows a layer for an input and the gradient of its output.
pub(crate) type Follow = fn(&dyn Layer, &Pass<'_>, &[f64]) -> Expected;

fn n(value: f64) -> Num {
    Num::exact(value)
}

fn c(value: f64) -> Num {
    Num::constant(value)
}

/// `layer_norm`.
pub(crate) fn layer_norm(layer: &dyn Layer, pass: &Pass<'_>, dy: &[f64]) -> Expected {
    rows(layer, pass, dy, true)
}

/// `rms_norm`: nothing is subtracted.
pub(crate) fn rms_norm(layer: &dyn Layer, pass: &Pass<'_>, dy: &[f64]) -> Expected {
    rows(layer, pass, dy, false)
}

fn rows(layer: &dyn Layer, pass: &Pass<'_>, dy: &[f64], centred: bool) -> Expected {
    let width = pass.node.input.features();
    let eps = layer.arguments().get("eps").and_then(toml::Value::as_float);
    let eps = c(eps.unwrap_or(f64::from(f32::EPSILON)));
    let weight = |i: usize| n(pass.parameter("weight").map_or(1.0, |w| w[i]));
    let bias = |i: usize| n(pass.parameter("bias").map_or(0.0, |b| b[i]));
    let count = n(width as f64);
    let (mut y, mut dx) = (Vec::new(), Vec::new());
    let mut terms = vec![[Vec::new(), Vec::new()]; width];
    for (x, dy) in pass.x.chunks_exact(width).zip(dy.chunks_exact(width)) {
        let squares: Vec<Num> = x.iter().map(|x| n(*x) * n(*x)).collect();
        let (mean, squares) = if centred {
            moments(x)
        } else {
            (n(0.0), sum(&squares))
        };
        let invstd = inverse_sqrt(squares / count + eps);
        let xhat: Vec<Num> = x.iter().map(|x| (n(*x) - mean) * invstd).collect();
        let g: Vec<Num> = (0..width).map(|i| n(dy[i]) * weight(i)).collect();
        let total = sum(&g);
        let off = |i: usize| g[i] * (n(x[i]) - n(mean.value));
        let mut product = sum(&(0..width).map(off).collect::<Vec<_>>());
        // A mean that is off moves all terms at once: by the sum of g.
        product.error += mean.error * (total.value.abs() + total.error);
        let product = product * invstd / count;
        let total = if centred { total / count } else { n(0.0) };
        for i in 0..width {
            y.push(xhat[i] * weight(i) + bias(i));
            dx.push(invstd * ((g[i] - total) - xhat[i] * product));
            terms[i][0].push(n(dy[i]) * xhat[i]);
            terms[i][1].push(n(dy[i]));
        }
    }
    let names = pass.node.fit.parameters.iter();
    let parameters = names.map(|spec| {
        let which = usize::from(spec.name == "bias");
        terms.iter().map(|both| sum(&both[which])).collect()
    });
    Expected {
        parameters: parameters.collect(),
        y,
        dx,
    }
}

/// `positional_embedding` of sines: two polynomials of a number within pi / 4, which is rounded three
/// times; the series leave out less than 1e-9.
pub(crate) fn sines(layer: &dyn Layer, pass: &Pass<'_>, dy: &[f64]) -> Expected {
    let y = layer.reference().forward(pass);
    let around = |(y, x): (&f64, &f64)| {
        let sine = Num {
            value: y - x,
            error: 8.0 * U + 1e-9,
        };
        n(*x) + sine
    };
    Expected {
        y: y.iter().zip(pass.x).map(around).collect(),
        dx: dy.iter().map(|dy| n(*dy)).collect(),
        parameters: Vec::new(),
    }
}

/// A sum of products in whatever order.
fn dot(terms: impl Iterator<Item = (Num, Num)>) -> Num {
    let (mut value, mut own, mut magnitude, mut count) = (0.0, 0.0, 0.0, 0);
    for (a, b) in terms {
        value += a.value * b.value;
        own += a.value.abs() * b.error + b.value.abs() * a.error + a.error * b.error;
        magnitude += (a.value.abs() + a.error) * (b.value.abs() + b.error);
        count += 1;
    }
    Num {
        value,
        error: own + sum_error(count, magnitude),
    }
}

/// y = x w^T + b of each row.
fn project(x: &[Num], inputs: usize, w: &[f64], b: Option<&[f64]>) -> Vec<Num> {
    let mut y = Vec::new();
    for x in x.chunks_exact(inputs) {
        for (o, w) in w.chunks_exact(inputs).enumerate() {
            let bias = b.map(|b| (n(b[o]), n(1.0)));
            let terms = x.iter().zip(w).map(|(x, w)| (*x, n(*w)));
            y.push(dot(terms.chain(bias)));
        }
    }
    y
}

/// dx, dw and db of [`project`].
fn project_back(dy: &[Num], x: &[Num], inputs: usize, w: &[f64]) -> [Vec<Num>; 3] {
    let outputs = w.len() / inputs;
    let rows = dy.len() / outputs;
    let all = |rows: usize, columns: usize| {
        (0..rows).flat_map(move |r| (0..columns).map(move |c| (r, c)))
    };
    let dx = all(rows, inputs)
        .map(|(r, i)| dot((0..outputs).map(|o| (dy[r * outputs + o], n(w[o * inputs + i])))));
    let dw = all(outputs, inputs)
        .map(|(o, i)| dot((0..rows).map(|r| (dy[r * outputs + o], x[r * inputs + i]))));
    let db = (0..outputs).map(|o| dot((0..rows).map(|r| (dy[r * outputs + o], n(1.0)))));
    [dx.collect(), dw.collect(), db.collect()]
}

/// A sample and head of attention.
struct Head<'a> {
    qkv: &'a [Num],
    /// First row, first column, steps, numbers of the head and of all heads.
    row: usize,
    column: usize,
    steps: usize,
    size: usize,
    width: usize,
    causal: bool,
    scale: f64,
    /// By what factor the weight of query and key is kept.
    kept: Vec<f64>,
}

impl Head<'_> {
    fn at(&self, which: usize, step: usize, c: usize) -> usize {
        ((self.row + step) * 3 + which) * self.width + self.column + c
    }

    fn out(&self, step: usize, c: usize) -> usize {
        (self.row + step) * self.width + self.column + c
    }

    fn number(&self, which: usize, step: usize, c: usize) -> Num {
        self.qkv[self.at(which, step, c)]
    }

    /// Scores of the keys that a query sees.
    fn scores(&self, i: usize) -> Vec<Num> {
        let seen = if self.causal { i + 1 } else { self.steps };
        let terms = |j| (0..self.size).map(move |c| (self.number(0, i, c), self.number(1, j, c)));
        (0..seen).map(|j| c(self.scale) * dot(terms(j))).collect()
    }

    /// exp(S - maximum) with the sum of all, and the logarithm of the sum of exp(S). The maximum cancels,
    /// whatever it is, so it is exact; what was added before a new maximum is scaled to it, at most
    /// once for every four keys, by powers whose exponents together are the range of the scores.
    fn powers(&self, scores: &[Num]) -> (Vec<Num>, Num, Num) {
        let most = scores.iter().map(|s| s.value).fold(f64::MIN, f64::max);
        let least = scores.iter().map(|s| s.value).fold(f64::MAX, f64::min);
        let steps = scores.len().div_ceil(4) as f64;
        let scaled = 8.0 * U * steps + 4.0 * U * (most - least);
        let power = |s: &Num| {
            let e = (*s - n(most)).exp();
            Num {
                error: e.error + e.value * scaled,
                ..e
            }
        };
        let powers: Vec<Num> = scores.iter().map(power).collect();
        let total = sum(&powers);
        let log = n(most) + total.ln();
        (powers, total, log)
    }

    fn kept(&self, i: usize, j: usize) -> Num {
        match self.kept[i * self.steps + j] {
            1.0 => n(1.0),
            other => c(other),
        }
    }

    fn forward(&self, o: &mut [Num]) {
        for i in 0..self.steps {
            let (powers, total, _) = self.powers(&self.scores(i));
            let powers: Vec<Num> = (0..powers.len())
                .map(|j| powers[j] * self.kept(i, j))
                .collect();
            for c in 0..self.size {
                let terms = powers.iter().enumerate();
                let terms = terms.map(|(j, p)| (*p, self.number(2, j, c)));
                // Times 1 / total: a division and a product.
                o[self.out(i, c)] = dot(terms) * (n(1.0) / total);
            }
        }
    }

    /// `terms` are the gradients, of which each is a sum over steps.
    fn backward(&self, o: &[Num], g: &[Num], terms: &mut [Vec<(Num, Num)>]) {
        for i in 0..self.steps {
            let columns = 0..self.size;
            let sums = dot(columns
                .clone()
                .map(|c| (g[self.out(i, c)], o[self.out(i, c)])));
            let scores = self.scores(i);
            let (_, _, log) = self.powers(&scores);
            for (j, s) in scores.iter().enumerate() {
                let p = (*s - log).exp();
                let value = |c| (g[self.out(i, c)], self.number(2, j, c));
                let dp = dot(columns.clone().map(value));
                let ds = p * (dp * self.kept(i, j) - sums);
                // The sums are scaled at the end.
                let ds = ds * c(self.scale);
                for c in columns.clone() {
                    terms[self.at(0, i, c)].push((ds, self.number(1, j, c)));
                    terms[self.at(1, j, c)].push((ds, self.number(0, i, c)));
                    terms[self.at(2, j, c)].push((p * self.kept(i, j), g[self.out(i, c)]));
                }
            }
        }
    }
}

/// `multihead_attention`.
pub(crate) fn attention(layer: &dyn Layer, pass: &Pass<'_>, dy: &[f64]) -> Expected {
    let arguments = layer.arguments();
    let heads = arguments["num_heads"].as_integer().unwrap() as usize;
    let p = arguments["dropout"].as_float().unwrap();
    let (steps, width) = (pass.node.input.rows(), pass.node.input.features());
    let size = width / heads;
    let weight = |name: &str| pass.parameter(name).unwrap();
    let x: Vec<Num> = pass.x.iter().map(|x| n(*x)).collect();
    let dy: Vec<Num> = dy.iter().map(|dy| n(*dy)).collect();
    let qkv = project(
        &x,
        width,
        weight("in_proj_weight"),
        pass.parameter("in_proj_bias"),
    );
    let head = |list: usize| {
        let kept = |i: usize| {
            let element = list * steps * steps + i;
            let word = pass.key.words(element as u32, pass.node.id as u32)[0];
            match pass.training && p > 0.0 {
                true if uniform(word) < p as f32 => 0.0,
                true => 1.0 / (1.0 - p),
                false => 1.0,
            }
        };
        Head {
            qkv: &qkv,
            row: list / heads * steps,
            column: list % heads * size,
            steps,
            size,
            width,
            causal: arguments["causal"].as_bool().unwrap(),
            scale: 1.0 / (size as f64).sqrt(),
            kept: (0..steps * steps).map(kept).collect(),
        }
    };
    let all: Vec<Head<'_>> = (0..pass.samples * heads).map(head).collect();
    let mut o = vec![n(0.0); x.len()];
    all.iter().for_each(|head| head.forward(&mut o));
    let y = project(
        &o,
        width,
        weight("out_proj.weight"),
        pass.parameter("out_proj.bias"),
    );
    let [g, dw_out, db_out] = project_back(&dy, &o, width, weight("out_proj.weight"));
    let mut terms = vec![Vec::new(); qkv.len()];
    all.iter()
        .for_each(|head| head.backward(&o, &g, &mut terms));
    let dqkv: Vec<Num> = terms
        .into_iter()
        .map(|terms| dot(terms.into_iter()))
        .collect();
    let [dx, dw, db] = project_back(&dqkv, &x, width, weight("in_proj_weight"));
    let parameters = match pass.parameter("in_proj_bias") {
        Some(_) => vec![dw, db, dw_out, db_out],
        None => vec![dw, dw_out],
    };
    Expected { y, dx, parameters }
}
