//! How a run stopped being finite.

use super::record::StepRecord;
use super::trainer::Trainer;
use crate::error::Error;
use crate::optim::Momentum;

/// What is no longer finite, and since which step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Divergence {
    /// The step, from 0.
    pub(super) step: u64,
    /// Its rate.
    pub(super) lr: f64,
    /// What became what.
    what: String,
}

impl Divergence {
    /// By what a step left.
    pub(super) fn of(record: &StepRecord) -> Self {
        let what = if record.loss.is_nan() {
            "the loss became NaN"
        } else if record.loss.is_infinite() {
            "the loss became infinite"
        } else {
            "the gradient's norm, which optimizer.clip_norm needs, became too large for an f32"
        };
        Self {
            step: record.step,
            lr: record.lr,
            what: what.to_owned(),
        }
    }

    /// By what is found where a run ends; `last` is its last step, where this sitting had one.
    pub(super) fn in_the_end(trainer: &Trainer, last: Option<&StepRecord>, what: String) -> Self {
        let step = trainer.done().saturating_sub(1);
        let lr = match last {
            Some(last) => last.lr,
            None => trainer.schedule().at(step).lr,
        };
        Self { step, lr, what }
    }

    /// The error that ends the run; `last` is the last finite loss of a step.
    pub(super) fn error(self, momentum: Option<Momentum>, last: Option<f64>) -> Error {
        let momentum = momentum.map_or(String::new(), |m| format!(", or optimizer.{}", m.key));
        let last = last.map(|loss| format!("; the last finite loss was {loss:.4}"));
        Error::Diverged {
            step: self.step,
            lr: self.lr,
            what: self.what,
            last: last.unwrap_or_default(),
            help: format!(
                "lower schedule.max_lr (or schedule.lr){momentum}; check that data.normalize suits \
                 the rate; what was written so far is kept"
            ),
        }
    }
}
