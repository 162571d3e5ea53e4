"""What fastai's four suggestion functions say about some curves of loss over rate.

The functions are taken out of the installed fastai's source and run as they are (importing fastai
would need all that it depends on). Writes tests/golden/suggestions.json.
Run: pip install --no-deps fastai; python scripts/golden/suggestions.py
"""

import ast
import importlib.metadata
import importlib.util
import math
import pathlib

import numpy as np
import torch
from golden import write

NAMES = ["valley", "slide", "minimum", "steep"]


def functions() -> dict:
    package = importlib.util.find_spec("fastai").submodule_search_locations[0]
    source = (pathlib.Path(package) / "callback" / "schedule.py").read_text()
    body = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name in NAMES
    ]
    space = {"np": np, "to_np": lambda t: t.numpy(), "float": float}
    exec(compile(ast.Module(body=body, type_ignores=[]), "schedule.py", "exec"), space)
    return {name: space[name] for name in NAMES}


def curves():
    """Rates and losses: clean, noisy, exploding, falling to the end, flat, short."""
    generator = torch.Generator().manual_seed(4)
    for steps, noise, explodes in [
        (100, 0.0, True),
        (100, 0.02, True),
        (120, 0.1, True),
        (100, 0.0, False),
        (60, 0.3, True),
        (25, 0.01, True),
    ]:
        share = torch.arange(steps, dtype=torch.float64) / (steps - 1)
        rates = 1e-5 * (1e6) ** share
        x = torch.log10(rates)
        losses = 0.9 + 1.4 / (1 + torch.exp(4 * (x - math.log10(0.03))))
        if explodes:
            losses = losses + torch.exp(3 * (x - 0.5))
        losses = losses + noise * torch.randn(steps, generator=generator, dtype=torch.float64)
        yield rates.float().double(), losses.float().double()
    rates = torch.logspace(-4, 0, 40, dtype=torch.float64)
    yield rates, torch.linspace(1, 3, 40, dtype=torch.float64)
    yield rates, torch.linspace(3, 1, 40, dtype=torch.float64)


def main() -> None:
    suggest = functions()
    cases = []
    for rates, losses in curves():
        found = {name: suggest[name](rates, losses, len(rates))[0] for name in NAMES}
        cases.append({"rates": rates.tolist(), "losses": losses.tolist(), **found})
    write("suggestions.json", fastai=importlib.metadata.version("fastai"), cases=cases)


if __name__ == "__main__":
    main()
