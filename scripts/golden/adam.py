"""Adam and AdamW under a cyclical rate: weights during 200 steps of given gradients, in f64.

torch.optim.Adam and torch.optim.AdamW under CyclicLR, which cycles beta1 where it cycles momentum.
The gradients of 40 steps come round five times.

Writes tests/golden/adam.json and adamw.json. Run: python scripts/golden/adam.py
"""

import torch
from golden import dyadic, tensor, write

STEPS, GRADIENTS = 200, 40
AT = [1, 2, 3, 5, 10, 20, 50, 100, 150, 200]  # updates after which the weights are written
SHAPES = {"weight": (2, 5), "bias": (2,)}
BASE, MAX, UP, DOWN = 0.01, 0.1, 4, 5
LOW_MOMENTUM, HIGH_MOMENTUM = 0.8, 0.9

PLAIN = {"weight": 1.0, "bias": 1.0}
BIAS = {"weight": 1.0, "bias": 2.0}
# name -> optimizer's arguments, whether beta1 cycles, multipliers of rate and decay.
CASES = {
    "defaults": ({}, False, PLAIN, PLAIN),
    "no_decay": ({"weight_decay": 0.0}, False, PLAIN, PLAIN),
    "decay": ({"weight_decay": 0.05}, False, PLAIN, PLAIN),
    "eps": ({"eps": 0.1}, False, PLAIN, PLAIN),
    "betas": ({"betas": [0.5, 0.9]}, False, PLAIN, PLAIN),
    "beta1_0": ({"betas": [0.0, 0.99]}, False, PLAIN, PLAIN),
    "beta2_0": ({"betas": [0.9, 0.0]}, False, PLAIN, PLAIN),
    "multipliers": ({"weight_decay": 0.05}, False, BIAS, {"weight": 1.0, "bias": 0.0}),
    "cycled": ({}, True, PLAIN, PLAIN),
    "everything": (
        {"betas": [0.85, 0.95], "eps": 0.01, "weight_decay": 0.05},
        True,
        {"weight": 0.5, "bias": 2.0},
        {"weight": 2.0, "bias": 0.5},
    ),
}
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def run(kind, start, gradients, arguments, cycled, lr_mult, decay_mult):
    """Weights after the updates AT, and the rate and beta1 that each of them was done with."""
    parameters = {name: torch.nn.Parameter(w.clone()) for name, w in start.items()}
    decay = arguments.get("weight_decay", 0.01 if kind == "adamw" else 0.0)
    groups = [
        {"params": [p], "weight_decay": decay * decay_mult[name]}
        for name, p in parameters.items()
    ]
    optimizer = OPTIMIZERS[kind](groups, lr=1.0, **arguments)
    scheduler = torch.optim.lr_scheduler.CyclicLR(
        optimizer,
        base_lr=[BASE * lr_mult[name] for name in parameters],
        max_lr=[MAX * lr_mult[name] for name in parameters],
        step_size_up=UP,
        step_size_down=DOWN,
        cycle_momentum=cycled,
        base_momentum=LOW_MOMENTUM,
        max_momentum=HIGH_MOMENTUM,
    )
    weights, lr, momentum = [], [], []
    for step in range(STEPS):
        group = optimizer.param_groups[0]
        rate, beta1 = group["lr"] / lr_mult["weight"], group["betas"][0]
        for name, p in parameters.items():
            p.grad = gradients[step % GRADIENTS][name].clone()
        optimizer.step()
        scheduler.step()
        if step + 1 in AT:
            lr.append(rate)
            momentum.append(beta1)
            weights.append({name: p.detach().clone() for name, p in parameters.items()})
    return weights, lr, momentum


def written(rows) -> dict:
    """name -> [rows, elements of the parameter]."""
    return {name: tensor(torch.stack([row[name].reshape(-1) for row in rows])) for name in SHAPES}


def toml(arguments: dict) -> str:
    return "\n".join(f"{k} = {str(v).lower()}" for k, v in arguments.items())


def main() -> None:
    generator = torch.Generator().manual_seed(7)
    start = {name: dyadic(generator, *shape) for name, shape in SHAPES.items()}
    gradients = [
        {name: dyadic(generator, *shape) for name, shape in SHAPES.items()}
        for _ in range(GRADIENTS)
    ]
    for kind in OPTIMIZERS:
        cases = []
        for name, (arguments, cycled, lr_mult, decay_mult) in CASES.items():
            weights, lr, momentum = run(
                kind, start, gradients, arguments, cycled, lr_mult, decay_mult
            )
            schedule = {
                "base_lr": BASE,
                "max_lr": MAX,
                "step_size_up": UP,
                "step_size_down": DOWN,
                "cycle_momentum": cycled,
            }
            cases.append(
                {
                    "name": name,
                    "arguments": toml(arguments),
                    "lr_mult": lr_mult,
                    "decay_mult": decay_mult,
                    "schedule": toml(schedule),
                    "lr": lr,
                    "momentum": momentum,
                    "weights": written(weights),
                }
            )
        write(
            f"{kind}.json",
            optimizer=kind,
            at=AT,
            start={name: tensor(w) for name, w in start.items()},
            gradients=written(gradients),
            cases=cases,
        )


if __name__ == "__main__":
    main()
