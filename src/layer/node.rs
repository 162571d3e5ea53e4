//! Layers fitted to their inputs, and at their places in a network: names, numbers, parameters and
//! states, counted once.

use std::borrow::Cow;
use std::ops::Range;

use super::Layer;
use super::spec::{Fusion, Misfit, ParameterSpec, StateKind, StateSpec};
use crate::error::{Error, Result};
use crate::kernel::plan::{Bound, Key};
use crate::kernel::{Builder, Matrix, Parameter};
use crate::shape::Shape;

/// A layer that does not fit, by its position in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Position in the chain.
    pub position: usize,
    /// Why.
    pub misfit: Misfit,
}

/// Layers inside a layer, one behind the other.
#[derive(Debug, Clone)]
pub struct Branch {
    /// What stands in front of their positions in names (`body`: `3.body.0.weight`).
    pub name: Cow<'static, str>,
    /// The layers, fitted.
    pub nodes: Vec<Node>,
    /// Shape of one sample behind them.
    pub output: Shape,
}

impl Branch {
    /// Fits `layers` to the input of a branch.
    ///
    /// # Errors
    /// The first layer that does not fit, named as in the configuration (`body[2] (linear)`).
    pub fn fit(
        name: impl Into<Cow<'static, str>>,
        layers: &[Box<dyn Layer>],
        input: &Shape,
    ) -> Result<Self, Misfit> {
        let name = name.into();
        let nodes = Node::fit_all(layers, input).map_err(|unfit| Misfit {
            problem: format!(
                "{name}[{}] ({}): {}",
                unfit.position,
                layers[unfit.position].name(),
                unfit.misfit.problem
            ),
            help: unfit.misfit.help,
        })?;
        let output = nodes.last().map_or(*input, |node| node.fit.output);
        Ok(Self {
            name,
            nodes,
            output,
        })
    }
}

/// A layer, fitted to its input.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Shape of one sample of the output.
    pub output: Shape,
    /// The trained parameters; those of layers inside are theirs.
    pub parameters: Vec<ParameterSpec>,
    /// State that is not trained; that of layers inside is theirs.
    pub states: Vec<StateSpec>,
    /// Counters of the steps done that PyTorch keeps beside the state (`num_batches_tracked`).
    pub counters: Vec<&'static str>,
    /// Fewest samples of a training step: batch normalisation needs two values of a channel.
    pub least_samples: usize,
    /// Whether the layer takes pictures as rows in PyTorch's order, too: as the first layer of a
    /// network it gets them so.
    pub takes_rows: bool,
    /// Whether the layer takes tokens.
    pub takes_tokens: bool,
    /// What it does together with a relu beside it.
    pub fusion: Fusion,
    /// The layers inside it, in the order of their names and numbers.
    pub branches: Vec<Branch>,
}

impl Fit {
    /// A layer with this output and nothing else; the fields say more.
    #[must_use]
    pub fn new(output: Shape) -> Self {
        Self {
            output,
            parameters: Vec::new(),
            states: Vec::new(),
            counters: Vec::new(),
            least_samples: 1,
            takes_rows: false,
            takes_tokens: false,
            fusion: Fusion::NOTHING,
            branches: Vec::new(),
        }
    }

    /// The same with layers inside.
    #[must_use]
    pub fn with(self, branches: impl Into<Vec<Branch>>) -> Self {
        Self {
            branches: branches.into(),
            ..self
        }
    }
}

/// What a layer's dispatches do besides, because of its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fused {
    /// Whether the output is that of the relu behind the layer.
    pub relu: bool,
    /// Whether the input is a relu's output and the gradient by it is to be zero where it is zero.
    pub gate: bool,
    /// Whether the layer is a relu that the layer in front applies.
    pub away: bool,
    /// Whether the layer behind takes the tokens, where that is less work.
    pub by_token: bool,
    /// The table of the layer in front, whose tokens this one takes where it is given them.
    pub table: Option<Parameter>,
}

/// A layer at its place in a network.
#[derive(Debug, Clone)]
pub struct Node {
    /// The layer.
    pub layer: Box<dyn Layer>,
    /// Shape of one sample of the input.
    pub input: Shape,
    /// What the layer said of it.
    pub fit: Fit,
    /// Positions from the outside in (`3`, `3.body.0`): what names begin with.
    pub path: String,
    /// A number that no other layer of the network has: its position, in a network without nested
    /// layers. Random words are drawn by it.
    pub id: usize,
    /// Its own parameters in [`Inventory::parameters`].
    pub parameters: Range<usize>,
    /// Its own states in [`Inventory::states`].
    pub states: Range<usize>,
    /// Whether all its own parameters stay as they are.
    pub frozen: bool,
    /// What it does for its neighbours.
    pub fused: Fused,
}

impl Node {
    /// Fits a layer to its input. It has no place yet: see [`Inventory::new`].
    ///
    /// # Errors
    /// A layer that does not fit, or whose output or parameters no adapter could hold.
    pub fn fit(layer: &dyn Layer, input: &Shape) -> Result<Self, Misfit> {
        let fit = layer.fit(input)?;
        if let (Shape::Tokens { steps, symbols }, false) = (input, fit.takes_tokens) {
            return Err(Misfit {
                problem: format!(
                    "takes numbers, but its input are {steps} tokens of {symbols} symbols"
                ),
                help: "put { embedding = 64 } in front of it".into(),
            });
        }
        check_size("its output", &fit.output.dims(), LARGEST_VALUE)?;
        for spec in &fit.parameters {
            let name = format!("its parameter {}", spec.name);
            check_size(&name, &spec.shape, LARGEST_PARAMETER)?;
        }
        Ok(Self {
            layer: dyn_clone::clone_box(layer),
            input: *input,
            fit,
            path: String::new(),
            id: 0,
            parameters: 0..0,
            states: 0..0,
            frozen: false,
            fused: Fused::default(),
        })
    }

    /// Fits layers one behind the other, each once.
    ///
    /// # Errors
    /// The first layer that does not fit.
    pub fn fit_all(layers: &[Box<dyn Layer>], input: &Shape) -> Result<Vec<Self>, Unfit> {
        let mut nodes: Vec<Self> = Vec::with_capacity(layers.len());
        for (position, layer) in layers.iter().enumerate() {
            let input = nodes.last().map_or(*input, Self::output);
            let node = Self::fit(&**layer, &input).map_err(|misfit| Unfit { position, misfit })?;
            nodes.push(node);
        }
        Ok(nodes)
    }

    /// Shape of one sample of the output.
    #[must_use]
    pub fn output(&self) -> Shape {
        self.fit.output
    }

    /// The full name of one of the layer's parameters or states.
    #[must_use]
    pub fn named(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// The name under which files hold one of the layer's parameters or states: of a tied parameter
    /// the other's.
    #[must_use]
    pub fn tensor(&self, name: &str) -> String {
        let mut own = self.fit.parameters.iter();
        let tied = own
            .find(|spec| spec.name == name)
            .and_then(|spec| spec.tied.clone());
        tied.unwrap_or_else(|| self.named(name))
    }

    /// The node and all inside it, in the order of their numbers.
    pub fn all(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        let branches = self.fit.branches.iter();
        let inside = branches.flat_map(|branch| branch.nodes.iter().flat_map(Self::all));
        Box::new(std::iter::once(self).chain(inside))
    }

    /// Levels of layers within it; 0 for a layer that has none inside.
    #[must_use]
    pub fn depth(&self) -> usize {
        let inside = self.fit.branches.iter().flat_map(|branch| &branch.nodes);
        inside.map(|node| node.depth() + 1).max().unwrap_or(0)
    }

    /// Whether the layer, or one inside it, trains anything.
    #[must_use]
    pub fn trains(&self) -> bool {
        self.all()
            .any(|node| !node.parameters.is_empty() && !node.frozen)
    }

    /// Fewest samples of a training step that the layer and those inside it can use.
    #[must_use]
    pub fn least_samples(&self) -> usize {
        self.all()
            .map(|node| node.fit.least_samples)
            .max()
            .unwrap_or(1)
    }
}

/// The most floats of a value of one sample: 2 GiB.
const LARGEST_VALUE: usize = 1 << 29;
/// The most floats of a parameter: 8 GiB.
const LARGEST_PARAMETER: usize = 1 << 31;

fn check_size(what: &str, shape: &[usize], most: usize) -> Result<(), Misfit> {
    let floats = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
    if floats.is_some_and(|floats| floats <= most) {
        return Ok(());
    }
    Err(Misfit {
        problem: format!(
            "{what} has the shape {shape:?}, more than {most} numbers: no adapter holds it"
        ),
        help: "use fewer channels or features, a smaller kernel or less padding".into(),
    })
}

/// A parameter of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedParameter {
    /// Its name in files: path and name within the layer (`1.weight`), as in the equivalent
    /// torch.nn.Sequential.
    pub name: String,
    /// Position of the layer of the network that it belongs to, or lies within.
    pub layer: usize,
    /// Shape, initialiser and multipliers.
    pub spec: ParameterSpec,
    /// Where it lies in the flat buffers.
    pub place: Parameter,
    /// Whether it stays as it is, and has no gradient.
    pub frozen: bool,
}

/// All parameters and states of a network, in the order of its layers' numbers.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// The parameters, tied ones included.
    pub parameters: Vec<NamedParameter>,
    /// The states, with their full names.
    pub states: Vec<StateSpec>,
    /// Full names of the counters that PyTorch keeps.
    pub counters: Vec<String>,
    /// Length of the flat buffers in floats, padding included: a multiple of 64.
    pub floats: usize,
    layers: usize,
    tied: usize,
}

impl Inventory {
    /// Gives the layers of a network their places; the first has the position `first`, 0 in a network.
    ///
    /// # Errors
    /// A parameter that is tied to none in front of it, or to one of another shape.
    pub fn new(nodes: &mut [Node], first: usize) -> Result<Self> {
        let mut inventory = Self {
            layers: first,
            ..Self::default()
        };
        for (position, node) in (first..).zip(nodes.iter_mut()) {
            inventory.place(node, position.to_string(), position)?;
        }
        fuse(nodes, &inventory.parameters);
        Ok(inventory)
    }

    fn place(&mut self, node: &mut Node, path: String, top: usize) -> Result<()> {
        node.path = path;
        node.id = self.layers;
        self.layers += 1;
        let (parameters, states) = (self.parameters.len(), self.states.len());
        for spec in &node.fit.parameters {
            self.add(node.named(&spec.name), spec, (top, node.layer.name()))?;
        }
        let states_of = node.fit.states.iter().map(|spec| StateSpec {
            name: node.named(&spec.name),
            ..spec.clone()
        });
        self.states.extend(states_of);
        let counters = node.fit.counters.iter().map(|name| node.named(name));
        self.counters.extend(counters);
        node.parameters = parameters..self.parameters.len();
        node.states = states..self.states.len();
        for branch in &mut node.fit.branches {
            for (position, inside) in branch.nodes.iter_mut().enumerate() {
                let path = format!("{}.{}.{position}", node.path, branch.name);
                self.place(inside, path, top)?;
            }
            fuse(&mut branch.nodes, &self.parameters);
        }
        Ok(())
    }

    fn add(
        &mut self,
        name: String,
        spec: &ParameterSpec,
        (top, layer): (usize, &str),
    ) -> Result<()> {
        let matrix = spec.storage.matrix(&spec.shape);
        let place = match &spec.tied {
            None => {
                self.floats += matrix.floats();
                Parameter::new(self.floats - matrix.floats(), matrix)
            }
            Some(other) => {
                self.tied += 1;
                let found = self.parameters.iter().find(|p| p.name == *other);
                let fits = |p: &&NamedParameter| {
                    (&p.spec.shape, p.spec.storage) == (&spec.shape, spec.storage)
                };
                let found = found.filter(fits).ok_or_else(|| Error::Shape {
                    position: top,
                    layer: layer.to_owned(),
                    problem: format!(
                        "its parameter {name} of the shape {:?} is tied to {other}, but no layer in \
                         front has a parameter of this name and shape",
                        spec.shape
                    ),
                    help: "tie it to a parameter of a layer in front, by its name in files".into(),
                })?;
                found.place.tied(self.tied)
            }
        };
        self.parameters.push(NamedParameter {
            name,
            layer: top,
            spec: spec.clone(),
            place,
            frozen: false,
        });
        Ok(())
    }
}

/// Decides which relus are applied by the layer in front, and whose gradient by the layer behind; and
/// which tables are used by the layer behind.
fn fuse(nodes: &mut [Node], parameters: &[NamedParameter]) {
    for position in 1..nodes.len() {
        let (before, node) = (nodes[position - 1].fit.fusion, nodes[position].fit.fusion);
        let fused = node.is_relu && before.epilogue;
        nodes[position].fused.away = fused;
        nodes[position - 1].fused.relu = fused;
        nodes[position].fused.gate = node.gate && before.is_relu;
        let mut own = parameters[nodes[position - 1].parameters.clone()].iter();
        let table = before.table.filter(|_| node.takes_table);
        let table = table.and_then(|name| own.find(|parameter| parameter.spec.name == name));
        nodes[position - 1].fused.by_token = table.is_some();
        nodes[position].fused.table = table.map(|parameter| parameter.place);
    }
}

/// Layers at their places.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a> {
    /// The layers.
    pub nodes: &'a [Node],
    /// Everything that the network trains and keeps.
    pub inventory: &'a Inventory,
}

impl<'a> Chain<'a> {
    /// The place of the layer at `position`.
    #[must_use]
    pub fn site(&self, position: usize) -> Site<'a> {
        Site {
            node: &self.nodes[position],
            inventory: self.inventory,
        }
    }
}

/// Where a layer stands: what its dispatches need to know.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The layer and its place.
    pub node: &'a Node,
    /// Everything that the network trains and keeps.
    pub inventory: &'a Inventory,
}

impl<'a> Site<'a> {
    /// Shape of one sample of the input.
    #[must_use]
    pub fn input(&self) -> &'a Shape {
        &self.node.input
    }

    /// Shape of one sample of the output.
    #[must_use]
    pub fn output(&self) -> &'a Shape {
        &self.node.fit.output
    }

    /// The layers inside, branch by branch, at their places.
    pub fn branches(&self) -> impl Iterator<Item = Chain<'a>> + use<'a> {
        let inventory = self.inventory;
        let branches = self.node.fit.branches.iter();
        branches.map(move |branch| Chain {
            nodes: &branch.nodes,
            inventory,
        })
    }

    /// Whether the layer is to give the relu of its output: only where it says so in
    /// [`Fusion::epilogue`].
    #[must_use]
    pub fn relu(&self) -> bool {
        self.node.fused.relu
    }

    /// One of the layer's parameters by its name, where the layer has it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Parameter> {
        let own = &self.inventory.parameters[self.node.parameters.clone()];
        let found = own.iter().find(|parameter| parameter.spec.name == name);
        found.map(|parameter| parameter.place)
    }

    /// One of the layer's parameters by its name.
    ///
    /// # Errors
    /// A name that the layer's [`Fit`] does not have.
    pub fn parameter(&self, name: &str) -> Result<Parameter> {
        self.find(name)
            .ok_or_else(|| self.unknown("parameter", name))
    }

    /// One of the layer's states by its name, to be bound: its values, filled up to a multiple of
    /// four; of a carried state a matrix with a row for each sample.
    ///
    /// # Errors
    /// A name that the layer's [`Fit`] does not have.
    pub fn state(&self, b: &mut Builder, name: &str) -> Result<Bound> {
        let mut own = self.node.fit.states.iter();
        let Some(spec) = own.find(|spec| spec.name == name) else {
            return Err(self.unknown("state", name));
        };
        let full = self.node.named(name);
        Ok(match spec.kind {
            StateKind::Carried => {
                let bytes = Matrix::new(b.batch(), spec.len).bytes();
                b.shared(Key::Carried(b.mode().user(), full), bytes)
            }
            StateKind::Fixed | StateKind::Running => {
                b.shared(Key::State(full), 4 * spec.len.next_multiple_of(4) as u64)
            }
        })
    }

    fn unknown(&self, what: &str, name: &str) -> Error {
        self.defect(&format!(
            "asks for the {what} `{name}`, which its fit does not have"
        ))
    }

    /// What only the author of a layer can do wrong.
    #[must_use]
    pub fn defect(&self, problem: &str) -> Error {
        let (layer, path) = (self.node.layer.name(), &self.node.path);
        Error::Kernel {
            kernel: format!("layer/{layer}"),
            problem: format!("layer {path} {problem}"),
        }
    }
}
