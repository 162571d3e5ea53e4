//! Layers that stay as they were drawn.

use super::{Rule, RunPlan, Told, note};

pub(super) const RULE: Rule = Rule {
    name: "frozen_at_random",
    what: "layers that model.freeze names, in a run that begins with weights that are drawn",
    why: "they stay random: freezing keeps what was learned elsewhere",
    example: "policy = \"constant\"\nlr = 0.1\n[model]\nlayers = [\"flatten\", { linear = 8 }, \"relu\", \
              { linear = 10 }]\nfreeze = [\"1\"]",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let patterns = plan.frozen_at_random?.join("\", \"");
    note(
        format!(
            "what model.freeze names (\"{patterns}\") stays as it is drawn, unless weights are given"
        ),
        "begin with the weights of another run, or let these layers train, too".to_owned(),
    )
}
