//! Embeddings, whose input are tokens: the reference against central differences and PyTorch's values,
//! the kernels against the reference, and defects that make this fail.

use wavetrain::args::Args;
use wavetrain::gpu::ClassName;
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::Key;
use wavetrain::kernel::program::Phases;
use wavetrain::kernel::{Element, Mode};
use wavetrain::layer::{
    Back, Chain, Embedding, Inventory, Layer, Node, Pass, Reference, ReferenceGradients,
};
use wavetrain::rng::{Key as Words, Stream};
use wavetrain::shape::Shape;

use super::compare::{wide, within};
use super::golden;
use super::layout::{load, load_parameter, poisoned, poisoned_parameter, store};
use super::rounded::sum_error;
use super::stage::{Defect, Stage, fold, step, values};

/// How an embedding is run.
#[derive(Debug, Clone)]
struct Case {
    layer: Embedding,
    samples: usize,
    /// Samples of the batch.
    count: usize,
    steps: usize,
    symbols: usize,
}

impl Case {
    fn new(width: usize, [samples, steps, symbols]: [usize; 3]) -> Self {
        Self {
            layer: Embedding::new(width),
            samples,
            count: samples.div_ceil(2),
            steps,
            symbols,
        }
    }

    fn nodes(&self) -> (Vec<Node>, Inventory) {
        let (steps, symbols) = (self.steps, self.symbols);
        let mut nodes = vec![Node::fit(&self.layer, &Shape::Tokens { steps, symbols }).unwrap()];
        let inventory = Inventory::new(&mut nodes, 0).unwrap();
        (nodes, inventory)
    }

    /// Made-up tokens; some come often.
    fn tokens(&self) -> Vec<u32> {
        let key = Words::new(5, Stream::Bench, 0);
        let token = |i: usize| {
            let [word, often] = key.words(i as u32, 0);
            match often % 3 {
                0 => 0,
                _ => word % self.symbols as u32,
            }
        };
        (0..self.samples * self.steps).map(token).collect()
    }
}

/// What the reference is given.
fn pass<'a>(node: &'a Node, samples: usize, x: &'a [f64], parameters: &'a [Vec<f64>]) -> Pass<'a> {
    Pass {
        node,
        samples,
        x,
        parameters,
        states: &[],
        training: true,
        key: Words::new(1, Stream::Dropout, 2),
    }
}

fn reference(case: &Case, x: &[u32], w: &[f32], dy: &[f32]) -> (Vec<f64>, ReferenceGradients) {
    let (nodes, _) = case.nodes();
    let x: Vec<f64> = x.iter().map(|token| f64::from(*token)).collect();
    let parameters = [wide(w)];
    let pass = pass(&nodes[0], case.samples, &x, &parameters);
    let reference: &dyn Reference = case.layer.reference();
    (
        reference.forward(&pass),
        reference.backward(&pass, &wide(dy)),
    )
}

fn check(stage: &mut Stage, case: &Case) -> Result<(), String> {
    let (nodes, inventory) = case.nodes();
    let chain = Chain {
        nodes: &nodes,
        inventory: &inventory,
    };
    let (site, spec) = (chain.site(0), &inventory.parameters[0].spec);
    let mut b = stage.builder(Mode::Train, case.samples);
    let bytes = 4 * inventory.floats as u64;
    b.shared(Key::Parameters, bytes);
    b.shared(Key::Gradients, bytes);
    let mut x = b.shaped("x", site.input());
    x.element = Element::U32;
    b.keep(x, Key::Kept("x"));
    let forward = Layer::forward(&case.layer, &mut b, &site, x).unwrap();
    let y = forward.y;
    b.keep(y, Key::Kept("y"));
    let dy = b.like("dy", y);
    b.keep(dy, Key::Kept("dy"));
    b.set_phase(Phase::Backward);
    let back = Back {
        x,
        y,
        saved: &forward.saved,
        branches: &forward.branches,
        dy,
        wants_dx: false,
        gate: false,
    };
    assert_eq!(
        Layer::backward(&case.layer, &mut b, &site, &back).unwrap(),
        None
    );
    let mut plan = b.finish();
    if case.samples % 2 == 1 {
        fold(&mut plan);
    }
    let program = stage.realize(&mut plan);
    let width = case.layer.embedding_dim;
    let tokens = case.tokens();
    let mut given = values(2, case.samples * case.steps * width, -1.0, 1.0);
    given[case.count * case.steps * width..].fill(0.0);
    let weights = values(3, spec.shape.iter().product(), -1.0, 1.0);
    let mut stored = vec![0; x.matrix.floats()];
    for (row, own) in tokens.chunks(case.steps).enumerate() {
        stored[row * x.matrix.stride..][..own.len()].copy_from_slice(own);
    }
    stage.write(&Key::Kept("x"), &stored);
    stage.write(&Key::Kept("y"), &poisoned(&y, case.samples));
    stage.write(&Key::Kept("dy"), &store(&dy, &given));
    stage.write(&Key::Parameters, &spec.storage.store(&spec.shape, &weights));
    stage.write(&Key::Gradients, &poisoned_parameter(spec));
    stage.run(&program, Phases::Gradients, &[step(case.count)]);
    let found = stage.read_matrix(&Key::Kept("y"), y.matrix);
    let found = load("y", &y, case.samples, &found)?;
    let gradient = load_parameter(spec, &stage.read(&Key::Gradients, inventory.floats))?;
    let (wanted, gradients) = reference(case, &tokens, &weights, &given);
    within("y", width, &found, &wanted, |_| 0.0)?;
    let magnitudes: Vec<f32> = given.iter().map(|dy| dy.abs()).collect();
    let (_, sums) = reference(case, &tokens, &weights, &magnitudes);
    within("dw", width, &gradient, &gradients.parameters[0], |at| {
        sum_error(tokens.len(), sums.parameters[0][at])
    })
}

fn cases() -> Vec<Case> {
    let sizes = [[1, 1, 2], [1, 7, 3], [3, 5, 65], [5, 65, 11], [2, 64, 1000]];
    let widths = [1, 33, 64, 100];
    let mut cases: Vec<Case> = sizes
        .iter()
        .flat_map(|sizes| widths.map(|width| Case::new(width, *sizes)))
        .collect();
    for case in &mut cases[..8] {
        case.layer.padding_idx = Some(1);
        case.layer.num_embeddings = Some(case.symbols + 3);
    }
    cases
}

#[test]
fn kernels_of_embeddings_equal_their_reference() {
    for mut stage in Stage::all() {
        for case in cases() {
            if let Err(problem) = check(&mut stage, &case) {
                panic!("{} {case:?}: {problem}", stage.class.as_str());
            }
        }
    }
}

#[test]
fn planted_defects_of_embeddings_are_found() {
    let defects = [
        // Another sample's tokens.
        (
            "x[position / dims.steps * dims.x_stride",
            "x[position / (dims.steps + 1u) * dims.x_stride",
        ),
        // The first of equal tokens is forgotten.
        ("sum += own(second, quad)", "sum = own(second, quad)"),
        // The next equal token but one.
        ("- dims.table_rows + 1u;", "- dims.table_rows + 2u;"),
        // A gradient for what fills up.
        ("if symbol == dims.padding {", "if false {"),
        // Padding behind the last token counts as token 0.
        ("& (t < vec4<u32>(dims.steps))", ""),
    ];
    for (from, to) in defects {
        let mut stage = Stage::new(
            ClassName::LanesPlain,
            Some(Defect::new("layer/embedding", from, to)),
        )
        .unwrap();
        let found = cases().iter().any(|case| check(&mut stage, case).is_err());
        assert!(stage.planted > 0 && found, "{from} -> {to}");
    }
}

/// The reference's gradient by the table; tokens have none.
#[test]
fn gradients_of_embeddings_are_central_differences() {
    let case = Case::new(3, [2, 5, 4]);
    let tokens = case.tokens();
    let weights = values(3, 12, -1.0, 1.0);
    let dy = values(2, 30, -1.0, 1.0);
    let value = |weights: &[f32]| -> f64 {
        let (y, _) = reference(&case, &tokens, weights, &dy);
        y.iter().zip(&dy).map(|(y, dy)| y * f64::from(*dy)).sum()
    };
    let (_, gradients) = reference(&case, &tokens, &weights, &dy);
    for at in 0..weights.len() {
        // The function is linear: any distance that f32 holds is right.
        let mut moved = weights.clone();
        moved[at] += 0.25;
        let distance = f64::from(moved[at]) - f64::from(weights[at]);
        let difference = (value(&moved) - value(&weights)) / distance;
        assert!((difference - gradients.parameters[0][at]).abs() < 1e-12);
    }
}

/// torch.nn.Embedding, with and without a token that fills up.
#[test]
fn references_of_embeddings_are_pytorchs() {
    let file = golden::read("layers/embedding.json");
    let cases = file.get("cases").list();
    assert!(cases.len() >= 3);
    for golden in cases {
        let arguments = golden.get("arguments").text();
        let layer: Embedding = Args::parse(&arguments).unwrap().read().unwrap();
        let shape = golden.get("x").shape();
        let case = Case {
            samples: shape[0],
            count: shape[0],
            steps: shape[1],
            symbols: layer.num_embeddings.unwrap(),
            layer,
        };
        let x: Vec<u32> = golden.get("x").data().iter().map(|t| *t as u32).collect();
        let weights = golden.get("parameters").get("weight").floats();
        let (y, gradients) = reference(&case, &x, &weights, &golden.get("dy").floats());
        assert_eq!(y, golden.get("y").data());
        let wanted = golden.get("gradients").get("weight").data();
        for (found, wanted) in gradients.parameters[0].iter().zip(&wanted) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
    }
}

#[test]
fn embeddings_are_refused_in_words() {
    let fit = |layer: &Embedding, shape: Shape| Node::fit(layer, &shape).unwrap_err().problem;
    let tokens = Shape::Tokens {
        steps: 5,
        symbols: 9,
    };
    let problem = fit(&Embedding::new(4), Shape::Features(5));
    assert!(problem.contains("takes tokens"), "{problem}");
    let small = Embedding {
        num_embeddings: Some(8),
        ..Embedding::new(4)
    };
    let problem = fit(&small, tokens);
    assert!(problem.contains("8 rows, but the data has 9"), "{problem}");
    let padding = Embedding {
        padding_idx: Some(9),
        ..Embedding::new(4)
    };
    let problem = fit(&padding, tokens);
    assert!(problem.contains("padding_idx = 9"), "{problem}");
    let linear = wavetrain::layer::Linear::new(3);
    let problem = Node::fit(&linear, &tokens).unwrap_err().problem;
    assert!(
        problem.contains("takes numbers, but its input are 5 tokens"),
        "{problem}"
    );
}
