//! A list of layers becomes a network: shapes, parameters and plans (floor 4).

mod build;
mod description;
mod file;
mod gather;
mod weights;

use build::plan_builder;
pub use build::{OUTPUTS, PlanRequest, plan, plan_with_outputs};
pub use description::{Description, MEAN_IMAGE};
pub use file::Model;
pub use gather::{GATHERED, gather_plan};
pub use weights::{Tensor, Weights};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::Parameter;
use crate::layer::{Init, Layer, ParameterSpec, StateSpec, chain};
use crate::loss::Loss;
use crate::optim::Optimizer;

/// A parameter of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedParameter {
    /// Its name in files: position and name within the layer (`1.weight`), as in the equivalent
    /// torch.nn.Sequential.
    pub name: String,
    /// Position of its layer.
    pub layer: usize,
    /// Shape, initialiser and multipliers.
    pub spec: ParameterSpec,
    /// Where it lies in the flat buffers.
    pub place: Parameter,
}

/// One line of the table of layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRow {
    /// Position in `model.layers`, from 0.
    pub position: usize,
    /// The layer as a person would write it (`linear(784, 256)`).
    pub layer: String,
    /// Shape of the output for one sample.
    pub output: Vec<usize>,
    /// Number of trained values.
    pub parameters: usize,
}

/// A network: layers that fit each other, with everything that training needs.
#[derive(Debug)]
pub struct Network {
    layers: Vec<Box<dyn Layer>>,
    loss: Box<dyn Loss>,
    optimizer: Box<dyn Optimizer>,
    /// Shapes of one sample: the input, then each layer's output.
    shapes: Vec<Vec<usize>>,
    parameters: Vec<NamedParameter>,
    states: Vec<StateSpec>,
    floats: usize,
}

impl Network {
    /// Fits the layers together for samples of shape `input` and `classes` classes.
    ///
    /// # Errors
    /// [`Error::Shape`] names the first layer that does not fit, and both shapes.
    pub fn new(
        layers: Vec<Box<dyn Layer>>,
        loss: Box<dyn Loss>,
        optimizer: Box<dyn Optimizer>,
        input: &[usize],
        classes: usize,
    ) -> Result<Self> {
        let mut network = Self {
            layers,
            loss,
            optimizer,
            shapes: vec![input.to_vec()],
            parameters: Vec::new(),
            states: Vec::new(),
            floats: 0,
        };
        for position in 0..network.layers.len() {
            network.fit(position)?;
        }
        network.check_end(classes)?;
        Ok(network)
    }

    fn fit(&mut self, position: usize) -> Result<()> {
        let layer = &self.layers[position];
        let input = &self.shapes[position];
        let wrong = |problem: String, help: String| Error::Shape {
            position,
            layer: layer.name().to_owned(),
            problem,
            help,
        };
        layer.validate().map_err(|invalid| {
            wrong(
                format!("{} {}", invalid.key, invalid.message),
                "see the layer's arguments in the README".into(),
            )
        })?;
        let output =
            chain::output(&**layer, input).map_err(|misfit| wrong(misfit.problem, misfit.help))?;
        for spec in layer.parameters(input) {
            let matrix = spec.storage.matrix(&spec.shape);
            self.parameters.push(NamedParameter {
                name: format!("{position}.{}", spec.name),
                layer: position,
                spec,
                place: Parameter {
                    offset: self.floats,
                    matrix,
                },
            });
            self.floats += matrix.floats();
        }
        for spec in layer.states(input) {
            self.states.push(StateSpec {
                name: format!("{position}.{}", spec.name),
                ..spec
            });
        }
        self.shapes.push(output);
        Ok(())
    }

    fn check_end(&self, classes: usize) -> Result<()> {
        let output = self.shapes.last().map_or(&[][..], Vec::as_slice);
        if output == [classes] {
            return Ok(());
        }
        let position = self.layers.len().saturating_sub(1);
        Err(Error::Shape {
            position,
            layer: self
                .layers
                .last()
                .map_or("none", |layer| layer.name())
                .to_owned(),
            problem: format!(
                "the last layer's output has the shape {output:?}, but the data has {classes} classes: [{classes}] is expected"
            ),
            help: format!("end with {{ linear = {classes} }}"),
        })
    }

    /// The layers.
    #[must_use]
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.layers
    }

    /// The loss.
    #[must_use]
    pub fn loss(&self) -> &dyn Loss {
        &*self.loss
    }

    /// The optimizer.
    #[must_use]
    pub fn optimizer(&self) -> &dyn Optimizer {
        &*self.optimizer
    }

    /// Shapes of one sample: the input, then each layer's output.
    #[must_use]
    pub fn shapes(&self) -> &[Vec<usize>] {
        &self.shapes
    }

    /// All parameters, in the order of the layers.
    #[must_use]
    pub fn parameters(&self) -> &[NamedParameter] {
        &self.parameters
    }

    /// All state that is not trained (running statistics), in the order of the layers.
    #[must_use]
    pub fn states(&self) -> &[StateSpec] {
        &self.states
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.shapes.last().map_or(0, |shape| shape.iter().product())
    }

    /// Length of the flat buffers in floats, padding included: a multiple of 64.
    #[must_use]
    pub fn floats(&self) -> usize {
        self.floats
    }

    /// The places of the parameters of the layer at `position`.
    #[must_use]
    pub fn places(&self, position: usize) -> Vec<Parameter> {
        self.parameters
            .iter()
            .filter(|parameter| parameter.layer == position)
            .map(|parameter| parameter.place)
            .collect()
    }

    /// (lr_mult, decay_mult) for each block of 64 floats of the flat buffers.
    #[must_use]
    pub fn multipliers(&self) -> Vec<[f32; 2]> {
        let mut table = vec![[1.0, 1.0]; self.floats / 64];
        for parameter in &self.parameters {
            let blocks = parameter.place.matrix.floats() / 64;
            let first = parameter.place.offset / 64;
            let spec = &parameter.spec;
            table[first..first + blocks].fill([spec.lr_mult as f32, spec.decay_mult as f32]);
        }
        table
    }

    /// The table of layers for people.
    #[must_use]
    pub fn rows(&self) -> Vec<LayerRow> {
        let row = |position: usize| LayerRow {
            position,
            layer: self.layers[position].describe(&self.shapes[position]),
            output: self.shapes[position + 1].clone(),
            parameters: self
                .parameters
                .iter()
                .filter(|parameter| parameter.layer == position)
                .map(|parameter| parameter.spec.shape.iter().product::<usize>())
                .sum(),
        };
        (0..self.layers.len()).map(row).collect()
    }

    /// Counters that PyTorch keeps beside running statistics (`num_batches_tracked`): the number of
    /// batches trained on.
    #[must_use]
    pub fn counters(&self, batches: u64) -> BTreeMap<String, i64> {
        let of = |state: &StateSpec| {
            let layer = state.name.strip_suffix("running_mean")?;
            Some((format!("{layer}num_batches_tracked"), batches as i64))
        };
        self.states.iter().filter_map(of).collect()
    }

    /// The first values of all parameters for a run's seed.
    #[must_use]
    pub fn initial_weights(&self, seed: u64) -> Weights {
        let tensors = self.parameters.iter().enumerate().map(|(position, p)| {
            let tensor = Tensor {
                shape: p.spec.shape.clone(),
                values: Init::values(&p.spec, seed, position),
            };
            (p.name.clone(), tensor)
        });
        let states = self.states.iter().map(|state| {
            let tensor = Tensor {
                shape: vec![state.len],
                values: vec![state.initial; state.len],
            };
            (state.name.clone(), tensor)
        });
        Weights {
            tensors: tensors.chain(states).collect(),
            counters: self.counters(0),
            ..Weights::default()
        }
    }
}
