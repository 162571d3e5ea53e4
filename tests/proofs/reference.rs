//! The first proof: the references are right. Gradients against central differences in f64;
//! optimizers against PyTorch's values.

use wavetrain::args::Args;
use wavetrain::data::Task;
use wavetrain::layer::{Layer, Pass};
use wavetrain::loss::{LOSSES, Loss, RowTargets};
use wavetrain::optim::{OPTIMIZERS, Optimizer, ReferenceParameter, Update};
use wavetrain::rng::{Key, Stream};
use wavetrain::schedule::{Policy, Rate, Triangular};
use wavetrain::shape::Shape;

use super::alone::{Alone, takes};
use super::compare::wide;
use super::golden::{self, Case};
use super::stage::values;
use super::table::{PROOFS, Proof};

/// The step of a central difference: about the cube root of f64's precision, where its error of
/// method (h^2 times the third derivative, which is below 10 for all functions here) and its
/// error of rounding (2^-52 of the function over h) meet.
const H: f64 = 6e-6;

/// The error of (f(x + h) - f(x - h)) / 2h for an f that is added up from terms of magnitude
/// `size`: method and rounding.
fn difference_error(size: f64) -> f64 {
    10.0 * H * H + 16.0 * f64::EPSILON * size / H
}

/// Checks the gradient `slope` of `f` at each element of `x`.
fn check_gradient(what: &str, x: &[f64], slope: &[f64], size: f64, f: impl Fn(&[f64]) -> f64) {
    assert_eq!(x.len(), slope.len(), "{what}");
    let mut moved = x.to_vec();
    for i in 0..x.len() {
        let mut difference = |h: f64| {
            moved[i] = x[i] + h;
            let above = f(&moved);
            moved[i] = x[i] - h;
            let below = f(&moved);
            moved[i] = x[i];
            (above - below) / (2.0 * h)
        };
        let mut allowed = difference_error(size);
        let twice = difference(2.0 * H);
        let difference = difference(H);
        if (difference - slope[i]).abs() > allowed {
            // A larger third derivative: its part of the error grows fourfold with twice the step.
            allowed += (twice - difference).abs();
        }
        assert!(
            (difference - slope[i]).abs() <= allowed,
            "{what}, element {i}: the reference says {}, the difference {difference}, allowed is {allowed:e}",
            slope[i]
        );
    }
}

/// Made-up values that stay away from 0, where relu has its kink.
fn away_from_zero(seed: u64, n: usize) -> Vec<f64> {
    let values = wide(&values(seed, n, -2.0, 2.0));
    let away = |x: f64| if x < 0.0 { x - 0.01 } else { x + 0.01 };
    values.into_iter().map(away).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn layer_gradient(what: &str, layer: &dyn Layer, input: &[usize], rows: usize) {
    let inputs: usize = input.iter().product();
    let x = away_from_zero(1, rows * inputs);
    let alone = Alone::new(layer, input);
    let specs = alone.parameters();
    let parameters: Vec<Vec<f64>> = specs
        .iter()
        .enumerate()
        .map(|(i, spec)| {
            let mut values = away_from_zero(10 + i as u64, spec.shape.iter().product());
            if spec.name.starts_with("weight_hh") {
                // Third derivatives grow with the sums over h.
                values.iter_mut().for_each(|w| *w /= spec.shape[1] as f64);
            }
            values
        })
        .collect();
    let (key, reference) = (Key::new(1, Stream::Dropout, 2), layer.reference());
    let pass = alone.pass(rows, &x, &parameters, key);
    let y = reference.forward(&pass);
    let output = alone.node().output().elements();
    assert_eq!(y.len(), rows * output, "{what}");
    let dy = away_from_zero(3, y.len());
    let gradients = reference.backward(&pass, &dy);
    let size: f64 = y.iter().zip(&dy).map(|(y, dy)| (y * dy).abs()).sum();
    check_gradient(&format!("{what}: dx"), &x, &gradients.dx, size, |x| {
        dot(&reference.forward(&Pass { x, ..pass }), &dy)
    });
    assert_eq!(gradients.parameters.len(), specs.len(), "{what}");
    for (p, spec) in specs.iter().enumerate() {
        let what = format!("{what}: gradient of {}", spec.name);
        check_gradient(&what, &parameters[p], &gradients.parameters[p], size, |w| {
            let mut parameters = parameters.clone();
            parameters[p] = w.to_vec();
            let pass = Pass {
                parameters: &parameters,
                ..pass
            };
            dot(&reference.forward(&pass), &dy)
        });
    }
}

#[test]
fn gradients_of_layers_are_central_differences() {
    let inputs: [&[usize]; 9] = [
        &[1],
        &[7],
        &[3, 2],
        &[4, 5],
        &[3, 10],
        &[2, 3, 2],
        &[1, 1, 5],
        &[2, 3, 4],
        &[1, 5, 3],
    ];
    for proof in PROOFS {
        let layer = proof.layer();
        let fitting = inputs.iter().filter(|i| takes(&*layer, i));
        let mut count = 0;
        for input in fitting {
            for rows in [1, 3] {
                let what = format!("{} of {rows} x {input:?}", proof.title());
                layer_gradient(&what, &*layer, input, rows);
                count += 1;
            }
        }
        assert!(count >= 4, "{} takes no input of this test", proof.title());
    }
}

/// In evaluation, layers with a random part are the identity.
#[test]
fn dropout_is_the_identity_in_evaluation_and_keeps_the_mean_in_training() {
    let n = 40_000;
    let x = vec![1.0; n];
    for proof in Proof::of("dropout") {
        let layer = proof.layer();
        let p = layer.arguments()["p"].as_float().unwrap();
        let alone = Alone::new(&*layer, &[n]);
        let training = alone.pass(1, &x, &[], Key::new(1, Stream::Dropout, 2));
        let evaluating = Pass {
            training: false,
            ..training
        };
        assert_eq!(layer.reference().forward(&evaluating), x);
        let y = layer.reference().forward(&training);
        let zeros = y.iter().filter(|y| **y == 0.0).count() as f64 / n as f64;
        // Five standard errors of a share.
        let allowed = 5.0 * (p * (1.0 - p) / n as f64).sqrt();
        assert!((zeros - p).abs() <= allowed, "{zeros} of {p}");
        assert!(
            y.iter()
                .all(|y| *y == 0.0 || (y - 1.0 / (1.0 - p)).abs() < 1e-12)
        );
    }
}

/// The loss's arguments that are proved.
pub(crate) static LOSS_ARGUMENTS: &[(&str, &[&str])] = &[
    (
        "cross_entropy",
        &["", "label_smoothing = 0.1", "label_smoothing = 1.0"],
    ),
    ("mse", &[""]),
    ("l1", &[""]),
    ("huber", &["", "delta = 0.1"]),
];

/// All losses of the table that take classes, with all arguments that are proved; a loss without a
/// line fails by name.
pub(crate) fn losses() -> Vec<(String, Box<dyn Loss>)> {
    losses_of(&Task::Classes(vec!["a".into(), "b".into()]))
}

/// The same of those that take numbers.
pub(crate) fn number_losses() -> Vec<(String, Box<dyn Loss>)> {
    losses_of(&Task::Numbers(vec!["a".into(), "b".into()]))
}

fn losses_of(task: &Task) -> Vec<(String, Box<dyn Loss>)> {
    let mut losses = Vec::new();
    for entry in LOSSES {
        let lines = LOSS_ARGUMENTS.iter().find(|(name, _)| *name == entry.name);
        let (_, arguments) =
            lines.unwrap_or_else(|| panic!("loss {} has no line in LOSS_ARGUMENTS", entry.name));
        for arguments in arguments.iter().chain([&entry.example]) {
            let loss = (entry.parse)(Args::parse(arguments).unwrap()).unwrap();
            loss.validate().unwrap();
            if loss.takes(&Shape::Features(2), task).is_err() {
                continue;
            }
            losses.push((format!("{} {{ {arguments} }}", entry.name), loss));
        }
    }
    losses
}

#[test]
fn gradients_of_losses_are_central_differences() {
    for (what, loss) in losses() {
        for (rows, classes) in [(1, 1), (1, 4), (5, 3)] {
            let x = away_from_zero(1, rows * classes);
            let labels: Vec<u32> = (0..rows).map(|r| (r * 2 % classes) as u32).collect();
            let targets = RowTargets::Classes(&labels);
            let reference = loss.reference(&x, classes, targets);
            let mean = |x: &[f64]| {
                loss.reference(x, classes, targets)
                    .losses
                    .iter()
                    .sum::<f64>()
                    / rows as f64
            };
            let size = reference.losses.iter().sum::<f64>() + 1.0;
            check_gradient(&what, &x, &reference.dx, size, mean);
            for (row, chosen) in x.chunks(classes).zip(&reference.chosen) {
                assert!(row.iter().all(|x| *x <= row[*chosen]), "{what}");
            }
        }
    }
}

#[test]
fn gradients_of_losses_over_numbers_are_central_differences() {
    for (what, loss) in number_losses() {
        for (rows, width) in [(1, 1), (1, 4), (5, 3)] {
            // No element is where a derivative jumps.
            let x = away_from_zero(1, rows * width);
            let wanted: Vec<f64> = x.iter().rev().map(|x| 0.37 * x + 0.013).collect();
            let targets = RowTargets::Numbers(&wanted);
            let reference = loss.reference(&x, width, targets);
            let mean = |x: &[f64]| {
                let losses = loss.reference(x, width, targets).losses;
                losses.iter().sum::<f64>() / rows as f64
            };
            assert_eq!(reference.losses.len(), rows, "{what}");
            let size = reference.losses.iter().sum::<f64>() + 1.0;
            check_gradient(&what, &x, &reference.dx, size, mean);
        }
    }
}

/// A loss that is asked about targets that it does not take has nothing to say.
#[test]
fn losses_have_no_rows_for_targets_of_another_kind() {
    for (what, loss) in losses() {
        let takes = |task: &Task| loss.takes(&Shape::Features(2), task).is_ok();
        let numbers = loss.reference(&[1.0, 2.0], 2, RowTargets::Numbers(&[0.0, 0.0]));
        let both = takes(&Task::Numbers(vec!["a".into(), "b".into()]));
        assert_eq!(numbers.losses.len(), usize::from(both), "{what}");
    }
}

/// Equal outputs: the first counts.
#[test]
fn of_equal_outputs_the_first_is_chosen() {
    for (what, loss) in losses() {
        let chosen = loss
            .reference(
                &[1.0, 2.0, 2.0, 0.0, 0.0, 0.0],
                3,
                RowTargets::Classes(&[2, 1]),
            )
            .chosen;
        assert_eq!(chosen, [1, 0], "{what}");
    }
}

/// Runs an optimizer's reference over a golden run: the weights after each update that the file
/// shows (all, or those in `at`). The gradients come round.
fn reference_run(optimizer: &dyn Optimizer, case: &Case, file: &Case, name: &str) -> Vec<Vec<f64>> {
    let mut parameter = ReferenceParameter {
        w: file.get("start").get(name).data(),
        state: Vec::new(),
        lr_mult: case.get("lr_mult").get(name).number(),
        decay_mult: case.get("decay_mult").get(name).number(),
    };
    let width = parameter.w.len();
    parameter.state = vec![vec![0.0; width]; optimizer.states().len()];
    let gradients = file.get("gradients").get(name).data();
    let cycle = Args::parse(&case.get("schedule").text()).unwrap().read();
    let schedule = Triangular(cycle.unwrap());
    let own = optimizer.momentum().unwrap().value;
    let at = if file.keys().contains(&"at".to_owned()) {
        file.get("at").numbers()
    } else {
        (1..=gradients.len() / width).map(|n| n as f64).collect()
    };
    let mut shown = Vec::new();
    for (step, g) in (0..at[at.len() - 1] as u64).zip(gradients.chunks(width).cycle()) {
        let Rate { lr, momentum } = schedule.at(step);
        let momentum = momentum.unwrap_or(own);
        optimizer.reference(&mut parameter, g, &Update { step, lr, momentum });
        if at.contains(&(step as f64 + 1.0)) {
            shown.push(parameter.w.clone());
        }
    }
    shown
}

#[test]
fn references_of_optimizers_are_pytorchs() {
    for entry in OPTIMIZERS {
        let file = golden::read(&format!("{}.json", entry.name));
        let cases = file.get("cases").list();
        assert!(cases.len() >= 10, "optimizer {}", entry.name);
        for case in cases {
            let arguments = case.get("arguments").text();
            let optimizer = (entry.parse)(Args::parse(&arguments).unwrap()).unwrap();
            optimizer.validate().unwrap();
            for name in ["weight", "bias"] {
                let found = reference_run(&*optimizer, &case, &file, name);
                let wanted = case.get("weights").get(name).data();
                assert_eq!(found.iter().flatten().count(), wanted.len());
                for (step, (found, wanted)) in found.iter().flatten().zip(&wanted).enumerate() {
                    // f64 on both sides, at most a few roundings in each of 20 or 200 steps.
                    let what = case.get("name").text();
                    assert!(
                        (found - wanted).abs() <= 1e-13 * (1.0 + wanted.abs()),
                        "{what}, {name}, element {step}: {found}, PyTorch {wanted}"
                    );
                }
            }
        }
    }
}
