"""SGD under a cyclical rate: the weights after each of 20 steps of given gradients, in f64.

The torch form is torch.optim.SGD under CyclicLR. The caffe form is computed here from the formulas
of Caffe's solvers (BVLC/caffe, src/caffe/solvers/sgd_solver.cpp and nesterov_solver.cpp).

Writes tests/golden/sgd.json. Run: python scripts/golden/sgd.py
"""

import numpy
import torch
from golden import dyadic, tensor, write

STEPS = 20
SHAPES = {"weight": (2, 5), "bias": (2,)}
BASE, MAX, UP, DOWN = 0.01, 0.1, 4, 5
LOW_MOMENTUM, HIGH_MOMENTUM = 0.8, 0.9

PLAIN = {"weight": 1.0, "bias": 1.0}
# name -> optimizer's arguments, whether momentum cycles, multipliers of rate and decay.
CASES = {
    "plain": ({"momentum": 0.0}, False, PLAIN, PLAIN),
    "momentum": ({"momentum": 0.9}, False, PLAIN, PLAIN),
    "decay": ({"momentum": 0.9, "weight_decay": 0.05}, False, PLAIN, PLAIN),
    "nesterov": (
        {"momentum": 0.9, "weight_decay": 0.05, "nesterov": True},
        False,
        PLAIN,
        PLAIN,
    ),
    "multipliers": (
        {"momentum": 0.9, "weight_decay": 0.05},
        False,
        {"weight": 1.0, "bias": 2.0},
        {"weight": 1.0, "bias": 0.0},
    ),
    "multipliers_nesterov_cycled": (
        {"momentum": 0.9, "weight_decay": 0.05, "nesterov": True},
        True,
        {"weight": 0.5, "bias": 2.0},
        {"weight": 2.0, "bias": 0.5},
    ),
    "cycled": ({"momentum": 0.9}, True, PLAIN, PLAIN),
}


def torch_form(start, gradients, optimizer_arguments, cycled, lr_mult, decay_mult):
    """Weights after each step, and the rate and momentum of each step."""
    parameters = {name: torch.nn.Parameter(w.clone()) for name, w in start.items()}
    decay = optimizer_arguments.get("weight_decay", 0.0)
    groups = [
        {"params": [p], "weight_decay": decay * decay_mult[name]}
        for name, p in parameters.items()
    ]
    optimizer = torch.optim.SGD(groups, lr=1.0, **optimizer_arguments)
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
    for gradient in gradients:
        group = optimizer.param_groups[0]
        lr.append(group["lr"] / lr_mult["weight"])
        momentum.append(group["momentum"])
        for name, p in parameters.items():
            p.grad = gradient[name].clone()
        optimizer.step()
        scheduler.step()
        weights.append({name: p.detach().clone() for name, p in parameters.items()})
    return weights, lr, momentum


def caffe_form(start, gradients, lr, momentum, optimizer_arguments, lr_mult, decay_mult):
    """V = mu V + lr (g + decay w), w -= V; with Nesterov w -= (1 + mu) V_new - mu V_old."""
    decay = optimizer_arguments.get("weight_decay", 0.0)
    w = {name: t.numpy().copy() for name, t in start.items()}
    v = {name: numpy.zeros_like(t) for name, t in w.items()}
    weights = []
    for gradient, rate, mu in zip(gradients, lr, momentum):
        for name in w:
            g = gradient[name].numpy() + decay * decay_mult[name] * w[name]
            old = v[name]
            new = mu * old + rate * lr_mult[name] * g
            if optimizer_arguments.get("nesterov"):
                w[name] = w[name] - ((1 + mu) * new - mu * old)
            else:
                w[name] = w[name] - new
            v[name] = new
        weights.append({name: torch.from_numpy(t.copy()) for name, t in w.items()})
    return weights


def written(weights) -> dict:
    """name -> [steps, elements of the parameter]."""
    return {
        name: tensor(torch.stack([step[name].reshape(-1) for step in weights]))
        for name in SHAPES
    }


def toml(arguments: dict) -> str:
    return "\n".join(f"{k} = {str(v).lower()}" for k, v in arguments.items())


def main() -> None:
    generator = torch.Generator().manual_seed(5)
    start = {name: dyadic(generator, *shape) for name, shape in SHAPES.items()}
    gradients = [
        {name: dyadic(generator, *shape) for name, shape in SHAPES.items()} for _ in range(STEPS)
    ]
    cases = []
    for name, (arguments, cycled, lr_mult, decay_mult) in CASES.items():
        weights, lr, momentum = torch_form(
            start, gradients, arguments, cycled, lr_mult, decay_mult
        )
        common = {"lr_mult": lr_mult, "decay_mult": decay_mult}
        common["schedule"] = toml(
            {
                "base_lr": BASE,
                "max_lr": MAX,
                "step_size_up": UP,
                "step_size_down": DOWN,
                "cycle_momentum": cycled,
            }
        )
        common |= {"lr": lr, "momentum": momentum}
        forms = {
            "torch": weights,
            "caffe": caffe_form(start, gradients, lr, momentum, arguments, lr_mult, decay_mult),
        }
        for form, weights in forms.items():
            cases.append(
                {
                    "name": f"{name}_{form}",
                    "arguments": toml(arguments) + f'\nmomentum_form = "{form}"',
                    **common,
                    "weights": written(weights),
                }
            )
    write(
        "sgd.json",
        numpy=numpy.__version__,
        optimizer="sgd",
        start={name: tensor(w) for name, w in start.items()},
        gradients={
            name: tensor(torch.stack([g[name].reshape(-1) for g in gradients])) for name in SHAPES
        },
        cases=cases,
    )


if __name__ == "__main__":
    main()
