//! The tables of policies, layers, losses, optimizers and sources, for whoever brings own ones.

use crate::args::Entry;
use crate::layer::{LAYERS, Layer};
use crate::loss::{LOSSES, Loss};
use crate::optim::{OPTIMIZERS, Optimizer};
use crate::schedule::{POLICIES, Policy};
use crate::source::{SOURCES, Source};

/// The tables that a configuration chooses from. A library user with own policies or layers
/// gives longer ones.
#[derive(Debug, Clone, Copy)]
pub struct Tables {
    /// Values of `schedule.policy`.
    pub policies: &'static [Entry<dyn Policy>],
    /// Names in `model.layers`.
    pub layers: &'static [Entry<dyn Layer>],
    /// Values of `loss.kind`.
    pub losses: &'static [Entry<dyn Loss>],
    /// Values of `optimizer.kind`.
    pub optimizers: &'static [Entry<dyn Optimizer>],
    /// Values of `data.source`.
    pub sources: &'static [Entry<dyn Source>],
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            policies: POLICIES,
            layers: LAYERS,
            losses: LOSSES,
            optimizers: OPTIMIZERS,
            sources: SOURCES,
        }
    }
}

impl Tables {
    /// The sections whose entries take an argument of this name.
    pub(super) fn homes(&self, argument: &str) -> impl Iterator<Item = &'static str> {
        fn takes<T: ?Sized>(entries: &[Entry<T>], argument: &str) -> bool {
            entries
                .iter()
                .any(|entry| entry.arguments.contains(&argument))
        }
        [
            ("loss", takes(self.losses, argument)),
            ("optimizer", takes(self.optimizers, argument)),
            ("schedule", takes(self.policies, argument)),
        ]
        .into_iter()
        .filter_map(|(section, takes)| takes.then_some(section))
    }
}
