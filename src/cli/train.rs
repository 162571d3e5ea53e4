//! `wavetrain train`: the main job.

mod going_on;
mod lost;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::ProgressDrawTarget;
use serde_json::json;

use super::find;
use super::loading;
use super::options::{ConfigOptions, Globals};
use super::output::{self, Output};
use super::signals::Signals;
use crate::config::Config;
use crate::draw::plot;
use crate::error::{Error, Result};
use crate::lab;
use crate::lab::find::RangeTest;
use crate::lab::learned;
use crate::lab::lint;
use crate::model::Weights;
use crate::page::PageWriter;
use crate::report::folder::{RunFolder, model_file};
use crate::report::record::Recorder;
use crate::report::tensorboard::TensorBoard;
use crate::report::terminal::{Progress, Terminal, TerminalOptions};
use crate::train::{Checkpoint, Ended, Event, Observer, Summary, Trainer};
use going_on::GoingOn;
use lost::{Open, Trained};

/// Trains a network: without arguments the preset `glyphs`, which needs no download
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigOptions,
    /// The run's folder; a run of the same command that is in it goes on from its newest checkpoint
    /// [default: a new one under runs/]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the run in this folder from its newest checkpoint, under its configuration
    #[arg(
        long,
        value_name = "RUN",
        conflicts_with_all = ["config", "out", "force", "init"]
    )]
    resume: Option<PathBuf>,
    /// Go on even under other values of what a run may change (--set); the run keeps a record
    #[arg(long)]
    allow_changed: bool,
    /// Take the folder even if it is not empty, and overwrite the files of a run in it
    #[arg(long)]
    force: bool,
    /// Start from the weights in this file, or of the run in this folder, instead of random ones
    #[arg(long, value_name = "RUN | FILE.safetensors")]
    init: Option<PathBuf>,
    /// Let layers whose shapes differ from those of --init start anew, or else the last one; each is
    /// named
    #[arg(long, requires = "init")]
    new_head: bool,
    /// Take warnings about the schedule for errors
    #[arg(long)]
    strict: bool,
    /// Write scalars for TensorBoard into the run's folder, too
    #[arg(long)]
    tensorboard: bool,
    /// Stop before the first step
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON; all talk goes to standard error
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    globals: &Globals,
    output: &mut Output,
) -> Result<ExitCode> {
    lost::through_loss(arguments, &|| globals.open(), output)
}

/// Trains from step 0.
fn anew(
    arguments: &Arguments,
    open: Open<'_>,
    output: &mut Output,
    folder: Option<RunFolder>,
) -> Result<Trained> {
    let config = arguments.config.load()?;
    let notes = config.notes();
    let log_every = config.train.log_every;
    let auto = config.schedule.wants_bounds();
    let mut trainer = set_up(arguments, open, &config, folder.is_some())?;
    let mut talk = talk(arguments);
    if !auto {
        output::findings(&lint::lint(&lint::RunPlan::of(&trainer)), arguments.strict)?;
    }
    let mut look = look(arguments, output, log_every);
    if arguments.dry_run {
        look.plot = None;
        dry_run(&trainer, Terminal::new(&mut talk, look), &notes, auto)?;
        return Ok(Trained::Over(ExitCode::SUCCESS));
    }
    let signals = Signals::listen();
    let range = match auto {
        true => match range_test(arguments, &mut trainer, &mut talk, &signals) {
            Err(error) => return signals.status_of(error).map(Trained::Over),
            Ok(test) => Some(test),
        },
        false => None,
    };
    if range.is_some() {
        output::findings(&lint::lint(&lint::RunPlan::of(&trainer)), arguments.strict)?;
    }
    let folder = match (folder, &arguments.out) {
        (Some(folder), _) => folder,
        (None, Some(path)) => RunFolder::claim(path, arguments.force)?,
        (None, None) => {
            let name = arguments.config.run_name(&trainer.info().data);
            RunFolder::fresh(Path::new("runs"), &name)?.lock()?
        }
    };
    output::note(&notes);
    if trainer.ends_as_one_cycle() {
        let whole = "no cycle ends within the run: for [cycle_end] its end counts as the only one";
        output::note(&[whole.to_owned()]);
    }
    if let Some([some, all]) = trainer.samples_of_ensemble() {
        let part = format!(
            "snapshots are measured together on {some} of {all} samples, always the same ones: there is no room \
             for the outputs of all"
        );
        output::note(&[part]);
    }
    let watchers = Watchers {
        recorder: Recorder::new(folder.clone()).with_range(range),
        tensorboard: arguments.tensorboard,
        terminal: Terminal::new(&mut talk, named(look, &folder)),
        folder,
        signals,
    };
    train(arguments, output, &mut trainer, None, watchers)
}

/// Trains from a checkpoint.
fn go_on(
    arguments: &Arguments,
    open: Open<'_>,
    output: &mut Output,
    going: GoingOn,
) -> Result<Trained> {
    let notes = going.config.notes();
    let look = look(arguments, output, going.config.train.log_every);
    let dataset = loading::load_to_train(&going.config)?;
    let mut trainer = Trainer::new(open()?, going.config.clone(), dataset)?;
    going.record(&mut trainer, arguments.strict)?;
    if going.wants_lint() {
        let plan = lint::RunPlan {
            // The weights are the checkpoint's.
            frozen_at_random: None,
            ..lint::RunPlan::of(&trainer)
        };
        output::findings(&lint::lint(&plan), arguments.strict)?;
    }
    let mut talk = talk(arguments);
    if arguments.dry_run {
        let look = TerminalOptions { plot: None, ..look };
        dry_run(&trainer, Terminal::new(&mut talk, look), &notes, false)?;
        return Ok(Trained::Over(ExitCode::SUCCESS));
    }
    output::note(&notes);
    let folder = going.folder.clone();
    let watchers = Watchers {
        recorder: Recorder::new(folder.clone()),
        tensorboard: arguments.tensorboard || going.has_tensorboard(),
        terminal: Terminal::new(&mut talk, named(look, &folder)),
        folder,
        signals: Signals::listen(),
    };
    let checkpoint = Some(&going.checkpoint);
    train(arguments, output, &mut trainer, checkpoint, watchers)
}

/// Where the talk goes: standard output belongs to JSON where that is wanted.
fn talk(arguments: &Arguments) -> Box<dyn Write> {
    if arguments.json {
        Box::new(io::stderr())
    } else {
        Box::new(io::stdout())
    }
}

/// The same look, with the run's folder named at the end.
fn named(look: TerminalOptions, folder: &RunFolder) -> TerminalOptions {
    TerminalOptions {
        folder: Some(folder.path().to_owned()),
        ..look
    }
}

/// Who watches a run.
struct Watchers<'w> {
    folder: RunFolder,
    recorder: Recorder,
    tensorboard: bool,
    terminal: Terminal<'w>,
    signals: Signals,
}

/// Trains, from a checkpoint where there is one.
fn train(
    arguments: &Arguments,
    output: &mut Output,
    trainer: &mut Trainer,
    checkpoint: Option<&Checkpoint>,
    watchers: Watchers<'_>,
) -> Result<Trained> {
    let Watchers {
        folder,
        mut recorder,
        mut terminal,
        mut signals,
        ..
    } = watchers;
    let mut page = PageWriter::new(folder.clone());
    let mut tensorboard = TensorBoard::new(&folder);
    // After the recorder, which removes the files of an earlier run and writes what the page shows.
    let mut observers: Vec<&mut dyn Observer> = vec![&mut signals, &mut recorder];
    if watchers.tensorboard {
        observers.push(&mut tensorboard);
    }
    observers.extend([&mut page as &mut dyn Observer, &mut terminal]);
    let ended = match checkpoint {
        None => trainer.run(&mut observers),
        Some(checkpoint) => trainer.resume(checkpoint, &mut observers),
    };
    let summary = match ended {
        Err(diverged @ Error::Diverged { .. }) => {
            going_on::after_divergence(&folder, trainer.schedule());
            return Err(diverged);
        }
        Err(lost @ Error::DeviceLost { .. }) => {
            return Ok(Trained::Lost(folder.path().to_owned(), lost));
        }
        ended => ended?,
    };
    if arguments.json {
        output.json(&as_json(&summary, folder.path()))?;
    }
    if let Some(why) = learned::nothing_learned(trainer.info(), &summary) {
        output::note(&[format!(
            "nothing was learned that shows: {why}; {}",
            learned::HELP
        )]);
    }
    Ok(Trained::Over(match summary.ended {
        Ended::Interrupted => {
            going_on::after_interruption(&folder);
            signals.status()
        }
        _ => ExitCode::SUCCESS,
    }))
}

/// Shows what would be trained.
fn dry_run(trainer: &Trainer, mut shown: Terminal<'_>, notes: &[String], auto: bool) -> Result<()> {
    if auto {
        output::note(&["a range test will find the rates that are \"auto\"".to_owned()]);
    }
    shown.on(&Event::Started(trainer.info()))?;
    output::note(notes);
    output::note(&["dry run: everything is set up, no step is trained".to_owned()]);
    Ok(())
}

/// Data, adapter, network and first weights: everything that can be wrong before a folder is made.
fn set_up(
    arguments: &Arguments,
    open: Open<'_>,
    config: &Config,
    have_folder: bool,
) -> Result<Trainer> {
    let force = arguments.force || arguments.dry_run || have_folder;
    if let (Some(path), false) = (&arguments.out, force) {
        RunFolder::refuse_occupied(path)?;
    }
    let init = arguments
        .init
        .as_deref()
        .map(|path| {
            let file =
                std::path::absolute(model_file(path)?).map_err(Error::io(path, "finding"))?;
            Weights::read(&file).map(|weights| (file, weights))
        })
        .transpose()?;
    let dataset = loading::load_to_train(config)?;
    let mut trainer = find::provisional(config, open()?, dataset)?;
    if let Some((file, weights)) = init {
        let notes = trainer.start_from(&weights, &file, arguments.new_head)?;
        output::note(&notes);
    }
    Ok(trainer)
}

/// Finds the rates that are `"auto"` and hands the schedule between them over.
fn range_test(
    arguments: &Arguments,
    trainer: &mut Trainer,
    talk: &mut dyn Write,
    signals: &Signals,
) -> Result<RangeTest> {
    let options = lab::find::RangeTestOptions {
        keep_weights: arguments.init.is_some(),
        ..lab::find::RangeTestOptions::default()
    };
    let found = lab::find::find_and_adopt(trainer, &options, &mut |progress| {
        find::watch(&options, progress);
        signals.check("the range test before the run")
    });
    output::clear_status();
    let (found, options) = found.map_err(|error| match error {
        Error::RangeTest { says, .. } => Error::RangeTest {
            says,
            help: "give schedule.base_lr and schedule.max_lr as numbers, or see `wavetrain find` \
                   with other --from, --to and --steps"
                .into(),
        },
        error => error,
    })?;
    if let (Some(base), Some(max)) = (found.base_lr, found.max_lr) {
        let line = format!(
            "range     base_lr {base}, max_lr {max}, by {}\n",
            options.describe()
        );
        // As for all talk: what nobody reads does not end the run.
        let _ = talk.write_all(line.as_bytes());
    }
    Ok(found)
}

/// A bar where a person watches a terminal, plain lines elsewhere.
fn look(arguments: &Arguments, output: &Output, log_every: u64) -> TerminalOptions {
    let watched = io::stderr().is_terminal() && (arguments.json || io::stdout().is_terminal());
    let colour = output.colour && watched;
    let style = plot::Style {
        colour,
        ..plot::Style::default()
    };
    TerminalOptions {
        progress: if watched {
            Progress::Bar(ProgressDrawTarget::stderr())
        } else {
            Progress::Lines(log_every)
        },
        colour,
        plot: watched.then_some((output.width.min(100), style)),
        folder: None,
    }
}

fn as_json(summary: &Summary, folder: &Path) -> serde_json::Value {
    json!({
        "run": folder.to_string_lossy(),
        "ended": summary.ended,
        "steps": summary.steps,
        "seconds": summary.seconds,
        "steps_per_second": summary.steps_per_second,
        "waited": summary.waited,
        "evaluations": summary.evaluations,
    })
}
