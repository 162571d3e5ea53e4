//! The second proof for what comes before the first layer: the batch that a kernel gathers and
//! normalises equals the host's.

use wavetrain::data::{Augment, Normalization, Samples, Storage};
use wavetrain::kernel::Mode;
use wavetrain::kernel::Plan;
use wavetrain::kernel::plan::{Bound, Key, Op, Use};
use wavetrain::kernel::program::Phases;
use wavetrain::layer::{Embedding, Flatten, Layer, Linear, Relu};
use wavetrain::loss::Mse;
use wavetrain::model::{Network, PlanRequest, evaluation_plan};
use wavetrain::shape::Shape;
use wavetrain::train::StepUniform;

use super::compare::{wide, within};
use super::layout::{load, poisoned};
use super::rounded::Num;
use super::stage::{Stage, fold, step, values};

/// How samples are stored, and how the batch lies.
#[derive(Debug, Clone, Copy)]
struct Form {
    storage: Storage,
    pixels: bool,
}

/// Samples that lie on the device.
pub(crate) const SAMPLES: usize = 11;
/// Symbols of made-up tokens.
const SYMBOLS: usize = 97;

/// The plan of the gathering alone: a list of features where the network flattens first, pixels
/// of channels else.
fn gather_plan(stage: &Stage, shape: &[usize], rows: usize, form: Form) -> Plan {
    let mut layers: Vec<Box<dyn Layer>> = vec![Box::new(Flatten {}), Box::new(Linear::new(2))];
    if form.pixels {
        layers.insert(0, Box::new(Relu {}));
    }
    if let [_, _] = shape {
        layers = vec![Box::new(Linear::new(2))];
    }
    if form.storage == Storage::Tokens {
        layers = vec![Box::new(Embedding::new(4)), Box::new(Linear::new(2))];
    }
    let network = Network::of_samples(&layers, &samples(shape, form.storage)).unwrap();
    let request = PlanRequest {
        mode: Mode::Evaluate,
        batch: rows,
        accumulate: 1,
        slots: 2,
        positions: network.positions(),
        numbers: 0,
        class_weights: 0,
        storage: form.storage,
        samples: SAMPLES + usize::from(form.storage == Storage::Tokens),
        augment: Augment::default(),
        clip_norm: None,
    };
    let mut plan = evaluation_plan(&network, &Mse {}, &stage.gpu, &request, false).unwrap();
    plan.forward.truncate(1);
    let Op::Dispatch(dispatch) = &plan.forward[0] else {
        panic!("the first command gathers");
    };
    let x = dispatch.bindings.iter().find(|(name, _)| name == "x");
    let Some((_, Bound::Buffer { buffer, .. })) = x else {
        panic!("the batch is a buffer");
    };
    let spec = &mut plan.buffers[*buffer];
    spec.key = Key::Kept("x");
    plan
}

/// Made-up samples of either kind.
pub(crate) fn samples(shape: &[usize], storage: Storage) -> Samples {
    let elements: usize = shape.iter().product();
    let n = SAMPLES * elements;
    let labels = vec![0; SAMPLES];
    match storage {
        Storage::Bytes => {
            let bytes = values(5, n, 0.0, 256.0).into_iter().map(|v| v as u8);
            Samples::from_bytes(shape, bytes.collect(), labels).unwrap()
        }
        Storage::Floats => Samples::from_floats(shape, values(6, n, -3.0, 3.0), labels).unwrap(),
        Storage::Tokens => {
            // One more than whole windows have: a phase may reach it.
            let tokens = values(5, n + elements, 0.0, SYMBOLS as f32).into_iter();
            let tokens = tokens.map(|v| v as u32).collect();
            Samples::windows([elements, SYMBOLS], tokens).unwrap()
        }
    }
}

fn check(
    stage: &mut Stage,
    shape: &[usize],
    (rows, count): (usize, usize),
    form: Form,
) -> Result<(), String> {
    let mut plan = gather_plan(stage, shape, rows, form);
    if count < rows {
        fold(&mut plan);
    }
    let program = stage.realize(&mut plan);
    let samples = samples(shape, form.storage);
    let elements = samples.elements();
    let normalization = Normalization {
        mean: values(7, elements, -1.0, 100.0),
        scale: values(8, elements, 0.001, 2.0),
    };
    let indices: Vec<u32> = (0..2 * rows).map(|i| (i * 5 % SAMPLES) as u32).collect();
    let mut b = stage.builder(Mode::Evaluate, rows);
    let x = match form.pixels || shape.len() == 2 {
        true => b.shaped("x", &Shape::of(shape).unwrap()),
        false => b.value("x", elements),
    };
    stage.write(&Key::Samples, &samples.read_all().unwrap());
    stage.write(&Key::Indices(Use::Evaluation), &indices);
    stage.write(&Key::Mean, &normalization.mean);
    stage.write(&Key::Scale, &normalization.scale);
    stage.write(&Key::Kept("x"), &poisoned(&x, rows));
    let uniform = StepUniform {
        start: rows as u32,
        ..step(count)
    };
    stage.run(&program, Phases::Forward, &[uniform]);
    let found = load("x", &x, rows, &stage.read_matrix(&Key::Kept("x"), x.matrix))?;
    let batch = &indices[rows..rows + count];
    let mut wanted: Vec<f64> = batch
        .iter()
        .flat_map(|i| wide(&normalization.input(&samples, *i).unwrap()))
        .collect();
    wanted.resize(rows * elements, 0.0);
    // Both sides are f32: a subtraction and a product, each rounded once.
    let limit = |i: usize| {
        let scale = Num::exact(f64::from(normalization.scale[i % elements]));
        let centred = wanted[i] / scale.value;
        2.0 * ((Num::exact(centred) - Num::exact(0.0)) * scale).error
    };
    within("x", elements, &found, &wanted, limit)
}

/// Checks the batch in both forms of storage and both layouts; the first failure.
pub(crate) fn prove(stage: &mut Stage) -> Result<(), String> {
    let shapes: [&[usize]; 10] = [
        &[1],
        &[3],
        &[17],
        &[1, 3],
        &[5, 1],
        &[3, 17],
        &[1, 3, 11],
        &[3, 5, 7],
        &[6, 2, 3],
        &[1, 28, 28],
    ];
    for storage in [Storage::Bytes, Storage::Floats] {
        for (pixels, shape) in shapes.iter().flat_map(|s| [(false, s), (true, s)]) {
            for batch in [(1, 1), (3, 3), (17, 17), (33, 20)] {
                check(stage, shape, batch, Form { storage, pixels })
                    .map_err(|problem| format!("{storage:?} {shape:?} {batch:?}: {problem}"))?;
            }
        }
    }
    for steps in [1, 3, 17, 64, 65] {
        for batch in [(1, 1), (3, 3), (17, 17), (33, 20)] {
            check_tokens(stage, steps, batch)
                .map_err(|problem| format!("{steps} tokens {batch:?}: {problem}"))?;
        }
    }
    Ok(())
}

/// Windows of a stream, which begin at a phase.
fn check_tokens(
    stage: &mut Stage,
    steps: usize,
    (rows, count): (usize, usize),
) -> Result<(), String> {
    let form = Form {
        storage: Storage::Tokens,
        pixels: false,
    };
    let mut plan = gather_plan(stage, &[steps], rows, form);
    if count < rows {
        fold(&mut plan);
    }
    let program = stage.realize(&mut plan);
    let samples = samples(&[steps], Storage::Tokens);
    let phase = steps / 2;
    let indices: Vec<u32> = (0..2 * rows).map(|i| (i * 5 % SAMPLES) as u32).collect();
    let matrix = stage.builder(Mode::Evaluate, rows).value("x", steps).matrix;
    let stream = samples.inputs().stream().unwrap();
    let mut tokens = vec![0; stream.len()];
    stream.read(0, &mut tokens).unwrap();
    let stream = tokens;
    stage.write(&Key::Samples, &stream[..stream.len() - 1]);
    stage.write(&Key::Indices(Use::Evaluation), &indices);
    // Padding is zero; what is written is poisoned.
    let mut poison = vec![0; matrix.floats()];
    for row in 0..rows {
        poison[row * matrix.stride..][..steps].fill(u32::MAX);
    }
    stage.write(&Key::Kept("x"), &poison);
    let uniform = StepUniform {
        start: rows as u32,
        phase: phase as u32,
        ..step(count)
    };
    stage.run(&program, Phases::Forward, &[uniform]);
    let mut wanted = vec![0; matrix.floats()];
    for (row, index) in indices[rows..rows + count].iter().enumerate() {
        let first = *index as usize * steps + phase;
        wanted[row * matrix.stride..][..steps].copy_from_slice(&stream[first..first + steps]);
    }
    let found: Vec<u32> = stage.read(&Key::Kept("x"), matrix.floats());
    match (0..found.len()).find(|at| found[*at] != wanted[*at]) {
        None => Ok(()),
        Some(at) => Err(format!("place {at}: {}, not {}", found[at], wanted[at])),
    }
}

#[test]
fn the_batch_equals_the_hosts() {
    for mut stage in Stage::all() {
        prove(&mut stage).unwrap();
    }
}
