//! A schedule made for another number of steps than the run has.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "horizon",
    what: "a schedule with an end (one_cycle, cosine, wsd ...) that is not the run's",
    why: "after the end the last rate holds, often one that trains nothing; before it the low rates \
          at which the loss settles are never used",
    example: "policy = \"cosine\"\nlr = 0.1\nt_max = 500",
    check,
};

/// A rate below this share of the highest trains next to nothing.
const NOTHING: f64 = 0.01;

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let length = plan.schedule.length()?;
    let near = plan.steps / 100 + 1;
    if length.abs_diff(plan.steps) <= near {
        return None;
    }
    let last = plan.schedule.at(plan.steps - 1).lr;
    let mend = format!(
        "make the schedule {} steps long (most policies do so where the length is left out), or \
         train {length} steps",
        plan.steps
    );
    if length > plan.steps {
        let message = format!(
            "the schedule is made for {length} steps and the run has {}: it ends at rate {last:.6}",
            plan.steps
        );
        return warning(message, mend);
    }
    let looks = (0..=64).map(|i| plan.schedule.at(length.saturating_mul(i) / 64).lr);
    let highest = looks.fold(0.0, f64::max);
    if last > NOTHING * highest {
        return None;
    }
    let message = format!(
        "the schedule ends at step {length}: the last {} steps run at rate {last:e}",
        plan.steps - length
    );
    warning(message, mend)
}
