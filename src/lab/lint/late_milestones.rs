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
    let arguments = plan.schedule.arguments();
    let late: Vec<u64> = match arguments.get("milestones").and_then(toml::Value::as_array) {
        Some(milestones) => {
            let steps = milestones.iter().filter_map(toml::Value::as_integer);
            let steps = steps.filter_map(|step| u64::try_from(step).ok());
            steps.filter(|step| *step >= plan.steps).collect()
        }
        None => plan
            .steps_of("step_size")
            .filter(|s| *s >= plan.steps)
            .into_iter()
            .collect(),
    };
    let first = late.first()?;
    warning(
        format!(
            "the rate falls at step {first}, and the run has {} steps",
            plan.steps
        ),
        "write lengths in epochs where epochs are meant: \"30 epochs\"".to_owned(),
    )
}
