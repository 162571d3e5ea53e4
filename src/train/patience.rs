//! When a run has waited long enough for a better evaluation (`train.early_stop`).

use serde::{Deserialize, Serialize};

use crate::schedule::Policy;

/// Counts the evaluations in a row without a better loss. Those within the rising half of a cycle
/// do not count: there a loss that gets worse says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Patience {
    best: Option<f64>,
    bad: u64,
}

impl Patience {
    /// Whether all evaluations that are waited for have come.
    pub(super) fn is_spent(&self, allowed: u64) -> bool {
        allowed > 0 && self.bad >= allowed
    }

    /// Whether the run ends here, where `done` steps gave `loss`; with the best loss there was.
    /// `allowed` evaluations are waited for; 0: for ever.
    pub(super) fn is_over(
        &mut self,
        allowed: u64,
        schedule: &dyn Policy,
        done: u64,
        loss: f64,
    ) -> Option<f64> {
        if loss < self.best.unwrap_or(f64::INFINITY) {
            self.best = Some(loss);
            self.bad = 0;
        } else if !rises(schedule, done) {
            self.bad += 1;
        } else {
            return None;
        }
        let over = self.is_spent(allowed);
        self.best.or(Some(f64::INFINITY)).filter(|_| over)
    }
}

/// Whether update `done` has a higher rate than the one before.
fn rises(schedule: &dyn Policy, done: u64) -> bool {
    let before = done.checked_sub(1).map(|last| schedule.at(last).lr);
    before.is_some_and(|before| schedule.at(done).lr > before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Constant;

    #[test]
    fn it_ends_at_the_last_of_the_evaluations_that_are_waited_for() {
        let schedule = Constant { lr: 0.1 };
        let mut patience = Patience::default();
        let ends = [3.0, 2.0, 2.5, 1.0, 1.0, f64::NAN, 0.5]
            .map(|loss| patience.is_over(2, &schedule, 1, loss));
        assert_eq!(ends, [None, None, None, None, None, Some(1.0), None]);
        let mut never = Patience::default();
        assert!((0..99).all(|done| never.is_over(0, &schedule, done, 1.0).is_none()));
    }
}
