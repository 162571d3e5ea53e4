//! A list of layers as a network, or a branch of a layer, runs it: forward and backward, with relus
//! fused into their neighbours where these can.

use super::node::{Chain, Node};
use super::{Back, Forward, Pass, ReferenceGradients};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;

/// The values of a chain's forward pass, for its backward pass.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The input.
    pub input: Value,
    /// What each layer gave; a relu that the layer in front applies has this layer's output.
    pub layers: Vec<Forward>,
}

impl Trace {
    /// The output.
    #[must_use]
    pub fn output(&self) -> Value {
        self.layers.last().map_or(self.input, |forward| forward.y)
    }

    /// The input of the layer at `position`.
    fn x(&self, position: usize) -> Value {
        match position.checked_sub(1) {
            Some(before) => self.layers[before].y,
            None => self.input,
        }
    }
}

impl Chain<'_> {
    /// Appends the forward pass.
    ///
    /// # Errors
    /// If the adapter cannot run a layer at its size.
    pub fn forward(&self, b: &mut Builder, input: Value) -> Result<Trace> {
        let mut trace = Trace {
            input,
            layers: Vec::with_capacity(self.nodes.len()),
        };
        for (position, node) in self.nodes.iter().enumerate() {
            let x = trace.output();
            let forward = if node.fused.away {
                Forward::from(x)
            } else {
                label(b, node);
                node.layer.forward(b, &self.site(position), x)?
            };
            trace.layers.push(forward);
        }
        Ok(trace)
    }

    /// Appends the backward pass for the output's gradient `dy`; gives the gradient by the input
    /// where it is wanted.
    ///
    /// # Errors
    /// If the adapter cannot run a layer at its size.
    pub fn backward(
        &self,
        b: &mut Builder,
        trace: &Trace,
        mut dy: Value,
        wants_dx: bool,
    ) -> Result<Option<Value>> {
        // Gradients are wanted down to the first layer that trains, or to the input.
        let first = match wants_dx {
            true => Some(0),
            false => self.nodes.iter().position(Node::trains),
        };
        let Some(first) = first else {
            return Ok(None);
        };
        let mut gated = false;
        for position in (first..self.nodes.len()).rev() {
            if std::mem::take(&mut gated) {
                // The layer behind has applied this relu's gradient already.
                continue;
            }
            let (node, forward) = (&self.nodes[position], &trace.layers[position]);
            let inner = position > first;
            label(b, node);
            let back = Back {
                x: trace.x(position),
                y: forward.y,
                saved: &forward.saved,
                branches: &forward.branches,
                dy,
                wants_dx: wants_dx || inner,
                gate: node.fused.gate && inner,
            };
            match node.layer.backward(b, &self.site(position), &back)? {
                Some(dx) => dy = dx,
                None => return Ok(None),
            }
            gated = back.gate;
        }
        Ok(wants_dx.then_some(dy))
    }
}

fn label(b: &mut Builder, node: &Node) {
    b.set_label(format!("{} {}", node.path, node.layer.name()));
}

/// Appends layers at their places to an ONNX graph, from the value `x`; gives the name of the output.
///
/// # Errors
/// A sentence about a layer that has no such form.
pub fn onnx(nodes: &[Node], g: &mut Graph, x: &str) -> Result<String, String> {
    let mut x = x.to_owned();
    for node in nodes {
        x = node.layer.onnx(g, node, &x)?;
    }
    Ok(x)
}

/// The f64 reference of a chain: the input, then each layer's output. `pass.node` does not matter.
#[must_use]
pub fn reference_forward(nodes: &[Node], pass: &Pass<'_>) -> Vec<Vec<f64>> {
    let mut values = vec![pass.x.to_vec()];
    for (position, node) in nodes.iter().enumerate() {
        let pass = pass.at(node, &values[position]);
        values.push(node.layer.reference().forward(&pass));
    }
    values
}

/// The backward pass of the reference of a chain, for the output's gradient `dy`.
#[must_use]
pub fn reference_backward(nodes: &[Node], pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
    let values = reference_forward(nodes, pass);
    let mut dy = dy.to_vec();
    let mut parameters = Vec::new();
    for (node, x) in nodes.iter().zip(&values).rev() {
        let gradients = node.layer.reference().backward(&pass.at(node, x), &dy);
        parameters.splice(0..0, gradients.parameters);
        dy = gradients.dx;
    }
    ReferenceGradients { dx: dy, parameters }
}
