//! A peak after the end of the run.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "peak_unreached",
    what: "a run that ends before the rate is at its first peak",
    why: "the run never uses the high rate that the schedule is about",
    example: "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 2000",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let up = plan.steps_of("step_size_up")?;
    // The peak is the rate of step `up`, counted from 0.
    if up < plan.steps {
        return None;
    }
    let last = plan.schedule.at(plan.steps - 1).lr;
    warning(
        format!(
            "the peak at step {up} is never reached: the run has {} steps and ends at rate {last:.6}",
            plan.steps
        ),
        format!(
            "set schedule.step_size_up = {}, or train {} steps",
            (plan.steps / 2).max(1),
            up.saturating_mul(2)
        ),
    )
}
