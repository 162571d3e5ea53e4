//! The second proof for optimizers: several steps in one submission, with a rate and a momentum
//! that change from step to step, against the reference.

use wavetrain::args::Args;
use wavetrain::kernel::Mode;
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::{Key, Role, Use};
use wavetrain::kernel::program::Phases;
use wavetrain::optim::{OPTIMIZERS, Optimizer, ReferenceParameter, UpdateSite};
use wavetrain::train::StepUniform;

use super::compare::{POISON, wide, within};
use super::rounded::Num;
use super::stage::{Stage, fold, step, values};

/// Steps of the chunk.
const STEPS: usize = 8;
/// Places between the results of two steps.
const RESULTS_STRIDE: usize = 3;

/// The arguments that are proved, for each optimizer of the table.
static ARGUMENTS: &[(&str, &[&str])] = &[(
    "sgd",
    &[
        "momentum = 0.0",
        "momentum = 0.0\nmomentum_form = \"caffe\"",
        "weight_decay = 0.05",
        "weight_decay = 0.05\nmomentum_form = \"caffe\"",
        "weight_decay = 0.05\nnesterov = true",
        "weight_decay = 0.05\nnesterov = true\nmomentum_form = \"caffe\"",
    ],
)];

fn optimizers() -> Vec<(String, Box<dyn Optimizer>)> {
    let mut optimizers = Vec::new();
    for entry in OPTIMIZERS {
        let lines = ARGUMENTS.iter().find(|(name, _)| *name == entry.name);
        let (_, arguments) =
            lines.unwrap_or_else(|| panic!("optimizer {} has no line in ARGUMENTS", entry.name));
        for arguments in arguments.iter().chain([&entry.example]) {
            let optimizer = (entry.parse)(Args::parse(arguments).unwrap()).unwrap();
            optimizer.validate().unwrap();
            optimizers.push((format!("{} {{ {arguments} }}", entry.name), optimizer));
        }
    }
    optimizers
}

/// Multipliers of a block of 64: some plain, some not.
fn multipliers(block: usize) -> [f32; 2] {
    [[1.0, 1.0], [2.0, 0.0], [0.3, 1.7], [0.0, 1.0]][block % 4]
}

/// The chunk's uniforms: the rate rises and falls, the momentum falls and rises.
fn chunk(optimizer: &dyn Optimizer) -> Vec<StepUniform> {
    let own = optimizer.momentum().unwrap_or(0.0);
    (0..STEPS)
        .map(|slot| {
            let swing = 1.0 - (slot as f64 / 4.0 - 1.0).abs();
            StepUniform {
                lr: (0.01 + 0.2 * swing) as f32,
                momentum: (own * (1.0 - 0.1 * swing)) as f32,
                slot: slot as u32,
                optimizer: optimizer.words(slot as u64),
                ..step(1)
            }
        })
        .collect()
}

/// Runs a chunk over `floats` parameters; gives them and the results.
fn run(
    stage: &mut Stage,
    optimizer: &dyn Optimizer,
    (w, g): (&[f32], &[f32]),
    folded: bool,
) -> (Vec<f32>, Vec<[f32; 2]>) {
    let floats = w.len();
    let bytes = 4 * floats as u64;
    let mut b = stage.builder(Mode::Train, 1);
    b.set_phase(Phase::Update);
    let site = UpdateSite {
        parameters: b.shared(Key::Parameters, bytes),
        gradients: b.shared(Key::Gradients, bytes),
        multipliers: b.shared(Key::Multipliers, 8 * (floats / 64) as u64),
        results: b.shared(
            Key::Results(Use::Training),
            (8 * STEPS * RESULTS_STRIDE) as u64,
        ),
        results_stride: RESULTS_STRIDE,
        floats,
    };
    optimizer.update(&mut b, &site).unwrap();
    let mut plan = b.finish();
    if folded {
        fold(&mut plan);
    }
    let states: Vec<Key> = plan
        .buffers
        .iter()
        .filter(|buffer| buffer.key.role() == Role::State)
        .map(|buffer| buffer.key.clone())
        .collect();
    assert_eq!(states.len(), optimizer.states());
    let program = stage.realize(&mut plan);
    for state in states {
        stage.write(&state, &vec![0.0_f32; floats]);
    }
    stage.write(&Key::Parameters, w);
    stage.write(&Key::Gradients, g);
    let table: Vec<[f32; 2]> = (0..floats / 64).map(multipliers).collect();
    stage.write(&Key::Multipliers, &table);
    stage.write(
        &Key::Results(Use::Training),
        &[[POISON; 2]; STEPS * RESULTS_STRIDE],
    );
    stage.run(&program, Phases::Step, &chunk(optimizer));
    (
        stage.read(&Key::Parameters, floats),
        stage.read(&Key::Results(Use::Training), STEPS * RESULTS_STRIDE),
    )
}

/// SGD as its shader computes it.
struct SgdError {
    caffe: bool,
    nesterov: bool,
    decay: f64,
}

impl SgdError {
    fn new(optimizer: &dyn Optimizer) -> Self {
        let arguments = optimizer.arguments();
        Self {
            caffe: arguments["momentum_form"].as_str() == Some("caffe"),
            nesterov: arguments["nesterov"].as_bool().unwrap(),
            decay: arguments["weight_decay"].as_float().unwrap(),
        }
    }

    fn step(
        &self,
        (w, v): (Num, Num),
        g: f64,
        uniform: &StepUniform,
        mult: [f32; 2],
    ) -> (Num, Num) {
        let [lr_mult, decay_mult] = mult.map(|m| Num::exact(f64::from(m)));
        let momentum = Num::exact(f64::from(uniform.momentum));
        let rate = Num::exact(f64::from(uniform.lr)) * lr_mult;
        let decayed = Num::exact(g) + (Num::constant(self.decay) * decay_mult) * w;
        if self.caffe {
            let new = momentum * v + rate * decayed;
            let ahead = (Num::exact(1.0) + momentum) * new - momentum * v;
            (w - if self.nesterov { ahead } else { new }, new)
        } else {
            let new = momentum * v + decayed;
            let ahead = decayed + momentum * new;
            (w - rate * if self.nesterov { ahead } else { new }, new)
        }
    }
}

/// The reference's parameters after the chunk, and how far the kernel's may be from them.
fn reference(optimizer: &dyn Optimizer, w: &[f32], g: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let error = match optimizer.name() {
        "sgd" => SgdError::new(optimizer),
        name => panic!("optimizer {name} has no bounds in tests/layers/optimizers.rs"),
    };
    let (mut wanted, mut allowed) = (Vec::new(), Vec::new());
    for (block, (w, g)) in w.chunks(64).zip(g.chunks(64)).enumerate() {
        let mult = multipliers(block);
        let mut parameter = ReferenceParameter {
            w: wide(w),
            state: vec![vec![0.0; 64]; optimizer.states()],
            lr_mult: f64::from(mult[0]),
            decay_mult: f64::from(mult[1]),
        };
        let g = wide(g);
        let start = |w: &f64| (Num::exact(*w), Num::exact(0.0));
        let mut numbers: Vec<(Num, Num)> = parameter.w.iter().map(start).collect();
        for uniform in chunk(optimizer) {
            let (lr, momentum) = (f64::from(uniform.lr), f64::from(uniform.momentum));
            optimizer.reference(&mut parameter, &g, lr, momentum);
            for (number, g) in numbers.iter_mut().zip(&g) {
                *number = error.step(*number, *g, &uniform, mult);
            }
        }
        wanted.extend(parameter.w);
        allowed.extend(numbers.iter().map(|(w, _)| w.error));
    }
    (wanted, allowed)
}

/// Checks every optimizer; the first failure.
pub(crate) fn prove(stage: &mut Stage) -> Result<(), String> {
    for (what, optimizer) in optimizers() {
        let what = format!("{} {what}", stage.class.as_str());
        for (blocks, folded) in [(1, false), (3, false), (70, false), (70, true)] {
            let w = values(1, 64 * blocks, -1.0, 1.0);
            let g = values(2, 64 * blocks, -1.0, 1.0);
            let (found, results) = run(stage, &*optimizer, (&w, &g), folded);
            let (wanted, allowed) = reference(&*optimizer, &w, &g);
            within(
                &format!("{what}, {blocks} blocks: w"),
                64,
                &found,
                &wanted,
                |i| allowed[i],
            )?;
            for (i, place) in results.iter().enumerate() {
                let used = match i % RESULTS_STRIDE {
                    0 => {
                        let uniform = chunk(&*optimizer)[i / RESULTS_STRIDE];
                        [uniform.lr, uniform.momentum]
                    }
                    _ => [POISON; 2],
                };
                if *place != used {
                    return Err(format!(
                        "{what}: place {i} of the results is {place:?}, not {used:?}"
                    ));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn kernels_of_optimizers_equal_their_references() {
    for mut stage in Stage::all() {
        prove(&mut stage).unwrap();
    }
}
