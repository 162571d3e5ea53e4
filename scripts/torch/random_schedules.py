"""Policies with arguments drawn at random, each with PyTorch's own scheduler of them."""

import math
import random
import warnings

import torch
from torch.optim import lr_scheduler

RATES = 1e-12  # of the largest rate; PyTorch steps some policies from the rate before


def optimizer(lr: float) -> torch.optim.SGD:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)


def cyclic(one: random.Random, mode: str) -> tuple:
    low = 10 ** one.uniform(-5, -2)
    arguments = {
        "base_lr": low,
        "max_lr": low * one.uniform(1.01, 100),
        "step_size_up": one.randint(1, 400),
        "cycle_momentum": one.random() < 0.5,
    }
    if one.random() < 0.5:
        arguments["step_size_down"] = one.randint(1, 400)
    if arguments["cycle_momentum"]:
        arguments |= {"base_momentum": one.uniform(0.5, 0.8), "max_momentum": one.uniform(0.81, 0.99)}
    gamma = {"gamma": one.uniform(0.99, 1)} if mode == "exp_range" else {}
    theirs = lr_scheduler.CyclicLR(optimizer(low), mode=mode, **arguments, **gamma)
    return arguments | gamma, theirs, one.randint(1, 3000)


def one_cycle(one: random.Random) -> tuple:
    # Where the phases end on whole steps: elsewhere PyTorch misses the peak.
    total, three = one.choice([100, 200, 1000]), one.random() < 0.3
    arguments = {
        "max_lr": 10 ** one.uniform(-3, 1),
        "total_steps": total,
        "pct_start": one.randint(5, 45 if three else 95) / 100,
        "anneal_strategy": one.choice(["cos", "linear"]),
        "three_phase": three,
        "div_factor": one.uniform(2, 50),
        "final_div_factor": 10 ** one.uniform(0, 5),
        "cycle_momentum": one.random() < 0.5,
    }
    theirs = lr_scheduler.OneCycleLR(optimizer(1.0), **arguments)
    return arguments, theirs, total


def cosine(one: random.Random) -> tuple:
    lr, end = 10 ** one.uniform(-4, 0), one.randint(1, 2000)
    arguments = {"t_max": end, "eta_min": lr * one.choice([0, one.random()])}
    theirs = lr_scheduler.CosineAnnealingLR(optimizer(lr), end, eta_min=arguments["eta_min"])
    return {"lr": lr} | arguments, theirs, end


def cosine_restarts(one: random.Random) -> tuple:
    lr = 10 ** one.uniform(-4, 0)
    arguments = {
        "t_0": one.randint(1, 200),
        "t_mult": one.randint(1, 3),
        "eta_min": lr * one.choice([0, one.random()]),
    }
    names = {"t_0": "T_0", "t_mult": "T_mult", "eta_min": "eta_min"}
    theirs = {names[key]: value for key, value in arguments.items()}
    theirs = lr_scheduler.CosineAnnealingWarmRestarts(optimizer(lr), **theirs)
    return {"lr": lr} | arguments, theirs, one.randint(1, 2000)


def linear(one: random.Random) -> tuple:
    lr = 10 ** one.uniform(-4, 0)
    arguments = {
        "start_factor": one.uniform(0.01, 1),
        "end_factor": one.uniform(0, 1),
        "total_iters": one.randint(1, 500),
    }
    return {"lr": lr} | arguments, lr_scheduler.LinearLR(optimizer(lr), **arguments), 700


def polynomial(one: random.Random) -> tuple:
    lr = 10 ** one.uniform(-4, 0)
    arguments = {"total_iters": one.randint(1, 500), "power": one.choice([1.0, 0.5, 2.0, 0.9])}
    return {"lr": lr} | arguments, lr_scheduler.PolynomialLR(optimizer(lr), **arguments), 700


def exponential(one: random.Random) -> tuple:
    lr, gamma = 10 ** one.uniform(-4, 0), one.uniform(0.9, 1)
    return {"lr": lr, "gamma": gamma}, lr_scheduler.ExponentialLR(optimizer(lr), gamma), 500


def step(one: random.Random) -> tuple:
    lr = 10 ** one.uniform(-4, 0)
    arguments = {"step_size": one.randint(1, 200), "gamma": one.uniform(0.1, 1)}
    return {"lr": lr} | arguments, lr_scheduler.StepLR(optimizer(lr), **arguments), 700


def multi_step(one: random.Random) -> tuple:
    lr = 10 ** one.uniform(-4, 0)
    milestones = sorted(one.sample(range(1, 600), one.randint(1, 6)))
    arguments = {"milestones": milestones, "gamma": one.uniform(0.1, 1)}
    return {"lr": lr} | arguments, lr_scheduler.MultiStepLR(optimizer(lr), **arguments), 700


POLICIES = {
    "triangular": lambda one: cyclic(one, "triangular"),
    "triangular2": lambda one: cyclic(one, "triangular2"),
    "exp_range": lambda one: cyclic(one, "exp_range"),
    "one_cycle": one_cycle,
    "cosine": cosine,
    "cosine_restarts": cosine_restarts,
    "linear": linear,
    "polynomial": polynomial,
    "exponential": exponential,
    "step": step,
    "multi_step": multi_step,
}


def random_schedule(policy: str, seed: int) -> tuple:
    """Arguments of the policy, and the rate and momentum of PyTorch at every step of a run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments, theirs, steps = POLICIES[policy](random.Random(f"{policy} {seed}"))
        group, rows = theirs.optimizer.param_groups[0], []
        for at in range(steps):
            rows.append((group["lr"], group["momentum"]))
            if at + 1 < steps:
                theirs.step()
    return arguments, rows


def apart(own: list, theirs: list) -> float:
    """The largest distance, in units of the largest rate (momentum as it is); NaN is far."""
    largest = max(lr for lr, _ in theirs)
    off = [
        max(abs(a[0] - b[0]) / largest, abs(a[1] - b[1])) for a, b in zip(own, theirs, strict=True)
    ]
    return max(math.inf if math.isnan(value) else value for value in off)
