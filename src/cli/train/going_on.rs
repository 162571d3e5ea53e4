//! Going on with a run that its folder holds: `--resume RUN`, and the same command once more.

use std::path::Path;

use super::Arguments;
use crate::cli::output;
use crate::config::changes::{self, ConfigDifference, Meaning};
use crate::config::{Config, HELD_OUT, Length};
use crate::draw::words::quoted;
use crate::error::{Error, Result};
use crate::model::Weights;
use crate::report::checkpoints::{self, Newest};
use crate::report::folder::{self, RUN, RunFolder, TENSORBOARD, model_file};
use crate::report::summary::StoredSummary;
use crate::schedule::{Policy, halved};
use crate::train::event::{Change, RunInfo};
use crate::train::{Checkpoint, Ended, Trainer};

/// How a run starts.
pub(super) enum Start {
    /// At step 0; in this folder, where a run was killed before its first checkpoint.
    Anew(Option<RunFolder>),
    /// From a checkpoint.
    From(Box<GoingOn>),
}

/// A run that goes on.
pub(super) struct GoingOn {
    pub(super) folder: RunFolder,
    pub(super) checkpoint: Checkpoint,
    /// The configuration to go on under.
    pub(super) config: Config,
    /// What the run was asked for.
    asked: String,
    differences: Vec<ConfigDifference>,
}

/// Looks into the folder that the arguments name, and takes its lock where a run goes on in it.
pub(super) fn start(arguments: &Arguments) -> Result<Start> {
    let path = match (&arguments.resume, &arguments.out) {
        (Some(run), _) => run,
        (None, Some(out)) if !arguments.force && !arguments.dry_run && out.join(RUN).exists() => {
            out
        }
        _ => return Ok(Start::Anew(None)),
    };
    let folder = RunFolder::open(path)?.lock()?;
    let info: RunInfo = folder.read_json(RUN)?;
    if arguments.resume.is_none() {
        check_init((arguments.init.as_deref(), arguments.new_head), &info, path)?;
    }
    let ended = StoredSummary::read(&folder)?.map(|summary| summary.ended);
    let Newest { found, skipped } = checkpoints::newest(&folder);
    let skipped: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    let Some((checkpoint, file)) = found else {
        let unfinished = ended.is_none() && skipped.is_empty();
        if arguments.resume.is_some() || !unfinished {
            return Err(nothing_to_go_on_from(&folder, ended, &skipped));
        }
        let wanted = arguments.config.load()?.to_toml();
        let found = changes::differences(&info.asked, &wanted);
        check(&found, path, true)?;
        output::note(&[format!(
            "the run in {} ended before its first checkpoint: it begins anew",
            path.display()
        )]);
        return Ok(Start::Anew(Some(folder)));
    };
    let going = compare(arguments, folder, checkpoint)?;
    check(&going.differences, path, arguments.allow_changed)?;
    going.refuse_over(path, ended)?;
    for skipped in skipped {
        let line = skipped.lines().next().unwrap_or_default();
        output::note(&[format!("skipped a checkpoint: {line}")]);
    }
    output::note(&[format!(
        "the run goes on from step {} ({})",
        going.checkpoint.step(),
        file.display()
    )]);
    Ok(Start::From(Box::new(going)))
}

/// What the arguments ask for against what the run has.
fn compare(arguments: &Arguments, folder: RunFolder, checkpoint: Checkpoint) -> Result<GoingOn> {
    let info = &checkpoint.info;
    let name = format!("the configuration in {}", folder.path().display());
    let base = Config::parse(&name, &info.config)?;
    let (config, asked, differences);
    if arguments.resume.is_some() {
        config = arguments.config.lay_over(&name, &info.config)?;
        asked = arguments.config.lay_over(&name, &info.asked)?.to_toml();
        differences = changes::differences(&base.to_toml(), &config.to_toml());
    } else {
        asked = asked_for(arguments, info)?;
        differences = changes::differences(&info.asked, &asked);
        let mut options = crate::cli::options::ConfigOptions::default();
        options.set(&changes::sets(&differences, &asked));
        config = options.lay_over(&name, &info.config)?;
    }
    Ok(GoingOn {
        folder,
        config,
        asked,
        differences,
        checkpoint,
    })
}

/// What the arguments ask for. What is held out only because `train.early_stop` or the policy wants it, stays
/// held out when these no longer do: the run was trained on the rest.
fn asked_for(arguments: &Arguments, info: &RunInfo) -> Result<String> {
    let asked = arguments.config.load()?.to_toml();
    let found = changes::differences(&info.asked, &asked);
    let is = |key: &str| found.iter().find(|difference| difference.key == key);
    let held_out = is("data.validation").and_then(|difference| difference.from.clone());
    let follows = is("train.early_stop").is_some() || is("schedule.policy").is_some();
    match held_out {
        Some(value) if follows && value.as_float() == Some(HELD_OUT) => {
            let mut options = arguments.config.clone();
            options.set(&[format!("data.validation={HELD_OUT}")]);
            Ok(options.load()?.to_toml())
        }
        _ => Ok(asked),
    }
}

/// Refuses what a run cannot go on under.
fn check(differences: &[ConfigDifference], run: &Path, allowed: bool) -> Result<()> {
    // What others follow from comes first: an optimizer before its arguments.
    let selects = |difference: &&ConfigDifference| changes::selects(&difference.key);
    let first = differences.iter().filter(selects);
    let others = differences.iter().filter(|d| !selects(d));
    for difference in first.chain(others) {
        let [from, to] = difference.texts();
        let help = match difference.meaning() {
            Meaning::Nothing | Meaning::Length => continue,
            Meaning::Change if allowed => continue,
            Meaning::Change => {
                "add --allow-changed to go on with it (the run keeps a record), or choose another \
                 --out"
            }
            Meaning::AnotherRun => "choose another --out for another run, or go on without it",
        };
        return Err(Error::Argument {
            what: difference.key.clone(),
            found: to,
            expected: format!("{from}, as the run in {} has it", run.display()),
            help: help.into(),
        });
    }
    Ok(())
}

/// Refuses other first weights than the run began with.
fn check_init((init, new_head): (Option<&Path>, bool), info: &RunInfo, run: &Path) -> Result<()> {
    let given = init.map(|path| Weights::read(&model_file(path)?)?.fingerprint());
    let given = given.transpose()?;
    // Runs of before have no fingerprint.
    let unknown = info.init.is_some() && info.init_fingerprint.is_none() && given.is_some();
    if given == info.init_fingerprint || unknown {
        let words = |new_head| if new_head { "given" } else { "not given" };
        return match init.is_none() || new_head == info.new_head {
            true => Ok(()),
            false => Err(Error::Argument {
                what: "--new-head".into(),
                found: words(new_head).into(),
                expected: format!(
                    "{}, as the run in {} has it",
                    words(info.new_head),
                    run.display()
                ),
                help: "choose another output folder for another run, or go on without it: --resume RUN"
                    .into(),
            }),
        };
    }
    let words = |file: Option<&Path>, fingerprint: Option<&String>| match (file, fingerprint) {
        (Some(file), Some(print)) => format!("{} ({print})", file.display()),
        (Some(file), None) => file.display().to_string(),
        (None, _) => "no file, weights that are drawn".to_owned(),
    };
    let had = words(info.init.as_deref(), info.init_fingerprint.as_ref());
    Err(Error::Argument {
        what: "--init".into(),
        found: words(init, given.as_ref()),
        expected: format!("{had}, as the run in {} has it", run.display()),
        help: "choose another output folder for another run, or go on without it: --resume RUN"
            .into(),
    })
}

fn nothing_to_go_on_from(folder: &RunFolder, ended: Option<Ended>, skipped: &[String]) -> Error {
    let problem = match (skipped.first(), ended) {
        (Some(first), _) => {
            let first = first.lines().next().unwrap_or_default();
            format!("has no whole checkpoint: {first}")
        }
        (None, Some(ended)) => {
            format!("holds a run that is {} and has no checkpoint", ended.name())
        }
        (None, None) => "has no checkpoint".into(),
    };
    Error::Output {
        path: folder.path().to_owned(),
        problem,
        help: "train anew: add --force to the command that it was made with, or choose another \
               --out"
            .into(),
    }
}

impl GoingOn {
    /// Refuses a run with nothing left to be trained, or that would end as it did.
    fn refuse_over(&self, run: &Path, ended: Option<Ended>) -> Result<()> {
        let (step, info) = (self.checkpoint.step(), &self.checkpoint.info);
        let changed = |key: &str| self.differences.iter().any(|d| d.key == key);
        let anything = self
            .differences
            .iter()
            .any(|d| d.meaning() == Meaning::Change);
        let steps = match self.config.train.length() {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => epochs.saturating_mul(info.steps_per_epoch),
        };
        let (problem, help) = match ended {
            Some(Ended::Done) if steps <= step => (
                format!("holds a run that is done: all its {step} steps are trained"),
                "go on longer with --set train.epochs=N, or choose another --out",
            ),
            Some(Ended::Stopped) if !changed("train.early_stop") => (
                format!("holds a run that train.early_stop ended at step {step}"),
                "go on with --set train.early_stop=0 --allow-changed, or choose another --out",
            ),
            Some(Ended::Diverged) if !anything => (
                format!("holds a run that diverged after step {step}, and would again"),
                "go on at lower rates: --allow-changed --set schedule.max_lr=LR",
            ),
            _ if steps < step => (
                format!("holds a run of {step} steps, more than the {steps} that are asked for"),
                "raise train.epochs (or train.steps), or choose another --out",
            ),
            _ => return Ok(()),
        };
        Err(Error::Output {
            path: run.to_owned(),
            problem,
            help: help.into(),
        })
    }

    /// Whether the run has a file for TensorBoard.
    pub(super) fn has_tensorboard(&self) -> bool {
        self.checkpoint.files.contains_key(TENSORBOARD)
    }

    /// Whether the schedule is seen in another run than before.
    pub(super) fn wants_lint(&self) -> bool {
        let meanings = self.differences.iter().map(ConfigDifference::meaning);
        meanings.into_iter().any(|m| m != Meaning::Nothing)
    }

    /// Lets the trainer's record say what has changed; another adapter is an error where `strict`.
    pub(super) fn record(&self, trainer: &mut Trainer, strict: bool) -> Result<()> {
        let step = self.checkpoint.step();
        let mut all = self.checkpoint.info.changes.clone();
        for difference in &self.differences {
            if difference.meaning() == Meaning::Nothing {
                continue;
            }
            let [from, to] = difference.texts();
            let key = difference.key.clone();
            all.push(Change {
                step,
                key,
                from,
                to,
            });
        }
        let words = |info: &RunInfo| {
            let adapter = &info.adapter;
            format!("{}, {}, {}", adapter.name, adapter.driver, adapter.class)
        };
        let (from, to) = (words(&self.checkpoint.info), words(trainer.info()));
        if from != to && strict {
            return Err(Error::Argument {
                what: "--strict".into(),
                found: format!("the adapter {to}"),
                expected: format!("{from}, as the run had it: other adapters give other bits"),
                help: "choose it with --adapter and --kernels, or leave --strict out".into(),
            });
        }
        if from != to {
            output::note(&[format!(
                "from step {step} on the run has another adapter: {to}; before: {from}"
            )]);
            let key = "adapter".into();
            all.push(Change {
                step,
                key,
                from,
                to,
            });
        }
        trainer.set_changes(self.asked.clone(), all);
        Ok(())
    }
}

/// Says how an interrupted run goes on.
pub(super) fn after_interruption(folder: &RunFolder) {
    let path = quoted(&folder.path().display().to_string());
    let line = match folder::checkpoints(folder.path()).last() {
        Some((step, _)) => {
            format!("step {step} is kept; to go on: wavetrain train --resume {path}")
        }
        None => "no checkpoint was kept, as checkpoint.every is 0 or the numbers of the optimizer were not \
                 finite: this run cannot go on"
            .into(),
    };
    output::note(&[line]);
}

/// Says where a run that diverged was still good, and how it goes on from there.
pub(super) fn after_divergence(folder: &RunFolder, schedule: &dyn Policy) {
    let path = quoted(&folder.path().display().to_string());
    let newest = folder::checkpoints(folder.path());
    let Some((step, file)) = newest.last() else {
        output::note(&["there is no checkpoint from before".into()]);
        return;
    };
    let halved = halved(&schedule.arguments());
    let sets = halved.iter().map(|(key, value)| {
        let set = format!("schedule.{key}={}", changes::text(value));
        format!(" --set {}", quoted(&set))
    });
    let sets: String = sets.collect();
    output::note(&[
        format!(
            "the last good checkpoint is of step {step}: {}",
            file.display()
        ),
        format!(
            "to go on from there at half the rates: wavetrain train --resume {path} \
             --allow-changed{sets}"
        ),
    ]);
}
