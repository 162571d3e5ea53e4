//! A file of weights that describes its network: enough to use it without anything else.

use std::path::{Path, PathBuf};

use super::description::{Description, KEY};
use super::{Network, Weights};
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::loss::Loss;

/// A trained network from its file.
#[derive(Debug)]
pub struct Model {
    /// The file.
    pub path: PathBuf,
    /// The weights.
    pub weights: Weights,
    /// Layers, input and classes.
    pub description: Description,
}

impl Model {
    /// Reads a file that `wavetrain train` wrote, and checks that its weights are those of the
    /// network that it describes.
    ///
    /// # Errors
    /// [`Error::Weights`] for a file that cannot be read, has no description, or whose parts do not
    /// belong together.
    pub fn open(path: &Path) -> Result<Self> {
        let weights = Weights::read(path)?;
        let Some(text) = &weights.description else {
            return Err(Error::Weights {
                file: path.to_owned(),
                problem: format!(
                    "holds weights alone: its metadata have no key `{KEY}` that describes the network"
                ),
                help:
                    "give a file that `wavetrain train` wrote; weights from elsewhere are what a run \
                       starts from, given to `wavetrain train`"
                        .into(),
            });
        };
        let description = Description::read(text, weights.beside.as_deref(), path)?;
        let mut model = Self {
            path: path.to_owned(),
            weights,
            description,
        };
        let network = model.network()?;
        model.weights.check(&network, path)?;
        model.weights.add_twins(&network);
        model.loss()?;
        Ok(model)
    }

    /// The network.
    ///
    /// # Errors
    /// As [`Description::network`].
    pub fn network(&self) -> Result<Network> {
        self.description.network(&self.path)
    }

    /// The network of what `change` makes of its layers.
    ///
    /// # Errors
    /// As [`Description::network`].
    pub fn network_with(
        &self,
        change: impl FnOnce(Vec<Box<dyn Layer>>) -> Vec<Box<dyn Layer>>,
    ) -> Result<Network> {
        self.description.network_with(&self.path, change)
    }

    /// The loss that it was trained with.
    ///
    /// # Errors
    /// As [`Description::loss`].
    pub fn loss(&self) -> Result<Box<dyn Loss>> {
        self.description.loss(&self.path)
    }
}
