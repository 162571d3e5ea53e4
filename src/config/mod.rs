//! The configuration: TOML as written, laid in layers, resolved into typed values, with
//! diagnostics that point into the text.
//!
//! ```text
//! defaults < preset or file < --set, --data, --seed     (each a text; arguments.rs, document.rs)
//!            one table, each value with its place       (layers.rs, merged.rs, text.rs)
//!            typed and checked                          (resolve.rs, section.rs, entries.rs, value.rs)
//!            settled in a known run                     (settle.rs, schedule.rs)
//! Config  -> to_toml() -> the same Config               (write.rs)
//! ```
//!
//! What a key may hold is decided in one place: the fixed keys in `sections.rs` and `data::Augment`,
//! the arguments of policies, layers, losses, optimizers and sources where these are defined.

mod arguments;
mod balance;
pub mod changes;
mod checkpoint;
mod document;
mod entries;
mod explain;
mod layers;
mod merged;
mod optimizer;
pub mod presets;
mod problem;
mod resolve;
mod schedule;
mod section;
mod sections;
mod settle;
mod sources;
mod suggest;
mod tables;
mod text;
mod value;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use arguments::Overrides;
pub use checkpoint::{Checkpoints, Every};
pub use document::is_file;
pub use schedule::Schedule;
pub use sections::{Chunk, CycleEnd, Data, Length, Train};
pub use settle::{Bounds, Settled};
pub use tables::Tables;

use crate::data::{self, Extent};
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::loss::Loss;
use crate::optim::Optimizer;
use crate::optim::decay_on::DecayOn;
use crate::source;
pub(crate) use suggest::nearest;
use text::Texts;

/// The part of the training set that is held out for what must not see the test set, where
/// `data.validation` names none.
pub const HELD_OUT: f64 = 0.1;

/// A configuration as written, read and checked. What a run has to decide is decided by
/// [`Config::settle`].
#[derive(Debug, Clone)]
pub struct Config {
    /// `seed`: initial weights and dropout; at most 2^63 - 1.
    pub seed: u64,
    /// `[data]`.
    pub data: Data,
    /// `[augment]`.
    pub augment: data::Augment,
    /// `model.layers`; never empty.
    pub layers: Vec<Box<dyn Layer>>,
    /// `model.freeze`: the parameters that stay as they are ([`crate::model::Network::freeze`]).
    pub freeze: Vec<String>,
    /// `[loss]`.
    pub loss: Box<dyn Loss>,
    /// `[optimizer]`.
    pub optimizer: Box<dyn Optimizer>,
    /// `optimizer.clip_norm`: the norm that gradients are clipped to, whatever the optimizer.
    pub clip_norm: Option<f64>,
    /// `optimizer.decay_on`: what weight decay works on, whatever the optimizer.
    pub decay_on: DecayOn,
    /// `optimizer.lr_mult`: factors on the rates of the parameters that patterns name, whatever the
    /// optimizer ([`crate::model::Network::scale_rates`]).
    pub lr_mult: BTreeMap<String, f64>,
    /// `[schedule]`.
    pub schedule: Schedule,
    /// `[train]`.
    pub train: Train,
    /// `[cycle_end]`.
    pub cycle_end: CycleEnd,
    /// `[checkpoint]`.
    pub checkpoint: Checkpoints,
    /// The tables that names were chosen from, and are when the configuration is read again.
    pub tables: Tables,
    /// What a range test found: the line `bounds` in the table `[run]`, which is otherwise not read.
    pub bounds: Option<Bounds>,
}

impl Config {
    /// The configuration that `which` names, under `overrides`: a preset's name, or a file (a name
    /// that ends in `.toml` or has a slash); without a name the preset `glyphs`.
    ///
    /// # Errors
    /// [`Error::Config`] for an unknown preset, an unreadable file, and all that is wrong with the
    /// text, with the place shown.
    pub fn load(which: Option<&Path>, overrides: &Overrides) -> Result<Self> {
        Self::load_with(which, overrides, &Tables::default())
    }

    /// Like [`Config::load`], choosing from own tables.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with(which: Option<&Path>, overrides: &Overrides, tables: &Tables) -> Result<Self> {
        let document = document::find(which)?;
        Self::read(&document.name, &document.text, overrides, tables)
    }

    /// The configuration in `text`, which is called `name` in messages.
    ///
    /// # Errors
    /// [`Error::Config`] with all that is wrong with the text.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        Self::read(name, text, &Overrides::default(), &Tables::default())
    }

    /// Like [`Config::parse`], under `overrides` and choosing from own tables.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn read(name: &str, text: &str, overrides: &Overrides, tables: &Tables) -> Result<Self> {
        let mut texts = Texts::default();
        texts.add(text::Origin::Defaults, layers::DEFAULTS.to_owned());
        texts.add(text::Origin::Document(name.to_owned()), text.to_owned());
        let added = overrides.add_to(&mut texts);
        let config = added.map_err(|problem| vec![problem]).and_then(|()| {
            let merged = merged::merged(&texts)?;
            resolve::resolve(&merged, &texts, tables)
        });
        config.map_err(|problems| problem::error(&problems, &texts))
    }

    /// The first layer that shows steps of a sequence to the steps before them, in words.
    #[must_use]
    pub fn looks_ahead(&self) -> Option<&'static str> {
        self.layers.iter().find_map(|layer| layer.looks_ahead())
    }

    /// The samples of `data.source`.
    ///
    /// # Errors
    /// Files that are missing or wrong.
    pub fn load_data(&self) -> Result<data::Dataset> {
        self.load_data_watched(&|_| {})
    }

    /// The same configuration with paths that mean the same from any folder.
    ///
    /// # Errors
    /// [`Error::Io`] where the current folder cannot be found.
    pub fn anchored(mut self) -> Result<Self> {
        let absolute = |dir: PathBuf| std::path::absolute(&dir).map_err(Error::io(dir, "finding"));
        self.data.cache_dir = self.data.cache_dir.map(absolute).transpose()?;
        let files = self.data.source.arguments();
        let mut files = ["train", "test"].iter().filter_map(|key| files.get(*key));
        let dir = match self.data.dir.take() {
            None if !files.any(toml::Value::is_str) => return Ok(self),
            // Files are named from the current folder on.
            None => std::env::current_dir().map_err(Error::io(".", "finding"))?,
            Some(dir) => absolute(dir)?,
        };
        self.data.dir = Some(dir);
        Ok(self)
    }

    /// Like [`Config::load_data`]; `watcher` is told how far it is.
    ///
    /// # Errors
    /// As [`Config::load_data`].
    pub fn load_data_watched(&self, watcher: data::Watcher<'_>) -> Result<data::Dataset> {
        let request = source::Request {
            dir: self.data.dir.clone(),
            seed: self.data.seed,
            cache: self.data.cache,
            cache_dir: self.data.cache_dir.clone().or_else(cache_dir),
            workers: self.data.workers,
        };
        let dataset = self.data.source.open(&request, watcher)?;
        match self.data.subset {
            1.0 => Ok(dataset),
            share => dataset.subset(share, self.data.seed),
        }
    }

    /// Steps in one pass over `train` training samples, of which `data.validation` is still part.
    ///
    /// # Errors
    /// As [`Data::steps_per_epoch`], and if no sample is left to train on.
    pub fn steps_per_epoch(&self, train: impl Into<Extent>) -> Result<u64> {
        let samples = self.data.samples_per_epoch(train.into())?;
        self.data.steps_per_epoch(samples, self.train.accumulate)
    }

    /// Steps of the whole run with `train` training samples (see [`Config::steps_per_epoch`]).
    ///
    /// # Errors
    /// As [`Config::steps_per_epoch`]; and if 64 bits cannot count the steps.
    pub fn total_steps(&self, train: impl Into<Extent>) -> Result<u64> {
        let per_epoch = self.steps_per_epoch(train)?;
        match self.train.length() {
            Length::Steps(steps) => Ok(steps),
            Length::Epochs(epochs) => {
                epochs
                    .checked_mul(per_epoch)
                    .ok_or_else(|| Error::Argument {
                        what: "train.epochs".to_owned(),
                        found: format!("{epochs}, of {per_epoch} steps each"),
                        expected: "fewer than 2^64 steps in all".to_owned(),
                        help: "lower train.epochs".to_owned(),
                    })
            }
        }
    }

    /// What a person should know about the combination of values, a sentence each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let policy = self.schedule.sample();
        if let (Some([base, max]), Some(momentum)) =
            (policy.momentum_range(), self.optimizer.momentum())
        {
            notes.push(format!(
                "momentum cycles between {max} (at the lowest rate) and {base} (at the peak); \
                 this replaces optimizer.{} = {}",
                momentum.key, momentum.value
            ));
        }
        if let (Every::Cycles(_), None) = (self.checkpoint.every, policy.period()) {
            notes.push(format!(
                "checkpoint.every counts cycles, and {} has none that are alike: a checkpoint is \
                 taken where one ends, and at the end of the run",
                policy.name()
            ));
        }
        let readers = [
            (policy.reads_evaluations(), policy.name()),
            (self.train.early_stop > 0, "train.early_stop"),
        ];
        for (_, reader) in readers.iter().filter(|(reads, _)| *reads) {
            notes.push(format!(
                "{reader} reads the loss of the validation set at each evaluation: data.validation \
                 is {}",
                self.data.validation
            ));
        }
        notes
    }
}

/// Where samples are kept that are kept on the disk, if nobody says.
fn cache_dir() -> Option<PathBuf> {
    #[cfg(feature = "cache")]
    return dirs::cache_dir().map(|folder| folder.join("wavetrain"));
    #[cfg(not(feature = "cache"))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Entry;
    use crate::schedule::{Constant, Invalid, Policy, Rate};

    /// A policy that the crate does not know.
    #[derive(Debug, Clone)]
    struct Halving(Constant);

    impl Policy for Halving {
        fn name(&self) -> &'static str {
            "halving"
        }
        fn validate(&self) -> Result<(), Invalid> {
            self.0.validate()
        }
        fn at(&self, step: u64) -> Rate {
            Rate::new(self.0.lr / f64::powi(2.0, i32::try_from(step).unwrap_or(i32::MAX)))
        }
        fn describe(&self) -> String {
            format!("halving from {}", self.0.lr)
        }
        fn arguments(&self) -> toml::Table {
            self.0.arguments()
        }
    }

    static OWN: &[Entry<dyn Policy>] = &[Entry {
        name: "halving",
        summary: "half the rate at each step",
        arguments: &["lr"],
        short: None,
        example: "lr = 1.0",
        parse: |args| Ok(Box::new(Halving(args.read()?))),
    }];

    #[test]
    fn a_library_user_can_bring_own_tables() {
        let tables = Tables {
            policies: OWN,
            ..Tables::default()
        };
        let text = "[schedule]\npolicy = \"halving\"\nlr = 1.0\n";
        let read = |text| Config::read("own.toml", text, &Overrides::default(), &tables);
        let config = read(text).unwrap();
        assert_eq!(config.schedule.policy().unwrap().at(3).lr, 0.125);
        let written = config.to_toml();
        assert_eq!(read(&written).unwrap().to_toml(), written);
        // Mistakes are found in the same way, and the crate's own table does not know the name.
        let negative = read(&text.replace("1.0", "-1.0")).unwrap_err();
        assert!(negative.to_string().contains("own.toml:3:6"), "{negative}");
        let unknown = Config::parse("own.toml", text).unwrap_err();
        assert!(unknown.to_string().contains("is no policy"), "{unknown}");
    }
}
