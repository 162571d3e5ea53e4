//! When a run has waited long enough for a better evaluation (`train.early_stop`).

use crate::schedule::Policy;

/// Counts the evaluations in a row without a better loss. Those within the rising half of a cycle
/// do not count: there a loss that gets worse says nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Evaluations that are waited for; 0: for ever.
    allowed: u64,
    best: f64,
    bad: u64,
}

impl Patience {
    pub(super) fn new(allowed: u64) -> Self {
        Self {
            allowed,
            best: f64::INFINITY,
            bad: 0,
        }
    }

    /// Whether the run ends here, where `done` steps gave `loss`; with the best loss there was.
    pub(super) fn is_over(&mut self, schedule: &dyn Policy, done: u64, loss: f64) -> Option<f64> {
        if loss < self.best {
            self.best = loss;
            self.bad = 0;
        } else if !rises(schedule, done) {
            self.bad += 1;
        } else {
            return None;
        }
        (self.allowed > 0 && self.bad >= self.allowed).then_some(self.best)
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
        let mut patience = Patience::new(2);
        let ends = [3.0, 2.0, 2.5, 1.0, 1.0, f64::NAN, 0.5]
            .map(|loss| patience.is_over(&schedule, 1, loss));
        assert_eq!(ends, [None, None, None, None, None, Some(1.0), None]);
        let mut never = Patience::new(0);
        assert!((0..99).all(|done| never.is_over(&schedule, done, 1.0).is_none()));
    }
}
