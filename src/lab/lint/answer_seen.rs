//! A network that reads the token that it is to predict.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "answer_seen",
    what: "a layer that sees later tokens of a text, where the next one is to be predicted",
    why: "the answer is among the inputs: the loss falls to almost nothing, and what the network writes \
          is no better for it",
    example: "policy = \"constant\"\nlr = 0.1\n[data]\nsource = \"numbers\"\ncontext = 8\n[model]\n\
              layers = [{ embedding = 8 }, { lstm = { hidden_size = 8, bidirectional = true } }, { linear = 30 }]",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let seen = plan.answer_seen_by?;
    warning(
        format!("each token is to be predicted from those before it, but {seen} reads it, too"),
        "set causal = true in multihead_attention, and leave bidirectional out of recurrent layers"
            .to_owned(),
    )
}
