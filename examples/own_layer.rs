//! Trains with an own layer and its own shader: snake, y = x + sin^2(a x) / a (Ziyin et al. 2020).
//!
//! ```sh
//! cargo run --release --example own_layer
//! ```

use wavetrain::kernel::builder::grid;
use wavetrain::kernel::source::INDEX;
use wavetrain::kernel::{Builder, Call, Shader, Value};
use wavetrain::layer::chain;
use wavetrain::layer::{
    Back, Fit, Forward, Layer, Misfit, Pass, Reference, ReferenceGradients, Site,
};
use wavetrain::rng::Key;
use wavetrain::shape::Shape;
use wavetrain::{Config, Dataset, Gpu, Result, Samples, Selection, Trainer};

/// Rows of a matrix are `stride` vec4s apart; what lies beyond its columns is 0 and stays 0, which
/// holds here because 0 becomes 0. Invocation i owns four neighbouring columns of one row.
const WGSL: &str = "
struct Dims { rows: u32, cols: u32, stride: u32, a: f32 }

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

// Where the four columns of an invocation lie; beyond the buffer for one that has none.
fn place(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    return select(0xffffffffu, i / quads * dims.stride + i % quads, i < dims.rows * quads);
}

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(group, groups, local);
    if at != 0xffffffffu {
        let s = sin(dims.a * x[at]);
        y[at] = x[at] + s * s / dims.a;
    }
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(group, groups, local);
    if at != 0xffffffffu {
        dx[at] = dy[at] * (1.0 + sin(2.0 * dims.a * x[at]));
    }
}
";

#[derive(Debug, Clone)]
struct Snake {
    a: f64,
}

impl Snake {
    /// A dispatch that reads x; bindings and fields of `dims` go by their names in the WGSL.
    fn call(&self, label: String, x: Value) -> Result<Call> {
        let grid = grid(x.matrix.rows * x.matrix.quads(), 64)?;
        let call = Call::new(label, grid).matrix(x.matrix);
        Ok(call.f32("a", self.a).value("x", x))
    }
}

impl Layer for Snake {
    fn name(&self) -> &'static str {
        "snake"
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit::new(*input))
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value) -> Result<Forward> {
        let y = b.like("y", x);
        let call = self.call(b.label("forward"), x)?.value("y", y);
        b.dispatch(&Shader::new("own/snake", &[&INDEX], WGSL), "forward", call);
        Ok(y.into())
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let dx = b.like("dx", back.x);
        let call = self.call(b.label("backward"), back.x)?;
        let call = call.value("dy", back.dy).value("dx", dx);
        b.dispatch(&Shader::new("own/snake", &[&INDEX], WGSL), "backward", call);
        Ok(Some(dx))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Snake {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let y = |x: &f64| x + (self.a * x).sin().powi(2) / self.a;
        pass.x.iter().map(y).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let dx = |(x, dy): (&f64, &f64)| dy * (1.0 + (2.0 * self.a * x).sin());
        ReferenceGradients {
            dx: pass.x.iter().zip(dy).map(dx).collect(),
            parameters: Vec::new(),
        }
    }
}

/// Points of a square; those within a circle are class 1.
fn disc(side: u16, shift: f32) -> Result<Samples> {
    let place = |i: u16| 2.0 * (f32::from(i) + shift) / f32::from(side) - 1.0;
    let points = (0..side).flat_map(|i| (0..side).map(move |j| [place(i), place(j)]));
    let points: Vec<[f32; 2]> = points.collect();
    let inside = |[x, y]: &[f32; 2]| u32::from(x * x + y * y < 0.5);
    let labels = points.iter().map(inside).collect();
    Samples::from_floats(&[2], points.into_flattened(), labels)
}

/// Accuracy of the trained network by the layers' references in f64: what the kernels must agree
/// with.
fn reference(trainer: &Trainer, samples: &Samples) -> Result<f64> {
    let (network, weights) = (trainer.network(), trainer.weights()?);
    let all: Vec<u32> = (0..samples.len() as u32).collect();
    let values = samples.values(&all)?;
    let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<f64>>();
    let own = network
        .parameters()
        .map(|p| &weights.tensors[&p.name].values);
    let pass = Pass {
        node: &network.nodes()[0],
        samples: samples.len(),
        x: &wide(&values),
        parameters: &own.map(|values| wide(values)).collect::<Vec<_>>(),
        states: &[],
        training: false,
        key: Key([0; 2]),
    };
    let values = chain::reference_forward(network.nodes(), &pass);
    let x = &values[values.len() - 1];
    let chosen = x.chunks_exact(2).map(|y| u32::from(y[1] > y[0]));
    let right = chosen
        .zip(samples.labels())
        .filter(|(a, b)| a == *b)
        .count();
    Ok(right as f64 / samples.len() as f64)
}

fn main() -> Result<()> {
    let mut config = Config::parse(
        "this example",
        r#"
        data.batch = 64
        model.layers = [{ linear = 32 }, { linear = 32 }, { linear = 2 }]
        schedule = { policy = "triangular", base_lr = 0.01, max_lr = 0.1, step_size_up = 125 }
        train = { epochs = 20, eval_every = "5 epochs" }
        "#,
    )?;
    config.layers.insert(2, Box::new(Snake { a: 2.0 }));
    config.layers.insert(1, Box::new(Snake { a: 2.0 }));
    let test = disc(20, 0.5)?;
    let dataset = Dataset::new("disc", disc(40, 0.25)?, test.clone(), 2)?;
    let mut trainer = Trainer::new(Gpu::open(&Selection::default())?, config, dataset)?;
    for row in &trainer.info().layers {
        println!("{} {} -> {:?}", row.position, row.layer, row.output);
    }
    let summary = trainer.run(&mut [])?;
    println!(
        "accuracy by the kernels: {:.3}",
        summary.evaluations[0].accuracy
    );
    println!(
        "accuracy by the references: {:.3}",
        reference(&trainer, &test)?
    );
    Ok(())
}
