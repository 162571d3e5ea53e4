//! Cycles of a policy: which one a step belongs to, where it ends, where the next low point is.

use super::Policy;

/// The cycle that a step belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CycleAt {
    /// Its number, from 0.
    pub index: u64,
    /// Its first step.
    pub start: u64,
    /// The step at which it ends and the next one begins; `None` beyond the last step that 64 bits
    /// count.
    pub end: Option<u64>,
    /// The steps of every cycle, where all have as many and the first begins at step 0.
    pub period: Option<u64>,
}

impl CycleAt {
    /// The cycle of `step` where every cycle has `period` steps.
    #[must_use]
    pub fn every(period: u64, step: u64) -> Self {
        let length = period.max(1);
        let index = step / length;
        let start = index * length;
        Self {
            index,
            start,
            end: start.checked_add(length),
            period: Some(period),
        }
    }

    /// The same cycle of a policy that begins `steps` later, within another one.
    #[must_use]
    pub fn later(self, steps: u64) -> Self {
        Self {
            start: self.start.saturating_add(steps),
            end: self.end.and_then(|end| end.checked_add(steps)),
            period: None,
            ..self
        }
    }
}

/// What follows from [`Policy::cycle`] and [`Policy::members`].
impl dyn Policy + '_ {
    /// The steps of a cycle, where the policy has cycles and all have as many.
    #[must_use]
    pub fn period(&self) -> Option<u64> {
        self.cycle(0)?.period
    }

    /// The first step after `step` at which a cycle ends that nothing cuts short.
    #[must_use]
    pub fn next_low(&self, step: u64) -> Option<u64> {
        let members = self.members();
        if members.is_empty() {
            return self.cycle(step)?.end;
        }
        let ends = members.iter().skip(1).map(|(start, _)| *start);
        let ends = ends.chain([None]).map(|end| end.unwrap_or(u64::MAX));
        members.iter().zip(ends).find_map(|((start, policy), end)| {
            let start = start.filter(|_| step < end)?;
            let low = policy.next_low(step.saturating_sub(start))?;
            low.checked_add(start).filter(|low| *low <= end)
        })
    }
}
