//! A first step at rate 0.

use super::{Rule, RunPlan, Told, note};

pub(super) const RULE: Rule = Rule {
    name: "first_rate",
    what: "a rate of 0 at the first step",
    why: "the first update changes nothing",
    example: "policy = \"triangular\"\nbase_lr = 0\nmax_lr = 0.1\nstep_size_up = 250",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    if plan.schedule.at(0).lr > 0.0 || plan.schedule.at(1).lr <= 0.0 {
        return None;
    }
    note(
        "the first step has rate 0".to_owned(),
        "a base_lr above 0, or `warmup` around the policy, wastes no step".to_owned(),
    )
}
