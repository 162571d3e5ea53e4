//! Training a run again, to see whether it gives the same bits.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::{Tensor, Weights};
use crate::train::{Event, Flow, Observer, StepRecord, Trainer};

/// What a run left.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// Its steps, from step 0 on.
    pub steps: &'a [StepRecord],
    /// Weights and running statistics by their names behind the last of them, where they are known.
    pub weights: Option<&'a BTreeMap<String, Tensor>>,
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replay {
    /// Steps that are the same bits.
    pub same: u64,
    /// The first difference; `None` where there is none.
    pub differs: Option<Differs>,
    /// Whether weights were compared behind the last step.
    pub weights: bool,
}

/// A difference between a run and its replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Differs {
    /// The step.
    pub step: u64,
    /// What differs (`loss`, `tensor 1.weight`).
    pub what: String,
    /// The number that was recorded.
    pub recorded: f64,
    /// The number now.
    pub found: f64,
}

/// Trains as many steps as were recorded and compares them bit by bit. `trainer` is as it was made,
/// from the run's configuration.
///
/// # Errors
/// [`Error::Argument`] for a run without steps; as [`Trainer::run`], but for a run that diverges as
/// it did before.
pub fn replay(trainer: &mut Trainer, recorded: &Recorded<'_>) -> Result<Replay> {
    let steps = recorded.steps.len() as u64;
    if steps == 0 {
        return Err(Error::Argument {
            what: "steps".into(),
            found: "none".into(),
            expected: "at least one step to compare".into(),
            help: "name a run that has trained".into(),
        });
    }
    trainer.set_total_steps(steps);
    let mut comparer = Comparer {
        recorded,
        replay: Replay {
            same: 0,
            differs: None,
            weights: false,
        },
    };
    match trainer.run(&mut [&mut comparer]) {
        Ok(_) | Err(Error::Diverged { .. }) => Ok(comparer.replay),
        Err(error) => Err(error),
    }
}

struct Comparer<'a> {
    recorded: &'a Recorded<'a>,
    replay: Replay,
}

impl Comparer<'_> {
    fn step(&mut self, found: &StepRecord) {
        let at = usize::try_from(found.step).unwrap_or(usize::MAX);
        let Some(recorded) = self.recorded.steps.get(at) else {
            return;
        };
        let numbers = |r: &StepRecord| {
            [
                ("step", r.step as f64),
                ("rate", r.lr),
                ("momentum", r.momentum),
                ("loss", r.loss),
                ("accuracy", r.accuracy),
                ("norm of the gradient", r.grad_norm),
            ]
        };
        let pairs = numbers(recorded).into_iter().zip(numbers(found));
        // Files do not tell numbers apart that are not finite.
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || !(a.is_finite() || b.is_finite());
        let differs = pairs.into_iter().find(|((_, a), (_, b))| !same(*a, *b));
        match differs {
            None => self.replay.same = found.step + 1,
            Some(((what, recorded), (_, now))) => {
                self.replay.differs = Some(Differs {
                    step: found.step,
                    what: what.into(),
                    recorded,
                    found: now,
                });
            }
        }
    }

    fn weights(&mut self, found: &Weights) {
        let Some(recorded) = self.recorded.weights else {
            return;
        };
        self.replay.weights = true;
        for (name, found) in &found.tensors {
            let nothing = Vec::new();
            let recorded = recorded.get(name).map_or(&nothing, |t| &t.values);
            let mut pairs = found.values.iter().enumerate();
            let differs = pairs.find(|(at, value)| {
                recorded.get(*at).map(|r| r.to_bits()) != Some(value.to_bits())
            });
            if let Some((at, value)) = differs {
                let before = recorded.get(at).copied().map_or(f64::NAN, f64::from);
                self.replay.differs = Some(Differs {
                    step: self.replay.same.saturating_sub(1),
                    what: format!("tensor {name} at {at}"),
                    recorded: before,
                    found: f64::from(*value),
                });
                return;
            }
        }
    }
}

impl Observer for Comparer<'_> {
    fn on(&mut self, event: &Event<'_>) -> Result<Flow> {
        match event {
            Event::Steps(steps) => {
                for step in *steps {
                    if self.replay.differs.is_none() {
                        self.step(step);
                    }
                }
            }
            Event::Trained(weights) if self.replay.differs.is_none() => self.weights(weights),
            _ => {}
        }
        Ok(match self.replay.differs {
            None => Flow::Continue,
            Some(_) => Flow::Interrupt,
        })
    }
}
