//! `wavetrain replay`: a run trained again and compared with its record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use super::loading;
use super::options::Globals;
use super::output::{self, Output};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::lab::replay::{self, Recorded, Replay};
use crate::model::{Tensor, Weights};
use crate::report::folder::{self, METRICS, MODEL, RUN, RunFolder};
use crate::report::metrics::Metrics;
use crate::report::summary::StoredSummary;
use crate::train::event::{AdapterSummary, RunInfo};
use crate::train::{Checkpoint, Trainer};

/// Trains a run again from its configuration and compares losses and weights bit by bit
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status 1 where a bit differs.")]
pub(super) struct Arguments {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The folder with the data, where they lie elsewhere now
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Compare so many steps [default: all that are recorded]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    globals: &Globals,
    output: &mut Output,
) -> Result<ExitCode> {
    let folder = RunFolder::open(&arguments.run)?;
    let info: RunInfo = folder.read_json(RUN)?;
    refuse_changed(&folder, &info)?;
    let mut steps = Metrics::read(&folder.file(METRICS))?.steps;
    let most = usize::try_from(arguments.steps.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    steps.truncate(most);
    let name = format!("the configuration in {}", arguments.run.display());
    let mut config = Config::parse(&name, &info.config)?;
    if arguments.data.is_some() {
        config.data.dir.clone_from(&arguments.data);
    }
    let dataset = loading::load(&config)?;
    let mut trainer = Trainer::new(globals.open()?, config, dataset)?;
    if trainer.info().fingerprint != info.fingerprint {
        return Err(Error::Argument {
            what: "data".into(),
            found: format!(
                "samples with the fingerprint {}",
                trainer.info().fingerprint
            ),
            expected: format!("{}, on which the run was trained", info.fingerprint),
            help: "name the folder of the same files with --data DIR".into(),
        });
    }
    if let Some(file) = &info.init {
        let weights = Weights::read(file)?;
        let fingerprint = weights.fingerprint()?;
        if let Some(expected) = info.init_fingerprint.filter(|then| *then != fingerprint) {
            return Err(Error::Argument {
                what: file.display().to_string(),
                found: format!("weights with the fingerprint {fingerprint}"),
                expected: format!("{expected}, from which the run began"),
                help: "put the file back that the run was made with".into(),
            });
        }
        let notes = trainer.start_from(&weights, file, info.new_head)?;
        output::note(&notes);
    }
    let (then, now) = (&info.adapter, &trainer.info().adapter);
    if then != now {
        let words = |adapter: &AdapterSummary| {
            let AdapterSummary {
                name,
                driver,
                class,
                ..
            } = adapter;
            format!("{name}, {driver}, {class}")
        };
        let (now, then) = (words(now), words(then));
        output::note(&[format!(
            "this is another adapter: {now}; the run had {then}"
        )]);
    }
    let weights = weights(&folder, steps.len() as u64)?;
    let recorded = Recorded {
        steps: &steps,
        weights: weights.as_ref(),
    };
    let replay = replay::replay(&mut trainer, &recorded)?;
    match arguments.json {
        true => output.json(&replay)?,
        false => output.text(&words(&replay))?,
    }
    Ok(match replay.differs {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    })
}

/// A run that was changed while it went on has no one configuration to train it from.
fn refuse_changed(folder: &RunFolder, info: &RunInfo) -> Result<()> {
    let harmless = ["adapter", "train.epochs", "train.steps"];
    let mut changes = info.changes.iter();
    match changes.find(|change| !harmless.contains(&change.key.as_str())) {
        None => Ok(()),
        Some(change) => Err(Error::Output {
            path: folder.path().to_owned(),
            problem: format!("holds a run that was changed {change}"),
            help: "replay a run that was trained under one configuration".into(),
        }),
    }
}

/// Weights and running statistics when so many steps were done, where the folder has them.
fn weights(folder: &RunFolder, steps: u64) -> Result<Option<BTreeMap<String, Tensor>>> {
    let ended = StoredSummary::read(folder)?.map(|summary| summary.steps);
    if ended == Some(steps) && folder.file(MODEL).is_file() {
        return Ok(Some(Weights::read(&folder.file(MODEL))?.tensors));
    }
    let kept = folder::checkpoints(folder.path());
    match kept.into_iter().find(|(step, _)| *step == steps) {
        Some((_, file)) => Ok(Some(Checkpoint::read(&file)?.state.tensors)),
        None => Ok(None),
    }
}

fn words(replay: &Replay) -> String {
    let same = format!("{} steps are the same bits", replay.same);
    match &replay.differs {
        Some(differs) => format!(
            "differs   at step {}: {} was {:?}, and is {:?}; {same}\n",
            differs.step, differs.what, differs.recorded, differs.found
        ),
        None if replay.weights => format!("same      {same}, and so are the weights behind them\n"),
        None => format!(
            "same      {same}; the folder holds no weights of step {}\n",
            replay.same
        ),
    }
}
