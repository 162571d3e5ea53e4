//! Parameters that stay as they are: neither updated nor decayed, and running statistics with them.

use super::Network;
use super::pattern::{Place, names};
use crate::error::Result;
use crate::layer::Node;

const PLACE: Place = Place {
    key: "model.freeze",
    expected: "positions (\"3\", \"0-5\") and names (\"7.*\") of parameters, not of all",
};

impl Network {
    /// Lets the parameters that `patterns` name stay as they are, and the running statistics of their
    /// layers. A pattern is a position in `model.layers` (`"3"`), a range of them (`"0-5"`, both ends
    /// included), or a parameter's name in which `*` stands for anything (`"7.*"`, `"*.bias"`).
    ///
    /// What stays has no gradient, as in PyTorch with `requires_grad_(False)`: none counts in the
    /// gradient's norm, and the backward pass ends at the first layer that trains.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a pattern that names no parameter, and where
    /// nothing is left to train.
    pub fn freeze(&mut self, patterns: &[String]) -> Result<()> {
        if patterns.is_empty() {
            return Ok(());
        }
        PLACE.check(self, patterns)?;
        let is_named = |name: &str, layer: usize| patterns.iter().any(|p| names(p, name, layer));
        // Tied parameters are one stretch, which stays as a whole.
        let frozen = self.parameters().filter(|p| is_named(&p.name, p.layer));
        let frozen: Vec<usize> = frozen.map(|p| p.place.offset).collect();
        if self.parameters().all(|p| frozen.contains(&p.place.offset)) {
            return Err(PLACE.refuse(
                "all parameters, and nothing is left to train".into(),
                "leave a layer out of the list".into(),
            ));
        }
        for parameter in self.specs() {
            if frozen.contains(&parameter.place.offset) {
                (parameter.spec.lr_mult, parameter.spec.decay_mult) = (0.0, 0.0);
                parameter.frozen = true;
            }
        }
        let frozen: Vec<bool> = self.specs().iter().map(|p| p.frozen).collect();
        for (position, node) in self.nodes_mut().iter_mut().enumerate() {
            keep_statistics(node, position, &is_named);
            mark(node, &frozen);
        }
        Ok(())
    }
}

/// Marks the layer, and those inside it, of which no parameter trains.
fn mark(node: &mut Node, frozen: &[bool]) {
    node.frozen = frozen[node.parameters.clone()].iter().all(|frozen| *frozen);
    for branch in &mut node.fit.branches {
        branch
            .nodes
            .iter_mut()
            .for_each(|inside| mark(inside, frozen));
    }
}

/// Lets the running statistics of the layer, and of those inside it, stay where they are named.
fn keep_statistics(node: &mut Node, position: usize, is_named: &dyn Fn(&str, usize) -> bool) {
    let states = node.fit.states.iter().map(|state| node.named(&state.name));
    if states.into_iter().any(|name| is_named(&name, position)) {
        node.layer.keep_statistics();
    }
    for branch in &mut node.fit.branches {
        for inside in &mut branch.nodes {
            keep_statistics(inside, position, is_named);
        }
    }
}
