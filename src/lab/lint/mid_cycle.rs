//! A run that ends within a cycle.

use super::{Rule, RunPlan, Told, warning};
use crate::schedule::Policy;

pub(super) const RULE: Rule = Rule {
    name: "mid_cycle",
    what: "a run of one cycle or more that does not end where a cycle does",
    why: "at a high rate the weights have not settled: LeNet on MNIST loses 1.5 points of accuracy \
          at the peak against the low point one epoch before",
    example: "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 300",
    check,
};

/// Ends this close (a share of the cycle) are where they should be.
const NEAR: f64 = 0.02;

/// Whether `steps` is `end`, but for a small part of a cycle.
pub(super) fn nearly(steps: u64, end: u64, cycle: u64) -> bool {
    steps.abs_diff(end) as f64 <= NEAR * cycle as f64
}

/// The first step of the cycle that `step` belongs to and that ends at `end`.
fn start_of(schedule: &dyn Policy, step: u64, end: u64) -> u64 {
    let same = |step: u64| schedule.cycle_end(step) == Some(end);
    // Back in growing strides until it is another cycle, then between the two.
    let (mut inside, mut stride) = (step, 1_u64);
    let mut outside = loop {
        let Some(back) = inside.checked_sub(stride) else {
            match same(0) {
                true => return 0,
                false => break 0,
            }
        };
        match same(back) {
            true => (inside, stride) = (back, stride.saturating_mul(2)),
            false => break back,
        }
    };
    while inside - outside > 1 {
        let middle = outside + (inside - outside) / 2;
        match same(middle) {
            true => inside = middle,
            false => outside = middle,
        }
    }
    inside
}

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let last = plan.steps - 1;
    let end = plan.schedule.cycle_end(last)?;
    let start = start_of(plan.schedule, last, end);
    let cycle = end - start;
    if start == 0 || nearly(plan.steps, end, cycle) || nearly(plan.steps, start, cycle) {
        return None;
    }
    warning(
        format!(
            "the run ends mid-cycle, at step {} of {start} to {end}, with rate {:.6}",
            plan.steps,
            plan.schedule.at(plan.steps - 1).lr
        ),
        format!("train {start} or {end} steps, or change the length of the cycles"),
    )
}
