//! `wavetrain schedule`: draws the schedule before anything is trained.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::options::ConfigOptions;
use super::output::{self, Output};
use crate::config::{Bounds, Config, Length};
use crate::draw::chart::{Chart, Series};
use crate::draw::words::shortened;
use crate::draw::{plot, svg};
use crate::error::{Error, Result};
use crate::lab::lint;
use crate::page::curve::Curve;
use crate::schedule::{self, Framework, Policy};

/// Draws the schedule of a configuration; needs no adapter and no data
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigOptions,
    /// Number of steps instead of the run's own
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Term)]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Draw this preset or file over it, too; may be repeated
    #[arg(long, value_name = "PRESET | CONFIG.toml")]
    and: Vec<PathBuf>,
    /// Take warnings of the linter for errors
    #[arg(long)]
    strict: bool,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A plot of characters with axes
    Term,
    /// step,lr,momentum; a row for each step from 0
    Csv,
    /// An object with the policy, its arguments, the arrays lr and momentum, and warnings
    Json,
    /// A drawing, light and dark
    Svg,
    /// Python to paste into a loop of PyTorch: a scheduler with these values
    Torch,
    /// Python for Keras: a learning_rate with these values
    Keras,
}

impl Format {
    /// Whether programs read it: one schedule, every number known.
    fn is_for_programs(self) -> bool {
        !matches!(self, Self::Term | Self::Svg)
    }

    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Rules of the linter about rates, which a drawing from 0 to 1 does not have.
const ABOUT_RATES: [&str; 2] = ["first_rate", "bounds_ratio"];

/// Rows of characters of one plot.
const ROWS: usize = 18;

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitCode> {
    let format = if arguments.json {
        Format::Json
    } else {
        arguments.format
    };
    let drawn = Drawn::new(arguments, &arguments.config, format)?;
    if !arguments.and.is_empty() {
        return overlay(arguments, format, drawn, output);
    }
    let Drawn { config, .. } = &drawn;
    let title = drawn.title();
    let curve = drawn.curve();
    let file = arguments.output.as_deref();
    match format {
        Format::Csv => output.write_to(file, |out| curve.write_csv(out))?,
        Format::Json => output.write_to(file, |out| curve.write_json(&drawn.findings, out))?,
        Format::Svg => {
            let text = svg::document(&curve.charts(&title));
            output.text_to(file, &text)?;
        }
        Format::Torch | Format::Keras => {
            let text = drawn.code(format)?;
            output.text_to(file, &text)?;
        }
        Format::Term => {
            let mut text = format!("{title}\n\n");
            text += &in_characters(&curve.charts("learning rate"), arguments, output);
            text += &curve.describe();
            for note in config.notes() {
                text += &format!("{note}\n");
            }
            output.text_to(file, &text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One configuration that is drawn.
struct Drawn {
    name: String,
    config: Config,
    schedule: Box<dyn Policy>,
    steps: u64,
    /// What is said of bounds that are not known.
    bounds: &'static str,
    /// What the linter found.
    findings: Vec<lint::Finding>,
}

impl Drawn {
    /// Reads a configuration, and tells what the linter finds in it.
    fn new(arguments: &Arguments, options: &ConfigOptions, format: Format) -> Result<Self> {
        let config = options.load()?;
        refuse_unknown_rates(&config, format)?;
        let bounds = draw_auto(&config, format)?;
        let (total, per_epoch) = length(&config, arguments.steps)?;
        let provisional = Bounds::provisional();
        let schedule = config.schedule_in(per_epoch, total, Some(&provisional))?;
        let mut findings = lint::lint(&lint::RunPlan::new(&config, &*schedule, total, per_epoch));
        if !bounds.is_empty() {
            // Rates that nobody knows yet say nothing.
            findings.retain(|finding| !ABOUT_RATES.contains(&finding.rule));
        }
        output::findings(&findings, arguments.strict)?;
        Ok(Self {
            name: options.name(),
            config,
            schedule,
            steps: arguments.steps.unwrap_or(total),
            bounds,
            findings,
        })
    }

    fn title(&self) -> String {
        let depends = match self.schedule.reads_evaluations() {
            true => " (drawn as if every evaluation were better than the one before)",
            false => "",
        };
        format!(
            "{}{}{depends}",
            shortened(&self.schedule.describe()),
            self.bounds
        )
    }

    /// The schedule as Python.
    fn code(&self, format: Format) -> Result<String> {
        let framework = match format {
            Format::Keras => Framework::Keras,
            _ => Framework::Torch,
        };
        let momentum = self.config.optimizer.momentum().map(|m| m.value);
        let code = schedule::code(&*self.schedule, momentum, self.steps, framework);
        code.map_err(|invalid| Error::Argument {
            what: "--format".to_owned(),
            found: format!(
                "{}, of a schedule whose {} {}",
                format.name(),
                invalid.key,
                invalid.message
            ),
            expected: "a schedule that can be written so".to_owned(),
            help: "--format csv writes the rate of every step".to_owned(),
        })
    }

    fn curve(&self) -> Curve<'_> {
        let momentum = self.config.optimizer.momentum().map(|m| m.value);
        Curve::new(&*self.schedule, momentum, self.steps)
    }
}

/// Several schedules over common axes.
fn overlay(
    arguments: &Arguments,
    format: Format,
    first: Drawn,
    output: &mut Output,
) -> Result<ExitCode> {
    if format.is_for_programs() {
        return Err(Error::Argument {
            what: "--and".to_owned(),
            found: format!("several schedules, as {}", format.name()),
            expected: "one schedule where a program reads it".to_owned(),
            help: "write each by a command of its own, or use --format term or svg".to_owned(),
        });
    }
    let mut drawn = vec![first];
    for path in &arguments.and {
        let options = arguments.config.of(path);
        drawn.push(Drawn::new(arguments, &options, format)?);
    }
    let mut chart = Chart {
        whole_x: true,
        ..Chart::new("learning rate", "step")
    };
    let mut text = String::new();
    for one in &drawn {
        let line = one.curve().charts("learning rate").swap_remove(0).series;
        let points = line.into_iter().next().map(|line| line.points);
        chart = chart.with(Series::new(one.name.clone(), points.unwrap_or_default()));
        text += &format!("{}: {}, {} steps\n", one.name, one.title(), one.steps);
    }
    let file = arguments.output.as_deref();
    let text = match format {
        Format::Svg => svg::document(&[chart]),
        _ => format!("{}{text}", in_characters(&[chart], arguments, output)),
    };
    output.text_to(file, &text)?;
    Ok(ExitCode::SUCCESS)
}

/// Charts as plots of characters, for the terminal or for a file.
fn in_characters(charts: &[Chart], arguments: &Arguments, output: &Output) -> String {
    let file = arguments.output.is_some();
    let style = plot::Style {
        colour: output.colour && !file,
        ..plot::Style::default()
    };
    let width = if file { 80 } else { output.width.min(120) };
    let plots = charts
        .iter()
        .map(|chart| plot::draw(chart, width, ROWS, style) + "\n");
    plots.collect()
}

/// What is said where bounds are `"auto"`, which are drawn from 0 to 1. Numbers that nobody knows yet
/// are not written for programs to read.
fn draw_auto(config: &Config, format: Format) -> Result<&'static str> {
    if !config.schedule.wants_bounds() {
        return Ok("");
    }
    if format.is_for_programs() {
        return Err(Error::Argument {
            what: "--format".to_owned(),
            found: format!("{}, of a schedule whose bounds are \"auto\"", format.name()),
            expected: "bounds that are numbers".to_owned(),
            help: "`wavetrain find` finds them: set its base_lr and max_lr with --set \
                   schedule.base_lr=... and so on; the config.toml of a run has them already"
                .to_owned(),
        });
    }
    Ok(" (\"auto\" is drawn from 0 to 1; `wavetrain find` finds the bounds)")
}

/// Rates that follow from evaluations are not known before the run, so no program should read them.
fn refuse_unknown_rates(config: &Config, format: Format) -> Result<()> {
    // PyTorch has a scheduler that is told evaluations, too.
    if !config.schedule.sample().reads_evaluations()
        || !format.is_for_programs()
        || format == Format::Torch
    {
        return Ok(());
    }
    Err(Error::Argument {
        what: "--format".to_owned(),
        found: format!(
            "{}, of a schedule whose rates follow from evaluations",
            format.name()
        ),
        expected: "a schedule that is known before the run".to_owned(),
        help: "metrics.csv in the folder of a run holds the rates that it had; --format term and \
               svg draw the rates as if every evaluation were better than the one before"
            .to_owned(),
    })
}

/// The steps of the run of `config`, and those of an epoch where that is known, without reading any
/// data.
fn length(config: &Config, wanted: Option<u64>) -> Result<(u64, Option<u64>)> {
    Ok(
        match (config.train.length(), config.data.known_samples(), wanted) {
            (_, Some(samples), _) => {
                let per_epoch = config.steps_per_epoch(samples)?;
                (config.total_steps(samples)?, Some(per_epoch))
            }
            (Length::Steps(steps), None, _) => (steps, None),
            // The steps that were given are those of the run's epochs.
            (Length::Epochs(epochs), None, Some(steps)) => (steps, steps.checked_div(epochs)),
            (Length::Epochs(epochs), None, None) => {
                return Err(Error::Argument {
                    what: "--steps".to_owned(),
                    found: format!(
                        "not given, and how many steps {epochs} epochs are is known only when {} is read",
                        config.data.source.name()
                    ),
                    expected: "a number of steps".to_owned(),
                    help:
                        "add --steps N (training samples divided by data.batch, times the epochs)"
                            .to_owned(),
                });
            }
        },
    )
}
