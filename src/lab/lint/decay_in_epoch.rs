//! A decay per step that is over within the first epoch.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "decay_in_epoch",
    what: "an exponential, step or multi_step decay that is over within the first epoch of several",
    why: "PyTorch's schedulers of these names are mostly stepped once an epoch; here their numbers count \
          steps, and the rest of the run trains at a rate that has vanished or no longer changes",
    example: "policy = \"exponential\"\nlr = 0.1\ngamma = 0.9",
    check,
};

/// What is left of a rate that has vanished.
const GONE: f64 = 0.01;

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    at(plan, "schedule")
}

/// Checks the policy at `key`, then those within it.
fn at(plan: &RunPlan<'_>, key: &str) -> Option<Told> {
    if let Some(told) = alone(plan, key) {
        return Some(told);
    }
    let members = plan.schedule.members();
    let starts: Vec<Option<u64>> = members.iter().map(|(start, _)| *start).collect();
    (0..)
        .zip(members)
        .find_map(|(position, (start, schedule))| {
            let start = start?;
            let next = starts.get(position + 1).copied().flatten();
            let inner = RunPlan {
                schedule,
                steps: next
                    .unwrap_or(plan.steps)
                    .min(plan.steps)
                    .checked_sub(start)?,
                ..*plan
            };
            let key = match plan.schedule.name() {
                "warmup" => format!("{key}.then"),
                _ => format!("{key}.policies[{position}]"),
            };
            at(&inner, &key)
        })
}

fn alone(plan: &RunPlan<'_>, key: &str) -> Option<Told> {
    let per_epoch = plan.per_epoch?.max(1);
    if plan.steps <= per_epoch {
        return None;
    }
    let rate = |step| plan.schedule.at(step).lr;
    let (first, then) = (rate(0), rate(per_epoch));
    let gone = then < GONE * first;
    let mend = match plan.schedule.name() {
        "exponential" if gone => format!(
            "if gamma is meant per epoch, set {key}.gamma = {:.6}",
            libm::pow(plan.number_of("gamma")?, 1.0 / per_epoch as f64)
        ),
        "step" if gone => format!(
            "if step_size is meant in epochs, set {key}.step_size = \"{} epochs\"",
            plan.steps_of("step_size")?
        ),
        "multi_step" => {
            let milestones = plan.milestones();
            let last = *milestones.iter().max()?;
            if last >= per_epoch {
                return None;
            }
            let epochs: Vec<String> = milestones
                .iter()
                .map(|at| format!("\"{at} epochs\""))
                .collect();
            format!(
                "if the milestones are meant in epochs, set {key}.milestones = [{}]",
                epochs.join(", ")
            )
        }
        _ => return None,
    };
    let what = match gone {
        true => format!("the rate falls from {first} to {then:.3e}"),
        false => "the last milestone is passed".to_owned(),
    };
    warning(
        format!(
            "{what} within the first epoch of {per_epoch} steps, and {} {}",
            match key {
                "schedule" => "the run has",
                _ => "it lasts",
            },
            plan.in_epochs(plan.steps)
        ),
        mend,
    )
}
