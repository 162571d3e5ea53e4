//! A run that ends within a cycle.

use super::{Rule, RunPlan, Told, warning};

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

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let last = plan.steps - 1;
    let cycle = plan.schedule.cycle(last)?;
    let (start, end) = (cycle.start, cycle.end?);
    let length = end - start;
    if start == 0 || nearly(plan.steps, end, length) || nearly(plan.steps, start, length) {
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
