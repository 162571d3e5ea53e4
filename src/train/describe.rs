//! What a trained network's file says about it.

use std::path::PathBuf;
use std::sync::Arc;

use super::setup;
use crate::config::{Config, Overrides, Tables};
use crate::data::{Dataset, Normalization, Task, Units};
use crate::error::Result;
use crate::layer::Layer;
use crate::loss::Loss;
use crate::model::{Description, Model, Weights};

/// Keys of `[data]` that hold paths, which are no part of a network.
const PATHS: [&str; 3] = ["dir", "train", "test"];

/// The description of a network, as its weights carry it.
#[derive(Debug)]
pub(super) struct Described {
    text: String,
    beside: Option<Arc<[u8]>>,
    layers: Vec<Box<dyn Layer>>,
    loss: Box<dyn Loss>,
}

impl Described {
    pub(super) fn new(
        config: &Config,
        dataset: &Dataset,
        normalization: &Normalization,
        units: &Units,
        loss: Box<dyn Loss>,
    ) -> Result<Self> {
        let mut data = config.data_table();
        for path in PATHS {
            data.remove(path);
        }
        // What was found in the files, so that other pictures are read alike.
        if let Some(bits) = dataset.train.origin().bit_depth {
            data.insert("bit_depth".into(), i64::from(bits).into());
        }
        // A library user's own samples come from no source.
        data.insert("source".into(), dataset.name.clone().into());
        let layers = setup::layers(config, dataset);
        let suited = Config {
            layers: layers.clone(),
            loss,
            ..config.clone()
        };
        let description = Description {
            input: dataset.train.shape().to_vec(),
            values: dataset.train.storage(),
            symbols: dataset.train.symbols(),
            normalize: config.data.normalize,
            normalization: normalization.clone(),
            layers: suited.layers_value(),
            loss: suited.loss_table(),
            classes: dataset.task.names().to_vec(),
            positions: matches!(dataset.task, Task::Tokens(_)),
            units: units.clone(),
            table: dataset.table.clone(),
            data,
        };
        let (text, beside) = description.write()?;
        Ok(Self {
            text,
            beside: beside.map(Arc::from),
            layers,
            loss: suited.loss,
        })
    }

    /// The network with these weights, which carry the description, as if it had been read from a file.
    pub(super) fn model(&self, weights: &Weights) -> Result<Model> {
        let path = PathBuf::from("weights");
        Ok(Model {
            description: Description::read(&self.text, self.beside.as_deref(), &path)?,
            weights: weights.clone(),
            layers: self.layers.clone(),
            loss: self.loss.clone(),
            path,
        })
    }

    /// Lets weights carry the description.
    pub(super) fn describe(&self, weights: &mut Weights) {
        weights.description = Some(self.text.clone());
        weights.beside.clone_from(&self.beside);
    }
}

/// The configuration under which a model's file was trained, as far as the file says, under
/// `overrides`, with a source of `tables`: the data it was trained on, but for the place of the files;
/// layers and loss. The
/// schedule is a stand-in.
///
/// # Errors
/// [`crate::error::Error::Config`] for what is wrong with the overrides or the description.
pub fn config_of(model: &Model, overrides: &Overrides, tables: &Tables) -> Result<Config> {
    let description = &model.description;
    let table = |pairs: Vec<(&str, toml::Value)>| -> toml::Table {
        let pairs = pairs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value));
        pairs.collect()
    };
    let schedule = table(vec![("policy", "constant".into()), ("lr", 1.0.into())]);
    let document = table(vec![
        ("data", description.data.clone().into()),
        ("schedule", schedule.into()),
    ]);
    let name = format!("the description in {}", model.path.display());
    let config = Config::read(&name, &document.to_string(), overrides, tables)?;
    // Of whatever table they are.
    Ok(Config {
        layers: model.layers.clone(),
        loss: model.loss.clone(),
        ..config
    })
}
