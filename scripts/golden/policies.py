"""Rates (and momentums) of PyTorch's schedulers for the policies that end or decay, step by step.

Writes tests/golden/policies.json. Run: python scripts/golden/policies.py
"""

import torch
from golden import write
from torch.optim import lr_scheduler as torch_lr

LR = 0.1


def run(make, steps: int, momentum: bool) -> dict:
    """What an optimizer sees at steps 0 to steps - 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR, momentum=0.9)
    scheduler = make(optimizer)
    lr, momentums = [], []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        lr.append(float(group["lr"]))
        momentums.append(float(group["momentum"]))
        optimizer.step()
        scheduler.step()
    return {"lr": lr, "momentum": momentums if momentum else None}


def one_cycle(total: int, **arguments):
    return lambda o: torch_lr.OneCycleLR(o, max_lr=LR, total_steps=total, **arguments)


def linear_then_cosine(o):
    first = torch_lr.LinearLR(o, start_factor=0.1, total_iters=5)
    second = torch_lr.CosineAnnealingLR(o, T_max=10)
    return torch_lr.SequentialLR(o, [first, second], milestones=[5])


# policy, its arguments as TOML, PyTorch's scheduler, steps, whether momentum counts
CASES = [
    ("cosine", "t_max = 100", lambda o: torch_lr.CosineAnnealingLR(o, 100), 101, False),
    (
        "cosine",
        "t_max = 37\neta_min = 0.001",
        lambda o: torch_lr.CosineAnnealingLR(o, 37, eta_min=0.001),
        38,
        False,
    ),
    (
        "cosine_restarts",
        "t_0 = 10\nt_mult = 2\neta_min = 0.001",
        lambda o: torch_lr.CosineAnnealingWarmRestarts(o, 10, T_mult=2, eta_min=0.001),
        160,
        False,
    ),
    (
        "cosine_restarts",
        "t_0 = 7",
        lambda o: torch_lr.CosineAnnealingWarmRestarts(o, 7),
        30,
        False,
    ),
    (
        "cosine_restarts",
        "t_0 = 3\nt_mult = 3",
        lambda o: torch_lr.CosineAnnealingWarmRestarts(o, 3, T_mult=3),
        130,
        False,
    ),
    ("linear", "", torch_lr.LinearLR, 12, False),
    (
        "linear",
        "start_factor = 1\nend_factor = 0.01\ntotal_iters = 90",
        lambda o: torch_lr.LinearLR(o, 1.0, 0.01, 90),
        95,
        False,
    ),
    ("polynomial", "", torch_lr.PolynomialLR, 12, False),
    (
        "polynomial",
        "total_iters = 50\npower = 0.9",
        lambda o: torch_lr.PolynomialLR(o, 50, 0.9),
        60,
        False,
    ),
    ("exponential", "gamma = 0.95", lambda o: torch_lr.ExponentialLR(o, 0.95), 60, False),
    ("step", "step_size = 30", lambda o: torch_lr.StepLR(o, 30), 95, False),
    ("step", "step_size = 7\ngamma = 0.9", lambda o: torch_lr.StepLR(o, 7, 0.9), 60, False),
    (
        "multi_step",
        "milestones = [2, 2, 5, 80]",
        lambda o: torch_lr.MultiStepLR(o, [2, 2, 5, 80]),
        100,
        False,
    ),
    ("one_cycle", "total_steps = 100", one_cycle(100), 100, True),
    (
        "one_cycle",
        'total_steps = 100\nanneal_strategy = "linear"',
        one_cycle(100, anneal_strategy="linear"),
        100,
        True,
    ),
    (
        "one_cycle",
        "total_steps = 100\nthree_phase = true",
        one_cycle(100, three_phase=True),
        100,
        True,
    ),
    (
        "one_cycle",
        'total_steps = 100\nthree_phase = true\nanneal_strategy = "linear"',
        one_cycle(100, three_phase=True, anneal_strategy="linear"),
        100,
        True,
    ),
    (
        "one_cycle",
        "total_steps = 60\npct_start = 0.25\ndiv_factor = 10\nfinal_div_factor = 100\n"
        "base_momentum = 0.8\nmax_momentum = 0.9",
        one_cycle(
            60,
            pct_start=0.25,
            div_factor=10,
            final_div_factor=100,
            base_momentum=0.8,
            max_momentum=0.9,
        ),
        60,
        True,
    ),
    (
        "one_cycle",
        "total_steps = 40\ncycle_momentum = false",
        one_cycle(40, cycle_momentum=False),
        40,
        False,
    ),
    (
        "sequence",
        'policies = [{ policy = "linear", lr = 0.1, start_factor = 0.1 }, '
        '{ policy = "cosine", lr = 0.1, t_max = 10 }]',
        linear_then_cosine,
        15,
        False,
    ),
]


def main() -> None:
    cases = []
    for policy, arguments, make, steps, momentum in CASES:
        rate = {"one_cycle": f"max_lr = {LR}", "sequence": ""}.get(policy, f"lr = {LR}")
        text = f"{rate}\n{arguments}".strip()
        cases.append({"policy": policy, "arguments": text, **run(make, steps, momentum)})
    write("policies.json", cases=cases)


if __name__ == "__main__":
    main()
