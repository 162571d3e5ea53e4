//! When a run takes a checkpoint (`checkpoint.every`).

use std::time::{Duration, Instant};

use crate::config::Every;
use crate::schedule::Policy;

/// Under `"auto"`, checkpoints are at least so many times as far apart as the last one took: they
/// cost a run 2 % at most.
const APART: u32 = 50;

/// Tells when the next checkpoint is due.
#[derive(Debug)]
pub(super) struct Cadence {
    every: Every,
    steps_per_epoch: u64,
    /// When the last one was done, and how long it took.
    last: Instant,
    took: Duration,
}

impl Cadence {
    /// Under [`Every::Auto`] the first one is due at the end of the first epoch.
    pub(super) fn new(every: Every, steps_per_epoch: u64) -> Self {
        Self {
            every,
            steps_per_epoch: steps_per_epoch.max(1),
            last: Instant::now(),
            took: Duration::ZERO,
        }
    }

    /// Whether a run takes any.
    pub(super) fn is_on(&self) -> bool {
        self.every != Every::Never
    }

    /// Takes in that one was begun at `begun` and is done now.
    pub(super) fn taken(&mut self, begun: Instant) {
        self.took = begun.elapsed();
        self.last = Instant::now();
    }

    /// The first step after `done` and before `end` at which the schedule of steps wants one.
    pub(super) fn next(&self, done: u64, end: u64, schedule: &dyn Policy) -> Option<u64> {
        let distance = match self.every {
            Every::Steps(steps) => steps,
            Every::Epochs(epochs) => epochs.saturating_mul(self.steps_per_epoch),
            Every::Cycles(_) => {
                let lows = std::iter::successors(Some(done), |low| schedule.next_low(*low));
                let mut lows = lows.skip(1).take_while(|low| *low < end);
                return lows.find(|step| self.falls_on(*step, schedule));
            }
            Every::Auto | Every::Never | Every::Time(_) => return None,
        };
        let next = (done / distance.max(1)).saturating_add(1);
        Some(next.saturating_mul(distance)).filter(|next| *next < end)
    }

    /// Whether the schedule of steps wants one where `done` steps are done.
    pub(super) fn falls_on(&self, done: u64, schedule: &dyn Policy) -> bool {
        match self.every {
            Every::Steps(steps) => done.is_multiple_of(steps.max(1)),
            Every::Epochs(epochs) => {
                done.is_multiple_of(epochs.saturating_mul(self.steps_per_epoch).max(1))
            }
            Every::Cycles(cycles) => done.checked_sub(1).is_some_and(|last| {
                let ended = schedule.cycle(last).filter(|cycle| cycle.end == Some(done));
                ended.is_some_and(|cycle| (cycle.index + 1).is_multiple_of(cycles.max(1)))
            }),
            Every::Auto => done.is_multiple_of(self.steps_per_epoch) && self.is_due(),
            Every::Time(_) => self.is_due(),
            Every::Never => false,
        }
    }

    /// Where to stop for one that the clock wants, if `submitted` steps are on their way: at the
    /// next end of an epoch, or at once.
    pub(super) fn stop(&self, submitted: u64) -> Option<u64> {
        match self.every {
            Every::Auto if self.is_due() => Some(submitted.next_multiple_of(self.steps_per_epoch)),
            Every::Time(_) if self.is_due() => Some(submitted),
            _ => None,
        }
    }

    /// Whether the clock wants one.
    fn is_due(&self) -> bool {
        match self.every {
            Every::Auto => self.last.elapsed() >= self.took * APART,
            Every::Time(time) => self.last.elapsed() >= time,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::schedule::Constant;

    fn falls(every: Every, schedule: &dyn Policy) -> Vec<u64> {
        let cadence = Cadence::new(every, 4);
        let stepwise: Vec<u64> = (1..20)
            .filter(|done| cadence.falls_on(*done, schedule))
            .collect();
        // Going from one to the next finds the same.
        let mut found = Vec::new();
        while let Some(next) = cadence.next(found.last().copied().unwrap_or(0), 20, schedule) {
            found.push(next);
        }
        if !matches!(every, Every::Auto | Every::Time(_)) {
            assert_eq!(found, stepwise);
        }
        stepwise
    }

    #[test]
    fn steps_epochs_and_cycles_are_counted() {
        let flat = Constant { lr: 0.1 };
        let text = "policy = \"triangular\"\nbase_lr = 0.1\nmax_lr = 0.2\nstep_size_up = 3";
        let config = Config::parse("cycles of 6", &format!("[schedule]\n{text}"));
        let cyclic = config.unwrap().settle(1000, None).unwrap().schedule;
        let cyclic = &*cyclic;
        assert_eq!(falls(Every::Steps(7), &flat), [7, 14]);
        assert_eq!(falls(Every::Epochs(2), &flat), [8, 16]);
        assert_eq!(falls(Every::Cycles(1), cyclic), [6, 12, 18]);
        assert_eq!(falls(Every::Cycles(2), cyclic), [12]);
        assert!(falls(Every::Cycles(1), &flat).is_empty());
        assert!(falls(Every::Never, cyclic).is_empty());
        assert_eq!(falls(Every::Auto, &flat), [4, 8, 12, 16]);
    }

    #[test]
    fn the_clock_waits_for_fifty_times_the_last() {
        let mut cadence = Cadence::new(Every::Auto, 4);
        assert_eq!(cadence.stop(5), Some(8));
        assert_eq!(cadence.stop(8), Some(8));
        cadence.taken(Instant::now() - Duration::from_secs(60));
        assert!(!cadence.falls_on(8, &Constant { lr: 0.1 }) && cadence.stop(5).is_none());
        let soon = Cadence::new(Every::Time(Duration::ZERO), 4);
        assert_eq!(soon.stop(5), Some(5));
    }
}
