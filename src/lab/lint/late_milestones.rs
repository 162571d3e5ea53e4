//! Milestones after the end of the run.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "late_milestones",
    what: "milestones, or a first stair, that the run never gets to",
    why: "the rate does not fall as it is meant to; milestones are steps, not epochs",
    example: "policy = \"multi_step\"\nlr = 0.1\nmilestones = [500, 2000]",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let mut steps = plan.milestones();
    steps.extend(plan.steps_of("step_size"));
    let late: Vec<u64> = steps.into_iter().filter(|s| *s >= plan.steps).collect();
    let first = late.first()?;
    warning(
        format!(
            "the rate falls at step {first}, and the run has {} steps",
            plan.steps
        ),
        "write lengths in epochs where epochs are meant: \"30 epochs\"".to_owned(),
    )
}
