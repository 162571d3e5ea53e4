//! The second proof for optimizers: several steps in one submission, with a rate and a momentum
//! that change from step to step, against the reference.

use wavetrain::args::Args;
use wavetrain::kernel::Mode;
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::{Key, Role, Use};
use wavetrain::kernel::program::Phases;
use wavetrain::optim::{OPTIMIZERS, Optimizer, ReferenceParameter, Update, UpdateSite};
use wavetrain::train::StepUniform;

use super::compare::{POISON, wide, within};
use super::rounded::Num;
use super::stage::{Stage, fold, step, values};

/// Steps of the chunk.
const STEPS: usize = 8;
/// Places between the results of two steps.
const RESULTS_STRIDE: usize = 3;

/// The arguments that are proved, for each optimizer of the table.
static ARGUMENTS: &[(&str, &[&str])] = &[
    (
        "sgd",
        &[
            "momentum = 0.0",
            "momentum = 0.0\nmomentum_form = \"caffe\"",
            "weight_decay = 0.05",
            "weight_decay = 0.05\nmomentum_form = \"caffe\"",
            "weight_decay = 0.05\nnesterov = true",
            "weight_decay = 0.05\nnesterov = true\nmomentum_form = \"caffe\"",
        ],
    ),
    ("adam", ADAM),
    ("adamw", ADAM),
];

/// A large eps shows where it stands.
const ADAM: &[&str] = &[
    "",
    "betas = [0.0, 0.5]\nweight_decay = 0.0",
    "betas = [0.9, 0.0]",
    "eps = 0.1\nweight_decay = 0.05",
];

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

/// The updates of the chunk: the rate rises and falls, the momentum falls and rises. What travels is
/// an f32.
fn updates(optimizer: &dyn Optimizer) -> Vec<Update> {
    let own = optimizer.momentum().map_or(0.0, |m| m.value);
    (0..STEPS as u64)
        .map(|step| {
            let swing = 1.0 - (step as f64 / 4.0 - 1.0).abs();
            let [lr, momentum] = [0.01 + 0.2 * swing, own * (1.0 - 0.1 * swing)];
            Update {
                step,
                lr: f64::from(lr as f32),
                momentum: f64::from(momentum as f32),
            }
        })
        .collect()
}

/// The chunk's uniforms.
fn chunk(optimizer: &dyn Optimizer) -> Vec<StepUniform> {
    let updates = updates(optimizer).into_iter();
    updates
        .map(|update| StepUniform {
            lr: update.lr as f32,
            momentum: update.momentum as f32,
            slot: update.step as u32,
            optimizer: optimizer.words(&update),
            ..step(1)
        })
        .collect()
}

/// What a chunk leaves: the parameters, the optimizer's states, the results.
struct After {
    w: Vec<f32>,
    states: Vec<Vec<f32>>,
    results: Vec<[f32; 2]>,
}

/// Runs a chunk from the parameters `w` and states of zero, with the same gradients at each step.
fn run(
    stage: &mut Stage,
    optimizer: &dyn Optimizer,
    (w, g): (&[f32], &[f32]),
    folded: bool,
) -> After {
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
    let planned = plan.buffers.iter().filter(|b| b.key.role() == Role::State);
    let planned: Vec<Key> = planned.map(|buffer| buffer.key.clone()).collect();
    let states: Vec<Key> = optimizer
        .states()
        .iter()
        .map(|s| Key::Optimizer(s))
        .collect();
    assert_eq!(planned, states);
    let program = stage.realize(&mut plan);
    for key in &states {
        stage.write(key, &vec![0.0_f32; floats]);
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
    After {
        w: stage.read(&Key::Parameters, floats),
        states: states.iter().map(|key| stage.read(key, floats)).collect(),
        results: stage.read(&Key::Results(Use::Training), STEPS * RESULTS_STRIDE),
    }
}

/// One update of one parameter as the shader computes it: the parameter, its states, its gradient,
/// what the step's uniform holds, (lr_mult, decay_mult).
type Rounded = Box<dyn Fn(&mut Num, &mut [Num], Num, &StepUniform, [Num; 2])>;

fn rounded(optimizer: &dyn Optimizer) -> Rounded {
    let arguments = optimizer.arguments();
    match optimizer.name() {
        "sgd" => sgd(&arguments),
        "adam" => adam(&arguments, false),
        "adamw" => adam(&arguments, true),
        name => panic!("optimizer {name} has no bounds in tests/proofs/optimizers.rs"),
    }
}

fn sgd(arguments: &toml::Table) -> Rounded {
    let caffe = arguments["momentum_form"].as_str() == Some("caffe");
    let nesterov = arguments["nesterov"].as_bool().unwrap();
    let decay = Num::constant(arguments["weight_decay"].as_float().unwrap());
    Box::new(move |w, states, g, uniform, [lr_mult, decay_mult]| {
        let v = states[0];
        let momentum = Num::exact(f64::from(uniform.momentum));
        let rate = Num::exact(f64::from(uniform.lr)) * lr_mult;
        let decayed = g + (decay * decay_mult) * *w;
        if caffe {
            let new = momentum * v + rate * decayed;
            let ahead = (Num::exact(1.0) + momentum) * new - momentum * v;
            *w = *w - if nesterov { ahead } else { new };
            states[0] = new;
        } else {
            let new = momentum * v + decayed;
            let ahead = decayed + momentum * new;
            *w = *w - rate * if nesterov { ahead } else { new };
            states[0] = new;
        }
    })
}

fn adam(arguments: &toml::Table, decoupled: bool) -> Rounded {
    let number = |key: &str| arguments[key].as_float().unwrap();
    let beta2 = arguments["betas"][1].as_float().unwrap();
    let (decay, eps) = (number("weight_decay"), number("eps"));
    let [beta2, rest, decay, eps] = [beta2, 1.0 - beta2, decay, eps].map(Num::constant);
    let zero = Num::exact(0.0);
    Box::new(move |w, states, g, uniform, [lr_mult, decay_mult]| {
        let [beta1, lr] = [uniform.momentum, uniform.lr].map(|v| Num::exact(f64::from(v)));
        // Computed in f64, rounded once.
        let words = uniform
            .optimizer
            .map(|word| Num::about(f64::from(word), 1.0));
        let rate = lr * lr_mult;
        let decay = decay * decay_mult;
        let kept = *w - if decoupled { rate * decay } else { zero } * *w;
        let g = g + if decoupled { zero } else { decay } * *w;
        states[0] = beta1 * states[0] + words[0] * g;
        states[1] = beta2 * states[1] + rest * (g * g);
        let size = states[1].sqrt() * words[2] + eps;
        *w = kept - rate * (states[0] * words[1] / size);
    })
}

/// What the reference says of the parameters and then of each state, and how far the kernel may be
/// from it.
fn reference(optimizer: &dyn Optimizer, w: &[f32], g: &[f32]) -> Vec<(Vec<f64>, Vec<f64>)> {
    let rounded = rounded(optimizer);
    let states = optimizer.states().len();
    let mut expected = vec![(Vec::new(), Vec::new()); 1 + states];
    for (block, (w, g)) in w.chunks(64).zip(g.chunks(64)).enumerate() {
        let mult = multipliers(block).map(f64::from);
        let mut parameter = ReferenceParameter {
            w: wide(w),
            state: vec![vec![0.0; 64]; states],
            lr_mult: mult[0],
            decay_mult: mult[1],
        };
        let g = wide(g);
        let start = |w: &f64| (Num::exact(*w), vec![Num::exact(0.0); states]);
        let mut numbers: Vec<(Num, Vec<Num>)> = parameter.w.iter().map(start).collect();
        for (update, uniform) in updates(optimizer).iter().zip(chunk(optimizer)) {
            optimizer.reference(&mut parameter, &g, update);
            for ((w, states), g) in numbers.iter_mut().zip(&g) {
                rounded(w, states, Num::exact(*g), &uniform, mult.map(Num::exact));
            }
        }
        let values = std::iter::once(parameter.w).chain(parameter.state);
        for (i, (expected, values)) in expected.iter_mut().zip(values).enumerate() {
            expected.0.extend(values);
            expected
                .1
                .extend(numbers.iter().map(|(w, states)| match i.checked_sub(1) {
                    None => w.error,
                    Some(state) => states[state].error,
                }));
        }
    }
    expected
}

/// Checks every optimizer; the first failure.
pub(crate) fn prove(stage: &mut Stage) -> Result<(), String> {
    for (what, optimizer) in optimizers() {
        let what = format!("{} {what}", stage.class.as_str());
        for (blocks, folded) in [(1, false), (3, false), (70, false), (70, true)] {
            let w = values(1, 64 * blocks, -1.0, 1.0);
            let g = values(2, 64 * blocks, -1.0, 1.0);
            let after = run(stage, &*optimizer, (&w, &g), folded);
            let expected = reference(&*optimizer, &w, &g);
            let found = std::iter::once(&after.w).chain(&after.states);
            let names = std::iter::once(&"w").chain(optimizer.states());
            for ((found, name), (wanted, allowed)) in found.zip(names).zip(expected) {
                let what = format!("{what}, {blocks} blocks: {name}");
                within(&what, 64, found, &wanted, |i| allowed[i])?;
            }
            for (i, place) in after.results.iter().enumerate() {
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
