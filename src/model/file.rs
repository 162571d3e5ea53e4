//! A file of weights that describes its network: enough to use it without anything else.

use std::path::{Path, PathBuf};

use super::description::{Description, KEY};
use super::{Network, Weights};
use crate::args::Entry;
use crate::error::{Error, Result};
use crate::layer::{LAYERS, Layer};
use crate::loss::{LOSSES, Loss};

/// A trained network from its file.
#[derive(Debug)]
pub struct Model {
    /// The file.
    pub path: PathBuf,
    /// The weights.
    pub weights: Weights,
    /// Input and classes.
    pub description: Description,
    /// The layers.
    pub layers: Vec<Box<dyn Layer>>,
    /// The loss that it was trained with.
    pub loss: Box<dyn Loss>,
}

impl Model {
    /// Reads a file that `wavetrain train` wrote, and checks that its weights are those of the
    /// network that it describes.
    ///
    /// # Errors
    /// [`Error::Weights`] for a file that cannot be read, has no description, or whose parts do not
    /// belong together.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, LAYERS, LOSSES)
    }

    /// Like [`Model::open`], with layers and losses of own tables.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open_with(
        path: &Path,
        layers: &'static [Entry<dyn Layer>],
        losses: &'static [Entry<dyn Loss>],
    ) -> Result<Self> {
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
            layers: description.layers(path, layers)?,
            loss: description.loss(path, losses)?,
            weights,
            description,
        };
        let network = model.network()?;
        model.weights.check(&network, path)?;
        model.weights.add_twins(&network);
        Ok(model)
    }

    /// The network.
    ///
    /// # Errors
    /// As [`Description::network`].
    pub fn network(&self) -> Result<Network> {
        self.description.network(&self.layers)
    }
}
