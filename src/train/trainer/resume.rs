//! What a trainer gives to a checkpoint, and takes from one.

use std::collections::BTreeMap;
use std::path::Path;

use super::Trainer;
use crate::config::Bounds;
use crate::error::{Error, Result};
use crate::model::{Description, Weights};
use crate::train::checkpoint::Checkpoint;
use crate::train::record::{Change, RunInfo};
use crate::train::run_state::RunState;
use crate::train::setup;

impl Trainer {
    /// The run as it stands, between two submissions.
    pub(in crate::train) fn checkpoint(&self, run: RunState) -> Result<Checkpoint> {
        Ok(Checkpoint {
            state: self.state()?,
            run,
            info: self.info.clone(),
            files: BTreeMap::new(),
        })
    }

    /// Puts the state of a checkpoint back; gives the checkpoint as one of this trainer.
    pub(in crate::train) fn take_up(&mut self, checkpoint: &Checkpoint) -> Result<Checkpoint> {
        let (found, own) = (&checkpoint.info, &self.info);
        let refuse = |what: &str, found: String, expected: String| {
            Err(Error::Argument {
                what: format!("checkpoint, {what}"),
                found,
                expected: format!("{expected}, as the checkpoint has it"),
                help: "go on with what the run began with".into(),
            })
        };
        if found.fingerprint != own.fingerprint {
            let (found, own) = (found.fingerprint.clone(), own.fingerprint.clone());
            return refuse("data", own, found);
        }
        let place = |info: &RunInfo| (info.batch, info.accumulate, info.samples);
        if place(found) != place(own) {
            let words = |info: &RunInfo| {
                let [train, validation, test] = info.samples;
                format!(
                    "{} times {} of {train}, {validation} and {test} samples",
                    info.accumulate, info.batch
                )
            };
            return refuse("batch", words(own), words(found));
        }
        let about = found.config.split_once("\n[run]\n");
        let about: toml::Table = about
            .map_or("", |(_, about)| about)
            .parse()
            .unwrap_or_default();
        self.restore(&checkpoint.state)?;
        // What was "auto" is a number by now; where it comes from stays known.
        let bounds = about.get("bounds").and_then(toml::Value::as_str);
        if let Some(bounds) = bounds.and_then(Bounds::read) {
            self.settled.remember(bounds);
        }
        for key in ["bounds", "init", "new_head"] {
            if let Some(value) = about.get(key) {
                self.set_about(key, value.clone());
            }
        }
        self.info.init.clone_from(&checkpoint.info.init);
        let fingerprint = &checkpoint.info.init_fingerprint;
        self.info.init_fingerprint.clone_from(fingerprint);
        self.info.new_head = checkpoint.info.new_head;
        let mut checkpoint = Checkpoint {
            info: self.info.clone(),
            ..checkpoint.clone()
        };
        let run = &mut checkpoint.run;
        let weights = [&mut run.best_weights, &mut run.members.average];
        for weights in weights.into_iter().flatten() {
            self.described.describe(weights);
        }
        Ok(checkpoint)
    }

    /// Begins with the weights in a file, and lets the run's description name it; gives what a person
    /// should know of it: names of wrappers that were taken off, other classes or another normalisation,
    /// and with `new_head` the layers that start anew: those whose shapes differ, or else the last one.
    ///
    /// # Errors
    /// As [`Trainer::set_weights`].
    pub fn start_from(
        &mut self,
        weights: &Weights,
        file: &Path,
        new_head: bool,
    ) -> Result<Vec<String>> {
        let mut own = weights.clone();
        let mut notes = own.unwrap_names();
        if new_head {
            notes.extend(own.renew_head(&self.training.network, self.seed));
        }
        self.set_weights(&own, file)?;
        notes.extend(self.differences(weights, file)?);
        self.info.init = Some(file.to_owned());
        self.info.init_fingerprint = Some(weights.fingerprint()?);
        self.info.new_head = new_head;
        let name = file.to_string_lossy().into_owned();
        self.set_about("init", name.into());
        if new_head {
            self.set_about("new_head", true.into());
        }
        let said = |note: String| format!("{}: {note}", file.display());
        Ok(notes.into_iter().map(said).collect())
    }

    /// Where a file that says what its weights were trained for says something else than this run.
    fn differences(&self, weights: &Weights, file: &Path) -> Result<Vec<String>> {
        let Some(text) = &weights.description else {
            return Ok(Vec::new());
        };
        let theirs = Description::read(text, weights.beside.as_deref(), file)?;
        let ours = self.described.model(&self.weights()?)?.description;
        let mut notes = Vec::new();
        if theirs.classes != ours.classes {
            notes.push(format!(
                "was trained for other classes: {} there, {} here",
                some(&theirs.classes),
                some(&ours.classes)
            ));
        }
        if theirs.normalization != ours.normalization {
            let [there, here] =
                [&theirs, &ours].map(|d| format!("{:?}", d.normalize).to_lowercase());
            notes.push(format!(
                "was trained under another normalisation ({there} there, {here} here, with other \
                 numbers): the first steps see other inputs than it knows"
            ));
        }
        Ok(notes)
    }

    /// Lets the run's description say what it was asked for in the beginning, and what has changed
    /// since.
    pub fn set_changes(&mut self, asked: String, changes: Vec<Change>) {
        self.info.asked = asked;
        let words = changes.iter().map(|change| change.to_string().into());
        let words: Vec<toml::Value> = words.collect();
        self.info.changes = changes;
        if !words.is_empty() {
            self.set_about("changes", toml::Value::Array(words));
        }
    }

    /// Sets a key of the table `[run]` of the run's configuration.
    fn set_about(&mut self, key: &str, value: toml::Value) {
        self.about.insert(key.to_owned(), value);
        self.info.config = setup::config_text(&self.settled, &self.about);
    }
}

/// Names of classes in words, the first ones of many.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let first: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
