//! A number of epochs where steps are meant.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "epochs_for_steps",
    what: "a half cycle of at most 20 steps that is less than a tenth of an epoch",
    why: "the number is probably one of epochs: half cycles are 2 to 10 epochs long, and a rate that \
          swings within an epoch is noise",
    example: "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 5",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let (up, per_epoch) = (plan.steps_of("step_size_up")?, plan.per_epoch?);
    if up > 20 || up.saturating_mul(10) >= per_epoch {
        return None;
    }
    warning(
        format!("schedule.step_size_up is {}", plan.in_epochs(up)),
        format!(
            "if {up} epochs are meant, write \"{up} epochs\" ({} steps)",
            up.saturating_mul(per_epoch)
        ),
    )
}
