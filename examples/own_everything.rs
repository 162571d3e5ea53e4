//! An own layer, policy, loss and optimizer, each with its own shader or formula, chosen by name in a
//! configuration: they train, are saved, read back, predict, and a run goes on from its checkpoint.
//!
//! ```sh
//! cargo run --release --example own_everything
//! ```

use serde::Deserialize;
use wavetrain::args::{Args, Entry};
use wavetrain::config::{Overrides, Tables};
use wavetrain::data::{Targets, Task};
use wavetrain::kernel::builder::grid;
use wavetrain::kernel::source::{INDEX, NUMBERS, NUMERIC, STEP};
use wavetrain::kernel::{Builder, Call, Shader, Value};
use wavetrain::layer::{
    Back, Fit, Forward, LAYERS, Layer, Misfit, Pass, Reference, ReferenceGradients, Site,
};
use wavetrain::loss::{LOSSES, Loss, LossReference, LossSite, RowTargets};
use wavetrain::model::Model;
use wavetrain::optim::{Momentum, OPTIMIZERS, Optimizer, ReferenceParameter, Update, UpdateSite};
use wavetrain::report::checkpoints::newest;
use wavetrain::report::folder::RunFolder;
use wavetrain::report::record::Recorder;
use wavetrain::schedule::{Closure, POLICIES, Policy, Rate};
use wavetrain::shape::Shape;
use wavetrain::train::{Evaluator, Event, Flow};
use wavetrain::{Config, Dataset, Gpu, Result, Samples, Selection, Trainer};

// ---- a layer: softsign, y = x / (1 + |x|) (Bergstra et al. 2009)

const SOFTSIGN: &str = "
struct Dims { rows: u32, cols: u32, stride: u32 }

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
        y[at] = x[at] / (1.0 + abs(x[at]));
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
        let d = 1.0 + abs(x[at]);
        dx[at] = dy[at] / (d * d);
    }
}
";

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Softsign {}

fn softsign(label: String, x: Value) -> Result<Call> {
    let grid = grid(x.matrix.rows * x.matrix.quads(), 64)?;
    Ok(Call::new(label, grid).matrix(x.matrix).value("x", x))
}

impl Layer for Softsign {
    fn name(&self) -> &'static str {
        "softsign"
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit::new(*input))
    }

    fn forward(&self, b: &mut Builder, _: &Site<'_>, x: Value) -> Result<Forward> {
        let y = b.like("y", x);
        let call = softsign(b.label("forward"), x)?.value("y", y);
        b.dispatch(
            &Shader::new("own/softsign", &[&INDEX], SOFTSIGN),
            "forward",
            call,
        );
        Ok(y.into())
    }

    fn backward(&self, b: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let dx = b.like("dx", back.x);
        let call = softsign(b.label("backward"), back.x)?;
        let call = call.value("dy", back.dy).value("dx", dx);
        b.dispatch(
            &Shader::new("own/softsign", &[&INDEX], SOFTSIGN),
            "backward",
            call,
        );
        Ok(Some(dx))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Softsign {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        pass.x.iter().map(|x| x / (1.0 + x.abs())).collect()
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let dx = |(x, dy): (&f64, &f64)| dy / (1.0 + x.abs()).powi(2);
        ReferenceGradients {
            dx: pass.x.iter().zip(dy).map(dx).collect(),
            parameters: Vec::new(),
        }
    }
}

// ---- a loss over numbers: log cosh (x - t); the skeleton `loss/numbers` has the rest of the shader

const LOG_COSH: &str = "
struct Dims {
    rows: u32,
    first_row: u32,
    cols: u32,
    stride: u32,
    results_first: u32,
    results_stride: u32,
    inv_cols: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;

fn number_loss(d: vec4<f32>) -> vec4<f32> {
    // log cosh d = |d| + log(1 + exp(-2 |d|)) - log 2, which does not overflow.
    return abs(d) + log(1.0 + exp(-2.0 * abs(d))) - 0.69314718;
}

fn number_slope(d: vec4<f32>) -> vec4<f32> {
    let e = exp(-2.0 * abs(d));
    return sign(d) * (1.0 - e) / (1.0 + e);
}
";

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogCosh {}

impl Loss for LogCosh {
    fn name(&self) -> &'static str {
        "log_cosh"
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    fn takes(&self, output: &Shape, task: &Task) -> Result<()> {
        // Whatever `l1` takes.
        wavetrain::loss::L1 {}.takes(output, task)
    }

    fn forward(&self, b: &mut Builder, site: &LossSite) -> Result<Value> {
        let (x, matrix) = (site.x, site.x.matrix);
        let dx = b.like("dx", x);
        let call = Call::new(b.label("loss and gradient"), grid(matrix.rows, 64)?)
            .matrix(matrix)
            .value("x", x)
            .place("targets", site.targets)
            .place("indices", site.indices)
            .value("dx", dx)
            .place("rows", site.rows)
            .place("results", site.results)
            .u32("first_row", 0)
            .u32("results_first", 1)
            .u32("results_stride", site.results_stride)
            .f32("inv_cols", 1.0 / matrix.cols as f64);
        let shader = Shader::new("own/log_cosh", &[&STEP, &NUMERIC], LOG_COSH).on(&NUMBERS);
        b.dispatch(&shader, "loss", call);
        Ok(dx)
    }

    fn reference(&self, x: &[f64], width: usize, targets: RowTargets<'_>) -> LossReference {
        let RowTargets::Numbers(targets) = targets else {
            return LossReference::default();
        };
        let d: Vec<f64> = x.iter().zip(targets).map(|(x, t)| x - t).collect();
        let (rows, elements) = (d.chunks(width), d.len() as f64);
        let loss = |row: &[f64]| row.iter().map(|d| d.cosh().ln()).sum::<f64>() / width as f64;
        LossReference {
            losses: rows.clone().map(loss).collect(),
            chosen: rows.map(|_| 0).collect(),
            dx: d.iter().map(|d| d.tanh() / elements).collect(),
        }
    }
}

// ---- an optimizer: the sign of the gradient (Bernstein et al. 2018, "signSGD")

const SIGN: &str = "
struct Dims { quads: u32, results_stride: u32 }

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> multipliers: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> results: array<vec2<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

@compute @workgroup_size(64)
fn update(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.quads {
        return;
    }
    // The record shows the rate that the device used.
    if i == 0u {
        results[step.slot * dims.results_stride] = vec2<f32>(step.lr, 0.0);
    }
    w[i] -= step.lr * multipliers[i / 16u].x * sign(g[i]);
}
";

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {}

impl Optimizer for Sign {
    fn name(&self) -> &'static str {
        "sign"
    }

    fn momentum(&self) -> Option<Momentum> {
        None
    }

    fn normalizes(&self) -> bool {
        true
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    fn describe(&self) -> String {
        "the sign of the gradient".into()
    }

    fn words(&self, _: &Update) -> [f32; 4] {
        [0.0; 4]
    }

    fn states(&self) -> &'static [&'static str] {
        &[]
    }

    fn update(&self, b: &mut Builder, site: &UpdateSite) -> Result<()> {
        let quads = site.floats / 4;
        let call = Call::new(b.label("update"), grid(quads, 64)?)
            .place("w", site.parameters)
            .in_place("w")
            .place("g", site.gradients)
            .place("multipliers", site.multipliers)
            .place("results", site.results)
            .u32("quads", quads)
            .u32("results_stride", site.results_stride);
        b.dispatch(
            &Shader::new("own/sign", &[&STEP, &INDEX], SIGN),
            "update",
            call,
        );
        Ok(())
    }

    fn reference(&self, p: &mut ReferenceParameter, g: &[f64], update: &Update) {
        for (w, g) in p.w.iter_mut().zip(g) {
            *w -= update.lr * p.lr_mult * if *g == 0.0 { 0.0 } else { g.signum() };
        }
    }
}

// ---- the tables, with a policy made of a closure

/// A saw: down from `lr` within each `length` steps.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saw {
    lr: f64,
    length: u64,
}

/// The crate's table with an entry more; for the life of the program, as tables are.
fn with<T: ?Sized>(own: Entry<T>, others: &'static [Entry<T>]) -> &'static [Entry<T>] {
    let copied = others.iter().map(|entry| Entry { ..*entry });
    Box::leak(copied.chain([own]).collect())
}

fn entry<T: ?Sized>(
    name: &'static str,
    arguments: &'static [&'static str],
    parse: fn(Args<'_>) -> Result<Box<T>, toml::de::Error>,
) -> Entry<T> {
    Entry {
        name,
        summary: "",
        arguments,
        short: None,
        example: "",
        parse,
    }
}

fn tables() -> Tables {
    let saw = entry::<dyn Policy>("saw", &["lr", "length"], |args| {
        let Saw { lr, length } = args.read()?;
        let rate = move |step: u64| Rate::new(lr * (1.0 - (step % length) as f64 / length as f64));
        Ok(Box::new(Closure::new("saw", rate)))
    });
    Tables {
        layers: with(
            entry("softsign", &[], |args| {
                Ok(Box::new(args.read::<Softsign>()?))
            }),
            LAYERS,
        ),
        losses: with(
            entry("log_cosh", &[], |args| {
                Ok(Box::new(args.read::<LogCosh>()?))
            }),
            LOSSES,
        ),
        optimizers: with(
            entry("sign", &[], |args| Ok(Box::new(args.read::<Sign>()?))),
            OPTIMIZERS,
        ),
        policies: with(saw, POLICIES),
        ..Tables::default()
    }
}

const CONFIG: &str = r#"
[data]
batch = 32
[model]
layers = [{ linear = 16 }, "softsign", { residual = { body = [{ linear = 16 }, "softsign"] } }, { linear = "outputs" }]
[loss]
kind = "log_cosh"
[optimizer]
kind = "sign"
[schedule]
policy = "saw"
lr = 0.01
length = 100
[train]
steps = 400
[checkpoint]
every = 100
"#;

/// A hill over a square.
fn hill(side: u16, shift: f32) -> Result<Samples> {
    let place = |i: u16| 2.0 * (f32::from(i) + shift) / f32::from(side) - 1.0;
    let points = (0..side).flat_map(|i| (0..side).map(move |j| [place(i), place(j)]));
    let points: Vec<[f32; 2]> = points.collect();
    let height = |[x, y]: &[f32; 2]| 100.0 + 20.0 * (-2.0 * (x * x + y * y)).exp();
    let values = points.iter().map(height).collect();
    let targets = Targets::Numbers { width: 1, values };
    Samples::of_floats(&[2], points.into_flattened(), targets)
}

fn main() -> Result<()> {
    let tables = tables();
    let config = || Config::read("own", CONFIG, &Overrides::default(), &tables);
    let dataset = || {
        let task = Task::Numbers(vec!["height".into()]);
        Dataset::of("hill", hill(40, 0.5)?, hill(23, 0.3)?, task)
    };
    let gpu = std::sync::Arc::new(Gpu::open(&Selection::default())?);
    let home = std::env::temp_dir().join(format!("own_everything-{}", std::process::id()));
    let folder = RunFolder::create(home.clone(), true)?;

    // Trains, and is interrupted after 250 steps.
    let mut recorder = Recorder::new(folder.clone());
    let mut interrupt = |event: &Event<'_>| match event {
        Event::Steps(steps) if steps.iter().any(|step| step.step >= 250) => Ok(Flow::Interrupt),
        _ => Ok(Flow::Continue),
    };
    let mut trainer = Trainer::new(gpu.clone(), config()?, dataset()?)?;
    let summary = trainer.run(&mut [&mut recorder, &mut interrupt])?;
    println!(
        "{} after {} steps",
        summary.ended.name(),
        trainer.info().total_steps.min(summary.steps)
    );

    // Goes on from the newest checkpoint, in another trainer.
    let mut trainer = Trainer::new(gpu.clone(), config()?, dataset()?)?;
    let Some((checkpoint, _)) = newest(&folder).found else {
        panic!("a checkpoint was kept");
    };
    println!("goes on from step {}", checkpoint.step());
    let summary = trainer.resume(&checkpoint, &mut [&mut Recorder::new(folder.clone())])?;
    println!("{} after {} steps", summary.ended.name(), summary.steps);

    // Read back, with the tables that know the names; predicts in the numbers' own unit.
    let model = Model::open_with(
        &folder.file("model.safetensors"),
        tables.layers,
        tables.losses,
    )?;
    let mut evaluator = Evaluator::new(gpu, &model, 256)?;
    let test = hill(23, 0.3)?;
    let all: Vec<u32> = (0..test.len() as u32).collect();
    let outputs = evaluator.run(&test, &all)?;
    if let Some(errors) = outputs.errors {
        println!(
            "RMSE {:.3}, R2 {:.3}; in the middle {:.1}",
            errors.rmse,
            errors.r2,
            outputs.predictions[test.len() / 2]
        );
    }
    std::fs::remove_dir_all(&home).map_err(|error| wavetrain::Error::Io {
        path: home,
        action: "removing",
        source: error,
    })
}
