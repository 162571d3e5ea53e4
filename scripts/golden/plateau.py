"""Rates of PyTorch's ReduceLROnPlateau after each of a row of losses.

Writes tests/golden/plateau.json. Run: python scripts/golden/plateau.py
"""

import json
import random

import torch
from golden import write
from torch.optim.lr_scheduler import ReduceLROnPlateau


def falling(count: int) -> list[float]:
    """Losses that fall in stairs, with noise."""
    noise = random.Random(3)
    return [round(2.0 * 0.9 ** (i // 3) + noise.uniform(-0.2, 0.2), 4) for i in range(count)]


NOISY = falling(60)
CASES = [
    ([1.0] * 8, 1.0, {"patience": 0}),
    ([1.0] * 8, 1.0, {"patience": 1}),
    ([1.0] * 8, 1.0, {"patience": 2}),
    (NOISY, 0.1, {"factor": 0.5, "patience": 1}),
    (NOISY, 0.1, {"factor": 0.5, "patience": 2, "cooldown": 3}),
    (
        NOISY,
        0.1,
        {
            "factor": 0.3,
            "patience": 1,
            "threshold": 0.05,
            "threshold_mode": "abs",
            "min_lr": 0.002,
        },
    ),
    (
        NOISY,
        0.1,
        {"factor": 0.2, "patience": 0, "threshold": 0.02, "cooldown": 1, "eps": 0.001},
    ),
]


def run(losses: list[float], lr: float, arguments: dict) -> list[float]:
    """The rate after each loss."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = ReduceLROnPlateau(optimizer, **arguments)
    rates = []
    for loss in losses:
        scheduler.step(loss)
        rates.append(float(optimizer.param_groups[0]["lr"]))
    return rates


def main() -> None:
    cases = []
    for losses, lr, arguments in CASES:
        text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in [("lr", lr), *arguments.items()])
        cases.append({"arguments": text, "losses": losses, "lr": run(losses, lr, arguments)})
    write("plateau.json", cases=cases)


if __name__ == "__main__":
    main()
