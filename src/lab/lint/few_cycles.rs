//! Less than a whole cycle.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "few_cycles",
    what: "a run that reaches the peak and ends before the first cycle does",
    why: "training should end at the low rate, where the loss settles",
    example: "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 700",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let up = plan.steps_of("step_size_up")?;
    let end = plan.schedule.cycle(0)?.end?;
    if up >= plan.steps || super::mid_cycle::nearly(plan.steps, end, end) || end < plan.steps {
        return None;
    }
    warning(
        format!(
            "the run has {} steps, less than one cycle of {end}; it ends at rate {:.6}",
            plan.steps,
            plan.schedule.at(plan.steps - 1).lr
        ),
        format!(
            "train {end} steps, or set schedule.step_size_up = {}",
            (plan.steps / 2).max(1)
        ),
    )
}
