//! What each kernel of a training step takes: `wavetrain bench --kernels-table`.
//!
//! Times come from timestamps of the device, in interleaved rounds: each measures the multiply-add
//! rate, the rate of a copy through memory, and one step of every model.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::memory::Memory;
use super::{arithmetic, median, models};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::Plan;
use crate::kernel::plan::Op;
use crate::train::Trainer;
use crate::train::event::AdapterSummary;

/// The tables of some models, and the adapter's limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KernelTables {
    /// The adapter.
    pub adapter: AdapterSummary,
    /// Multiply-add rate in registers, median.
    pub fma_gflops: f64,
    /// Bytes read and written per second by a copy larger than caches, in GB/s, median.
    pub copy_gbs: f64,
    /// A table for each model.
    pub models: Vec<KernelTable>,
}

/// The commands of a training step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KernelTable {
    /// The model's name.
    pub model: String,
    /// Samples per step.
    pub batch: usize,
    /// Number of steps that were timed.
    pub steps: usize,
    /// Milliseconds of a step: the sum over its commands.
    pub ms: f64,
    /// The commands in their order.
    pub kernels: Vec<KernelFigure>,
}

/// One command of a training step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KernelFigure {
    /// What it does: layer and kernel (`1 linear: weight gradient`).
    pub label: String,
    /// Shader and entry point; `copy` for a copy into a texture.
    pub kernel: String,
    /// The shapes at work.
    pub shape: String,
    /// Median time in microseconds; `None` for a copy on an adapter that times passes only.
    pub us: Option<f64>,
    /// Share of the step, 0 to 1.
    pub share: f64,
    /// Its arithmetic over its time.
    pub gflops: f64,
    /// The bytes that it must read and write at least once, over its time.
    pub gbs: f64,
    /// The time that the adapter's limits leave it at least (arithmetic at the multiply-add rate,
    /// bytes at the rate of the copy, the longer of the two) over its time. Above 1 where its data
    /// lie in caches.
    pub of_limit: f64,
}

/// One model under measurement.
struct Timed {
    model: &'static models::BenchModel,
    trainer: Trainer,
    /// Seconds of each command, step by step.
    steps: Vec<Vec<Option<f64>>>,
}

/// Steps of each model at least.
const LEAST: usize = 3;

/// Times the kernels of the models called `names` (all where there are none) for about `time`.
///
/// # Errors
/// An unknown model, an adapter without timestamps, or one that fails.
pub fn tables(
    gpu: &Arc<Gpu>,
    names: &[String],
    time: Duration,
    progress: &mut dyn FnMut(&str),
) -> Result<KernelTables> {
    let chosen = models::chosen(names)?;
    progress("setting up");
    let mut arithmetic = arithmetic::Arithmetic::new(gpu)?;
    let mut memory = Memory::new(gpu)?;
    let mut timed = Vec::new();
    for model in chosen {
        let mut trainer = models::trainer(gpu, model)?;
        // The first step compiles.
        trainer.advance_timed()?;
        timed.push(Timed {
            model,
            trainer,
            steps: Vec::new(),
        });
    }
    let started = Instant::now();
    let (mut fma, mut copy) = (Vec::new(), Vec::new());
    while fma.len() < LEAST || started.elapsed() < time {
        progress(&format!("round {}", fma.len() + 1));
        fma.push(arithmetic.rate()?);
        copy.push(memory.rate()?);
        for one in &mut timed {
            one.steps.push(one.trainer.advance_timed()?);
        }
    }
    let limits = (median(&fma), median(&copy));
    Ok(KernelTables {
        adapter: gpu.description().summary(gpu.class()),
        fma_gflops: limits.0,
        copy_gbs: limits.1,
        models: timed.iter().map(|one| one.table(limits)).collect(),
    })
}

impl Timed {
    fn table(&self, limits: (f64, f64)) -> KernelTable {
        let plan = self.trainer.plan();
        let medians = (0..plan.ops().count()).map(|at| {
            let times: Option<Vec<f64>> = self.steps.iter().map(|step| step[at]).collect();
            times.map(|times| median(&times))
        });
        let medians: Vec<Option<f64>> = medians.collect();
        let whole: f64 = medians.iter().flatten().sum();
        let rows = plan.ops().zip(&medians);
        KernelTable {
            model: self.model.name.into(),
            batch: self.model.batch,
            steps: self.steps.len(),
            ms: 1e3 * whole,
            kernels: rows
                .map(|(op, seconds)| figure(plan, op, *seconds, whole, limits))
                .collect(),
        }
    }
}

fn figure(
    plan: &Plan,
    op: &Op,
    seconds: Option<f64>,
    whole: f64,
    (fma, copy): (f64, f64),
) -> KernelFigure {
    let (label, kernel, shape, flops, bytes) = match op {
        Op::Dispatch(dispatch) => {
            let kernel = &plan.kernels[dispatch.kernel];
            (
                dispatch.label.clone(),
                format!("{}::{}", kernel.shader.name, kernel.entry),
                dispatch.shape.clone(),
                dispatch.flops,
                dispatch.bytes,
            )
        }
        Op::CopyToImage { image, .. } => {
            let spec = &plan.images[*image];
            let shape = format!("{}x{}", spec.copied[1], 4 * spec.copied[0]);
            let rows = u64::from(spec.copied[1]) * u64::from(spec.layers.max(1));
            // Read once, written once.
            let bytes = 2 * 16 * u64::from(spec.copied[0]) * rows;
            (spec.name.clone(), "copy".to_owned(), shape, 0, bytes)
        }
    };
    let per_second = |amount: u64| match seconds {
        Some(seconds) if seconds > 0.0 => amount as f64 / seconds / 1e9,
        _ => 0.0,
    };
    let (gflops, gbs) = (per_second(flops), per_second(bytes));
    KernelFigure {
        label,
        kernel,
        shape,
        us: seconds.map(|seconds| 1e6 * seconds),
        share: seconds.unwrap_or(0.0) / whole,
        gflops,
        gbs,
        of_limit: (gflops / fma).max(gbs / copy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Selection;

    #[test]
    fn every_command_of_a_step_has_its_row() {
        let gpu = Arc::new(Gpu::open(&Selection::default()).unwrap());
        let names = ["mlp-64".to_owned()];
        let tables = tables(&gpu, &names, Duration::ZERO, &mut |_| {}).unwrap();
        let trainer = models::trainer(&gpu, models::named("mlp-64").unwrap()).unwrap();
        let labels: Vec<&str> = trainer
            .plan()
            .dispatches()
            .map(|d| d.label.as_str())
            .collect();
        let table = &tables.models[0];
        let rows = table.kernels.iter().filter(|row| row.kernel != "copy");
        assert_eq!(
            rows.map(|row| row.label.as_str()).collect::<Vec<_>>(),
            labels
        );
        let shares: f64 = table.kernels.iter().map(|row| row.share).sum();
        assert!((shares - 1.0).abs() < 1e-9 && table.steps == LEAST);
        let sum: f64 = table.kernels.iter().filter_map(|row| row.us).sum();
        assert!((sum / 1e3 - table.ms).abs() < 1e-9 * table.ms);
        assert!(tables.copy_gbs > 0.0 && tables.fma_gflops > 0.0);
        assert!(table.kernels.iter().all(|row| row.of_limit.is_finite()));
    }
}
