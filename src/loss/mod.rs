//! Losses: one file each, with its dispatch and its f64 reference; the shader carries the
//! same name.

mod cross_entropy;
mod huber;
mod l1;
mod mse;
mod numbers;

pub use crate::args::{Entry, Invalid};
pub use cross_entropy::CrossEntropy;
pub use huber::Huber;
pub use l1::L1;
pub use mse::Mse;

use dyn_clone::DynClone;

use crate::data::{IGNORED, Task};
use crate::error::{Error, Result};
use crate::kernel::builder::{Call, MAX_ITERATIONS, grid};
use crate::kernel::matrix::Portion;
use crate::kernel::plan::Bound;
use crate::kernel::{Builder, Value, shaders};
use crate::onnx::Graph;
use crate::shape::Shape;

/// Rows that one workgroup of a loss kernel owns, and whose sums share a place in the results.
pub const BLOCK: usize = 64;

/// What a loss's dispatch is given.
#[derive(Debug, Clone, Copy)]
pub struct LossSite {
    /// The network's output, a row for each sample or each position of its sequence.
    pub x: Value,
    /// The targets of the whole data set: classes, or numbers.
    pub targets: Bound,
    /// Whether targets are numbers, one for each output, and no classes.
    pub numbers: bool,
    /// The weight of each class, where the loss has weights ([`Loss::class_weights`]).
    pub class_weights: Option<Bound>,
    /// The chunk's list of sample indices.
    pub indices: Bound,
    /// Loss and chosen class of each row.
    pub rows: Bound,
    /// What the chunk returns.
    pub results: Bound,
    /// Places (pairs of floats) between the results of two steps; the first is the optimizer's.
    pub results_stride: usize,
    /// Rows of one sample.
    pub positions: usize,
}

/// What the rows of an output are compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RowTargets<'a> {
    /// The class of each, [`IGNORED`] where none counts.
    Classes(&'a [u32]),
    /// The numbers of each, as many as a row has outputs, one row after the other.
    Numbers(&'a [f64]),
}

/// What the f64 reference of a loss gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LossReference {
    /// The loss of each sample.
    pub losses: Vec<f64>,
    /// The chosen class of each sample: the first of the largest outputs; 0 where targets are numbers.
    pub chosen: Vec<usize>,
    /// Gradient of the mean loss by the network's output.
    pub dx: Vec<f64>,
}

impl LossReference {
    /// A row that does not count.
    fn ignore(&mut self, row: &[f64]) {
        self.losses.push(0.0);
        self.chosen.push(first_largest(row));
        self.dx.extend(row.iter().map(|_| 0.0));
    }
}

/// Number of targets that count; 1 where none does.
fn counting(labels: &[u32]) -> f64 {
    let count = labels.iter().filter(|label| **label != IGNORED).count();
    count.max(1) as f64
}

/// A loss function over the last layer's output and the labels.
pub trait Loss: DynClone + std::fmt::Debug + Send + Sync {
    /// The loss's name in the configuration.
    fn name(&self) -> &'static str;

    /// Refuses arguments that make no loss.
    ///
    /// # Errors
    /// The first argument that is wrong.
    fn validate(&self) -> Result<(), Invalid> {
        Ok(())
    }

    /// All arguments, defaults included, as they would be written in `[loss]`.
    fn arguments(&self) -> toml::Table;

    /// Refuses what it cannot be trained on: `output`, the shape of the network's output for one
    /// sample, and what the data set is about.
    ///
    /// # Errors
    /// [`Error::Argument`] with what it takes.
    fn takes(&self, output: &Shape, task: &Task) -> Result<()>;

    /// Takes from the data what was left to them: what it is about, and how many training samples each
    /// class has; none where that is not known any more.
    ///
    /// # Errors
    /// [`Error::Argument`] for classes that the data do not have.
    fn suit(&mut self, _task: &Task, _counts: &[u64]) -> Result<()> {
        Ok(())
    }

    /// The weight of each class, for a loss that was suited to the data and has weights: the mean over
    /// samples is then that over the weights of their classes.
    fn class_weights(&self) -> &[f32] {
        &[]
    }

    /// Whether classes could have weights (`class_weights`) and nobody gave them any.
    fn could_weigh_classes(&self) -> bool {
        false
    }

    /// The loss of a network that says nothing about any of `classes` classes, where that is known.
    fn of_guessing(&self, _classes: usize) -> Option<f64> {
        None
    }

    /// Appends the loss kernel; gives the gradient by the network's output.
    ///
    /// # Errors
    /// If the adapter cannot run it at this size.
    fn forward(&self, b: &mut Builder, site: &LossSite) -> Result<Value>;

    /// The probability of each class that a row of the network's outputs stands for. The outputs
    /// themselves, for a loss over numbers alone.
    fn probabilities(&self, row: &[f32]) -> Vec<f64> {
        row.iter().copied().map(f64::from).collect()
    }

    /// Appends the operators that make such probabilities of the outputs called `logits`; they become
    /// the graph's output `name` of `shape`.
    fn onnx_head(&self, graph: &mut Graph, logits: &str, name: &str, shape: &[usize]) {
        graph.output(name, shape, "Identity", &[logits], &[]);
    }

    /// Losses, choices and gradient in f64 from the definition; used by the proofs only. `x` has a
    /// row of `width` outputs for each target; the mean is over those that are not [`IGNORED`].
    /// Targets that the loss does not take have no rows.
    fn reference(&self, x: &[f64], width: usize, targets: RowTargets<'_>) -> LossReference;
}

dyn_clone::clone_trait_object!(Loss);

/// What a loss over classes takes: a number for each.
fn takes_classes(loss: &str, output: &Shape, task: &Task) -> Result<()> {
    match (task, output) {
        (Task::Classes(names), Shape::Features(n)) if names.len() == *n => return Ok(()),
        (Task::Tokens(names), Shape::Sequence { features, .. }) if names.len() == *features => {
            return Ok(());
        }
        _ => {}
    }
    let outputs = task.outputs();
    Err(Error::Argument {
        what: "loss.kind".into(),
        found: format!(
            "{loss}, for an output of the shape {output} and a data set of {outputs} {}",
            task.name()
        ),
        expected: "classes, and an output for each of them".into(),
        help: "for numbers to predict set loss.kind = \"mse\"; where whole numbers are classes, data.task = \"classification\"".into(),
    })
}

/// Refuses rows that are too long for one invocation, which runs through its row's quads at most
/// four times (`cross_entropy`: for the largest, the powers and the gradient, and where a row does not
/// count).
fn check_row(classes: usize) -> Result<()> {
    let iterations = 4 * classes.div_ceil(4) + BLOCK;
    if iterations <= MAX_ITERATIONS as usize {
        return Ok(());
    }
    Err(Error::Capacity {
        what: format!("the loss over {classes} classes"),
        needed: format!("{iterations} loop iterations of one invocation"),
        adapter: "a portable kernel".into(),
        available: format!("{MAX_ITERATIONS}"),
        help: "train on fewer classes".into(),
    })
}

/// Appends the dispatch of a loss over classes, or several where the outputs do not fit into one
/// binding; `more` sets the uniform's further fields.
fn dispatch(
    b: &mut Builder,
    shader: &str,
    site: &LossSite,
    more: impl Fn(Call) -> Call,
) -> Result<Value> {
    rows(b, shader, site, |call| {
        let call = call.place("labels", site.targets);
        more(call.u32("positions", site.positions))
    })
}

/// Appends the dispatch of a loss shader for all rows, or several for portions of them.
fn rows(
    b: &mut Builder,
    shader: &str,
    site: &LossSite,
    more: impl Fn(Call) -> Call,
) -> Result<Value> {
    let matrix = site.x.matrix;
    check_row(matrix.cols)?;
    let dx = b.like("dx", site.x);
    for portion in Portion::all(matrix.rows, &[matrix.stride], b.max_binding_bytes()) {
        let (x, part) = portion.of(site.x.bound(), matrix);
        let (dx, _) = portion.of(dx.bound(), matrix);
        let call = Call::new(b.label("loss and gradient"), grid(part.rows, BLOCK)?)
            .matrix(part)
            .place("x", x)
            .place("indices", site.indices)
            .place("dx", dx)
            .place("rows", site.rows)
            .place("results", site.results)
            .u32("first_row", portion.rows.start)
            .u32("results_first", 1)
            .u32("results_stride", site.results_stride)
            .flops(10 * part.rows * part.cols);
        b.dispatch(&shaders::named(shader), "loss", more(call));
    }
    Ok(dx)
}

/// The first of the largest values.
pub(crate) fn first_largest(row: &[f64]) -> usize {
    let larger = |best, at| if row[at] > row[best] { at } else { best };
    (0..row.len()).reduce(larger).unwrap_or(0)
}

/// The table of losses: the only place that lists them.
pub static LOSSES: &[Entry<dyn Loss>] =
    &[cross_entropy::ENTRY, mse::ENTRY, l1::ENTRY, huber::ENTRY];
