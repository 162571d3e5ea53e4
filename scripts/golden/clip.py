"""Clipping by norm: torch.nn.utils.clip_grad_norm_ on given gradients, in f64.

Writes tests/golden/clip_norm.json. Run: python scripts/golden/clip.py
"""

import torch
from golden import dyadic, tensor, write

SHAPES = {"weight": (7, 9), "bias": (7,)}
# name -> clip_norm, what all gradients are multiplied by.
CASES = {
    "far_above": (1.0, 1.0),
    "just_above": (8.0, 1.0),
    "below": (100.0, 1.0),
    "small": (1.0e-8, 1.0),
    "tiny_gradients": (1.0e-3, 2.0**-40),
    "tiny_both": (1.0e-9, 2.0**-40),
    "large_gradients": (0.5, 2.0**80),
    "zero": (1.0, 0.0),
}


def main() -> None:
    generator = torch.Generator().manual_seed(11)
    gradients = {name: dyadic(generator, *shape) for name, shape in SHAPES.items()}
    cases = []
    for name, (clip_norm, scale) in CASES.items():
        parameters = {n: torch.nn.Parameter(torch.zeros_like(g)) for n, g in gradients.items()}
        for n, p in parameters.items():
            p.grad = gradients[n] * scale
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), clip_norm)
        cases.append(
            {
                "name": name,
                "clip_norm": clip_norm,
                "scale": scale,
                "norm": norm.item(),
                "clipped": {n: tensor(p.grad) for n, p in parameters.items()},
            }
        )
    write("clip_norm.json", gradients={n: tensor(g) for n, g in gradients.items()}, cases=cases)


if __name__ == "__main__":
    main()
