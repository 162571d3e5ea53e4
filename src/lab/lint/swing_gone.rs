//! A swing that is gone long before the end.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "swing_gone",
    what: "a cycle at the end whose swing is less than a hundredth of the first one's",
    why: "the rate has been constant for most of the run; a gamma of less than 0.99 per step is \
          almost surely meant per epoch",
    example: "policy = \"exp_range\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 250\ngamma = 0.95",
    check,
};

/// What is left of a swing that is gone.
const GONE: f64 = 0.01;

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let (base, up) = (plan.number_of("base_lr")?, plan.steps_of("step_size_up")?);
    let end = plan.schedule.cycle(0)?.end?;
    if end >= plan.steps {
        return None;
    }
    let max = plan.number_of("max_lr")?;
    // The peak of the last whole cycle.
    let period = plan.schedule.period()?;
    let last = (plan.steps / period).checked_sub(1)?;
    let peak = plan.schedule.at(last * period + up).lr;
    if peak - base >= GONE * (max - base) {
        return None;
    }
    let gamma = plan.number_of("gamma").filter(|gamma| *gamma < 1.0);
    let mend = match (gamma, plan.per_epoch) {
        (Some(gamma), Some(per_epoch)) => format!(
            "if {gamma} is meant per epoch, set schedule.gamma = {:.6}",
            libm::pow(gamma, 1.0 / per_epoch.max(1) as f64)
        ),
        (Some(_), None) => "raise schedule.gamma".to_owned(),
        (None, _) => "use fewer, longer cycles, or policy = \"triangular\"".to_owned(),
    };
    warning(
        format!(
            "the last cycle's peak is {peak:.6}, next to base_lr = {base}: the rate is constant by \
             then"
        ),
        mend,
    )
}
