//! Figures of the adapter and of whole training steps: `wavetrain bench`.
//!
//! Everything is interleaved: each round measures the multiply-add rate of the adapter, every
//! product and every model once, so that a ratio holds on a machine whose speed drifts. Apart from
//! the multiply-add loop and the empty dispatch, only kernels of training plans are timed.

pub mod against;
mod arithmetic;
pub mod change;
mod child;
pub mod kernels;
mod memory;
mod models;
mod products;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use statrs::statistics::{Data, OrderStatistics};

use crate::error::Result;
use crate::gpu::Gpu;
use crate::train::event::AdapterSummary;

pub use child::{First, first_step};
pub use models::{BenchModel, MODELS};
pub use products::PRODUCTS;

/// What to measure, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchOptions {
    /// Rounds at least; more while `time` is not used up.
    pub rounds: usize,
    /// Time for the rounds.
    pub time: Duration,
    /// Names of the models, all where empty.
    pub models: Vec<String>,
    /// Whether to run the first steps in child processes.
    pub first_steps: bool,
}

impl Default for BenchOptions {
    fn default() -> Self {
        Self {
            rounds: 15,
            time: Duration::from_secs(120),
            models: Vec::new(),
            first_steps: true,
        }
    }
}

/// One product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductFigure {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Terms of each sum.
    pub k: usize,
    /// `nt`, `nn` or `tn`.
    pub form: String,
    /// The kernel class.
    pub kernel: String,
    /// Median over the rounds, copies into textures included.
    pub gflops: f64,
    /// Median over the rounds of the ratio to the round's multiply-add rate.
    pub of_multiply_add: f64,
}

/// Whole training steps of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepFigure {
    /// The model's name.
    pub model: String,
    /// Samples per step.
    pub batch: usize,
    /// Median time of a step over the rounds.
    pub ms: f64,
    /// Arithmetic of the step's products over that time.
    pub gflops: f64,
    /// Median over the rounds of the ratio to the round's multiply-add rate.
    pub of_multiply_add: f64,
    /// Seconds from process start to the end of the first step with an empty shader cache.
    pub first_cold_s: Option<f64>,
    /// The same at the second start.
    pub first_warm_s: Option<f64>,
    /// Largest resident size of that process.
    pub peak_rss_mb: Option<f64>,
    /// Resident size after 500 steps.
    pub rss_500_mb: Option<f64>,
    /// Resident size after 10,000 steps (models with short steps only).
    pub rss_10000_mb: Option<f64>,
}

/// Everything that `bench` measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The adapter.
    pub adapter: AdapterSummary,
    /// Multiply-add rate in registers, median.
    pub fma_gflops: f64,
    /// Time of one dispatch within a pass, median.
    pub dispatch_us: f64,
    /// Matrix products.
    pub gemm: Vec<ProductFigure>,
    /// Whole training steps.
    pub steps: Vec<StepFigure>,
}

/// The median of some measurements; NaN for none.
fn median(values: &[f64]) -> f64 {
    Data::new(values.to_vec()).median()
}

/// Seconds that `work` takes.
fn seconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

/// Measures; `progress` is told what is going on.
///
/// # Errors
/// A device that fails, or an unknown model.
pub fn run(
    gpu: &Arc<Gpu>,
    options: &BenchOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Figures> {
    let chosen = models::chosen(&options.models)?;
    progress("setting up");
    let mut arithmetic = arithmetic::Arithmetic::new(gpu)?;
    let mut products = products::PRODUCTS
        .iter()
        .map(|product| products::Bench::new(gpu, *product))
        .collect::<Result<Vec<_>>>()?;
    let mut steps = chosen
        .iter()
        .map(|model| models::Bench::new(gpu, model))
        .collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    let mut rates = Vec::new();
    let mut dispatches = Vec::new();
    let mut round = 0;
    while round < options.rounds || started.elapsed() < options.time {
        progress(&format!("round {}", round + 1));
        let rate = arithmetic.rate()?;
        rates.push(rate);
        dispatches.push(arithmetic.dispatch()?);
        for product in &mut products {
            product.measure(rate)?;
        }
        for model in &mut steps {
            model.measure(rate)?;
        }
        round += 1;
        if started.elapsed() > 2 * options.time {
            break;
        }
    }
    let class = gpu.class().name().as_str();
    let mut figures = Figures {
        adapter: gpu.description().summary(gpu.class()),
        fma_gflops: median(&rates),
        dispatch_us: median(&dispatches),
        gemm: products.iter().map(|p| p.figure(class)).collect(),
        steps: steps.iter().map(models::Bench::figure).collect(),
    };
    if options.first_steps {
        for figure in &mut figures.steps {
            progress(&format!("first steps of {}", figure.model));
            child::measure(gpu, figure)?;
        }
    }
    Ok(figures)
}
