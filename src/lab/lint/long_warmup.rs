//! A warm-up that takes most of the run.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "long_warmup",
    what: "a warm-up of more than half the run",
    why: "little is left of the schedule that it leads to",
    example: "policy = \"warmup\"\nwarmup_steps = 600\nthen = { policy = \"constant\", lr = 0.1 }",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let warmup = plan.steps_of("warmup_steps")?;
    if warmup <= plan.steps / 2 {
        return None;
    }
    warning(
        format!(
            "warmup_steps is {warmup}, more than half of {} steps",
            plan.steps
        ),
        format!("a tenth is usual: {}", (plan.steps / 10).max(1)),
    )
}
