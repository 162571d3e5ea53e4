//! One layer on one adapter: its plan and its run.

use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::{Dispatch, Key, Op};
use wavetrain::kernel::program::Phases;
use wavetrain::kernel::{Matrix, Mode, Plan, Value, Word};
use wavetrain::layer::{Back, Layer};
use wavetrain::train::StepUniform;

use super::alone::Alone;
use super::compare::without_padding;
use super::layout::{load, load_parameter, poisoned, poisoned_parameter, store};
use super::stage::{Stage, fold, step, values};

/// How a layer is run.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Samples in the plan.
    pub(crate) rows: usize,
    /// Samples of the batch; from here on the gradient that comes in is zero.
    pub(crate) count: usize,
    /// Shape of a sample.
    pub(crate) input: Vec<usize>,
    pub(crate) mode: Mode,
    /// Whether a relu behind the layer is fused.
    pub(crate) relu: bool,
    /// Whether the gradient of a relu in front is fused.
    pub(crate) gate: bool,
    /// Whether the grids are folded into two dimensions.
    pub(crate) fold: bool,
    /// Where sums over k are split into two dispatches (a multiple of 4).
    pub(crate) split: Option<usize>,
    /// Whether the step goes on from the states that the layer carries.
    pub(crate) carry: bool,
}

impl Case {
    pub(crate) fn new(rows: usize, input: &[usize]) -> Self {
        Self {
            rows,
            count: rows,
            input: input.to_vec(),
            mode: Mode::Train,
            relu: false,
            gate: false,
            fold: false,
            split: None,
            carry: false,
        }
    }
}

impl Case {
    /// The case without what the layer does not fuse.
    pub(crate) fn fitted(&self, layer: &dyn Layer) -> Self {
        let fusion = Alone::new(layer, &self.input).node().fit.fusion;
        Self {
            relu: self.relu && fusion.epilogue,
            gate: self.gate && fusion.gate,
            ..self.clone()
        }
    }
}

/// What goes in.
pub(crate) struct Given {
    pub(crate) x: Vec<f32>,
    pub(crate) dy: Vec<f32>,
    pub(crate) parameters: Vec<Vec<f32>>,
    /// The states that the layer carries, sample by sample.
    pub(crate) carried: Vec<Vec<f32>>,
}

impl Given {
    /// Made-up numbers of one size, so that no sum is ruled by one term.
    pub(crate) fn new(layer: &dyn Layer, case: &Case) -> Self {
        let inputs: usize = case.input.iter().product();
        let alone = Alone::new(layer, &case.input);
        let outputs = alone.node().output().elements();
        let mut x = values(1, case.rows * inputs, -2.0, 2.0);
        if case.gate {
            // A relu's output: half of it zeros.
            x.iter_mut().for_each(|x| *x = x.max(0.0));
        }
        let mut dy = values(2, case.rows * outputs, -1.0, 1.0);
        dy[case.count * outputs..].fill(0.0);
        let parameters = alone.parameters().into_iter().enumerate().map(|(i, spec)| {
            // So small that an error of h does not grow from step to step.
            let recurrent = spec.name.starts_with("weight_hh");
            let most = if recurrent {
                1.0 / spec.shape[1] as f32
            } else {
                1.0
            };
            values(10 + i as u64, spec.shape.iter().product(), -most, most)
        });
        let carried = alone.states().iter().enumerate();
        let carried =
            carried.map(|(i, spec)| values(40 + i as u64, case.rows * spec.len, -1.0, 1.0));
        Self {
            x,
            dy,
            parameters: parameters.collect(),
            carried: carried.collect(),
        }
    }
}

/// What comes out.
pub(crate) struct Found {
    pub(crate) y: Vec<f32>,
    pub(crate) dx: Vec<f32>,
    pub(crate) gradients: Vec<Vec<f32>>,
    /// The states that the layer carries, after the step.
    pub(crate) carried: Vec<Vec<f32>>,
}

/// The values of a plan of one layer. A layer that computes nothing hands x on as y, and dy as dx.
#[derive(Clone, Copy)]
struct Places {
    x: Value,
    y: Value,
    dy: Value,
    dx: Value,
}

impl Places {
    /// The names under which y and dx are read.
    fn names(&self) -> [&'static str; 2] {
        [
            if self.y == self.x { "x" } else { "y" },
            if self.dx == self.dy { "dy" } else { "dx" },
        ]
    }
}

/// The plan of a layer alone, with its values kept by name.
fn plan(stage: &Stage, alone: &Alone, case: &Case) -> (Plan, Places) {
    let mut b = stage.builder(case.mode, case.rows);
    let bytes = 4 * alone.inventory.floats as u64;
    b.shared(Key::Parameters, bytes);
    b.shared(Key::Gradients, bytes);
    let (site, layer) = (alone.site(), &alone.node().layer);
    let x = b.shaped("x", site.input());
    b.keep(x, Key::Kept("x"));
    let forward = layer.forward(&mut b, &site, x).unwrap();
    let y = forward.y;
    if y != x {
        b.keep(y, Key::Kept("y"));
    }
    let dy = b.like("dy", y);
    b.keep(dy, Key::Kept("dy"));
    b.set_phase(Phase::Backward);
    let back = Back {
        x,
        y,
        saved: &forward.saved,
        branches: &forward.branches,
        dy,
        wants_dx: true,
        gate: case.gate,
    };
    let dx = layer.backward(&mut b, &site, &back).unwrap().unwrap();
    if dx != dy {
        b.keep(dx, Key::Kept("dx"));
    }
    (b.finish(), Places { x, y, dy, dx })
}

fn set(dispatch: &mut Dispatch, field: &str, change: impl Fn(u32) -> u32) {
    for (name, word) in &mut dispatch.dims {
        if name == field
            && let Word::U32(value) = word
        {
            *value = change(*value);
        }
    }
}

/// Splits each product whose sum is longer than `at` into two dispatches, as the planner does
/// with sums that are too long for one.
fn split(plan: &mut Plan, at: usize) {
    use wavetrain::product::matmul::flags;
    let at = at as u32;
    for ops in [&mut plan.forward, &mut plan.backward] {
        for op in std::mem::take(ops) {
            let k_end = match &op {
                Op::Dispatch(dispatch) => dispatch.dims.iter().find(|(name, _)| name == "k_end"),
                Op::CopyToImage { .. } => None,
            };
            let (Op::Dispatch(mut first), Some((_, Word::U32(end)))) = (op.clone(), k_end) else {
                ops.push(op);
                continue;
            };
            if *end <= at {
                ops.push(op);
                continue;
            }
            let mut second = first.clone();
            set(&mut first, "k_end", |_| at);
            // What belongs to the whole sum waits for the last part.
            set(&mut first, "flags", |bits| {
                bits & !(flags::BIAS | flags::RELU | flags::GATE)
            });
            set(&mut second, "k_begin", |_| at);
            set(&mut second, "flags", |bits| bits | flags::ADD);
            ops.extend([Op::Dispatch(first), Op::Dispatch(second)]);
        }
    }
}

/// Runs a layer forward and backward.
pub(crate) fn run(
    stage: &mut Stage,
    layer: &dyn Layer,
    case: &Case,
    given: &Given,
) -> Result<Found, String> {
    let alone = Alone::new(layer, &case.input).beside([case.relu, case.gate]);
    let (mut plan, at) = plan(stage, &alone, case);
    if case.fold {
        fold(&mut plan);
    }
    if let Some(k) = case.split {
        split(&mut plan, k);
    }
    let program = stage.realize(&mut plan);
    let [y_name, dx_name] = at.names();
    // Poison first: where a layer hands a value on, the value is written over it.
    stage.write(&Key::Kept(y_name), &poisoned(&at.y, case.rows));
    stage.write(&Key::Kept(dx_name), &poisoned(&at.dx, case.rows));
    stage.write(&Key::Kept("x"), &store(&at.x, &given.x));
    stage.write(&Key::Kept("dy"), &store(&at.dy, &given.dy));
    let specs = alone.parameters();
    let mut parameters = Vec::new();
    let mut gradients = Vec::new();
    for (spec, values) in specs.iter().zip(&given.parameters) {
        parameters.extend(spec.storage.store(&spec.shape, values));
        gradients.extend(poisoned_parameter(spec));
    }
    stage.write(&Key::Parameters, &parameters);
    stage.write(&Key::Gradients, &gradients);
    let carries = alone.states().iter().zip(&given.carried);
    let carries: Vec<(Key, Matrix, &Vec<f32>)> = carries
        .filter(|_| case.mode != Mode::Statistics)
        .map(|(spec, values)| {
            let key = Key::Carried(case.mode.user(), spec.name.clone());
            (key, Matrix::new(case.rows, spec.len), values)
        })
        .collect();
    for (key, matrix, values) in &carries {
        stage.write(key, &matrix.store(values));
    }
    let phases = match case.mode {
        Mode::Train => Phases::Gradients,
        Mode::Evaluate | Mode::Statistics => Phases::Forward,
    };
    let step = StepUniform {
        carry: u32::from(case.carry),
        ..step(case.count)
    };
    stage.run(&program, phases, &[step]);
    let read = |what: &str, value: &Value, name: &'static str| {
        let stored = stage.read_matrix(&Key::Kept(name), value.matrix);
        load(what, value, case.rows, &stored)
    };
    let mut found = Found {
        y: read("y", &at.y, y_name)?,
        dx: Vec::new(),
        gradients: Vec::new(),
        carried: Vec::new(),
    };
    for (key, matrix, _) in &carries {
        let stored = stage.read_matrix(key, *matrix);
        let what = key.to_string();
        found
            .carried
            .push(without_padding(&what, *matrix, &stored)?);
    }
    if case.mode == Mode::Train {
        found.dx = read("dx", &at.dx, dx_name)?;
        let flat: Vec<f32> = stage.read(&Key::Gradients, gradients.len());
        for (spec, parameter) in specs.iter().zip(&alone.inventory.parameters) {
            let place = parameter.place;
            let stored = &flat[place.offset..place.offset + place.matrix.floats()];
            found.gradients.push(load_parameter(spec, stored)?);
        }
    }
    Ok(found)
}
