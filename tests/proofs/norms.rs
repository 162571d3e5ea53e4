//! The proofs of the layers that normalise pictures: `batch_norm2d` and `local_response_norm`. Their
//! kernels have one form for all classes.
//!
//! Here: one layer on one adapter, its plan and its run. `bounds.rs`: how far f32 may be from the
//! reference. `kernels.rs`: the kernels against the reference, and planted defects. `reference.rs`:
//! the references against central differences. `meaning.rs`: PyTorch's and Caffe's values.

pub(crate) mod bounds;
mod defects;
mod kernels;
mod meaning;
mod reference;

use wavetrain::args::Args;
use wavetrain::gpu::ClassName;
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::Key;
use wavetrain::kernel::program::Phases;
use wavetrain::kernel::{Geometry, Matrix, Mode, Parameter, Plan, Value};
use wavetrain::layer::{Back, LAYERS, Layer};
use wavetrain::shape::Shape;

use super::alone::Alone;
use super::compare::POISON;
use super::stage::{Defect, Stage, fold, step, values};

/// A layer of `LAYERS` with arguments.
fn make(name: &str, arguments: &str) -> Box<dyn Layer> {
    let entry = LAYERS.iter().find(|entry| entry.name == name).unwrap();
    let layer = (entry.parse)(Args::parse(arguments).unwrap()).unwrap();
    assert_eq!(layer.validate(), Ok(()), "{name} {{ {arguments} }}");
    layer
}

/// A stage of the class that every adapter runs.
fn stage(defect: Option<Defect>) -> Stage {
    Stage::new(ClassName::Tiled, defect).unwrap()
}

/// How a layer is run.
#[derive(Debug, Clone)]
struct Case {
    /// Samples in the plan.
    rows: usize,
    /// Samples of the batch; from here on the gradient that comes in is zero.
    count: usize,
    /// Channels, height, width.
    input: [usize; 3],
    mode: Mode,
    /// Whether a relu behind the layer is fused.
    relu: bool,
    /// Whether the gradient of a relu in front is fused.
    gate: bool,
    /// Whether the grids are folded into two dimensions.
    fold: bool,
    /// Added to every input: what a careless sum of squares loses its digits to.
    offset: f32,
}

impl Case {
    fn new(rows: usize, input: [usize; 3]) -> Self {
        Self {
            rows,
            count: rows,
            input,
            mode: Mode::Train,
            relu: false,
            gate: false,
            fold: false,
            offset: 0.0,
        }
    }

    fn geometry(&self) -> Geometry {
        Geometry::of(&Shape::of(&self.input).unwrap()).unwrap()
    }

    /// Elements of a sample.
    fn elements(&self) -> usize {
        self.input.iter().product()
    }
}

/// What goes in.
#[derive(Debug, Clone)]
struct Given {
    x: Vec<f32>,
    dy: Vec<f32>,
    parameters: Vec<Vec<f32>>,
    states: Vec<Vec<f32>>,
}

impl Given {
    /// Made-up numbers.
    fn new(layer: &dyn Layer, case: &Case) -> Self {
        let n = case.rows * case.elements();
        let mut x = values(1, n, -2.0, 2.0);
        x.iter_mut().for_each(|x| *x += case.offset);
        if case.gate {
            // A relu's output: half of it zeros.
            x.iter_mut().for_each(|x| *x = x.max(0.0));
        }
        let mut dy = values(2, n, -1.0, 1.0);
        dy[case.count * case.elements()..].fill(0.0);
        let alone = Alone::new(layer, &case.input);
        let specs = alone.parameters().into_iter().enumerate();
        let parameters = specs.map(|(i, spec)| {
            let n = spec.shape.iter().product();
            values(10 + i as u64, n, -1.0, 1.0)
        });
        // Above 0, as variances are.
        let states = alone.states().iter().enumerate();
        let states = states.map(|(i, spec)| values(20 + i as u64, spec.len, 0.1, 2.0));
        Self {
            x,
            dy,
            parameters: parameters.collect(),
            states: states.collect(),
        }
    }
}

/// What comes out: of the batch alone, idle rows have been checked.
#[derive(Debug)]
struct Found {
    y: Vec<f32>,
    dx: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    states: Vec<Vec<f32>>,
}

/// Samples in PyTorch's order as they lie on the device: pixels of channels, padding zero.
fn store(case: &Case, logical: &[f32]) -> Vec<f32> {
    let geometry = case.geometry();
    let mut stored = vec![0.0; geometry.matrix(case.rows).floats()];
    for (i, value) in logical.iter().enumerate() {
        stored[position(case, i)] = *value;
    }
    stored
}

/// Where element `i` of the logical order lies.
fn position(case: &Case, i: usize) -> usize {
    let [channels, height, width] = case.input;
    let (w, h) = (i % width, i / width % height);
    let (c, n) = (
        i / (width * height) % channels,
        i / (width * height * channels),
    );
    let geometry = case.geometry();
    let stride = geometry.matrix(case.rows).stride;
    (n * height + h) * stride + w * 4 * geometry.channel_quads() + c
}

/// The reverse of [`store`]; padding that is not zero is an error.
fn load(case: &Case, what: &str, stored: &[f32]) -> Result<Vec<f32>, String> {
    let mut rest = stored.to_vec();
    let take = |i| std::mem::take(&mut rest[position(case, i)]);
    let logical = (0..case.rows * case.elements()).map(take).collect();
    match rest.iter().position(|value| *value != 0.0) {
        None => Ok(logical),
        Some(i) => Err(format!(
            "{what}: the padding at {i} is {:e}, not 0",
            rest[i]
        )),
    }
}

/// The plan of a layer alone at the place `3`, with its values kept by name.
fn plan(stage: &Stage, alone: &Alone, case: &Case) -> Plan {
    let mut b = stage.builder(case.mode, case.rows);
    let bytes = 4 * alone.inventory.floats as u64;
    b.shared(Key::Parameters, bytes);
    b.shared(Key::Gradients, bytes);
    let kept = |b: &mut wavetrain::kernel::Builder, value: Value, name: &'static str| {
        b.keep(value, Key::Kept(name));
        value
    };
    let (site, layer) = (alone.site(), &alone.node().layer);
    let x = b.shaped("x", site.input());
    let x = kept(&mut b, x, "x");
    let forward = layer.forward(&mut b, &site, x).unwrap();
    let y = kept(&mut b, forward.y, "y");
    if case.mode == Mode::Train {
        let dy = b.like("dy", y);
        let dy = kept(&mut b, dy, "dy");
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
        kept(&mut b, dx, "dx");
    }
    b.finish()
}

/// Runs a layer, in training forward and backward.
fn run(stage: &mut Stage, layer: &dyn Layer, case: &Case, given: &Given) -> Result<Found, String> {
    let alone = Alone::new(layer, &case.input).beside([case.relu, case.gate]);
    let mut plan = plan(stage, &alone, case);
    if case.fold {
        fold(&mut plan);
    }
    let program = stage.realize(&mut plan);
    let training = case.mode == Mode::Train;
    stage.write(&Key::Kept("x"), &store(case, &given.x));
    let poison = store(case, &vec![POISON; given.x.len()]);
    stage.write(&Key::Kept("y"), &poison);
    if training {
        stage.write(&Key::Kept("dy"), &store(case, &given.dy));
        stage.write(&Key::Kept("dx"), &poison);
    }
    let places: Vec<Parameter> = alone.inventory.parameters.iter().map(|p| p.place).collect();
    for (key, given) in [
        (Key::Parameters, Some(&given.parameters)),
        (Key::Gradients, None),
    ] {
        let stored = places
            .iter()
            .enumerate()
            .flat_map(|(i, place)| match given {
                Some(parameters) => place.matrix.store(&parameters[i]),
                None => place.matrix.store(&vec![POISON; place.matrix.cols]),
            });
        stage.write(&key, &stored.collect::<Vec<f32>>());
    }
    for (spec, values) in alone.states().iter().zip(&given.states) {
        let mut values = values.clone();
        values.resize(spec.len.next_multiple_of(4), 0.0);
        stage.write(&Key::State(spec.name.clone()), &values);
    }
    let phases = if training {
        Phases::Gradients
    } else {
        Phases::Forward
    };
    stage.run(&program, phases, &[step(case.count)]);
    read(stage, &alone, case, &places)
}

fn read(stage: &Stage, alone: &Alone, case: &Case, places: &[Parameter]) -> Result<Found, String> {
    let training = case.mode == Mode::Train;
    let floats = case.geometry().matrix(case.rows).floats();
    let active = case.count * case.elements();
    let mut y = load(case, "y", &stage.read(&Key::Kept("y"), floats))?;
    if y[active..].iter().any(|y| !y.is_finite()) {
        return Err("y of an idle row is not finite".into());
    }
    y.truncate(active);
    let mut dx = Vec::new();
    let mut gradients = Vec::new();
    if training {
        dx = load(case, "dx", &stage.read(&Key::Kept("dx"), floats))?;
        if dx[active..].iter().any(|dx| *dx != 0.0) {
            return Err("dx of an idle row is not zero".into());
        }
        dx.truncate(active);
        let floats = places.iter().map(|p| p.matrix.floats()).sum();
        let flat: Vec<f32> = stage.read(&Key::Gradients, floats);
        for (i, place) in places.iter().enumerate() {
            let stored = &flat[place.offset..place.offset + place.matrix.floats()];
            let what = format!("gradient of parameter {i}");
            gradients.push(super::compare::without_padding(
                &what,
                place.matrix,
                stored,
            )?);
        }
    }
    let mut states = Vec::new();
    for spec in alone.states() {
        let stored = stage.read(&Key::State(spec.name.clone()), spec.len.next_multiple_of(4));
        let matrix = Matrix {
            rows: 1,
            cols: spec.len,
            stride: stored.len(),
        };
        let stored: Vec<f32> = stored
            .into_iter()
            .chain(vec![0.0; 3 * matrix.stride])
            .collect();
        states.push(super::compare::without_padding(
            &spec.name, matrix, &stored,
        )?);
    }
    Ok(Found {
        y,
        dx,
        gradients,
        states,
    })
}
