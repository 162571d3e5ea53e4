//! What the loop of a run has seen: with the state of the trainer, all that it goes on from.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::members::Members;
use super::patience::Patience;
use super::record::{Evaluation, Split};
use crate::data::Judge;
use crate::model::Weights;

/// Everything that the loop knows and a later step depends on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunState {
    /// Steps done when the run began.
    pub first: u64,
    /// Whether all that happens besides training has happened at the step where the trainer stands.
    /// An interrupted run may stand before it.
    pub attended: bool,
    /// The last evaluation of each part.
    pub evaluations: Vec<Evaluation>,
    /// The best score so far (of classes the accuracy) on the validation set, or else on the test set.
    pub best: Option<f64>,
    /// The weights that reached it, where somebody keeps checkpoints.
    #[serde(skip)]
    pub best_weights: Option<Weights>,
    /// The loss of the last step that had a finite one.
    pub last_finite: Option<f64>,
    /// Time in which steps ran, evaluations not included.
    pub stepping: Duration,
    /// Time since the run began, in all its sittings.
    pub lasted: Duration,
    /// How long `train.early_stop` has waited.
    pub(super) patience: Patience,
    /// What the low points of cycles have left; their numbers are stored apart from the rest.
    #[serde(skip)]
    pub(super) members: Members,
}

impl RunState {
    /// The state of a run that begins where `done` steps are done.
    pub(super) fn new(done: u64) -> Self {
        Self {
            first: done,
            attended: true,
            ..Self::default()
        }
    }

    /// Takes in an evaluation, in the place of the last one of its part; whether it is the best so
    /// far of the part that judges, by what the task is judged by.
    pub(super) fn take(&mut self, evaluation: Evaluation, (part, judge): (Split, Judge)) -> bool {
        self.evaluations.retain(|e| e.split != evaluation.split);
        self.evaluations.push(evaluation);
        let score = judge.score(evaluation.loss, evaluation.accuracy);
        let better = evaluation.split == part && judge.is_better(score, self.best);
        if better {
            self.best = Some(score);
        }
        better
    }
}
