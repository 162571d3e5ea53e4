//! How far f32 arithmetic may take recurrent layers from their reference: the formulas of the shaders,
//! followed by running error analysis through all steps. An error grows from step to step by the sums of
//! the magnitudes of the weights of h at most, which is why the proofs draw these small ([`Given`]).

use wavetrain::layer::Layer;
use wavetrain::rng::{Key, Stream};

use super::super::alone::Alone;
use super::super::case::{Case, Given};
use super::super::functions::{sigmoid, tanh};
use super::super::rounded::{Num, U, sum_error};
use super::super::stage::{RUN_SEED, RUN_STEP};
use super::super::verdict::Limits;
use wavetrain::kernel::Mode;
use wavetrain::rng::uniform;

fn n(value: f64) -> Num {
    Num::exact(value)
}

/// A sum of products, in whatever order.
#[derive(Clone, Copy)]
struct Sum {
    value: f64,
    own: f64,
    magnitude: f64,
    terms: usize,
}

impl Sum {
    fn new() -> Self {
        Self {
            value: 0.0,
            own: 0.0,
            magnitude: 0.0,
            terms: 0,
        }
    }

    fn add(&mut self, a: Num, b: Num) {
        self.value += a.value * b.value;
        self.own += a.value.abs() * b.error + b.value.abs() * a.error + a.error * b.error;
        self.magnitude += (a.value * b.value).abs();
        self.terms += 1;
    }

    fn num(self) -> Num {
        Num {
            value: self.value,
            error: self.own + sum_error(self.terms, self.magnitude + self.own),
        }
    }
}

/// What a layer is.
struct Net {
    name: String,
    gates: usize,
    units: usize,
    layers: usize,
    directions: usize,
    dropout: f64,
    relu: bool,
    bias: bool,
}

impl Net {
    fn new(layer: &dyn Layer) -> Self {
        let arguments = layer.arguments();
        let whole = |key: &str| arguments[key].as_integer().unwrap() as usize;
        let flag = |key: &str| arguments[key].as_bool().unwrap();
        let relu = arguments.get("nonlinearity");
        Self {
            gates: match layer.name() {
                "lstm" => 4,
                "gru" => 3,
                _ => 1,
            },
            name: layer.name().to_owned(),
            units: whole("hidden_size"),
            layers: whole("num_layers"),
            directions: 1 + usize::from(flag("bidirectional")),
            dropout: arguments["dropout"].as_float().unwrap(),
            relu: relu.is_some_and(|function| function.as_str() == Some("relu")),
            bias: flag("bias"),
        }
    }

    fn width(&self) -> usize {
        self.units * self.directions
    }
}

/// One unit of one step: what came in and what was kept.
#[derive(Clone)]
struct Kept {
    /// The gates after their functions.
    gates: [Num; 4],
    /// What h gives to the third gate; of a plain layer, what its function is given.
    inner: Num,
    /// h and c of the step in front.
    h: Num,
    c: Num,
}

/// One direction of one layer: all samples and steps.
struct Run<'a> {
    net: &'a Net,
    steps: usize,
    inputs: usize,
    reverse: bool,
    /// The four parameters; none are empty lists.
    parameters: [&'a [f32]; 4],
    /// First states of each sample.
    first: [Vec<f64>; 2],
}

impl Run<'_> {
    /// W v + b: the product adds the bias at its end.
    fn gate(&self, [weights, bias]: [&[f32]; 2], row: usize, v: &[Num]) -> Num {
        let mut sum = Sum::new();
        for (w, v) in weights[row * v.len()..].iter().zip(v) {
            sum.add(n(f64::from(*w)), *v);
        }
        match bias.get(row) {
            Some(b) => sum.num() + n(f64::from(*b)),
            None => sum.num(),
        }
    }

    fn advance(&self, a: [Num; 4], r: [Num; 4], h: Num, c: Num) -> (Kept, Num, Num) {
        let zero = n(0.0);
        let mut kept = Kept {
            gates: [zero; 4],
            inner: r[2],
            h,
            c,
        };
        match self.net.name.as_str() {
            "lstm" => {
                let [i, f, g, o] = [
                    sigmoid(a[0] + r[0]),
                    sigmoid(a[1] + r[1]),
                    tanh(a[2] + r[2]),
                    sigmoid(a[3] + r[3]),
                ];
                kept.gates = [i, f, g, o];
                let next = f * c + i * g;
                (kept, o * tanh(next), next)
            }
            "gru" => {
                let [u, z] = [sigmoid(a[0] + r[0]), sigmoid(a[1] + r[1])];
                let new = tanh(a[2] + u * r[2]);
                kept.gates = [u, z, new, zero];
                (kept, (n(1.0) - z) * new + z * h, zero)
            }
            _ => {
                let sum = a[0] + r[0];
                kept.inner = sum;
                let next = match self.net.relu {
                    true => Num {
                        value: sum.value.max(0.0),
                        error: sum.error,
                    },
                    false => tanh(sum),
                };
                kept.gates[0] = next;
                (kept, next, zero)
            }
        }
    }

    /// The gradients by the input's and by h's part of the gates, and what goes past them: by h, by c.
    fn retreat(&self, k: &Kept, dh: Num, dc: Num) -> ([Num; 4], [Num; 4], Num, Num) {
        let (one, zero) = (n(1.0), n(0.0));
        match self.net.name.as_str() {
            "lstm" => {
                let [i, f, g, o] = k.gates;
                let t = tanh(f * k.c + i * g);
                let dc = dh * o * (one - t) * (one + t) + dc;
                let all = [
                    dc * g * i * (one - i),
                    dc * k.c * f * (one - f),
                    dc * i * (one - g) * (one + g),
                    dh * t * o * (one - o),
                ];
                (all, all, zero, dc * f)
            }
            "gru" => {
                let [u, z, new, _] = k.gates;
                let dn = dh * (one - z) * (one - new) * (one + new);
                let dz = dh * (k.h - new) * z * (one - z);
                let du = dn * k.inner * u * (one - u);
                ([du, dz, dn, zero], [du, dz, dn * u, zero], dh * z, zero)
            }
            _ => {
                let h = k.gates[0];
                let d = match self.net.relu {
                    // Where rounding decides over the kink, all of dh is at stake.
                    true if k.inner.value.abs() <= k.inner.error => Num {
                        value: if k.inner.value > 0.0 { dh.value } else { 0.0 },
                        error: dh.value.abs() + dh.error,
                    },
                    true if h.value > 0.0 => dh,
                    true => zero,
                    false => dh * (one - h) * (one + h),
                };
                ([d; 4], [d; 4], zero, zero)
            }
        }
    }

    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.steps).collect();
        if self.reverse {
            order.reverse();
        }
        order
    }

    /// All steps of a sample: what is kept by position, then h.
    fn forward(&self, sample: usize, x: &[Num]) -> (Vec<Vec<Kept>>, Vec<Vec<Num>>) {
        let units = self.net.units;
        let state = |list: &Vec<f64>| -> Vec<Num> {
            let own = list.iter().skip(sample * units).take(units).map(|v| n(*v));
            own.chain(std::iter::repeat(n(0.0))).take(units).collect()
        };
        let [mut h, mut c] = [&self.first[0], &self.first[1]].map(state);
        let mut kept = vec![Vec::new(); self.steps];
        let mut y = vec![Vec::new(); self.steps];
        for t in self.order() {
            let x = &x[t * self.inputs..(t + 1) * self.inputs];
            let [w, u, b, d] = self.parameters;
            let mut next = [Vec::new(), Vec::new()];
            for unit in 0..units {
                let (mut a, mut r) = ([n(0.0); 4], [n(0.0); 4]);
                for gate in 0..self.net.gates {
                    a[gate] = self.gate([w, b], gate * units + unit, x);
                    r[gate] = self.gate([u, d], gate * units + unit, &h);
                }
                let (k, new_h, new_c) = self.advance(a, r, h[unit], c[unit]);
                kept[t].push(k);
                next[0].push(new_h);
                next[1].push(new_c);
            }
            let [new_h, new_c] = next;
            y[t].clone_from(&new_h);
            (h, c) = (new_h, new_c);
        }
        (kept, y)
    }

    /// Adds a sample's part to the sums of the gradients and of dx.
    fn backward(
        &self,
        x: &[Num],
        kept: &[Vec<Kept>],
        dy: &[Vec<Num>],
        dx: &mut [Sum],
        sums: &mut [Vec<Sum>],
    ) {
        let units = self.net.units;
        let [w, u, ..] = self.parameters;
        let (mut dh, mut dc) = (vec![n(0.0); units], vec![n(0.0); units]);
        for t in self.order().into_iter().rev() {
            let (mut past, mut back) = (Vec::new(), vec![Sum::new(); units]);
            let x = &x[t * self.inputs..(t + 1) * self.inputs];
            for unit in 0..units {
                let total = dy[t][unit] + dh[unit];
                let (di, dr, past_h, past_c) = self.retreat(&kept[t][unit], total, dc[unit]);
                past.push(past_h);
                dc[unit] = past_c;
                for gate in 0..self.net.gates {
                    let row = gate * units + unit;
                    for (i, x) in x.iter().enumerate() {
                        let at = row * self.inputs + i;
                        sums[0][at].add(di[gate], *x);
                        dx[t * self.inputs + i].add(di[gate], n(f64::from(w[at])));
                    }
                    for (j, back) in back.iter_mut().enumerate() {
                        let at = row * units + j;
                        sums[1][at].add(dr[gate], kept[t][j].h);
                        back.add(dr[gate], n(f64::from(u[at])));
                    }
                    if self.net.bias {
                        sums[2][row].add(di[gate], n(1.0));
                        sums[3][row].add(dr[gate], n(1.0));
                    }
                }
            }
            for (unit, (back, past)) in back.into_iter().zip(past).enumerate() {
                dh[unit] = back.num() + past;
            }
        }
    }
}

/// The whole layer on one case.
struct Analysis<'a> {
    net: Net,
    case: &'a Case,
    given: &'a Given,
    steps: usize,
    id: usize,
    names: Vec<String>,
}

impl<'a> Analysis<'a> {
    fn run<'b>(&'b self, layer: usize, direction: usize, inputs: usize) -> Run<'b>
    where
        'a: 'b,
    {
        let of_run = if self.net.bias { 4 } else { 2 };
        let first = (layer * self.net.directions + direction) * of_run;
        let own = &self.given.parameters[first..first + of_run];
        let mut parameters: [&[f32]; 4] = [&[]; 4];
        for (place, own) in parameters.iter_mut().zip(own) {
            *place = own;
        }
        let suffix = if direction == 1 { "_reverse" } else { "" };
        let state = |name: &str| {
            let full = format!("{name}_l{layer}{suffix}");
            let found = self.names.iter().position(|name| *name == full);
            let active = self.case.count * self.net.units;
            match found {
                Some(at) if self.case.carry => self.given.carried[at][..active]
                    .iter()
                    .map(|v| f64::from(*v))
                    .collect(),
                _ => Vec::new(),
            }
        };
        Run {
            net: &self.net,
            steps: self.steps,
            inputs,
            reverse: direction == 1,
            parameters,
            first: [state("h"), state("c")],
        }
    }

    /// What dropout makes of a value in front of `layer`.
    fn drop(&self, layer: usize, values: &mut [Num]) {
        let p = self.net.dropout;
        if layer == 0 || p == 0.0 || self.case.mode != Mode::Train {
            return;
        }
        let key = Key::new(RUN_SEED, Stream::Dropout, RUN_STEP);
        for (i, value) in values.iter_mut().enumerate() {
            let word = key.words(i as u32, (self.id + (layer << 20)) as u32)[0];
            *value = match uniform(word) < p as f32 {
                true => n(0.0),
                false => *value * Num::constant(1.0 / (1.0 - p)),
            };
        }
    }

    /// The inputs of all layers, and the output.
    fn values(&self) -> Vec<Vec<Num>> {
        let x = self.given.x.iter().map(|x| n(f64::from(*x)));
        let mut values: Vec<Vec<Num>> = vec![x.collect()];
        for layer in 0..self.net.layers {
            let mut x = values[layer].clone();
            self.drop(layer, &mut x);
            let sample = x.len() / self.case.rows;
            let inputs = sample / self.steps;
            let mut y = vec![n(0.0); self.case.rows * self.steps * self.net.width()];
            for direction in 0..self.net.directions {
                let run = self.run(layer, direction, inputs);
                for (s, x) in x.chunks(sample).enumerate() {
                    let (_, h) = run.forward(s, x);
                    for (t, h) in h.into_iter().enumerate() {
                        let row = (s * self.steps + t) * self.net.width();
                        let side = direction * self.net.units;
                        y[row + side..row + side + h.len()].copy_from_slice(&h);
                    }
                }
            }
            values[layer] = x;
            values.push(y);
        }
        values
    }

    /// The gradients by the input and the parameters.
    fn gradients(&self, values: &[Vec<Num>]) -> (Vec<Num>, Vec<Vec<Num>>) {
        let mut dy: Vec<Num> = self.given.dy.iter().map(|d| n(f64::from(*d))).collect();
        let mut sums: Vec<Vec<Sum>> = self
            .given
            .parameters
            .iter()
            .map(|list| vec![Sum::new(); list.len()])
            .collect();
        let of_run = if self.net.bias { 4 } else { 2 };
        for layer in (0..self.net.layers).rev() {
            let x = &values[layer];
            let sample = x.len() / self.case.rows;
            let mut dx = vec![Sum::new(); x.len()];
            for direction in 0..self.net.directions {
                let run = self.run(layer, direction, sample / self.steps);
                let first = (layer * self.net.directions + direction) * of_run;
                let sums = &mut sums[first..first + of_run];
                for s in 0..self.case.rows {
                    let own = s * sample..(s + 1) * sample;
                    let (kept, _) = run.forward(s, &x[own.clone()]);
                    let dy: Vec<Vec<Num>> = (0..self.steps)
                        .map(|t| {
                            let row = (s * self.steps + t) * self.net.width();
                            let side = row + direction * self.net.units;
                            dy[side..side + self.net.units].to_vec()
                        })
                        .collect();
                    run.backward(&x[own.clone()], &kept, &dy, &mut dx[own], sums);
                }
            }
            dy = dx.into_iter().map(Sum::num).collect();
            self.drop(layer, &mut dy);
        }
        let nums = |list: Vec<Sum>| list.into_iter().map(Sum::num).collect();
        (dy, sums.into_iter().map(nums).collect())
    }
}

/// What f32 may be off by, for each element.
pub(crate) fn limits(layer: &dyn Layer, case: &Case, given: &Given) -> Limits {
    let alone = Alone::new(layer, &case.input);
    let analysis = Analysis {
        net: Net::new(layer),
        case,
        given,
        steps: case.input[0],
        id: alone.node().id,
        names: alone.states().iter().map(within).collect(),
    };
    let values = analysis.values();
    let errors = |list: &[Num]| list.iter().map(|num| num.error + U * U).collect();
    let (dx, gradients) = match case.mode {
        Mode::Train => analysis.gradients(&values),
        _ => (Vec::new(), Vec::new()),
    };
    Limits {
        y: errors(&values[values.len() - 1]),
        dx: errors(&dx),
        gradients: gradients.iter().map(|list| errors(list)).collect(),
    }
}

/// A state's name within its layer.
fn within(spec: &wavetrain::layer::StateSpec) -> String {
    spec.name.split_once('.').unwrap().1.to_owned()
}
