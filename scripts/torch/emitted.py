"""Runs the Python that `wavetrain schedule --format torch` and `--format keras` write."""

import os

import torch

RATES_F32 = 1e-6  # of the largest rate: Keras holds rates in single precision

BOUNDS = ["base_lr=0.01", "max_lr=0.1"]
CYCLES_MOMENTUM = ["cycle_momentum=true", "base_momentum=0.7", "max_momentum=0.95"]
OWN = {  # steps, and arguments of schedules that PyTorch has no scheduler of
    "constant": (20, ["policy=constant", "lr=0.3"]),
    "grown cycles": (2000, ["policy=triangular", *BOUNDS, "step_size_up=30", "cycle_mul=1.7", "cycle_decay=0.8"]),
    "grown, momentum": (2000, ["policy=triangular2", *BOUNDS, "step_size_up=7", "step_size_down=40", "cycle_mul=2", *CYCLES_MOMENTUM]),
    "decayed cycles": (900, ["policy=triangular", *BOUNDS, "step_size_up=50", "cycle_decay=0.5", *CYCLES_MOMENTUM]),
    "sinusoidal": (900, ["policy=sinusoidal", *BOUNDS, "step_size_up=101", "step_size_down=50", *CYCLES_MOMENTUM]),
    "exp_range both": (900, ["policy=exp_range", *BOUNDS, "step_size_up=101", "gamma=0.997", "decay=both", *CYCLES_MOMENTUM]),
    "one_cycle, odd": (97, ["policy=one_cycle", "max_lr=0.4", "total_steps=97", "pct_start=0.25"]),
    "one_cycle, after": (150, ["policy=one_cycle", "max_lr=0.4", "total_steps=97", "three_phase=true", "anneal_strategy=linear"]),
    "cosine, after": (150, ["policy=cosine", "lr=0.4", "t_max=100", "eta_min=0.01"]),
    "restarts": (3000, ["policy=cosine_restarts", "lr=0.4", "t_0=10", "t_mult=1.5", "eta_min=0.01", "gamma=0.7"]),
    "linear from 0": (150, ["policy=linear", "lr=0.4", "start_factor=0", "end_factor=3", "total_iters=100"]),
    "inverse_sqrt": (900, ["policy=inverse_sqrt", "lr=0.4", "timescale=77"]),
    "inv": (900, ["policy=inv", "lr=0.4", "gamma=0.01"]),
    "wsd": (300, ["policy=wsd", "lr=0.4", "total_steps=250", "warmup_steps=30", "decay_steps=70", "min_lr=0.001"]),
    "wsd, 1-sqrt": (300, ["policy=wsd", "lr=0.4", "total_steps=250", "decay_type=1-sqrt", "decay_steps=70"]),
    "piecewise": (120, ["policy=piecewise", "points=[[10, 0.1], [50, 0.4], [50, 0.2], [100, 0.01]]"]),
    "piecewise, cos": (120, ["policy=piecewise", "points=[[10, 0.1], [50, 0.4]]", "anneal_strategy=cos"]),
    "warmup": (300, ["policy=warmup", "warmup_steps=40", 'then={ policy = "one_cycle", max_lr = 0.3, total_steps = 200 }']),
    "sequence": (
        400,
        [
            "policy=sequence",
            'policies=[{ policy = "constant", lr = 0.1, steps = 40 }, { policy = "triangular", base_lr = 0.01, '
            'max_lr = 0.2, step_size_up = 33, cycle_momentum = true, steps = 132 }, { policy = "warmup", '
            'warmup_steps = 9, then = { policy = "cosine", lr = 0.1, t_max = 150 } }]',
        ],
    ),
}


def stepped(text: str, steps: int) -> list:
    """Rate and momentum at each step of a loop around the code, as its comments say."""
    # The rate and momentum that a user may have: the code must not depend on the former.
    weights = [torch.zeros(1, requires_grad=True)]
    optimizer = torch.optim.SGD(weights, lr=123.0, momentum=0.9)
    scope = {"optimizer": optimizer}
    exec(text, scope)
    after = [line.removeprefix("#     ") for line in text.splitlines() if line.startswith("#     ")]
    loop = compile("\n".join(after), "loop", "exec")
    group, rows = optimizer.param_groups[0], []
    for at in range(steps):
        rows.append((group["lr"], group["momentum"]))
        if at + 1 < steps:
            exec(loop, scope)
    return rows


def tabled(text: str, steps: int) -> list | None:
    """The rate that an optimizer of Keras would have at each step; None without Keras."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        import keras
    except ImportError:
        return None
    scope = {}
    exec(text, scope)
    optimizer = keras.optimizers.SGD(learning_rate=scope["learning_rate"])
    rates = []
    for at in range(steps):
        optimizer.iterations.assign(at)
        rates.append(float(optimizer.learning_rate))
    return rates
