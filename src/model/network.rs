//! Layers that fit each other: their places, their table, their first weights.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::{Samples, Task};
use crate::error::{Error, Result};
use crate::layer::{Chain, Inventory, Layer, NamedParameter, Node, StateKind, StateSpec, Unfit};
use crate::loss::Loss;
use crate::optim::Optimizer;
use crate::optim::decay_on::DecayOn;
use crate::shape::Shape;

/// Layers within each other, at most: as many as TOML readers follow.
const DEEPEST: usize = 24;
/// The most numbers of a sample: 256 MiB.
pub(super) const LARGEST_SAMPLE: usize = 1 << 26;

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

/// A network: layers that fit each other, with everything that they train and keep.
#[derive(Debug)]
pub struct Network {
    input: Shape,
    nodes: Vec<Node>,
    inventory: Inventory,
}

/// A network with what it is to learn, and how: what trains.
#[derive(Debug)]
pub struct Training {
    /// The network.
    pub network: Network,
    /// What its outputs are measured by.
    pub loss: Box<dyn Loss>,
    /// How gradients change its parameters.
    pub optimizer: Box<dyn Optimizer>,
}

impl Network {
    /// Fits the layers together for samples of shape `input`.
    ///
    /// # Errors
    /// [`Error::Shape`] names the first layer that does not fit, and both shapes.
    pub fn new(layers: &[Box<dyn Layer>], input: &[usize]) -> Result<Self> {
        Self::of(layers, input, Shape::of(input))
    }

    /// The same for the samples of a data set.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn of_samples(layers: &[Box<dyn Layer>], samples: &Samples) -> Result<Self> {
        Self::of(layers, samples.shape(), samples.sample_shape())
    }

    /// The same for samples of dimensions `dims`, where these make a shape.
    pub(super) fn of(
        layers: &[Box<dyn Layer>],
        dims: &[usize],
        shape: Option<Shape>,
    ) -> Result<Self> {
        let input = shape.ok_or_else(|| Error::Argument {
            what: "the shape of a sample".into(),
            found: format!("{dims:?}"),
            expected:
                "[features], [steps, features] or [channels, height, width], of tokens [steps]"
                    .into(),
            help: "give samples one of these shapes".into(),
        })?;
        let elements = dims.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
        if elements.is_none_or(|elements| elements > LARGEST_SAMPLE) {
            return Err(Error::Argument {
                what: "the shape of a sample".into(),
                found: format!("{dims:?}"),
                expected: format!("at most {LARGEST_SAMPLE} numbers"),
                help: "make the samples smaller".into(),
            });
        }
        let wrong = |position: usize, problem: String, help: String| Error::Shape {
            position,
            layer: layers[position].name().to_owned(),
            problem,
            help,
        };
        for (position, layer) in layers.iter().enumerate() {
            layer.validate().map_err(|invalid| {
                let problem = format!("{} {}", invalid.key, invalid.message);
                wrong(
                    position,
                    problem,
                    "see the layer's arguments in the README".into(),
                )
            })?;
        }
        let mut nodes = Node::fit_all(layers, &input).map_err(|unfit| {
            let Unfit { position, misfit } = unfit;
            wrong(position, misfit.problem, misfit.help)
        })?;
        if let Some(position) = nodes.iter().position(|node| node.depth() > DEEPEST) {
            let problem = format!(
                "its layers lie {} deep within each other; expected at most {DEEPEST}",
                nodes[position].depth()
            );
            return Err(wrong(position, problem, "use `repeat`, or a list".into()));
        }
        Ok(Self {
            inventory: Inventory::new(&mut nodes, 0)?,
            input,
            nodes,
        })
    }

    /// Refuses an output that is not one number for each of the task's outputs, for tokens at each
    /// position.
    ///
    /// # Errors
    /// [`Error::Shape`] names the last layer.
    pub fn check_output(&self, task: &Task) -> Result<()> {
        let (output, classes) = (self.output(), task.outputs());
        let expected = match (task, self.input) {
            (Task::Tokens(_), input) => Shape::Sequence {
                steps: input.positions(),
                features: classes,
            },
            _ => Shape::Features(classes),
        };
        if output == expected {
            return Ok(());
        }
        Err(Error::Shape {
            position: self.nodes.len().saturating_sub(1),
            layer: self
                .nodes
                .last()
                .map_or("none", |node| node.layer.name())
                .to_owned(),
            problem: format!(
                "the last layer's output has the shape {output}, but the data has {classes} {}: {expected} is expected",
                task.name()
            ),
            help: format!("end with {{ linear = {classes} }}"),
        })
    }

    /// The layers at their places.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The layers at their places with what they train and keep, as plans are made of them.
    #[must_use]
    pub fn chain(&self) -> Chain<'_> {
        Chain {
            nodes: &self.nodes,
            inventory: &self.inventory,
        }
    }

    /// Shape of one sample of the input.
    #[must_use]
    pub fn input(&self) -> Shape {
        self.input
    }

    /// Shape of one sample of the output.
    #[must_use]
    pub fn output(&self) -> Shape {
        self.nodes.last().map_or(self.input, Node::output)
    }

    /// All parameters, in the order of the layers; of tied ones, those that the others are tied to.
    pub fn parameters(&self) -> impl Iterator<Item = &NamedParameter> {
        let all = self.inventory.parameters.iter();
        all.filter(|parameter| parameter.spec.tied.is_none())
    }

    /// The names of tied parameters, each with the name of the one that it is tied to.
    pub fn twins(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.inventory.parameters.iter();
        all.filter_map(|parameter| {
            let tied = parameter.spec.tied.as_deref()?;
            Some((parameter.name.as_str(), tied))
        })
    }

    /// All state that is not trained and belongs to the weights (running statistics), in the order
    /// of the layers.
    pub fn states(&self) -> impl Iterator<Item = &StateSpec> {
        let all = self.inventory.states.iter();
        all.filter(|state| state.kind != StateKind::Carried)
    }

    /// Whether a layer carries a state on from batch to batch.
    #[must_use]
    pub fn carries(&self) -> bool {
        let mut states = self.inventory.states.iter();
        states.any(|state| state.kind == StateKind::Carried)
    }

    /// Numbers of the output for a sample, or for each of its positions.
    #[must_use]
    pub fn classes(&self) -> usize {
        match self.output() {
            Shape::Sequence { features, .. } => features,
            output => output.elements(),
        }
    }

    /// Positions of the output: one row of numbers for each.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.output().positions()
    }

    /// The parameters, for who changes what they say of themselves.
    pub(super) fn specs(&mut self) -> &mut [NamedParameter] {
        &mut self.inventory.parameters
    }

    /// The layers, for who changes what they do.
    pub(super) fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    /// Floats of the largest value of one sample: the input, or what a layer gives.
    #[must_use]
    pub fn largest(&self) -> usize {
        fn of(nodes: &[Node]) -> usize {
            let each = nodes.iter().map(|node| {
                let within = node.fit.branches.iter().map(|branch| of(&branch.nodes));
                within.max().unwrap_or(0).max(node.output().elements())
            });
            each.max().unwrap_or(0)
        }
        of(self.nodes()).max(self.input().elements())
    }

    /// Length of the flat buffers in floats, padding included: a multiple of 64.
    #[must_use]
    pub fn floats(&self) -> usize {
        self.inventory.floats
    }

    /// (lr_mult, decay_mult) for each block of 64 floats of the flat buffers.
    #[must_use]
    pub fn multipliers(&self, decay_on: DecayOn) -> Vec<[f32; 2]> {
        let mut table = vec![[1.0, 1.0]; self.floats() / 64];
        for parameter in self.parameters() {
            let blocks = parameter.place.matrix.floats() / 64;
            let first = parameter.place.offset / 64;
            let spec = &parameter.spec;
            let decays = f64::from(u8::from(decay_on.takes(&spec.shape)));
            let multipliers = [spec.lr_mult, spec.decay_mult * decays];
            table[first..first + blocks].fill(multipliers.map(|mult| mult as f32));
        }
        table
    }

    /// The table of layers for people.
    #[must_use]
    pub fn rows(&self) -> Vec<LayerRow> {
        let parameters = |position: usize| {
            let own = self.parameters().filter(|p| p.layer == position);
            own.map(|parameter| parameter.spec.shape.iter().product::<usize>())
                .sum()
        };
        let row = |(position, node): (usize, &Node)| LayerRow {
            position,
            layer: node.layer.describe(&node.input),
            output: node.output().dims(),
            parameters: parameters(position),
        };
        self.nodes.iter().enumerate().map(row).collect()
    }

    /// Counters that PyTorch keeps beside running statistics (`num_batches_tracked`): the number of
    /// batches trained on.
    #[must_use]
    pub fn counters(&self, batches: u64) -> BTreeMap<String, i64> {
        let counters = self.inventory.counters.iter();
        counters
            .map(|name| (name.clone(), batches as i64))
            .collect()
    }
}
