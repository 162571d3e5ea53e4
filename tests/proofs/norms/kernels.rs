//! The kernels against their references.

use wavetrain::kernel::Mode;
use wavetrain::layer::{Layer, Pass, ReferenceGradients};
use wavetrain::rng::{Key, Stream};

use super::super::alone::Alone;
use super::super::compare::{wide, within};
use super::super::rounded::Num;
use super::super::stage::{RUN_SEED, RUN_STEP, Stage};
use super::{Case, Found, Given, bounds, make, run, stage};

/// What is compared: the values of the layer's reference within the bounds around them.
pub(super) fn check(stage: &mut Stage, layer: &dyn Layer, case: &Case) -> Result<(), String> {
    check_given(stage, layer, case, &Given::new(layer, case)).map(|_| ())
}

/// The same for inputs of any origin; gives what the kernels gave.
pub(super) fn check_given(
    stage: &mut Stage,
    layer: &dyn Layer,
    case: &Case,
    given: &Given,
) -> Result<Found, String> {
    let found = run(stage, layer, case, given).map_err(|problem| format!("{case:?}: {problem}"))?;
    let wanted = Wanted::new(layer, case, given);
    let compare = |what: &str, cols: usize, found: &[f32], wanted: &[f64], around: &[Num]| {
        // The bounds are computed around the same values.
        for (i, (wanted, around)) in wanted.iter().zip(around).enumerate() {
            let near = 1e-9 * (1.0 + wanted.abs());
            assert!((wanted - around.value).abs() <= near, "{case:?} {what} {i}");
        }
        within(what, cols, found, wanted, |i| around[i].error)
            .map_err(|problem| format!("{case:?}: {problem}"))
    };
    let around = &wanted.around;
    compare("y", case.elements(), &found.y, &wanted.y, &around.y)?;
    for (i, around) in around.states.iter().enumerate() {
        let values: Vec<f64> = around.iter().map(|n| n.value).collect();
        compare(&format!("state {i}"), 1, &found.states[i], &values, around)?;
    }
    if case.mode == Mode::Evaluate {
        return Ok(found);
    }
    let gradients = &wanted.gradients;
    compare("dx", case.elements(), &found.dx, &gradients.dx, &around.dx)?;
    assert_eq!(found.gradients.len(), gradients.parameters.len());
    for (i, wanted) in gradients.parameters.iter().enumerate() {
        let what = format!("gradient of parameter {i}");
        compare(&what, 1, &found.gradients[i], wanted, &around.parameters[i])?;
    }
    Ok(found)
}

/// What the reference gives, and the bounds around it.
struct Wanted {
    y: Vec<f64>,
    gradients: ReferenceGradients,
    around: bounds::Expected,
}

impl Wanted {
    fn new(layer: &dyn Layer, case: &Case, given: &Given) -> Self {
        let active = case.count * case.elements();
        let (x, dy) = (wide(&given.x[..active]), wide(&given.dy[..active]));
        let each = |lists: &[Vec<f32>]| lists.iter().map(|list| wide(list)).collect::<Vec<_>>();
        let (parameters, states) = (each(&given.parameters), each(&given.states));
        let alone = Alone::new(layer, &case.input);
        let key = Key::new(RUN_SEED, Stream::Dropout, RUN_STEP);
        let pass = Pass {
            states: &states,
            training: case.mode == Mode::Train,
            ..alone.pass(case.count, &x, &parameters, key)
        };
        let bounds = match layer.name() {
            "batch_norm2d" => bounds::batch_norm2d,
            _ => bounds::local_response_norm,
        };
        let mut y = layer.reference().forward(&pass);
        if case.relu {
            y.iter_mut().for_each(|y| *y = y.max(0.0));
        }
        let mut gradients = layer.reference().backward(&pass, &dy);
        if case.gate {
            let closed = gradients.dx.iter_mut().zip(&x).filter(|(_, x)| **x <= 0.0);
            closed.for_each(|(dx, _)| *dx = 0.0);
        }
        Self {
            y,
            gradients,
            around: bounds(layer, case, &pass, &dy),
        }
    }
}

const SAMPLES: [usize; 4] = [1, 2, 3, 17];
const CHANNELS: [usize; 6] = [1, 3, 4, 5, 20, 33];
const SIDES: [usize; 7] = [1, 2, 3, 4, 5, 6, 7];

/// All samples with all channels, and sides that go around; with everything that is fused.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, rows) in SAMPLES.into_iter().enumerate() {
        for (j, channels) in CHANNELS.into_iter().enumerate() {
            for turn in 0..2 {
                let height = SIDES[(i * CHANNELS.len() + j + 3 * turn) % SIDES.len()];
                let width = SIDES[(i + 2 * j + 4 * turn + 1) % SIDES.len()];
                let case = Case::new(rows, [channels, height, width]);
                cases.push(Case {
                    relu: (i + j + turn) % 2 == 0,
                    gate: (i + j) % 3 == turn,
                    fold: (i + turn) % 2 == 1,
                    offset: [0.0, 0.5, -3.0][(j + turn) % 3],
                    count: if turn == 1 { rows.div_ceil(2) } else { rows },
                    ..case
                });
            }
        }
    }
    // More pixels than a block has, rows that are padded, and a block that ends within a row.
    cases.push(Case::new(3, [5, 28, 28]));
    cases.push(Case {
        count: 2,
        relu: true,
        ..Case::new(3, [33, 28, 7])
    });
    let evaluated: Vec<Case> = cases
        .iter()
        .step_by(3)
        .map(|case| Case {
            mode: Mode::Evaluate,
            ..case.clone()
        })
        .collect();
    cases.extend(evaluated);
    cases
}

pub(super) const BATCH_NORMS: [&str; 4] = [
    "",
    "eps = 0.1\nmomentum = 0.3",
    "weight = false",
    "affine = false",
];

/// Checks batch normalisation; the first failure.
pub(super) fn prove_batch_norm2d(stage: &mut Stage) -> Result<(), String> {
    for (i, arguments) in BATCH_NORMS.into_iter().enumerate() {
        let layer = make("batch_norm2d", arguments);
        // Everything for the first, a part for the others.
        for case in cases().iter().step_by(if i == 0 { 1 } else { 5 }) {
            if case.mode == Mode::Train && case.count * case.input[1] * case.input[2] < 2 {
                continue;
            }
            check(stage, &*layer, case)
                .map_err(|problem| format!("batch_norm2d {{ {arguments} }}: {problem}"))?;
        }
    }
    // A mean far from 0: a difference of squares would leave nothing of the variance.
    let far = Case {
        offset: 1000.0,
        ..Case::new(17, [3, 28, 28])
    };
    check(stage, &*make("batch_norm2d", ""), &far)
}

pub(super) const RESPONSE_NORMS: [&str; 6] = [
    "size = 5",
    "size = 3\nalpha = 0.7\nk = 2.0",
    "size = 4\nalpha = 0.5\nbeta = 0.6",
    "size = 1\nbeta = 0.0",
    "size = 3\nalpha = 0.9\nwithin_channel = true",
    "size = 5\nalpha = 2.5\nbeta = 1.5\nwithin_channel = true",
];

/// Checks local response normalisation; the first failure.
pub(super) fn prove_local_response_norm(stage: &mut Stage) -> Result<(), String> {
    for arguments in RESPONSE_NORMS {
        let layer = make("local_response_norm", arguments);
        for case in &cases() {
            // A relu behind the layer is left to others; large cases take the test too long.
            if case.relu || case.count * case.elements() > 6000 {
                continue;
            }
            check(stage, &*layer, case)
                .map_err(|problem| format!("local_response_norm {{ {arguments} }}: {problem}"))?;
        }
    }
    Ok(())
}

#[test]
fn batch_norm2d_equals_its_reference() {
    prove_batch_norm2d(&mut stage(None)).unwrap();
}

#[test]
fn local_response_norm_equals_its_reference() {
    prove_local_response_norm(&mut stage(None)).unwrap();
}

/// More pixels than blocks of the least size, so that blocks are longer, and one channel only.
#[test]
fn statistics_of_many_pixels_are_whole() {
    let mut stage = stage(None);
    let case = Case {
        count: 37,
        ..Case::new(40, [1, 100, 100])
    };
    check(&mut stage, &*make("batch_norm2d", ""), &case).unwrap();
}

/// The same statistics, whatever the batch is: equal bits for equal inputs, run after run.
#[test]
fn sums_have_a_fixed_order() {
    let mut stage = stage(None);
    let layer = make("batch_norm2d", "");
    let case = Case::new(17, [20, 7, 28]);
    let given = Given::new(&*layer, &case);
    let [a, b] = [0, 1].map(|_| run(&mut stage, &*layer, &case, &given).unwrap());
    assert_eq!((a.y, a.dx, a.states), (b.y, b.dx, b.states));
}

/// A channel of one value everywhere: its variance is 0, its xhat exactly 0.
#[test]
fn a_constant_channel_gives_the_bias() {
    let mut stage = stage(None);
    let layer = make("batch_norm2d", "");
    let case = Case::new(5, [3, 7, 5]);
    let mut given = Given::new(&*layer, &case);
    given.x.fill(0.1);
    let found = run(&mut stage, &*layer, &case, &given).unwrap();
    for (i, y) in found.y.iter().enumerate() {
        assert_eq!(*y, given.parameters[1][i / 35 % 3], "{i}");
    }
}
