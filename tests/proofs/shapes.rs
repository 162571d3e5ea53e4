//! What every layer of the table takes: lists, pictures, sequences. What it does not take it refuses by
//! the shape, in one sentence.

use wavetrain::args::Args;
use wavetrain::layer::{LAYERS, Layer, Misfit};
use wavetrain::shape::Shape;

const LIST: &[usize] = &[8];
const PICTURE: &[usize] = &[3, 9, 7];
const SEQUENCE: &[usize] = &[5, 8];

fn make(name: &str, arguments: &str) -> Box<dyn Layer> {
    let entry = LAYERS.iter().find(|entry| entry.name == name).unwrap();
    (entry.parse)(Args::parse(arguments).unwrap()).unwrap()
}

fn fit(layer: &dyn Layer, dims: &[usize]) -> Result<Vec<usize>, Misfit> {
    layer
        .fit(&Shape::of(dims).unwrap())
        .map(|fit| fit.output.dims())
}

/// Whether a layer takes a list, a picture, a sequence.
fn taken(name: &str) -> [bool; 3] {
    match name {
        "conv2d"
        | "max_pool2d"
        | "avg_pool2d"
        | "global_avg_pool"
        | "batch_norm2d"
        | "local_response_norm"
        | "image_rows" => [false, true, false],
        "linear" | "layer_norm" | "rms_norm" => [true, false, true],
        "multihead_attention" | "positional_embedding" | "last" | "lstm" | "gru" | "rnn" => {
            [false, false, true]
        }
        // It takes tokens.
        "embedding" => [false; 3],
        // Element by element, layers inside, and flatten.
        _ => [true, true, true],
    }
}

#[test]
fn every_layer_takes_its_shapes_and_refuses_the_others_by_name() {
    for entry in LAYERS {
        let layer = make(entry.name, entry.example);
        for (dims, taken) in [LIST, PICTURE, SEQUENCE].into_iter().zip(taken(entry.name)) {
            let outcome = fit(&*layer, dims);
            let what = format!("{} of {dims:?}: {outcome:?}", entry.name);
            assert_eq!(outcome.is_ok(), taken, "{what}");
            if let Err(misfit) = outcome {
                assert!(misfit.problem.contains(&format!("{dims:?}")), "{what}");
                assert!(misfit.problem.starts_with("takes "), "{what}");
                assert!(!misfit.problem.contains(". "), "{what}");
                assert!(!misfit.help.is_empty(), "{what}");
            }
        }
    }
}

#[test]
fn sequences_become_lists_and_pictures_sequences() {
    for (name, arguments, from, to) in [
        ("flatten", "", SEQUENCE, &[40][..]),
        ("last", "", SEQUENCE, &[8]),
        ("image_rows", "", PICTURE, &[9, 21]),
        ("linear", "out_features = 3", SEQUENCE, &[5, 3]),
        ("residual", "body = [{ linear = 8 }]", SEQUENCE, SEQUENCE),
        ("multihead_attention", "num_heads = 2", SEQUENCE, SEQUENCE),
    ] {
        assert_eq!(fit(&*make(name, arguments), from).unwrap(), to, "{name}");
    }
}

#[test]
fn heads_divide_the_features() {
    let layer = make("multihead_attention", "num_heads = 3");
    let misfit = fit(&*layer, SEQUENCE).unwrap_err();
    let words = "has 3 heads, but its input 8 features";
    assert!(misfit.problem.starts_with(words), "{}", misfit.problem);
    // As long as one invocation may go through.
    let layer = make("multihead_attention", "num_heads = 1");
    assert!(fit(&*layer, &[19_000, 4]).is_ok());
    let misfit = fit(&*layer, &[20_000, 4]).unwrap_err();
    assert!(misfit.problem.contains("20000"), "{}", misfit.problem);
}

#[test]
fn arguments_that_make_no_layer_are_refused() {
    let refused = [
        ("layer_norm", "eps = 0.0", "eps"),
        ("layer_norm", "eps = nan", "eps"),
        ("layer_norm", "init = { constant = inf }", "init"),
        ("layer_norm", "decay_mult = { weight = -1.0 }", "decay_mult"),
        ("rms_norm", "eps = 1e-60", "eps"),
        ("rms_norm", "lr_mult = { weight = nan }", "lr_mult"),
        ("multihead_attention", "num_heads = 0", "num_heads"),
        (
            "multihead_attention",
            "num_heads = 1\ndropout = 1.0",
            "dropout",
        ),
        (
            "multihead_attention",
            "num_heads = 1\ndropout = nan",
            "dropout",
        ),
        (
            "multihead_attention",
            "num_heads = 1\nout_init = { normal = -1.0 }",
            "out_init",
        ),
        ("positional_embedding", "init = { normal = inf }", "init"),
        ("repeat", "times = 0\nlayers = [\"tanh\"]", "times"),
        ("repeat", "times = 1001\nlayers = [\"tanh\"]", "times"),
        ("repeat", "times = 2\nlayers = []", "layers"),
        (
            "repeat",
            "times = 2\nlayers = [{ dropout = 1.0 }]",
            "layers",
        ),
    ];
    for (name, arguments, key) in refused {
        let invalid = make(name, arguments).validate().unwrap_err();
        assert_eq!(invalid.key, key, "{name} {{ {arguments} }}");
        let message = &invalid.message;
        assert!(
            message.contains(", but ") || message.contains(" has "),
            "{message}"
        );
    }
}

/// How parameters are called and start.
#[test]
fn parameters_are_pytorchs() {
    let layer = make("multihead_attention", "num_heads = 2");
    let fit = layer.fit(&Shape::of(&[5, 300]).unwrap()).unwrap();
    let found: Vec<_> = fit
        .parameters
        .iter()
        .map(|p| (&*p.name, &*p.shape))
        .collect();
    let wanted: [(&str, &[usize]); 4] = [
        ("in_proj_weight", &[900, 300]),
        ("in_proj_bias", &[900]),
        ("out_proj.weight", &[300, 300]),
        ("out_proj.bias", &[300]),
    ];
    assert_eq!(found, wanted);
    let largest = |which: usize| {
        let values = fit.parameters[which].initial_values(1, which);
        values.iter().fold(0.0_f32, |most, v| most.max(v.abs()))
    };
    // sqrt(6 / (300 + 900)), 1 / sqrt(300).
    for (which, bound) in [(0, 0.070_710_68), (1, 0.0), (2, 0.057_735_03), (3, 0.0)] {
        let found = largest(which);
        assert!(found <= bound && found >= 0.999 * bound, "{which}: {found}");
    }
    let started = |name: &str, arguments: &str| {
        let fit = make(name, arguments).fit(&Shape::of(&[5, 300]).unwrap());
        fit.unwrap().parameters[0].initial_values(1, 0)
    };
    assert_eq!(started("layer_norm", ""), [1.0; 300]);
    assert_eq!(started("rms_norm", "init = { constant = 0.5 }"), [0.5; 300]);
    let rows = started("positional_embedding", "");
    let square = rows.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 1500.0;
    // Five standard errors of a variance of 1.
    assert!(
        (square - 1.0).abs() < 5.0 * (2.0_f64 / 1500.0).sqrt(),
        "{square}"
    );
}
