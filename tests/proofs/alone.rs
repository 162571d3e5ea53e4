//! A layer as a network of its own: fitted, at its place, with what it trains and keeps.

use wavetrain::layer::{Chain, Inventory, Layer, Node, ParameterSpec, Pass, Site, StateSpec};
use wavetrain::rng::Key;
use wavetrain::shape::Shape;

/// The position of the layer: part of the names and of dropout's counter.
pub(crate) const POSITION: usize = 3;

pub(crate) struct Alone {
    nodes: Vec<Node>,
    pub(crate) inventory: Inventory,
}

/// Whether a layer takes samples of this shape.
pub(crate) fn takes(layer: &dyn Layer, input: &[usize]) -> bool {
    layer.fit(&Shape::of(input).unwrap()).is_ok()
}

impl Alone {
    pub(crate) fn new(layer: &dyn Layer, input: &[usize]) -> Self {
        let input = Shape::of(input).unwrap();
        let mut nodes = vec![Node::fit(layer, &input).unwrap()];
        Self {
            inventory: Inventory::new(&mut nodes, POSITION).unwrap(),
            nodes,
        }
    }

    /// The same with the relus beside it that the layer can take over.
    pub(crate) fn beside(mut self, [relu, gate]: [bool; 2]) -> Self {
        self.nodes[0].fused.relu = relu;
        self.nodes[0].fused.gate = gate;
        self
    }

    pub(crate) fn node(&self) -> &Node {
        &self.nodes[0]
    }

    pub(crate) fn site(&self) -> Site<'_> {
        let chain = Chain {
            nodes: &self.nodes,
            inventory: &self.inventory,
        };
        chain.site(0)
    }

    /// Its parameters and those of the layers inside.
    pub(crate) fn parameters(&self) -> Vec<&ParameterSpec> {
        self.inventory.parameters.iter().map(|p| &p.spec).collect()
    }

    /// Their names within the layer (`body.0.weight`).
    pub(crate) fn names(&self) -> Vec<&str> {
        let full = self.inventory.parameters.iter().map(|p| &p.name);
        full.map(|name| name.split_once('.').unwrap().1).collect()
    }

    /// Its states and those of the layers inside, by their full names.
    pub(crate) fn states(&self) -> &[StateSpec] {
        &self.inventory.states
    }

    /// What its reference is given in training; the fields say more.
    pub(crate) fn pass<'a>(
        &'a self,
        samples: usize,
        x: &'a [f64],
        parameters: &'a [Vec<f64>],
        key: Key,
    ) -> Pass<'a> {
        Pass {
            node: self.node(),
            samples,
            x,
            parameters,
            states: &[],
            training: true,
            key,
        }
    }
}
