//! `wavetrain find`: the range test.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::loading;
use super::options::{ConfigOptions, Globals, as_flag};
use super::output::{self, Output};
use super::signals::Signals;
use crate::config::{Bounds, Config, Settled};
use crate::data::Dataset;
use crate::draw::plot;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::lab::find::{self, FindProgress, RangeTest, Verdict, confirm};
use crate::page::range;
use crate::report::folder::RunFolder;
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
    /// Add sweeps, up to 20, until the upper end of both intervals is at most R times the lower
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    until: Option<f64>,
    /// Train a cycle between the bounds, and between a quarter, half, twice and four times of them,
    /// and say which is best
    #[arg(long)]
    confirm: bool,
    /// Steps of each of these cycles [default: an epoch]
    #[arg(
        long,
        value_name = "N",
        requires = "confirm",
        allow_negative_numbers = true
    )]
    cycle_steps: Option<u64>,
    /// Steps of the trial cycles that settle max_lr, at least 20; 0 for the range test alone
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        allow_negative_numbers = true
    )]
    trial_steps: u64,
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
            until: self.until,
            linear: self.linear,
            trial_steps: self.trial_steps,
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
    if let Some(steps) = arguments.cycle_steps {
        let name = [("cycle_steps", "--cycle-steps")];
        confirm::check(steps).map_err(|error| as_flag(error, &name))?;
    }
    // Whoever trains in the folder keeps it.
    let claimed = match &arguments.out {
        Some(path) if arguments.force && path.exists() => Some(RunFolder::claim(path, true)?),
        Some(path) if !arguments.force => RunFolder::refuse_occupied(path).map(|()| None)?,
        _ => None,
    };
    let config = arguments.config.load()?;
    let dataset = loading::load(&config)?;
    let extent = dataset.train.extent();
    let mut trainer = provisional(&config, globals.open()?, dataset)?;
    let signals = Signals::listen();
    let test = tested(arguments, &options, &mut trainer, &signals);
    let test = match test {
        Err(error) => return signals.status_of(error),
        Ok(test) => test,
    };
    output::clear_status();
    let found = test.as_bounds(&options);
    let found = found.map(|bounds| find::between(&config, extent, &bounds));
    let found = found.transpose()?;
    let info = trainer.info();
    let folder = match (claimed, &arguments.out) {
        (Some(folder), _) => folder,
        (None, Some(path)) => RunFolder::claim(path, arguments.force)?,
        (None, None) => RunFolder::fresh(Path::new("runs"), &format!("find-{}", info.data))?,
    };
    let about = range::About {
        data: info.data.clone(),
        test: options.describe(),
        adapter: info.adapter.name.clone(),
        schedule: found.as_ref().map(Settled::schedule_toml),
        steps: found.as_ref().map(|found| found.total_steps),
    };
    let text = found.as_ref().map(Settled::to_toml_with_bounds);
    let page = range::write(&folder, &test, &about, &config.to_toml(), text.as_deref())?;
    if arguments.json {
        let mut told = json!(test);
        told["run"] = json!(folder.path().to_string_lossy());
        output.json(&told)?;
    } else {
        output.text(&shown(&test, &options, output))?;
        if let Some(schedule) = &about.schedule {
            output.text(&to_paste(&folder, &about, schedule))?;
        }
        output.text(&format!("files     {}\n", page.display()))?;
    }
    Ok(match test.verdict {
        Verdict::Ok => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// What to paste into a file, and the commands that use it as it is.
fn to_paste(folder: &RunFolder, about: &range::About, schedule: &str) -> String {
    let mut text = format!("\n{schedule}\n");
    for (command, what) in range::commands(folder, about) {
        text += &format!("# {what}\n{command}\n");
    }
    text + "\n"
}

/// The range test, confirmed where that is wanted.
fn tested(
    arguments: &Arguments,
    options: &find::RangeTestOptions,
    trainer: &mut Trainer,
    signals: &Signals,
) -> Result<RangeTest> {
    let mut test = find::find(trainer, options, &mut |progress| {
        watch(options, progress);
        signals.check("the range test")
    })?;
    match (arguments.confirm, test.verdict) {
        (false, _) => {}
        (true, Verdict::Ok) => confirm(trainer, &mut test, arguments.cycle_steps, signals)?,
        (true, verdict) => output::note(&[format!(
            "--confirm: no cycles are trained, as there are no bounds to confirm (the verdict is {})",
            verdict.name()
        )]),
    }
    Ok(test)
}

/// Trains cycles between the bounds and multiples of them.
fn confirm(
    trainer: &mut Trainer,
    test: &mut RangeTest,
    steps: Option<u64>,
    signals: &Signals,
) -> Result<()> {
    // An epoch, unless that has no steps to speak of.
    let steps = steps.unwrap_or_else(|| trainer.steps_per_epoch().max(find::LEAST_STEPS));
    let found = confirm::confirm(trainer, test, steps, &mut |done, all| {
        output::status(&format!("cycles of {steps} steps, {done} of {all} done"));
        signals.check("confirming the range test")
    })?;
    test.confirmation = Some(found);
    Ok(())
}

/// A trainer whose bounds are to be found where they are `"auto"`.
pub(super) fn provisional(config: &Config, gpu: Arc<Gpu>, dataset: Dataset) -> Result<Trainer> {
    dataset.check()?;
    let samples = dataset.train.len();
    let settled = config.settle(samples, Some(&Bounds::provisional()))?;
    Trainer::settled(gpu, settled, dataset)
}

/// Shows how far the range test is, where a person watches.
pub(super) fn watch(options: &find::RangeTestOptions, progress: FindProgress) {
    output::status(&match progress {
        FindProgress::Sweep { number, step } => {
            let (number, steps) = (number + 1, options.steps);
            let seeds = number.max(options.seeds);
            format!("range test, sweep {number} of {seeds}, step {step} of {steps}")
        }
        FindProgress::Cycle { done } => format!("range test, {done} trial cycles done"),
    });
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
