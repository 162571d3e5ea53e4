//! Weights from elsewhere: names that wrappers put in front, and layers that start anew.

use super::weights::Tensor;
use super::{Network, Weights};

/// What torch.nn.DataParallel, torch.compile and torch.optim.swa_utils.AveragedModel put in front of the
/// names of what they wrap.
const PREFIXES: [&str; 2] = ["module.", "_orig_mod."];
/// What an AveragedModel keeps beside them.
const AVERAGED: &str = "n_averaged";

impl Weights {
    /// Takes off what wrappers of PyTorch put in front of all names, and leaves out their counter; gives
    /// what was taken away, in words.
    pub fn unwrap_names(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        let counted = self.counters.remove(AVERAGED).is_some();
        if counted | self.tensors.remove(AVERAGED).is_some() {
            notes.push(format!(
                "left out `{AVERAGED}`, a counter of averaged weights"
            ));
        }
        while let Some(prefix) = self.prefix() {
            let renamed = |name: &String| name.strip_prefix(prefix).unwrap_or(name).to_owned();
            let tensors = std::mem::take(&mut self.tensors).into_iter();
            self.tensors = tensors
                .map(|(name, tensor)| (renamed(&name), tensor))
                .collect();
            let counters = std::mem::take(&mut self.counters).into_iter();
            self.counters = counters
                .map(|(name, value)| (renamed(&name), value))
                .collect();
            notes.push(format!("took `{prefix}` off the names of all tensors"));
        }
        notes
    }

    /// The prefix that all names have.
    fn prefix(&self) -> Option<&'static str> {
        let all = |prefix: &&str| {
            let mut names = self.tensors.keys().chain(self.counters.keys());
            !self.tensors.is_empty() && names.all(|name| name.starts_with(prefix))
        };
        PREFIXES.into_iter().find(|prefix| all(prefix))
    }

    /// Lets every layer of `network` of which a tensor has another shape here start anew, with the first
    /// values for `seed`; where all have the same, the last layer that has parameters. Gives which, in
    /// words.
    pub fn renew_head(&mut self, network: &Network, seed: u64) -> Vec<String> {
        let first = network.initial_weights(seed);
        let mut notes = Vec::new();
        let differing = first.tensors.iter().filter_map(|(name, tensor)| {
            let found = self.tensors.get(name)?;
            (found.shape != tensor.shape).then(|| (name.clone(), found.shape.clone(), tensor))
        });
        let differing: Vec<(String, Vec<usize>, &Tensor)> = differing.collect();
        for (name, found, tensor) in differing {
            notes.push(format!(
                "starts anew: `{name}` has the shape {found:?} in the file and {:?} here",
                tensor.shape
            ));
            self.renew(layer_of(&name), &first);
        }
        let last = network.parameters().last().filter(|_| notes.is_empty());
        if let Some(last) = last {
            let layer = layer_of(&last.name);
            notes.push(format!(
                "starts anew: `{layer}`, the last layer with parameters; all shapes are those of the file"
            ));
            self.renew(layer, &first);
        }
        notes
    }

    /// Takes the tensors of a layer from other weights.
    fn renew(&mut self, layer: &str, from: &Self) {
        let own = from.tensors.iter();
        let own = own.filter(|(name, _)| layer_of(name) == layer);
        let own = own.map(|(name, tensor)| (name.clone(), tensor.clone()));
        self.tensors.extend(own);
    }
}

/// The layer that a tensor belongs to: its name up to the last point.
fn layer_of(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(layer, _)| layer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Layer, Linear, Relu};

    fn network(outputs: usize) -> Network {
        let layers: [Box<dyn Layer>; 3] = [
            Box::new(Linear::new(4)),
            Box::new(Relu {}),
            Box::new(Linear::new(outputs)),
        ];
        Network::new(&layers, &[3]).unwrap()
    }

    #[test]
    fn names_of_wrappers_are_taken_off() {
        let plain = network(2).initial_weights(1);
        for prefix in [
            "module.",
            "_orig_mod.",
            "module._orig_mod.",
            "_orig_mod.module.",
        ] {
            let mut weights = Weights::default();
            for (name, tensor) in &plain.tensors {
                weights
                    .tensors
                    .insert(format!("{prefix}{name}"), tensor.clone());
            }
            weights.counters.insert(AVERAGED.to_owned(), 3);
            let notes = weights.unwrap_names();
            assert_eq!(weights, plain, "{prefix}");
            assert_eq!(notes.len(), 1 + prefix.matches('.').count(), "{notes:?}");
        }
        let mut weights = plain.clone();
        assert_eq!(weights.unwrap_names(), [""; 0]);
        assert_eq!(weights, plain);
    }

    #[test]
    fn a_layer_of_another_shape_starts_anew_as_a_whole() {
        let (old, new) = (network(7).initial_weights(1), network(2));
        let mut weights = old.clone();
        let notes = weights.renew_head(&new, 5);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].contains("`2.bias` has the shape [7] in the file and [2] here"));
        let first = new.initial_weights(5);
        for (name, tensor) in &weights.tensors {
            let from = if name.starts_with("2.") { &first } else { &old };
            assert_eq!(tensor, &from.tensors[name], "{name}");
        }
        // Other classes, as many as before.
        let notes = weights.renew_head(&new, 6);
        assert!(
            notes[0].contains("starts anew: `2`, the last layer"),
            "{notes:?}"
        );
        let (other, same) = (new.initial_weights(6), |name: &str| !name.starts_with("2."));
        for (name, tensor) in &weights.tensors {
            let from = if same(name) { &old } else { &other };
            assert_eq!(tensor, &from.tensors[name], "{name}");
        }
    }
}
