"""Rates and momentums of PyTorch's CyclicLR, as an optimizer sees them step by step.

Writes tests/golden/schedules/NAME.json. Run: python scripts/golden/schedules.py
"""

import torch
from golden import write

STEPS = 100_001

# name -> (CyclicLR's arguments, number of steps). CyclicLR cannot go beyond 1024 cycles of
# triangular2 (pytorch/pytorch#52989).
BASE = {"base_lr": 0.001, "max_lr": 0.006}
CASES = {
    "triangular": ({**BASE, "step_size_up": 2000}, STEPS),
    "triangular_unequal": (
        {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 8, "step_size_down": 24},
        STEPS,
    ),
    "triangular_peak_missed": ({**BASE, "step_size_up": 2000, "step_size_down": 3000}, STEPS),
    "triangular_short": ({"base_lr": 0.0, "max_lr": 3.0, "step_size_up": 7}, STEPS),
    "triangular_one_step": ({**BASE, "step_size_up": 1}, 1_001),
    "triangular_mnist": ({"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 938}, 1_877),
    "triangular2": ({**BASE, "step_size_up": 2000, "mode": "triangular2"}, STEPS),
    "triangular2_unequal": (
        {**BASE, "step_size_up": 37, "step_size_down": 64, "mode": "triangular2"},
        STEPS,
    ),
    "exp_range": (
        {**BASE, "step_size_up": 2000, "mode": "exp_range", "gamma": 0.99994},
        STEPS,
    ),
    "exp_range_unequal": (
        {**BASE, "step_size_up": 3, "step_size_down": 4, "mode": "exp_range", "gamma": 0.999},
        20_001,
    ),
    "exp_range_fast": ({**BASE, "step_size_up": 4, "mode": "exp_range", "gamma": 0.9}, 401),
}


def kept(step: int, up: int, period: int, steps: int) -> bool:
    """Whether a step goes into the file: the start, the turns of some cycles, a thin comb."""
    cycle, q = divmod(step, period)
    turn = min(abs(q - up), q, period - q) <= 1
    return (
        step < 40
        or (turn and (cycle < 4 or cycle % (steps // period // 4 + 1) == 0))
        or step % (steps // 40) == 0
    )


def case(name: str, arguments: dict, steps: int) -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CyclicLR(
        optimizer, **arguments, cycle_momentum=True, base_momentum=0.8, max_momentum=0.9
    )
    up = arguments["step_size_up"]
    period = up + arguments.get("step_size_down", up)
    rows = []
    for step in range(steps):
        group = optimizer.param_groups[0]
        if kept(step, up, period, steps):
            rows.append((step, group["lr"], group["momentum"]))
        optimizer.step()
        scheduler.step()
    written = {k: v for k, v in arguments.items() if k != "mode"}
    written["cycle_momentum"] = "true"
    step, lr, momentum = zip(*rows)
    write(
        f"schedules/{name}.json",
        policy=arguments.get("mode", "triangular"),
        arguments="\n".join(f"{k} = {v}" for k, v in written.items()),
        step=step,
        lr=lr,
        momentum=momentum,
    )


if __name__ == "__main__":
    for name, (arguments, steps) in CASES.items():
        case(name, arguments, steps)
