//! Parameters that stay as they are: neither updated nor decayed, and running statistics with them.

use super::Network;
use crate::error::{Error, Result};
use crate::layer::Node;

impl Network {
    /// Lets the parameters that `patterns` name stay as they are, and the running statistics of their
    /// layers. A pattern is a position in `model.layers` (`"3"`), a range of them (`"0-5"`, both ends
    /// included), or a parameter's name in which `*` stands for anything (`"7.*"`, `"*.bias"`).
    ///
    /// Gradients of what stays are still computed, and count in the gradient's norm.
    ///
    /// # Errors
    /// [`Error::Argument`] for a pattern that names no parameter, and where nothing is left to train.
    pub fn freeze(&mut self, patterns: &[String]) -> Result<()> {
        if patterns.is_empty() {
            return Ok(());
        }
        for pattern in patterns {
            if !self.parameters().any(|p| names(pattern, &p.name, p.layer)) {
                let all: Vec<&str> = self.parameters().map(|p| p.name.as_str()).collect();
                return Err(refused(format!("\"{pattern}\" names no parameter"), &all));
            }
        }
        let is_named = |name: &str, layer: usize| patterns.iter().any(|p| names(p, name, layer));
        // Tied parameters are one stretch, which stays as a whole.
        let frozen = self.parameters().filter(|p| is_named(&p.name, p.layer));
        let frozen: Vec<usize> = frozen.map(|p| p.place.offset).collect();
        if self.parameters().all(|p| frozen.contains(&p.place.offset)) {
            return Err(refused(
                "all parameters, and nothing is left to train".into(),
                &[],
            ));
        }
        for parameter in self.specs() {
            if frozen.contains(&parameter.place.offset) {
                (parameter.spec.lr_mult, parameter.spec.decay_mult) = (0.0, 0.0);
            }
        }
        for (position, node) in self.nodes_mut().iter_mut().enumerate() {
            keep_statistics(node, position, &is_named);
        }
        Ok(())
    }
}

fn refused(found: String, names: &[&str]) -> Error {
    const SHOWN: usize = 12;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>();
    Error::Argument {
        what: "model.freeze".into(),
        found,
        expected: "positions (\"3\", \"0-5\") and names (\"7.*\") of parameters, not of all".into(),
        help: match names.len() {
            0 => "leave a layer out of the list".into(),
            _ => format!("the network has {}", shown.join(", ")),
        },
    }
}

/// Whether `pattern` names a parameter or state called `name` of the layer at `position`.
fn names(pattern: &str, name: &str, position: usize) -> bool {
    let number = |text: &str| text.parse::<usize>().ok();
    match pattern.split_once('-').map(|(a, b)| (number(a), number(b))) {
        Some((Some(first), Some(last))) => (first..=last).contains(&position),
        _ => number(pattern).map_or_else(|| matches(pattern, name), |at| at == position),
    }
}

/// Whether `name` is `pattern`, in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter().any(|at| matches(rest, &name[at..]))
        }),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_positions_ranges_and_names() {
        assert!(names("3", "3.weight", 3) && !names("3", "13.weight", 13));
        assert!(names("0-5", "5.body.0.weight", 5) && !names("0-5", "6.weight", 6));
        assert!(names("7.*", "7.bias", 7) && !names("7.*", "17.bias", 17));
        assert!(names("*.bias", "3.body.1.bias", 3) && !names("*.bias", "3.weight", 3));
        assert!(names("*", "anything", 0) && names("3.*.w*t", "3.body.0.weight", 3));
        assert!(!names("a-b", "3.weight", 3) && !names("5-3", "4.weight", 4));
    }
}
