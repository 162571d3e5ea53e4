//! `wavetrain bench`: figures of the adapter and of whole training steps.

mod against;
mod kernels;

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::bench::against::{LEAST_ROUNDS, Other};
use crate::bench::change::{self, FigureChange};
use crate::bench::{self, BenchOptions, Figures};
use crate::cli::options::{Globals, as_flag};
use crate::cli::output::{self, Output};
use crate::error::Result;
use crate::gpu::Gpu;

/// Seconds of the rounds.
const SECONDS: u64 = 120;

/// Seconds of the rounds of a table of kernels at most: medians settle sooner than ratios do.
const TABLE_SECONDS: u64 = 30;

/// Measures the adapter, the matrix products and whole training steps, interleaved
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Measure the steps of this model only; may be repeated
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// Seconds for the rounds; with --against for each model in a round [default: 120, with --against 1]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: Option<u64>,
    /// Compare with the figures in this file, which --json wrote
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Compare with another version of this program: both run in turn, a model at a time
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["compare", "kernels_table"])]
    against: Option<PathBuf>,
    /// With --against: rounds, 30 at least [default: 30]
    #[arg(long, value_name = "N", requires = "against", value_parser = clap::value_parser!(u64).range(LEAST_ROUNDS as u64..=10_000))]
    rounds: Option<u64>,
    /// Leave out the first steps in child processes
    #[arg(long)]
    no_first_steps: bool,
    /// Instead: what each kernel of a step takes, from the adapter's timestamps
    #[arg(long, conflicts_with = "compare")]
    kernels_table: bool,
    /// What the child processes do
    #[arg(long, hide = true, value_name = "MODEL")]
    first_step: Option<String>,
    /// In a child process: many steps, for the memory
    #[arg(long, hide = true)]
    long: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    globals: &Globals,
    output: &mut Output,
) -> Result<ExitCode> {
    if let Some(model) = &arguments.first_step {
        return first_step(model, arguments.long, globals, output);
    }
    let before = arguments.compare.as_deref().map(change::read).transpose()?;
    let other = arguments.against.as_deref().map(Other::find).transpose()?;
    let gpu = globals.open()?;
    if let Some(other) = &other {
        return against::run(arguments, other, &gpu, output);
    }
    if arguments.kernels_table {
        return kernels_table(arguments, &gpu, output);
    }
    let options = BenchOptions {
        rounds: 3,
        time: Duration::from_secs(arguments.seconds.unwrap_or(SECONDS)),
        models: arguments.models.clone(),
        first_steps: !arguments.no_first_steps,
    };
    let figures = bench::run(&gpu, &options, &mut |doing| output::status(doing));
    let figures = figures.map_err(|error| as_flag(error, &[]))?;
    output::clear_status();
    let changes = before.map(|before| change::changes(&before, &figures));
    match (arguments.json, changes) {
        (true, None) => output.json(&figures)?,
        (true, Some(changes)) => {
            output.json(&json!({"figures": figures, "changes": changes}))?;
        }
        (false, changes) => {
            output.text(&as_text(&figures))?;
            output.text(&changed(&changes.unwrap_or_default()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn kernels_table(arguments: &Arguments, gpu: &Arc<Gpu>, output: &mut Output) -> Result<ExitCode> {
    let time = Duration::from_secs(arguments.seconds.unwrap_or(SECONDS).min(TABLE_SECONDS));
    let tables = bench::kernels::tables(gpu, &arguments.models, time, &mut |doing| {
        output::status(doing);
    })
    .map_err(|error| as_flag(error, &[]))?;
    output::clear_status();
    match arguments.json {
        true => output.json(&tables)?,
        false => output.text(&kernels::as_text(&tables))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn first_step(model: &str, long: bool, globals: &Globals, output: &mut Output) -> Result<ExitCode> {
    let gpu = globals.open()?;
    let mut told = Ok(());
    let first = bench::first_step(&gpu, model, long, &mut || {
        told = output
            .text("first step done\n")
            .and_then(|()| output.flush());
    })?;
    told?;
    let text = serde_json::to_string(&first).unwrap_or_default();
    output.text(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn changed(changes: &[FigureChange]) -> String {
    let mut text = String::new();
    for (i, change) in changes.iter().enumerate() {
        if i == 0 {
            text += "\nagainst the earlier figures           before       now   times as fast\n";
        }
        let FigureChange {
            what,
            before,
            now,
            speedup,
        } = change;
        let _ = writeln!(text, "{what:<36}{before:>8.3}{now:>10.3}{speedup:>16.3}");
    }
    text
}

fn as_text(figures: &Figures) -> String {
    let adapter = &figures.adapter;
    let mut text = format!(
        "{} ({}), {}, kernels `{}`\n\nmultiply-add in registers {:>8.1} GFLOP/s\none dispatch {:>20.1} us\n",
        adapter.name,
        adapter.kind,
        adapter.driver,
        adapter.class,
        figures.fma_gflops,
        figures.dispatch_us
    );
    text += "\nproduct               GFLOP/s   of the multiply-add rate\n";
    for product in &figures.gemm {
        let shape = format!("{} {}x{}x{}", product.form, product.m, product.n, product.k);
        let share = 100.0 * product.of_multiply_add;
        let _ = writeln!(text, "{shape:<20}{:>9.1}{share:>9.0} %", product.gflops);
    }
    text += "\nmodel       batch   ms/step   GFLOP/s   of multiply-add   first cold   first warm   peak RSS   RSS after 500 and 10,000 steps\n";
    for step in &figures.steps {
        let unit = |value: Option<f64>, unit: &str| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2} {unit}"))
        };
        let _ = writeln!(
            text,
            "{:<12}{:>5}{:>10.3}{:>10.1}{:>16.0} %{:>13}{:>13}{:>11}   {} {}",
            step.model,
            step.batch,
            step.ms,
            step.gflops,
            100.0 * step.of_multiply_add,
            unit(step.first_cold_s, "s"),
            unit(step.first_warm_s, "s"),
            unit(step.peak_rss_mb, "MB"),
            unit(step.rss_500_mb, "MB"),
            unit(step.rss_10000_mb, "MB"),
        );
    }
    text
}
