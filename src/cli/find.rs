//! `wavetrain find`: the range test.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::loading;
use super::options::{ConfigOptions, Globals, as_flag};
use super::output::{self, Output};
use crate::config::{Bounds, Config};
use crate::data::Dataset;
use crate::draw::plot;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::lab::find::{self, RangeTest, Verdict};
use crate::page::range;
use crate::report::folder::{CONFIG, RunFolder};
use crate::train::Trainer;

/// Finds the bounds of a cyclical rate: raises the rate from low to high and reads the loss
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status 1 where the curve gives no bounds; the verdict says why.")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigOptions,
    /// The lowest rate
    #[arg(
        long,
        value_name = "LR",
        default_value_t = 1e-5,
        allow_negative_numbers = true
    )]
    from: f64,
    /// The highest rate
    #[arg(
        long,
        value_name = "LR",
        default_value_t = 10.0,
        allow_negative_numbers = true
    )]
    to: f64,
    /// Steps from the lowest to the highest rate
    #[arg(
        long,
        value_name = "N",
        default_value_t = 200,
        allow_negative_numbers = true
    )]
    steps: u64,
    /// Sweeps, each with its own initial weights and order of samples
    #[arg(
        long,
        value_name = "K",
        default_value_t = 3,
        allow_negative_numbers = true
    )]
    seeds: u64,
    /// Raise the rate by equal amounts, not by equal factors
    #[arg(long)]
    linear: bool,
    /// The folder for report.html and range.json [default: a new one under runs/]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Take the folder even if it is not empty, and overwrite the files in it
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn options(&self) -> find::RangeTestOptions {
        find::RangeTestOptions {
            from: self.from,
            to: self.to,
            steps: self.steps,
            seeds: self.seeds,
            linear: self.linear,
            keep_weights: false,
        }
    }
}

pub(super) fn run(
    arguments: &Arguments,
    globals: &Globals,
    output: &mut Output,
) -> Result<ExitCode> {
    let options = arguments.options();
    options.check().map_err(|error| as_flag(error, &[]))?;
    if let (Some(path), false) = (&arguments.out, arguments.force) {
        RunFolder::refuse_occupied(path)?;
    }
    let config = arguments.config.load()?;
    let text = config.to_toml();
    let dataset = loading::load(&config)?;
    let mut trainer = provisional(&config, globals.open()?, dataset)?;
    let test = find::find(&mut trainer, &options, &mut |seed, step| {
        watch(&options, seed, step);
    })?;
    output::clear_status();
    let info = trainer.info();
    let folder = match &arguments.out {
        Some(path) => RunFolder::create(path, arguments.force)?,
        None => RunFolder::fresh(Path::new("runs"), &format!("find-{}", info.data))?,
    };
    folder.write(CONFIG, text.as_bytes())?;
    let about = range::About {
        data: info.data.clone(),
        test: options.describe(),
        adapter: info.adapter.name.clone(),
        config: text,
    };
    let page = range::write(&folder, &test, &about)?;
    if arguments.json {
        output.json(&json!(test))?;
    } else {
        output.text(&shown(&test, &options, output))?;
        output.text(&format!("files     {}\n", page.display()))?;
    }
    Ok(match test.verdict {
        Verdict::Ok => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// A trainer whose bounds are to be found where they are `"auto"`.
pub(super) fn provisional(config: &Config, gpu: Arc<Gpu>, dataset: Dataset) -> Result<Trainer> {
    dataset.check()?;
    let samples = dataset.train.len();
    let settled = config.settle(samples, Some(&Bounds::provisional()))?;
    Trainer::settled(gpu, settled, dataset)
}

/// Shows how far the range test is, where a person watches.
pub(super) fn watch(options: &find::RangeTestOptions, seed: u64, step: u64) {
    let (number, seeds, steps) = (seed + 1, options.seeds, options.steps);
    output::status(&format!(
        "range test, sweep {number} of {seeds}, step {step} of {steps}"
    ));
}

fn shown(test: &RangeTest, options: &find::RangeTestOptions, output: &Output) -> String {
    let style = plot::Style {
        colour: output.colour,
        ..plot::Style::default()
    };
    let mut text = format!("{}\n\n", options.describe());
    if let Some(chart) = range::charts(test).first() {
        text += &plot::draw(chart, output.width.min(100), 18, style);
        text.push('\n');
    }
    text += &range::text(test);
    let flags = match test.verdict {
        Verdict::Ok => return text,
        Verdict::NoDivergence => "--to",
        Verdict::Flat => "--steps",
        Verdict::Noisy => "--steps and --seeds",
        Verdict::Short => "--steps and --from",
        Verdict::Diverged => "--from",
    };
    text + &format!("try       another {flags}\n")
}
