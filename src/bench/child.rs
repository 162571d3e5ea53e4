//! First steps in child processes: from process start to the end of the first step, once with an
//! empty shader cache and once more.

use std::path::{Path, PathBuf};
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
    let program = Program::this(gpu)?;
    let failed =
        |problem: String| gpu.failure(format!("the first step of {}: {problem}", figure.model));
    let start = |cache: &Path, long| program.first_step(&figure.model, cache, long);
    let cache = tempfile::tempdir().map_err(Error::io(std::env::temp_dir(), "making a folder"))?;
    let (cold, _) = start(cache.path(), false).map_err(failed)?;
    let (warm, mut long) = start(cache.path(), false).map_err(failed)?;
    if named(&figure.model)?.long_run {
        (_, long) = start(cache.path(), true).map_err(failed)?;
    }
    figure.first_cold_s = Some(cold);
    figure.first_warm_s = Some(warm);
    figure.peak_rss_mb = long.peak_rss_mb;
    figure.rss_500_mb = long.rss_500_mb;
    figure.rss_10000_mb = long.rss_10000_mb;
    Ok(())
}

/// A program whose `bench` runs in child processes: this one, or another version of it.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// The file.
    pub(super) path: PathBuf,
    /// The adapter's name and the kernel class that it is told to use.
    adapter: Vec<String>,
}

impl Program {
    /// This program, on the adapter and with the kernels of `gpu`.
    pub(super) fn this(gpu: &Gpu) -> Result<Self> {
        let path = std::env::current_exe().map_err(Error::io("this program", "finding"))?;
        Ok(Self::at(path, gpu))
    }

    /// The program at `path`, on the adapter and with the kernels of `gpu`.
    pub(super) fn at(path: PathBuf, gpu: &Gpu) -> Self {
        let (name, class) = (&gpu.description().name, gpu.class().name());
        Self {
            path,
            adapter: ["--adapter", name, "--kernels", class.as_str()]
                .map(str::to_owned)
                .into(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.arg("bench").args(&self.adapter);
        command.stdin(Stdio::null());
        command
    }

    /// Milliseconds of a training step of a model, measured for about `seconds`.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub(super) fn step(&self, model: &str, seconds: u64) -> Result<f64, String> {
        let out = self
            .command()
            .args(["--json", "--no-first-steps", "--model", model, "--seconds"])
            .arg(seconds.to_string())
            .output()
            .map_err(|error| format!("cannot be started ({error})"))?;
        if !out.status.success() {
            let words = String::from_utf8_lossy(&out.stderr);
            // Drivers say things of their own in front of it.
            let mut lines = words.lines();
            let last = lines.clone().rfind(|line| line.starts_with("error"));
            let last = last.or_else(|| lines.next()).unwrap_or_default();
            return Err(format!("`bench` ended with {}: {last}", out.status));
        }
        let told: Told = serde_json::from_slice(&out.stdout)
            .map_err(|error| format!("`bench --json` tells no figures: {error}"))?;
        let step = told.steps.iter().find(|step| step.model == model);
        step.map(|step| step.ms)
            .filter(|ms| ms.is_finite() && *ms > 0.0)
            .ok_or_else(|| format!("`bench --json` tells no time of {model}"))
    }

    /// Starts it with its shader caches in `cache`; gives the seconds until its first step was done,
    /// and its report.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub(super) fn first_step(
        &self,
        model: &str,
        cache: &Path,
        long: bool,
    ) -> Result<(f64, First), String> {
        use std::io::{BufRead, BufReader};
        let started = Instant::now();
        let mut command = self.command();
        command
            .args(["--first-step", model])
            .args(long.then_some("--long"))
            // Mesa's and NVIDIA's caches on disk.
            .env("MESA_SHADER_CACHE_DIR", cache)
            .env("__GL_SHADER_DISK_CACHE_PATH", cache)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot be started ({error})"))?;
        let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        let mut lines = lines.ok_or("gives no output")?;
        let mark = lines.next();
        let time = started.elapsed().as_secs_f64();
        let report = lines.next();
        let ended = child
            .wait()
            .map_err(|error| format!("cannot be waited for ({error})"))?;
        match (mark, report) {
            (Some(Ok(_)), Some(Ok(report))) if ended.success() => serde_json::from_str(&report)
                .map(|first| (time, first))
                .map_err(|error| format!("tells something else: {error}")),
            _ => Err(format!("the process ended with {ended}")),
        }
    }
}

/// What is read of the figures that another version tells: those that every version has.
#[derive(Debug, Deserialize)]
struct Told {
    steps: Vec<ToldStep>,
}

#[derive(Debug, Deserialize)]
struct ToldStep {
    model: String,
    ms: f64,
}
