//! Bounds that are very far apart, or hardly.

use super::{Rule, RunPlan, Told, warning};

pub(super) const RULE: Rule = Rule {
    name: "bounds_ratio",
    what: "a max_lr of less than 1.5 times, or more than 100 times base_lr",
    why: "usual are 3 to 20 times; hardly a swing changes nothing, and at a hundredth of the rate \
          most of a cycle is lost",
    example: "policy = \"triangular\"\nbase_lr = 0.0001\nmax_lr = 0.1\nstep_size_up = 250",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    let (base, max) = (plan.number_of("base_lr")?, plan.number_of("max_lr")?);
    // From 0 is a choice of its own, and nothing here knows better than a range test.
    if plan.found(base, max) || base <= 0.0 || (1.5..=100.0).contains(&(max / base)) {
        return None;
    }
    warning(
        format!("max_lr = {max} is {:.3} times base_lr = {base}", max / base),
        "`wavetrain find` finds both bounds".to_owned(),
    )
}
