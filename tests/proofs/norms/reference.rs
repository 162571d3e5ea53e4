//! The references against central differences, and what the layers refuse.

use wavetrain::error::Error;
use wavetrain::kernel::Mode;
use wavetrain::layer::{Layer, Pass};
use wavetrain::rng::{Key, Stream};
use wavetrain::shape::Shape;

use super::super::alone::Alone;
use super::super::compare::wide;
use super::super::stage::values;
use super::kernels::{BATCH_NORMS, RESPONSE_NORMS};
use super::{make, stage};

/// The step of a central difference, about the cube root of f64's precision.
const H: f64 = 6e-6;

fn check(what: &str, x: &[f64], slope: &[f64], f: impl Fn(&[f64]) -> f64) {
    assert_eq!(x.len(), slope.len(), "{what}");
    let mut moved = x.to_vec();
    for i in 0..x.len() {
        moved[i] = x[i] + H;
        let above = f(&moved);
        moved[i] = x[i] - H;
        let below = f(&moved);
        moved[i] = x[i];
        let difference = (above - below) / (2.0 * H);
        // Third derivatives of the functions here are below 200 at these inputs; f is below 100.
        let allowed = 200.0 * H * H + 16.0 * f64::EPSILON * 100.0 / H;
        assert!(
            (difference - slope[i]).abs() <= allowed,
            "{what}, element {i}: the reference says {}, the difference {difference}, allowed is {allowed:e}",
            slope[i]
        );
    }
}

fn check_layer(what: &str, layer: &dyn Layer, input: &[usize], rows: usize, training: bool) {
    let elements: usize = input.iter().product();
    let x = wide(&values(1, rows * elements, -2.0, 2.0));
    let dy = wide(&values(3, rows * elements, -1.0, 1.0));
    let made = |seed: u64, n: usize| wide(&values(seed, n, 0.3, 2.0));
    let alone = Alone::new(layer, input);
    let specs = alone.parameters();
    let parameters: Vec<Vec<f64>> = (10..)
        .zip(&specs)
        .map(|(seed, spec)| made(seed, spec.shape.iter().product()))
        .collect();
    let states: Vec<Vec<f64>> = (20..)
        .zip(alone.states())
        .map(|(seed, spec)| made(seed, spec.len))
        .collect();
    let pass = Pass {
        states: &states,
        training,
        ..alone.pass(rows, &x, &parameters, Key::new(1, Stream::Dropout, 2))
    };
    let loss = |pass: &Pass<'_>| -> f64 {
        let y = layer.reference().forward(pass);
        y.iter().zip(&dy).map(|(y, dy)| y * dy).sum()
    };
    let gradients = layer.reference().backward(&pass, &dy);
    check(&format!("{what}: dx"), &x, &gradients.dx, |x| {
        loss(&Pass { x, ..pass })
    });
    assert_eq!(gradients.parameters.len(), specs.len(), "{what}");
    for (p, spec) in specs.iter().enumerate() {
        let what = format!("{what}: gradient of {}", spec.name);
        check(&what, &parameters[p], &gradients.parameters[p], |w| {
            let mut parameters = parameters.clone();
            parameters[p] = w.to_vec();
            loss(&Pass {
                parameters: &parameters,
                ..pass
            })
        });
    }
}

#[test]
fn gradients_of_normalisations_are_central_differences() {
    let lines = BATCH_NORMS.map(|line| ("batch_norm2d", line));
    let lines = lines
        .into_iter()
        .chain(RESPONSE_NORMS.map(|line| ("local_response_norm", line)));
    for (name, arguments) in lines {
        let layer = make(name, arguments);
        for (rows, input) in [(3, [2, 2, 3]), (2, [7, 1, 2]), (1, [1, 4, 3])] {
            for training in [true, false] {
                let what = format!("{name} {{ {arguments} }} of {rows} x {input:?}, {training}");
                check_layer(&what, &*layer, &input, rows, training);
            }
        }
    }
}

#[test]
fn arguments_that_make_no_layer_are_refused() {
    let refused = [
        ("batch_norm2d", "eps = 0.0", "eps"),
        ("batch_norm2d", "eps = 1e-60", "eps"),
        ("batch_norm2d", "eps = inf", "eps"),
        ("batch_norm2d", "momentum = 1.5", "momentum"),
        ("batch_norm2d", "momentum = nan", "momentum"),
        ("batch_norm2d", "weight = false\nbias = false", "weight"),
        ("batch_norm2d", "weight_init = inf", "weight_init"),
        ("batch_norm2d", "lr_mult = { bias = -1.0 }", "lr_mult"),
        ("local_response_norm", "size = 0", "size"),
        (
            "local_response_norm",
            "size = 4\nwithin_channel = true",
            "size",
        ),
        (
            "local_response_norm",
            "size = 245\nwithin_channel = true",
            "size",
        ),
        (
            "local_response_norm",
            "size = 3\nwithin_channel = true\nk = 2.0",
            "k",
        ),
        ("local_response_norm", "size = 3\nk = 0.0", "k"),
        ("local_response_norm", "size = 3\nalpha = -1.0", "alpha"),
        ("local_response_norm", "size = 3\nbeta = nan", "beta"),
    ];
    for (name, arguments, key) in refused {
        let entry = wavetrain::layer::LAYERS.iter().find(|e| e.name == name);
        let args = wavetrain::args::Args::parse(arguments).unwrap();
        let layer = (entry.unwrap().parse)(args).unwrap();
        let invalid = layer.validate().unwrap_err();
        assert_eq!(invalid.key, key, "{name} {{ {arguments} }}");
        assert!(invalid.message.contains(", but ") || invalid.message.contains("; "));
    }
    for name in ["batch_norm2d", "local_response_norm"] {
        let layer = make(
            name,
            if name == "batch_norm2d" {
                ""
            } else {
                "size = 3"
            },
        );
        let misfit = layer.fit(&Shape::Features(10)).unwrap_err();
        assert!(misfit.problem.contains("[10]"), "{}", misfit.problem);
        let pictures = Shape::of(&[3, 4, 5]).unwrap();
        assert_eq!(layer.fit(&pictures).unwrap().output, pictures);
    }
}

/// One value for each channel has no variance: training refuses, evaluation does not.
#[test]
fn statistics_of_one_value_are_refused() {
    let layer = make(
        "residual",
        "body = [\"tanh\", { batch_norm2d = { affine = false } }]",
    );
    for (batch, input, mode, fits) in [
        (1, [3, 1, 1], Mode::Train, false),
        (2, [3, 1, 1], Mode::Train, true),
        (1, [3, 1, 2], Mode::Train, true),
        (1, [3, 1, 1], Mode::Evaluate, true),
    ] {
        let mut b = stage(None).builder(mode, batch);
        let alone = Alone::new(&*layer, &input);
        let x = b.shaped("x", &alone.node().input);
        let outcome = layer.forward(&mut b, &alone.site(), x);
        assert_eq!(outcome.is_ok(), fits, "{batch} x {input:?}: {outcome:?}");
        if let Err(error) = outcome {
            assert!(matches!(error, Error::Shape { position: 3, .. }), "{error}");
            assert!(error.to_string().contains("3.body.1"), "{error}");
        }
        let least = if input[1] * input[2] == 1 { 2 } else { 1 };
        assert_eq!(alone.node().least_samples(), least);
    }
}

/// What stands in files and tables.
#[test]
fn parameters_and_states_are_pytorchs() {
    let names = |arguments: &str| {
        let layer = make("batch_norm2d", arguments);
        let input = Shape::of(&[8, 2, 2]).unwrap();
        let fit = layer.fit(&input).unwrap();
        let parameters: Vec<String> = fit.parameters.into_iter().map(|p| p.name).collect();
        let states: Vec<String> = fit.states.into_iter().map(|s| s.name).collect();
        (
            parameters.join(" "),
            states.join(" "),
            layer.describe(&input),
        )
    };
    let is = |arguments: &str, wanted: [&str; 3]| {
        let (parameters, states, text) = names(arguments);
        assert_eq!([&*parameters, &*states, &*text], wanted, "{arguments}");
    };
    let running = "running_mean running_var";
    is("", ["weight bias", running, "batch_norm2d(8)"]);
    is(
        "bias = false",
        ["weight", running, "batch_norm2d(8, no bias)"],
    );
    is(
        "weight = false",
        [
            "bias",
            "running_mean running_var weight",
            "batch_norm2d(8, bias only)",
        ],
    );
    is(
        "affine = false",
        ["", running, "batch_norm2d(8, not affine)"],
    );
    let within = make("local_response_norm", "size = 3\nwithin_channel = true");
    assert_eq!(
        within.describe(&Shape::of(&[8, 2, 2]).unwrap()),
        "local_response_norm(3, within channel)"
    );
}
