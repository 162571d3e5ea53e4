//! First steps in child processes: from process start to the end of the first step, once with an
//! empty shader cache and once more.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::StepFigure;
use super::models::{named, trainer};
use crate::error::{Error, Result};
use crate::gpu::Gpu;

/// What a child process reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct First {
    /// Loss of the first step.
    pub loss: f64,
    /// Largest resident size of the process so far, in MB.
    pub peak_rss_mb: Option<f64>,
    /// Resident size after 500 steps, in MB.
    pub rss_500_mb: Option<f64>,
    /// Resident size after 10,000 steps, in MB.
    pub rss_10000_mb: Option<f64>,
}

/// What the child process does: one training step of a model; then `report` is called with nothing
/// but the loss; then, with `long`, 10,000 steps, for the memory.
///
/// # Errors
/// An unknown model, or a device that fails.
pub fn first_step(
    gpu: &Arc<Gpu>,
    model: &str,
    long: bool,
    report: &mut dyn FnMut(),
) -> Result<First> {
    let model = named(model)?;
    let mut trainer = trainer(gpu, model)?;
    let records = trainer.advance(1, 1)?;
    report();
    let mut first = First {
        loss: records.first().map_or(f64::NAN, |record| record.loss),
        peak_rss_mb: resident("VmHWM:"),
        rss_500_mb: None,
        rss_10000_mb: None,
    };
    if long && model.long_run {
        trainer.advance(499, model.chunk)?;
        first.rss_500_mb = resident("VmRSS:");
        trainer.advance(9_500, model.chunk)?;
        first.rss_10000_mb = resident("VmRSS:");
    }
    Ok(first)
}

/// A line of Linux's `/proc/self/status` in MB; nothing on other systems.
fn resident(line: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|text| text.strip_prefix(line))?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}

pub(super) fn measure(gpu: &Gpu, figure: &mut StepFigure) -> Result<()> {
    let cache = tempfile::tempdir().map_err(Error::io(std::env::temp_dir(), "making a folder"))?;
    let (cold, _) = start(gpu, &figure.model, cache.path(), false)?;
    let (warm, mut long) = start(gpu, &figure.model, cache.path(), false)?;
    if named(&figure.model)?.long_run {
        (_, long) = start(gpu, &figure.model, cache.path(), true)?;
    }
    figure.first_cold_s = Some(cold);
    figure.first_warm_s = Some(warm);
    figure.peak_rss_mb = long.peak_rss_mb;
    figure.rss_500_mb = long.rss_500_mb;
    figure.rss_10000_mb = long.rss_10000_mb;
    Ok(())
}

/// Starts a child on the same adapter with its shader caches in `cache`; gives the seconds until
/// its first step was done, and its report.
fn start(gpu: &Gpu, model: &str, cache: &Path, long: bool) -> Result<(f64, First)> {
    use std::io::{BufRead, BufReader};
    let program = std::env::current_exe().map_err(Error::io("this program", "finding"))?;
    let failed = |problem: String| gpu.failure(format!("the first step of {model}: {problem}"));
    let started = Instant::now();
    let mut command = Command::new(&program);
    command
        .args(["bench", "--first-step", model, "--kernels"])
        .arg(gpu.class().name().as_str())
        .args(["--adapter", &gpu.description().name])
        .args(long.then_some("--long"))
        // Mesa's and NVIDIA's caches on disk.
        .env("MESA_SHADER_CACHE_DIR", cache)
        .env("__GL_SHADER_DISK_CACHE_PATH", cache)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(Error::io(&program, "starting"))?;
    let mut lines = child
        .stdout
        .take()
        .map(|out| BufReader::new(out).lines())
        .ok_or_else(|| failed("no output".into()))?;
    let mark = lines.next();
    let time = started.elapsed().as_secs_f64();
    let report = lines.next();
    let ended = child.wait().map_err(Error::io(&program, "waiting for"))?;
    match (mark, report) {
        (Some(Ok(_)), Some(Ok(report))) if ended.success() => serde_json::from_str(&report)
            .map(|first| (time, first))
            .map_err(|error| failed(error.to_string())),
        _ => Err(failed(format!("the process ended with {ended}"))),
    }
}
