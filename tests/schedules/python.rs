//! Schedules as Python. `scripts/torch/check.py schedules` runs the code in PyTorch and Keras.

use wavetrain::schedule::{Closure, Framework, POLICIES, Policy, Rate, code};

use super::policy;

fn torch(policy: &dyn Policy, steps: u64) -> String {
    code(policy, Some(0.9), steps, Framework::Torch).unwrap()
}

#[test]
fn every_policy_is_written_for_both() {
    for entry in POLICIES {
        let policy = policy(entry.name, entry.example);
        let text = torch(&*policy, 100);
        assert!(text.contains("scheduler = torch.optim."), "{text}");
        let keras = code(&*policy, Some(0.9), 100, Framework::Keras);
        if policy.reads_evaluations() {
            let refused = keras.unwrap_err();
            assert!(refused.message.contains("evaluations"), "{refused:?}");
        } else {
            assert!(keras.unwrap().contains("def rate(t):"), "{}", entry.name);
        }
    }
}

#[test]
fn what_pytorch_has_is_its_own_scheduler() {
    let policy = policy("step", "lr = 0.1\nstep_size = 500");
    let expected = "\
# step from 0.1, times 0.1 every 500 steps.
# 1000 steps; a step is one update of the optimizer.
import torch

for group in optimizer.param_groups:
    group[\"lr\"] = 0.1
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=500, gamma=0.1)

# In the loop, for each batch:
#     optimizer.step()
#     scheduler.step()
";
    assert_eq!(torch(&*policy, 1000), expected);
}

#[test]
fn what_it_does_not_have_is_a_closed_form() {
    let policy = policy("inverse_sqrt", "lr = 0.1\ntimescale = 1000");
    let expected = "\
# inverse_sqrt from 0.1, timescale 1000 steps.
# 50 steps; a step is one update of the optimizer.
import math

import torch


def rate(t):
    return 0.1 / math.sqrt(1 + t / 1000)


for group in optimizer.param_groups:
    group[\"lr\"] = 1.0  # LambdaLR multiplies it by rate(t)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)

# In the loop, for each batch:
#     optimizer.step()
#     scheduler.step()
";
    assert_eq!(torch(&*policy, 50), expected);
}

/// PyTorch's rate rises again after the end of these, or is an error.
#[test]
fn own_schedulers_are_not_used_past_their_end() {
    for (name, arguments, class) in [
        ("cosine", "lr = 0.1\nt_max = 100", "CosineAnnealingLR"),
        ("one_cycle", "max_lr = 0.1\ntotal_steps = 100", "OneCycleLR"),
    ] {
        let policy = policy(name, arguments);
        assert!(torch(&*policy, 100).contains(class));
        assert!(torch(&*policy, 102).contains("LambdaLR"));
    }
    // The peak lies between two steps, where PyTorch misses it.
    let between = policy(
        "one_cycle",
        "max_lr = 0.1\ntotal_steps = 10\npct_start = 0.25",
    );
    assert!(torch(&*between, 10).contains("LambdaLR"));
}

#[test]
fn momentum_is_set_by_hand_where_no_scheduler_does() {
    let arguments = "base_lr = 0.01\nmax_lr = 0.1\ncycle_momentum = true";
    let text = torch(&*policy("sinusoidal", arguments), 50);
    for line in [
        "def momentum(t):",
        "#     set_momentum(scheduler.last_epoch)",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn a_closure_has_no_code() {
    let closure = Closure::new("up", |step| Rate::new(step as f64));
    let refused = code(&closure, None, 10, Framework::Torch).unwrap_err();
    assert!(refused.message.contains("no closed form"), "{refused:?}");
}
