//! Members of a sequence that the run never gets to.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "unreached_members",
    what: "members of a sequence that begin after the run has ended",
    why: "they do nothing; the lengths before them are longer than they are meant to be, or the run is \
          shorter",
    example: "policy = \"sequence\"\npolicies = [{ policy = \"constant\", lr = 0.1, steps = 1000 }, \
              { policy = \"constant\", lr = 0.01 }]",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let members = plan.schedule.members();
    let late = |start: Option<u64>| start.is_none_or(|start| start >= plan.steps);
    let first = (1..members.len()).find(|&position| late(members[position].0))?;
    let which = match members.len() - first {
        1 => format!("policies[{first}] is never reached"),
        more => format!(
            "policies[{first}] and {} behind it are never reached",
            more - 1
        ),
    };
    let begins = match members[first].0 {
        Some(start) => format!("it begins at step {start}"),
        None => "what stands before it has no end".to_owned(),
    };
    warning(
        format!("{which}: {begins}, and the run has {} steps", plan.steps),
        "shorten the steps of the members before it, or give the run more".to_owned(),
    )
}
