//! The comparison of a run with the reference, within bounds derived from the sums.

use wavetrain::kernel::Mode;
use wavetrain::layer::{Layer, Pass};
use wavetrain::rng::{Key, Stream};

use super::alone::Alone;
use super::case::{Case, Found, Given, run};
use super::compare::{magnitudes, wide, within};
use super::followed::Follow;
use super::parts;
use super::recurrent;
use super::rounded::{Num, sum_error};
use super::stage::{RUN_SEED, RUN_STEP, Stage};
use super::table::Bounds;

/// The second proof for one case with made-up numbers: `Ok` where y, dx and the gradients of the
/// parameters are within the bounds of the reference's.
pub(crate) fn check(
    stage: &mut Stage,
    layer: &dyn Layer,
    bounds: &Bounds,
    case: &Case,
) -> Result<(), String> {
    let case = case.fitted(layer);
    check_given(stage, layer, bounds, &case, &Given::new(layer, &case))
}

/// The second proof for one case with given numbers.
pub(crate) fn check_given(
    stage: &mut Stage,
    layer: &dyn Layer,
    bounds: &Bounds,
    case: &Case,
    given: &Given,
) -> Result<(), String> {
    if !parts::is_mine() {
        return Ok(());
    }
    let wanted = Wanted::new(layer, case, given);
    let limits = Limits::new(layer, bounds, case, given, &wanted);
    run(stage, layer, case, given)
        .and_then(|found| compare(case, &found, &wanted, &limits))
        .map_err(|problem| format!("{} {case:?}: {problem}", stage.class.as_str()))
}

fn compare(case: &Case, found: &Found, wanted: &Wanted, limits: &Limits) -> Result<(), String> {
    let inputs: usize = case.input.iter().product();
    let outputs = wanted.y.len() / case.rows;
    within("y", outputs, &found.y, &wanted.y, |i| limits.y[i])?;
    if case.mode == Mode::Evaluate {
        return Ok(());
    }
    within("dx", inputs, &found.dx, &wanted.dx, |i| limits.dx[i])?;
    for (i, (got, want)) in found.gradients.iter().zip(&wanted.gradients).enumerate() {
        let what = format!("gradient of parameter {i}");
        within(&what, inputs, got, want, |e| limits.gradients[i][e])?;
    }
    if found.dx[case.count * inputs..].iter().any(|dx| *dx != 0.0) {
        return Err("dx of an idle row is not zero".into());
    }
    Ok(())
}

/// What the reference says.
pub(crate) struct Wanted {
    pub(crate) y: Vec<f64>,
    pub(crate) dx: Vec<f64>,
    pub(crate) gradients: Vec<Vec<f64>>,
}

impl Wanted {
    pub(crate) fn new(layer: &dyn Layer, case: &Case, given: &Given) -> Self {
        let alone = Alone::new(layer, &case.input);
        let states = alone.states().iter().zip(&given.carried);
        let states: Vec<Vec<f64>> = states
            .map(|(spec, values)| {
                // Samples beyond the batch begin at zero.
                let active = if case.carry { case.count * spec.len } else { 0 };
                let mut values = wide(values);
                values[active..].fill(0.0);
                values
            })
            .collect();
        Self::with(layer, case, given, &states)
    }

    /// The same from given states.
    pub(crate) fn with(layer: &dyn Layer, case: &Case, given: &Given, states: &[Vec<f64>]) -> Self {
        let (x, dy) = (wide(&given.x), wide(&given.dy));
        let parameters: Vec<Vec<f64>> = given.parameters.iter().map(|p| wide(p)).collect();
        let alone = Alone::new(layer, &case.input);
        let pass = Pass {
            states,
            ..pass(&alone, case, &x, &parameters)
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
            dx: gradients.dx,
            gradients: gradients.parameters,
        }
    }
}

fn pass<'a>(alone: &'a Alone, case: &Case, x: &'a [f64], parameters: &'a [Vec<f64>]) -> Pass<'a> {
    let key = Key::new(RUN_SEED, Stream::Dropout, RUN_STEP);
    Pass {
        training: case.mode == Mode::Train,
        ..alone.pass(case.rows, x, parameters, key)
    }
}

/// The bound of each element.
pub(crate) struct Limits {
    pub(crate) y: Vec<f64>,
    pub(crate) dx: Vec<f64>,
    pub(crate) gradients: Vec<Vec<f64>>,
}

/// The bounds of a case.
pub(crate) fn limits_of(
    layer: &dyn Layer,
    bounds: &Bounds,
    case: &Case,
    given: &Given,
    wanted: &Wanted,
) -> Limits {
    Limits::new(layer, bounds, case, given, wanted)
}

impl Limits {
    fn new(
        layer: &dyn Layer,
        bounds: &Bounds,
        case: &Case,
        given: &Given,
        wanted: &Wanted,
    ) -> Self {
        match bounds {
            Bounds::Products => Self::products(layer, case, given, false),
            Bounds::Chain => Self::products(layer, case, given, true),
            Bounds::Steps => recurrent::limits(layer, case, given),
            Bounds::Chosen => {
                let x = wide(&given.x);
                let dy = magnitudes(&given.dy);
                let alone = Alone::new(layer, &case.input);
                let pass = pass(&alone, case, &x, &[]);
                let gradients = layer.reference().backward(&pass, &dy);
                let windows = dy.len() / case.rows;
                let sums = gradients.dx.into_iter();
                Self {
                    y: vec![0.0; wanted.y.len()],
                    dx: sums.map(|sum| sum_error(windows, sum)).collect(),
                    gradients: Vec::new(),
                }
            }
            Bounds::Followed(follow) => Self::followed(layer, *follow, case, given, wanted),
            Bounds::Elements {
                y: forward,
                dx: backward,
            } => {
                let element = |i: usize| {
                    let x = Num::exact(f64::from(given.x[i]));
                    let y = forward(x).of(wanted.y[i], 0.0);
                    let dy = Num::exact(f64::from(given.dy[i]));
                    (y.error, backward(x, y, dy).error)
                };
                let (y, dx) = (0..given.x.len()).map(element).unzip();
                Self {
                    y,
                    dx,
                    gradients: Vec::new(),
                }
            }
        }
    }

    /// The bounds that come with the same values.
    fn followed(
        layer: &dyn Layer,
        follow: Follow,
        case: &Case,
        given: &Given,
        wanted: &Wanted,
    ) -> Self {
        let (x, dy) = (wide(&given.x), wide(&given.dy));
        let parameters: Vec<Vec<f64>> = given.parameters.iter().map(|p| wide(p)).collect();
        let alone = Alone::new(layer, &case.input);
        let expected = follow(layer, &pass(&alone, case, &x, &parameters), &dy);
        let errors = |what: &str, around: Vec<Num>, wanted: &[f64]| -> Vec<f64> {
            assert_eq!(around.len(), wanted.len(), "{case:?} {what}");
            for (i, (around, wanted)) in around.iter().zip(wanted).enumerate() {
                let near = (around.value - wanted).abs() <= 1e-9 * (1.0 + wanted.abs());
                assert!(near, "{case:?} {what} {i}: {} {wanted}", around.value);
            }
            around.into_iter().map(|around| around.error).collect()
        };
        let parameters = expected.parameters.into_iter().zip(&wanted.gradients);
        Self {
            y: errors("y", expected.y, &wanted.y),
            dx: errors("dx", expected.dx, &wanted.dx),
            gradients: parameters
                .map(|(around, wanted)| errors("gradient", around, wanted))
                .collect(),
        }
    }

    /// The reference of the magnitudes is the sum of magnitudes.
    fn products(layer: &dyn Layer, case: &Case, given: &Given, chain: bool) -> Self {
        let x = magnitudes(&given.x);
        let dy = magnitudes(&given.dy);
        let parameters: Vec<Vec<f64>> = given.parameters.iter().map(|p| magnitudes(p)).collect();
        let alone = Alone::new(layer, &case.input);
        let pass = pass(&alone, case, &x, &parameters);
        let inputs: usize = case.input.iter().product();
        let outputs = dy.len() / case.rows;
        let output = alone.node().output();
        let pixels = output.plane().max(output.elements() / output.features());
        // In a chain each sum's error passes through the sums behind it: roots add up, and
        // sqrt(a) + sqrt(b) <= sqrt(2 (a + b)).
        let all = 2 * (given.parameters.iter().map(Vec::len).sum::<usize>() + inputs + case.rows);
        let bound = |n: usize, sums: Vec<f64>| -> Vec<f64> {
            let n = if chain { all } else { n };
            sums.into_iter().map(|sum| sum_error(n, sum)).collect()
        };
        let y = layer.reference().forward(&pass);
        let gradients = layer.reference().backward(&pass, &dy);
        let parameters = gradients.parameters.into_iter();
        Self {
            y: bound(inputs + 1, y),
            dx: bound(outputs, gradients.dx),
            // A weight of a convolution sums over the pixels of all samples.
            gradients: parameters
                .map(|sums| bound(case.count * pixels, sums))
                .collect(),
        }
    }
}
