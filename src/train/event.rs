//! What a run tells its observers.
//!
//! The engine emits [`Event`]s; the progress bar, the metrics file, the page and a user's own
//! callbacks are [`Observer`]s. An observer never slows a step: events come once per chunk.

use super::checkpoint::Checkpoint;
pub use super::confusion::Confusion;
pub use super::record::{
    Augmented, Change, Ended, Evaluation, LowPoint, Mistake, NumberRecord, NumbersRecord, RunInfo,
    Split, StepRecord, Summary, SymbolRecord,
};
pub use crate::gpu::AdapterSummary;
pub use crate::model::LayerRow;
use crate::model::Weights;

/// What an observer wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Train no step after this one (counted from 0); `StopAfter(0)` stops as soon as possible.
    StopAfter(u64),
    /// The user wants to leave: finish the chunk, evaluate nothing more.
    Interrupt,
}

/// Somebody who watches a run.
pub trait Observer {
    /// Called for each event, in order.
    ///
    /// # Errors
    /// An observer that cannot do its work (a full disk) ends the run with its error.
    fn on(&mut self, event: &Event<'_>) -> crate::error::Result<Flow>;

    /// Whether it keeps the checkpoints that it is shown; where nobody does, none are taken.
    fn keeps_checkpoints(&self) -> bool {
        false
    }

    /// Whether it shows texts that the network makes; where nobody does, none are made.
    fn shows_texts(&self) -> bool {
        false
    }
}

/// A closure is an observer: `trainer.run(&mut [&mut |event: &Event<'_>| { ... }])`.
impl<F: FnMut(&Event<'_>) -> crate::error::Result<Flow>> Observer for F {
    fn on(&mut self, event: &Event<'_>) -> crate::error::Result<Flow> {
        self(event)
    }
}

/// Something that happened in a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Everything is built; the first step comes next.
    Started(&'a RunInfo),
    /// The same, for a run that goes on from a checkpoint.
    Resumed(&'a Checkpoint),
    /// The run can go on from here. Only where somebody keeps it.
    Checkpoint {
        /// The run as it stands.
        checkpoint: &'a Checkpoint,
        /// How many are kept, the newest ones.
        keep: u64,
    },
    /// A chunk of steps is done.
    Steps(&'a [StepRecord]),
    /// An evaluation is done.
    Evaluated(&'a Evaluation),
    /// What the network makes of a text after an evaluation. Only where it learns to go on with texts,
    /// and somebody shows it.
    Text {
        /// Number of steps done.
        step: u64,
        /// How it began.
        prompt: &'a str,
        /// How the network went on.
        text: &'a str,
    },
    /// The evaluation is the best so far (of the validation set where there is one, or else of the
    /// test set), and the weights are those that it is of.
    Best(&'a Evaluation, &'a Weights),
    /// A cycle ended, and `[cycle_end]` asks for something.
    LowPoint {
        /// The accuracies.
        point: &'a LowPoint,
        /// The weights as they are, where snapshots are taken.
        snapshot: Option<&'a Weights>,
        /// The mean of the weights so far, with running statistics of its own, where it is kept.
        average: Option<&'a Weights>,
    },
    /// The schedule reached the end of a cycle (`cycle` from 0; `step` is the first of the next).
    CycleEnded {
        /// The cycle that ended.
        cycle: u64,
        /// The first step of the next cycle.
        step: u64,
    },
    /// An epoch ended.
    EpochEnded {
        /// The epoch that ended, from 0.
        epoch: u64,
        /// Number of steps done.
        step: u64,
    },
    /// `train.early_stop` ends the run.
    EarlyStop {
        /// Number of steps done.
        step: u64,
        /// The best loss of the validation set.
        best: f64,
    },
    /// The loss is no longer finite.
    Diverged {
        /// The first such step.
        step: u64,
        /// Its rate.
        lr: f64,
    },
    /// Training is over and did not diverge: the weights as they are.
    Trained(&'a Weights),
    /// The run is over.
    Finished(&'a Summary),
}
