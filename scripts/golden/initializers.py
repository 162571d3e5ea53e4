"""Spread of PyTorch's initial weights: standard deviation and largest magnitude of many numbers.

Writes tests/golden/initializers.json. Run: python scripts/golden/initializers.py
"""

import torch
from golden import write
from torch import nn

OUT, IN, NUMBERS = 150, 600, 3_600_000

# name -> how PyTorch fills a new weight of shape [OUT, IN].
WEIGHTS = {
    "torch": lambda: nn.Linear(IN, OUT).weight,
    "kaiming_uniform": lambda: nn.init.kaiming_uniform_(torch.empty(OUT, IN), nonlinearity="relu"),
    "kaiming_normal": lambda: nn.init.kaiming_normal_(torch.empty(OUT, IN), nonlinearity="relu"),
    "xavier_uniform": lambda: nn.init.xavier_uniform_(torch.empty(OUT, IN)),
    "xavier_normal": lambda: nn.init.xavier_normal_(torch.empty(OUT, IN)),
}


def spread(make, numbers: int = NUMBERS) -> dict:
    draws = numbers // make().numel()
    values = torch.cat([make().detach().double().reshape(-1) for _ in range(draws)])
    return {
        "numbers": len(values),
        "mean": values.mean().item(),
        "deviation": values.std().item(),
        "largest": values.abs().max().item(),
        # 1.8 for a uniform distribution, 3 for a normal one.
        "kurtosis": ((values - values.mean()) ** 4).mean().item() / values.var().item() ** 2,
    }


if __name__ == "__main__":
    torch.manual_seed(7)
    write(
        "initializers.json",
        shape=[OUT, IN],
        weight={name: spread(make) for name, make in WEIGHTS.items()},
        bias={"torch": spread(lambda: nn.Linear(IN, OUT).bias, 300_000)},
    )
