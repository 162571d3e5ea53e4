//! The length of a half cycle in epochs.

use super::{Rule, RunPlan, Told, note, warning};

pub(super) const RULE: Rule = Rule {
    name: "half_cycle",
    what: "a half cycle of less than 2 or more than 10 epochs",
    why: "Smith (arXiv 1506.01186, section 3.2) finds 2 to 10 epochs good, and little difference \
          within",
    example: "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 50",
    check,
};

/// A run of at most so many epochs has no room for longer half cycles.
const SHORT: u64 = 4;

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let (up, per_epoch) = (plan.steps_of("step_size_up")?, plan.per_epoch?.max(1));
    let down = plan.steps_of("step_size_down").unwrap_or(up);
    // What ends too early, and what is told as epochs, has rules of its own.
    if up >= plan.steps || super::epochs_for_steps::RULE.finds(plan) {
        return None;
    }
    let half = up.midpoint(down);
    if (2 * per_epoch..=10 * per_epoch).contains(&half) {
        return None;
    }
    let message = format!("a half cycle is {}", plan.in_epochs(half));
    let mend = "2 to 10 epochs are usual: schedule.step_size_up = \"2 epochs\"".to_owned();
    if plan.steps <= SHORT * per_epoch {
        note(message, mend)
    } else {
        warning(message, mend)
    }
}
