//! The f64 reference: step by step, unit by unit, from the definition.

use super::{Cell, Recurrent, Run};
use crate::layer::{Pass, ReferenceGradients};

/// The states of a unit, or the gradients by them; a cell without c leaves it 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::layer) struct States {
    pub(in crate::layer) h: f64,
    pub(in crate::layer) c: f64,
}

/// The gradients of a unit's step.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::layer) struct CellGradients {
    /// By what the input gives to each gate.
    pub(in crate::layer) input: Vec<f64>,
    /// By what h gives to each gate.
    pub(in crate::layer) hidden: Vec<f64>,
    /// By the states in front, but for the way through the gates.
    pub(in crate::layer) before: States,
}

pub(in crate::layer) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The weights of a run.
struct Weights<'a> {
    input: &'a [f64],
    hidden: &'a [f64],
    input_bias: Option<&'a [f64]>,
    hidden_bias: Option<&'a [f64]>,
}

impl<'a> Weights<'a> {
    fn new(pass: &Pass<'a>, run: Run) -> Self {
        let find = |name: &str| pass.parameter(&run.named(name));
        Self {
            input: find("weight_ih").unwrap_or_default(),
            hidden: find("weight_hh").unwrap_or_default(),
            input_bias: find("bias_ih"),
            hidden_bias: find("bias_hh"),
        }
    }
}

/// W v + b.
fn gates(weights: &[f64], bias: Option<&[f64]>, v: &[f64]) -> Vec<f64> {
    let rows = weights.chunks_exact(v.len()).enumerate();
    rows.map(|(row, w)| {
        let dot: f64 = w.iter().zip(v).map(|(w, v)| w * v).sum();
        dot + bias.map_or(0.0, |bias| bias[row])
    })
    .collect()
}

/// What is known of a step of a sample.
struct Step {
    /// What the input, and what h gives to each gate of each unit.
    input: Vec<f64>,
    hidden: Vec<f64>,
    before: Vec<States>,
    after: Vec<States>,
}

/// Each `units`th number from `unit` on: a unit's gates.
fn of_unit(gates: &[f64], unit: usize, units: usize) -> Vec<f64> {
    gates.iter().skip(unit).step_by(units).copied().collect()
}

/// A run's way through the steps of one sample.
struct Walk<'a> {
    cell: &'a dyn Cell,
    weights: Weights<'a>,
    units: usize,
    /// The positions of the steps, in the run's order.
    order: Vec<usize>,
}

impl<'a> Walk<'a> {
    fn new(settings: &Recurrent, cell: &'a dyn Cell, pass: &Pass<'a>, run: Run) -> Self {
        let mut order: Vec<usize> = (0..pass.node.input.rows()).collect();
        if run.reverse {
            order.reverse();
        }
        Self {
            cell,
            weights: Weights::new(pass, run),
            units: settings.hidden_size,
            order,
        }
    }

    /// All steps of a sample from its first states, in the run's order.
    fn forward(&self, x: &[f64], first: Vec<States>) -> Vec<Step> {
        let inputs = x.len() / self.order.len();
        let mut before = first;
        let mut steps = Vec::new();
        for t in &self.order {
            let x = &x[t * inputs..(t + 1) * inputs];
            let h: Vec<f64> = before.iter().map(|states| states.h).collect();
            let input = gates(self.weights.input, self.weights.input_bias, x);
            let hidden = gates(self.weights.hidden, self.weights.hidden_bias, &h);
            let after: Vec<States> = (0..self.units)
                .map(|unit| {
                    let [input, hidden] =
                        [&input, &hidden].map(|all| of_unit(all, unit, self.units));
                    self.cell.advance(&input, &hidden, before[unit])
                })
                .collect();
            steps.push(Step {
                input,
                hidden,
                before,
                after: after.clone(),
            });
            before = after;
        }
        steps
    }

    /// Adds the gradients of one sample to `sums` (as in [`Recurrent::parameters`]) and to `dx`.
    fn backward(
        &self,
        steps: &[Step],
        [x, dy]: [&[f64]; 2],
        dx: &mut [f64],
        sums: &mut [Vec<f64>],
    ) {
        let inputs = x.len() / self.order.len();
        let mut gradient = vec![States::default(); self.units];
        for (t, step) in self.order.iter().zip(steps).rev() {
            let x = &x[t * inputs..(t + 1) * inputs];
            let mut dinput = vec![0.0; step.input.len()];
            let mut dhidden = vec![0.0; step.input.len()];
            for unit in 0..self.units {
                gradient[unit].h += dy[t * self.units + unit];
                let [input, hidden] =
                    [&step.input, &step.hidden].map(|all| of_unit(all, unit, self.units));
                let unit_gradients =
                    self.cell
                        .retreat(&input, &hidden, step.before[unit], gradient[unit]);
                for gate in 0..self.cell.gates() {
                    dinput[gate * self.units + unit] = unit_gradients.input[gate];
                    dhidden[gate * self.units + unit] = unit_gradients.hidden[gate];
                }
                gradient[unit] = unit_gradients.before;
            }
            let h: Vec<f64> = step.before.iter().map(|states| states.h).collect();
            for (row, (di, dh)) in dinput.iter().zip(&dhidden).enumerate() {
                for (column, x) in x.iter().enumerate() {
                    sums[0][row * inputs + column] += di * x;
                    dx[t * inputs + column] += di * self.weights.input[row * inputs + column];
                }
                for (unit, h) in h.iter().enumerate() {
                    sums[1][row * self.units + unit] += dh * h;
                    gradient[unit].h += dh * self.weights.hidden[row * self.units + unit];
                }
                if let [_, _, input_bias, hidden_bias] = sums {
                    input_bias[row] += di;
                    hidden_bias[row] += dh;
                }
            }
        }
    }
}

/// The states in front of a sample's first step.
fn first(
    settings: &Recurrent,
    cell: &dyn Cell,
    pass: &Pass<'_>,
    (run, sample): (Run, usize),
) -> Vec<States> {
    let units = settings.hidden_size;
    let mut first = vec![States::default(); units];
    for name in cell.states() {
        let carried = pass.state(&run.named(name)).unwrap_or_default();
        let own = carried.iter().skip(sample * units);
        for (states, value) in first.iter_mut().zip(own) {
            match *name {
                "h" => states.h = *value,
                _ => states.c = *value,
            }
        }
    }
    first
}

/// The input of each layer, dropout behind it, and the output of the last.
fn values(settings: &Recurrent, cell: &dyn Cell, pass: &Pass<'_>) -> Vec<Vec<f64>> {
    let (units, steps) = (settings.hidden_size, pass.node.input.rows());
    let mut values = vec![pass.x.to_vec()];
    for layer in 0..settings.num_layers {
        let x = &values[layer];
        let (width, sample) = (settings.width(), x.len() / pass.samples.max(1));
        let mut y = vec![0.0; pass.samples * steps * width];
        for run in settings.runs(layer) {
            let walk = Walk::new(settings, cell, pass, run);
            let side = if run.reverse { units } else { 0 };
            for n in 0..pass.samples {
                let first = first(settings, cell, pass, (run, n));
                let all = walk.forward(&x[n * sample..(n + 1) * sample], first);
                for (t, step) in walk.order.iter().zip(all) {
                    let row = (n * steps + t) * width + side;
                    for (y, after) in y[row..row + units].iter_mut().zip(step.after) {
                        *y = after.h;
                    }
                }
            }
        }
        if let Some(dropout) = settings.dropout(layer + 1)
            && layer + 1 < settings.num_layers
        {
            let draw = super::draw(pass.node.id, layer + 1);
            let factors = dropout.factors(pass, y.len(), draw);
            y.iter_mut()
                .zip(factors)
                .for_each(|(y, factor)| *y *= factor);
        }
        values.push(y);
    }
    values
}

pub(super) fn forward(settings: &Recurrent, cell: &dyn Cell, pass: &Pass<'_>) -> Vec<f64> {
    let values = values(settings, cell, pass);
    values.into_iter().next_back().unwrap_or_default()
}

pub(super) fn backward(
    settings: &Recurrent,
    cell: &dyn Cell,
    pass: &Pass<'_>,
    dy: &[f64],
) -> ReferenceGradients {
    let (units, steps) = (settings.hidden_size, pass.node.input.rows());
    let values = values(settings, cell, pass);
    let specs = pass.node.fit.parameters.iter();
    let mut parameters: Vec<Vec<f64>> = specs
        .map(|spec| vec![0.0; spec.shape.iter().product()])
        .collect();
    let of_run = if settings.bias { 4 } else { 2 };
    let mut sums: Vec<&mut [Vec<f64>]> = parameters.chunks_mut(of_run).collect();
    let mut dy = dy.to_vec();
    for layer in (0..settings.num_layers).rev() {
        let (x, width) = (&values[layer], settings.width());
        let mut dx = vec![0.0; x.len()];
        let sample = x.len() / pass.samples.max(1);
        for (at, run) in settings.runs(layer).enumerate() {
            let walk = Walk::new(settings, cell, pass, run);
            let side = if run.reverse { units } else { 0 };
            let sums = &mut *sums[layer * settings.directions().count() + at];
            for n in 0..pass.samples {
                let own = n * sample..(n + 1) * sample;
                let all = walk.forward(&x[own.clone()], first(settings, cell, pass, (run, n)));
                let rows = dy[n * steps * width..(n + 1) * steps * width].chunks_exact(width);
                let dy: Vec<f64> = rows
                    .flat_map(|row| &row[side..side + units])
                    .copied()
                    .collect();
                walk.backward(&all, [&x[own.clone()], &dy], &mut dx[own], sums);
            }
        }
        if let Some(dropout) = settings.dropout(layer) {
            let factors = dropout.factors(pass, dx.len(), super::draw(pass.node.id, layer));
            dx.iter_mut()
                .zip(factors)
                .for_each(|(dx, factor)| *dx *= factor);
        }
        dy = dx;
    }
    ReferenceGradients { dx: dy, parameters }
}
