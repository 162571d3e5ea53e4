//! What recurrent layers refuse, and what stands in files and tables.

use wavetrain::args::Args;
use wavetrain::layer::{Init, LAYERS};
use wavetrain::shape::Shape;

use super::{NAMES, make};

#[test]
fn arguments_that_make_no_layer_are_refused() {
    for name in NAMES {
        let entry = LAYERS.iter().find(|entry| entry.name == name).unwrap();
        for (arguments, key) in [
            ("hidden_size = 0", "hidden_size"),
            ("hidden_size = 20000", "hidden_size"),
            ("hidden_size = 4\nnum_layers = 0", "num_layers"),
            ("hidden_size = 4\nnum_layers = 65", "num_layers"),
            ("hidden_size = 4\nnum_layers = 2\ndropout = 1.0", "dropout"),
            ("hidden_size = 4\nnum_layers = 2\ndropout = -0.1", "dropout"),
            ("hidden_size = 4\nnum_layers = 2\ndropout = nan", "dropout"),
            ("hidden_size = 4\ndropout = 0.5", "dropout"),
            ("hidden_size = 4\ninit = { normal = -1.0 }", "init"),
            ("hidden_size = 4\nlr_mult = { bias = -1.0 }", "lr_mult"),
            (
                "hidden_size = 4\ndecay_mult = { weight = inf }",
                "decay_mult",
            ),
        ] {
            let layer = (entry.parse)(Args::parse(arguments).unwrap()).unwrap();
            let invalid = layer.validate().unwrap_err();
            assert_eq!(invalid.key, key, "{name} {{ {arguments} }}");
            assert!(invalid.message.contains(", but "), "{invalid:?}");
        }
        for arguments in [
            "",
            "hidden_size = 4\ncarried = true",
            "hidden_size = 4\nsteps = 3",
        ] {
            assert!(
                (entry.parse)(Args::parse(arguments).unwrap()).is_err(),
                "{arguments}"
            );
        }
    }
    let entry = LAYERS.iter().find(|entry| entry.name == "rnn").unwrap();
    let wrong = Args::parse("hidden_size = 4\nnonlinearity = \"sigmoid\"").unwrap();
    assert!((entry.parse)(wrong).is_err());
}

#[test]
fn only_sequences_are_taken() {
    for name in NAMES {
        let layer = make(name, "hidden_size = 4");
        for (shape, help) in [(&[10][..], "embedding"), (&[1, 4, 5], "each row is a step")] {
            let misfit = layer.fit(&Shape::of(shape).unwrap()).unwrap_err();
            let found = format!("its input has the shape {shape:?}");
            assert!(misfit.problem.contains(&found), "{}", misfit.problem);
            assert!(misfit.help.contains(help), "{}", misfit.help);
        }
        let none = Shape::Sequence {
            steps: 0,
            features: 3,
        };
        assert!(layer.fit(&none).is_err());
    }
}

#[test]
fn parameters_are_pytorchs() {
    let input = Shape::of(&[7, 3]).unwrap();
    for (name, gates) in [("lstm", 4), ("gru", 3), ("rnn", 1)] {
        let layer = make(
            name,
            "hidden_size = 5\nnum_layers = 2\nbidirectional = true",
        );
        let fit = layer.fit(&input).unwrap();
        let found: Vec<String> = fit
            .parameters
            .iter()
            .map(|spec| format!("{} {:?}", spec.name, spec.shape))
            .collect();
        let rows = gates * 5;
        let mut wanted = Vec::new();
        for (layer, inputs) in [(0, 3), (1, 10)] {
            for suffix in ["", "_reverse"] {
                let name = |what: &str| format!("{what}_l{layer}{suffix}");
                wanted.push(format!("{} [{rows}, {inputs}]", name("weight_ih")));
                wanted.push(format!("{} [{rows}, 5]", name("weight_hh")));
                wanted.push(format!("{} [{rows}]", name("bias_ih")));
                wanted.push(format!("{} [{rows}]", name("bias_hh")));
            }
        }
        assert_eq!(found, wanted);
        assert_eq!(fit.output, input.with_features(10));
        assert_eq!(
            layer.describe(&input),
            format!("{name}(3, 5, 2 layers, bidirectional)")
        );
        // Uniform within 1 / sqrt(hidden_size), biases included, whatever comes in.
        let most = 1.0 / 5.0_f32.sqrt();
        for (position, spec) in fit.parameters.iter().enumerate() {
            let values = spec.initial_values(1, position);
            let largest = values.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
            assert!(largest <= most && largest > 0.5 * most, "{}", spec.name);
        }
        let layer = make(
            name,
            "hidden_size = 5\nbias = false\ninit = { constant = 0.5 }",
        );
        let fit = layer.fit(&input).unwrap();
        assert_eq!(fit.parameters.len(), 2);
        assert_eq!(fit.parameters[0].init, Init::Constant(0.5));
        assert_eq!(layer.describe(&input), format!("{name}(3, 5, no bias)"));
        let layer = make(name, "hidden_size = 5\ninit = \"xavier_uniform\"");
        let fit = layer.fit(&input).unwrap();
        assert_eq!(fit.parameters[2].init, Init::Constant(0.0));
        assert_eq!(
            (fit.parameters[0].fan_in, fit.parameters[0].fan_out),
            (3, rows)
        );
    }
}
