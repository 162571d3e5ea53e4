//! `wavetrain schedule`: draws the schedule before anything is trained.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::options::ConfigOptions;
use super::output::Output;
use crate::config::{Bounds, Config, Length};
use crate::error::{Error, Result};
use crate::report::curve::Curve;
use crate::report::{plot, svg};

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
    /// An object with the policy, its arguments and the arrays lr and momentum
    Json,
    /// A drawing, light and dark
    Svg,
}

/// Rows of characters of one plot.
const ROWS: usize = 18;

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitCode> {
    let mut config = arguments.config.load()?;
    let format = if arguments.json {
        Format::Json
    } else {
        arguments.format
    };
    let bounds = draw_auto(&mut config, format)?;
    let steps = settle(&mut config, arguments.steps)?;
    let title = format!("{}{bounds}", config.schedule.describe());
    let curve = Curve::new(config.schedule.as_ref(), config.optimizer.momentum(), steps);
    let file = arguments.output.as_deref();
    match format {
        Format::Csv => output.write_to(file, |out| curve.write_csv(out))?,
        Format::Json => output.write_to(file, |out| curve.write_json(out))?,
        Format::Svg => {
            let text = svg::document(&curve.charts(&title));
            output.write_to(file, |out| out.write_all(text.as_bytes()))?;
        }
        Format::Term => {
            let style = plot::Style {
                colour: output.colour && file.is_none(),
                ..plot::Style::default()
            };
            let width = if file.is_none() {
                output.width.min(120)
            } else {
                80
            };
            let mut text = format!("{title}\n\n");
            for chart in curve.charts("learning rate") {
                text += &plot::draw(&chart, width, ROWS, style);
                text.push('\n');
            }
            text += &curve.describe();
            for note in config.notes() {
                text += &format!("{note}\n");
            }
            output.write_to(file, |out| out.write_all(text.as_bytes()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Sets bounds of 0 and 1 where they are `"auto"`, for a drawing of the shape; the label says so.
/// Numbers that nobody knows yet are not written for programs to read.
fn draw_auto(config: &mut Config, format: Format) -> Result<&'static str> {
    if !config.wants_bounds() {
        return Ok("");
    }
    if matches!(format, Format::Csv | Format::Json) {
        return Err(Error::Argument {
            what: "--format".to_owned(),
            found: "csv or json, of a schedule whose bounds are \"auto\"".to_owned(),
            expected: "bounds that are numbers".to_owned(),
            help: "`wavetrain find` finds them: set its base_lr and max_lr with --set \
                   schedule.base_lr=... and so on; the config.toml of a run has them already"
                .to_owned(),
        });
    }
    config.set_bounds(Bounds {
        base_lr: 0.0,
        max_lr: 1.0,
        from: "a drawing of the shape".to_owned(),
    })?;
    Ok(" (\"auto\" is drawn from 0 to 1; `wavetrain find` finds the bounds)")
}

/// Makes the schedule that is meant in the run of `config`, without reading any data; gives the
/// steps to draw, `wanted` or all of the run.
fn settle(config: &mut Config, wanted: Option<u64>) -> Result<u64> {
    let (per_epoch, total) = match (config.train.length, config.data.source.sizes, wanted) {
        (_, Some(sizes), _) => {
            let per_epoch = config.steps_per_epoch(sizes.train)?;
            (Some(per_epoch), config.total_steps(sizes.train)?)
        }
        (Length::Steps(steps), None, _) => (None, steps),
        // The steps that were given are those of the run's epochs.
        (Length::Epochs(epochs), None, Some(steps)) => (steps.checked_div(epochs), steps),
        (Length::Epochs(epochs), None, None) => {
            return Err(Error::Argument {
                what: "--steps".to_owned(),
                found: format!(
                    "not given, and how many steps {epochs} epochs are is known only when {} is read",
                    config.data.source.name
                ),
                expected: "a number of steps".to_owned(),
                help: "add --steps N (training samples divided by data.batch, times the epochs)"
                    .to_owned(),
            });
        }
    };
    config.settle_in(per_epoch, total)?;
    Ok(wanted.unwrap_or(total))
}
