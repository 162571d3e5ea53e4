//! States that go on from batch to batch.

use wavetrain::kernel::Mode;
use wavetrain::layer::Layer;

use super::super::alone::Alone;
use super::super::case::{Case, Found, Given, run};
use super::super::compare::wide;
use super::super::golden;
use super::super::stage::Stage;
use super::super::table::Bounds;
use super::super::verdict::{Wanted, check_given, limits_of};
use super::{NAMES, make};

const ARGUMENTS: [&str; 2] = [
    "hidden_size = 5",
    "hidden_size = 3\nnum_layers = 2\nbidirectional = true\nbias = false",
];

/// A layer that carries its states.
fn carrying(name: &str, arguments: &str) -> Box<dyn Layer> {
    let mut layer = make(name, arguments);
    layer.carry();
    layer
}

/// Three batches of which the last is not full: from zero, on from the first, and on from the second.
fn prove_layer(stage: &mut Stage, layer: &dyn Layer) -> Result<(), String> {
    let mut case = Case::new(6, &[4, 3]);
    let mut given = Given::new(layer, &case);
    for count in [6, 6, 4] {
        case.count = count;
        let width: usize = given.dy.len() / case.rows;
        given.dy[count * width..].fill(0.0);
        check_given(stage, layer, &Bounds::Steps, &case, &given)?;
        let found = run(stage, layer, &case, &given)?;
        check_states(layer, &case, &given, &found)?;
        given.carried = found.carried;
        given.x.rotate_left(5);
        case.carry = true;
    }
    // In evaluation, too.
    let evaluated = Case {
        mode: Mode::Evaluate,
        ..case
    };
    check_given(stage, layer, &Bounds::Steps, &evaluated, &given)
}

/// What is left for the next batch: h of the last step of each sample of the batch, as y shows it; what
/// other samples have is left alone.
fn check_states(
    layer: &dyn Layer,
    case: &Case,
    given: &Given,
    found: &Found,
) -> Result<(), String> {
    let alone = Alone::new(layer, &case.input);
    let units = layer.arguments()["hidden_size"].as_integer().unwrap() as usize;
    let layers = layer.arguments()["num_layers"].as_integer().unwrap();
    let top = layers - 1;
    let (steps, width) = (case.input[0], alone.node().output().features());
    for (at, spec) in alone.states().iter().enumerate() {
        let (found_state, given_state) = (&found.carried[at], &given.carried[at]);
        let idle = case.count * units..;
        if found_state[idle.clone()] != given_state[idle] {
            return Err(format!(
                "{}: a sample beyond the batch has moved",
                spec.name
            ));
        }
        let reverse = spec.name.ends_with("_reverse");
        if !spec.name.contains(&format!(".h_l{top}")) {
            continue;
        }
        let (step, side) = if reverse { (0, units) } else { (steps - 1, 0) };
        for sample in 0..case.count {
            let row = (sample * steps + step) * width + side;
            if found_state[sample * units..(sample + 1) * units] != found.y[row..row + units] {
                return Err(format!("{}: sample {sample} is not y's", spec.name));
            }
        }
    }
    Ok(())
}

/// Two windows of one sequence are the sequence.
fn prove_windows(stage: &mut Stage, name: &str) -> Result<(), String> {
    let layer = carrying(name, "hidden_size = 6\nnum_layers = 2");
    let (half, whole) = (Case::new(3, &[4, 2]), Case::new(3, &[8, 2]));
    let long = Given::new(&*layer, &whole);
    let wanted = Wanted::new(&*layer, &whole, &long);
    let limits = limits_of(&*layer, &Bounds::Steps, &whole, &long, &wanted);
    let mut given = Given::new(&*layer, &half);
    for window in 0..2 {
        let rows = long.x.chunks(8).map(|sample| &sample[window * 8..][..8]);
        given.x = match window {
            0 => long
                .x
                .chunks(16)
                .flat_map(|sample| sample[..8].to_vec())
                .collect(),
            _ => long
                .x
                .chunks(16)
                .flat_map(|sample| sample[8..].to_vec())
                .collect(),
        };
        drop(rows);
        let case = Case {
            carry: window == 1,
            ..half.clone()
        };
        let found = run(stage, &*layer, &case, &given)?;
        for (i, y) in found.y.iter().enumerate() {
            let (sample, rest) = (i / 24, i % 24);
            let at = sample * 48 + window * 24 + rest;
            let off = (f64::from(*y) - wanted.y[at]).abs();
            if off > limits.y[at] {
                return Err(format!("{name}, window {window}: y[{i}] is off by {off:e}"));
            }
        }
        given.carried = found.carried;
    }
    Ok(())
}

/// All layers; the first failure.
pub(crate) fn prove(stage: &mut Stage) -> Result<(), String> {
    for name in NAMES {
        for arguments in ARGUMENTS {
            prove_layer(stage, &*carrying(name, arguments))
                .map_err(|problem| format!("{name} {{ {arguments} }}: {problem}"))?;
        }
        prove_windows(stage, name)?;
    }
    Ok(())
}

#[test]
fn states_are_carried_from_batch_to_batch() {
    for mut stage in Stage::all() {
        prove(&mut stage).unwrap();
    }
}

/// Without `carry` a layer has no state.
#[test]
fn what_is_not_carried_costs_nothing() {
    for name in NAMES {
        let input = wavetrain::shape::Shape::of(&[4, 3]).unwrap();
        let states = |layer: &dyn Layer| layer.fit(&input).unwrap().states.len();
        let two = "hidden_size = 3\nnum_layers = 2\nbidirectional = true";
        assert_eq!(states(&*make(name, two)), 0);
        let each = if name == "lstm" { 8 } else { 4 };
        assert_eq!(states(&*carrying(name, two)), each);
        // Within other layers, too.
        let mut residual = make("residual", &format!("body = [{{ {name} = 3 }}]"));
        residual.carry();
        let fit = residual.fit(&input).unwrap();
        assert_eq!(fit.branches[0].nodes[0].fit.states.len(), each / 4);
    }
}

/// PyTorch's windows: the second begins with the states, detached, that the first ends with.
#[test]
fn windows_mean_what_pytorchs_do() {
    let mut stages = Stage::all();
    for name in NAMES {
        let file = golden::read(&format!("layers/{name}.json"));
        for golden in file.get("windows").list() {
            let layer = carrying(name, &golden.get("arguments").text());
            let shape = golden.get("windows").list()[0].get("x").shape();
            let mut case = Case::new(shape[0], &shape[1..]);
            let alone = Alone::new(&*layer, &shape[1..]);
            let parameters = alone
                .names()
                .iter()
                .map(|name| golden.get("parameters").get(name).floats())
                .collect();
            let mut given = Given {
                parameters,
                ..Given::new(&*layer, &case)
            };
            let mut carried: Vec<Vec<Vec<f32>>> = stages.iter().map(|_| Vec::new()).collect();
            for window in golden.get("windows").list() {
                given.x = window.get("x").floats();
                given.dy = window.get("dy").floats();
                let states: Vec<Vec<f64>> = alone
                    .states()
                    .iter()
                    .map(|spec| window.get("states").get(&spec.name[2..]).data())
                    .collect();
                let wanted = Wanted::with(&*layer, &case, &given, &states);
                let near = |what: &str, found: &[f64], wanted: &[f64]| {
                    assert_eq!(found.len(), wanted.len());
                    for (found, wanted) in found.iter().zip(wanted) {
                        let off = (found - wanted).abs();
                        assert!(
                            off <= 1e-13 * (1.0 + wanted.abs()),
                            "{name} {what}: {off:e}"
                        );
                    }
                };
                near("y", &wanted.y, &window.get("y").data());
                near("dx", &wanted.dx, &window.get("dx").data());
                for (name, found) in alone.names().iter().zip(&wanted.gradients) {
                    near(name, found, &window.get("gradients").get(name).data());
                }
                for (stage, carried) in stages.iter_mut().zip(&mut carried) {
                    if case.carry {
                        given.carried.clone_from(carried);
                    }
                    check_given(stage, &*layer, &Bounds::Steps, &case, &given).unwrap();
                    let found = run(stage, &*layer, &case, &given).unwrap();
                    for (found, wanted) in wide(&found.y).iter().zip(&wanted.y) {
                        // The bounds of two short windows are far below this.
                        assert!((found - wanted).abs() < 1e-5, "{name}: {found} {wanted}");
                    }
                    *carried = found.carried;
                }
                case.carry = true;
            }
        }
    }
}
