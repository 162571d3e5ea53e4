//! A cycled momentum that has nothing to do with the optimizer's.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "momentum_range",
    what: "a range of cycled momentum that does not contain the optimizer's own",
    why: "the schedule's momentum replaces the optimizer's: the one that was chosen is never used",
    example: "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 250\n\
              cycle_momentum = true\nbase_momentum = 0.5\nmax_momentum = 0.6",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let ([base, max], own) = (plan.schedule.momentum_range()?, plan.momentum?);
    if (base..=max).contains(&own.value) {
        return None;
    }
    warning(
        format!(
            "momentum cycles between {base} and {max}, and optimizer.{} = {} is not in between",
            own.key, own.value
        ),
        "set base_momentum and max_momentum about it, or cycle_momentum = false".to_owned(),
    )
}
