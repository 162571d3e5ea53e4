//! A rate for SGD under an optimizer that divides gradients by their size.

use super::{Rule, RunPlan, Told, warning};
use crate::config::Bounds;

/// The rates of range tests under AdamW end between 0.04 and 0.14 (small LSTMs, transformers, nets of
/// linear layers), and a cycle's peak is to lie below that; its papers and libraries start at 0.001.
/// Weights start within 1 / sqrt(inputs), 0.1 for 100 inputs: one update of this size forgets them.
const HIGH: f64 = 0.1;

/// Steps of the run that are looked at.
const LOOKS: u64 = 1000;

pub(super) const RULE: Rule = Rule {
    name: "normalized_rate",
    what: "a rate of 0.1 or more under an optimizer that moves weights by about the rate",
    why: "Adam divides a gradient by its size, so rates that are usual for SGD overwrite the weights",
    example: "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 250\n\
              [optimizer]\nkind = \"adamw\"",
    check,
};

fn check(plan: &RunPlan<'_>) -> Option<Told> {
    if !plan.normalizes {
        return None;
    }
    let looks = LOOKS.min(plan.steps);
    // 128 bits: a run may be longer than a thousandth of 64.
    let step = |i: u64| (u128::from(i) * u128::from(plan.steps) / u128::from(looks)) as u64;
    let rates = (0..looks).map(|i| plan.schedule.at(step(i)).lr);
    let peak = rates.fold(0.0, f64::max);
    // Between two looks the rate may be a little higher.
    if peak < 0.99 * HIGH {
        return None;
    }
    // Nothing here knows better than a range test with this optimizer.
    let within =
        |bounds: &Bounds| peak <= bounds.intervals.map_or(bounds.max_lr, |ends| ends[1][1]);
    if plan.bounds.is_some_and(within) {
        return None;
    }
    warning(
        format!(
            "the rate goes up to {peak}, and this optimizer moves every weight by about the rate at \
             each step, however small its gradient is"
        ),
        "start from 0.001 to 0.01; `wavetrain find` finds both bounds".to_owned(),
    )
}
