//! Embeddings whose table a recurrent layer behind takes: the same as row by row, within rounding.

use wavetrain::args::Args;
use wavetrain::gpu::ClassName;
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::Key;
use wavetrain::kernel::program::Phases;
use wavetrain::kernel::{Element, Mode};
use wavetrain::layer::chain::{reference_backward, reference_forward};
use wavetrain::layer::{Chain, Embedding, Inventory, LAYERS, Layer, Node, Pass};
use wavetrain::rng::{Key as Words, Stream};
use wavetrain::shape::Shape;

use super::compare::wide;
use super::layout::{load, load_parameter, poisoned, poisoned_parameter, store};
use super::rounded::U;
use super::stage::{Defect, Stage, fold, step, values};

/// How often as far from the reference as row by row: sums of other lengths in another order.
const SMALL_MULTIPLE: f64 = 4.0;

struct Case {
    /// The recurrent layer and its arguments.
    name: &'static str,
    arguments: &'static str,
    width: usize,
    samples: usize,
    steps: usize,
    symbols: usize,
}

const CASES: [Case; 5] = [
    case("lstm", "hidden_size = 9", 5, [6, 7, 3]),
    case(
        "gru",
        "hidden_size = 33\nbidirectional = true",
        12,
        [5, 4, 9],
    ),
    case("rnn", "hidden_size = 4\nnum_layers = 2", 33, [3, 65, 65]),
    case(
        "lstm",
        "hidden_size = 20\nnum_layers = 2\nbidirectional = true\nbias = false",
        64,
        [33, 3, 2],
    ),
    case("gru", "hidden_size = 1\nbias = false", 1, [2, 1, 1]),
];

const fn case(
    name: &'static str,
    arguments: &'static str,
    width: usize,
    [samples, steps, symbols]: [usize; 3],
) -> Case {
    Case {
        name,
        arguments,
        width,
        samples,
        steps,
        symbols,
    }
}

/// The outputs and all gradients, as the kernels and as the reference give them.
struct Found {
    kernels: Vec<Vec<f32>>,
    reference: Vec<Vec<f64>>,
    /// Dispatches that look rows of a table up.
    looked_up: usize,
}

impl Case {
    /// Embedding and layer. A token that fills up and never comes keeps the table where it is.
    fn nodes(&self, by_token: bool) -> (Vec<Node>, Inventory) {
        let entry = LAYERS.iter().find(|entry| entry.name == self.name).unwrap();
        let embedding = Embedding {
            num_embeddings: Some(self.symbols + 1),
            padding_idx: (!by_token).then_some(self.symbols),
            ..Embedding::new(self.width)
        };
        let layers: [Box<dyn Layer>; 2] = [
            Box::new(embedding),
            (entry.parse)(Args::parse(self.arguments).unwrap()).unwrap(),
        ];
        let input = Shape::Tokens {
            steps: self.steps,
            symbols: self.symbols,
        };
        let mut nodes = Node::fit_all(&layers, &input).unwrap();
        let inventory = Inventory::new(&mut nodes, 0).unwrap();
        (nodes, inventory)
    }

    fn run(&self, stage: &mut Stage, by_token: bool, mode: Mode) -> Found {
        let (nodes, inventory) = self.nodes(by_token);
        let chain = Chain {
            nodes: &nodes,
            inventory: &inventory,
        };
        let mut b = stage.builder(mode, self.samples);
        let bytes = 4 * inventory.floats as u64;
        b.shared(Key::Parameters, bytes);
        b.shared(Key::Gradients, bytes);
        let mut x = b.shaped("x", &nodes[0].input);
        x.element = Element::U32;
        b.keep(x, Key::Kept("x"));
        let trace = chain.forward(&mut b, x).unwrap();
        let y = trace.output();
        b.keep(y, Key::Kept("y"));
        let dy = b.like("dy", y);
        b.keep(dy, Key::Kept("dy"));
        if mode == Mode::Train {
            b.set_phase(Phase::Backward);
            chain.backward(&mut b, &trace, dy, false).unwrap();
        }
        let mut plan = b.finish();
        let label = |op: &wavetrain::kernel::plan::Op| match op {
            wavetrain::kernel::plan::Op::Dispatch(dispatch) => dispatch.label.contains("look up"),
            _ => false,
        };
        let looked_up = plan.forward.iter().filter(|op| label(op)).count();
        fold(&mut plan);
        let program = stage.realize(&mut plan);
        let key = Words::new(11, Stream::Bench, 0);
        let positions = self.samples * self.steps;
        let token = |i: usize| key.words(i as u32, 0)[0] % self.symbols as u32;
        let tokens: Vec<u32> = (0..positions).map(token).collect();
        let mut stored = vec![0; x.matrix.floats()];
        for (row, own) in tokens.chunks(self.steps).enumerate() {
            stored[row * x.matrix.stride..][..own.len()].copy_from_slice(own);
        }
        let given = values(2, positions * y.shape.features(), -1.0, 1.0);
        let (mut weights, mut parameters, mut gradients) = (Vec::new(), Vec::new(), Vec::new());
        for (seed, parameter) in (3..).zip(&inventory.parameters) {
            let spec = &parameter.spec;
            let own = values(seed, spec.shape.iter().product(), -0.5, 0.5);
            parameters.extend(spec.storage.store(&spec.shape, &own));
            gradients.extend(poisoned_parameter(spec));
            weights.push(wide(&own));
        }
        stage.write(&Key::Kept("x"), &stored);
        stage.write(&Key::Kept("y"), &poisoned(&y, self.samples));
        stage.write(&Key::Kept("dy"), &store(&dy, &given));
        stage.write(&Key::Parameters, &parameters);
        stage.write(&Key::Gradients, &gradients);
        stage.run(&program, Phases::Gradients, &[step(self.samples)]);
        let found = stage.read_matrix(&Key::Kept("y"), y.matrix);
        let mut kernels = vec![load("y", &y, self.samples, &found).unwrap()];
        let pass = Pass {
            node: &nodes[0],
            samples: self.samples,
            x: &tokens
                .iter()
                .map(|token| f64::from(*token))
                .collect::<Vec<_>>(),
            parameters: &weights,
            states: &[],
            training: true,
            key: Words::new(1, Stream::Dropout, 2),
        };
        let mut reference = vec![reference_forward(&nodes, &pass).pop().unwrap()];
        if mode == Mode::Train {
            let all: Vec<f32> = stage.read(&Key::Gradients, inventory.floats);
            let mut rest = &all[..];
            for parameter in &inventory.parameters {
                let (own, behind) = rest.split_at(parameter.place.matrix.floats());
                kernels.push(load_parameter(&parameter.spec, own).unwrap());
                rest = behind;
            }
            reference.extend(reference_backward(&nodes, &pass, &wide(&given)).parameters);
        }
        Found {
            kernels,
            reference,
            looked_up,
        }
    }
}

/// How far each value is from the reference at most, and the reference's largest.
fn off(found: &Found, at: usize) -> [f64; 2] {
    let (kernels, reference) = (&found.kernels[at], &found.reference[at]);
    assert_eq!(kernels.len(), reference.len());
    let pairs = kernels.iter().zip(reference);
    let apart = pairs.map(|(found, wanted)| (f64::from(*found) - wanted).abs());
    [
        apart.fold(0.0, f64::max),
        reference.iter().fold(0.0, |most, v| v.abs().max(most)),
    ]
}

fn check(stage: &mut Stage, case: &Case, mode: Mode) -> Result<(), String> {
    let [by_row, by_token] = [false, true].map(|by_token| case.run(stage, by_token, mode));
    let pays = 2 * (case.symbols + 1) <= case.samples * case.steps;
    if by_row.looked_up != 0 || (by_token.looked_up > 0) != pays {
        return Err(format!("{} dispatches look up", by_token.looked_up));
    }
    if by_row.kernels.len() != by_token.kernels.len() {
        return Err("other gradients".into());
    }
    for at in 0..by_row.kernels.len() {
        let ([limit, largest], [found, _]) = (off(&by_row, at), off(&by_token, at));
        if found.is_nan() || found > SMALL_MULTIPLE * (limit + U * largest) {
            return Err(format!(
                "value {at} is off by {found:e}, row by row by {limit:e}"
            ));
        }
    }
    Ok(())
}

#[test]
fn what_is_made_of_symbols_is_what_is_made_of_positions() {
    for mut stage in Stage::all() {
        for case in &CASES {
            for mode in [Mode::Train, Mode::Evaluate] {
                let found = check(&mut stage, case, mode);
                let (class, name) = (stage.class.as_str(), case.name);
                assert_eq!(found, Ok(()), "{class}: {name} {{ {} }}", case.arguments);
            }
        }
    }
}

#[test]
fn planted_defects_of_tables_are_found() {
    let defects = [
        // The next equal token but one.
        ("- dims.table_rows + 1u;", "- dims.table_rows + 2u;"),
        // The last of four.
        ("sum += own(fourth, quad);", ""),
        // Another symbol's row.
        (
            "min(token(row), dims.table_rows - 1u)",
            "min(token(row) + 1u, dims.table_rows - 1u)",
        ),
        // Another sample's tokens.
        (
            "x[position / dims.steps * dims.x_stride",
            "x[position / (dims.steps + 1u) * dims.x_stride",
        ),
    ];
    for (from, to) in defects {
        let mut stage = Stage::new(
            ClassName::LanesPlain,
            Some(Defect::new("layer/embedding", from, to)),
        )
        .unwrap();
        // Row by row goes wrong in the same way: against the reference.
        let wrong = CASES.iter().any(|case| {
            let found = case.run(&mut stage, true, Mode::Train);
            (0..found.kernels.len()).any(|at| {
                let [off, largest] = off(&found, at);
                off > 1e-3 * largest
            })
        });
        assert!(stage.planted > 0 && wrong, "{from} -> {to}");
    }
}
