"""Loss curves of convolutional networks under a triangular rate, in f64: Caffe's cifar10_quick and
LeNet in full size, a net with batch norm, a residual net.

Weights and pixels follow a formula in whole numbers (`spread`), so that the files hold losses only.
A curve is kept for as long as PyTorch's own runs agree within 0.2 %: in f32, in f64, and in f64 from
weights that are moved by a millionth; at most 100 steps, or 40 of the large nets. Beyond that rounding
parts runs that are all right.

Writes tests/golden/nets.json. Run: python scripts/golden/nets.py
"""

import math

import torch
import torch.nn.functional as F
from curves import Caffe
from golden import write
from torch import nn

STEPS, AGREE = 100, 0.002
STEPS_OF_LARGE = 40  # Caffe's nets, for the sake of the tests' time
SAMPLES, CLASSES = 40, 10


def spread(count: int, seed: int) -> torch.Tensor:
    """Whole numbers from 0 to 1023: the upper ten bits of (i + 1) * 2654435761 + seed * 40503."""
    i = torch.arange(count, dtype=torch.int64)
    words = ((i + 1) * 2654435761 + seed * 40503) % 2**32
    return words // 2**22


def weights(model: nn.Module, moved: int = 0) -> None:
    """Matrices and kernels from the formula, as wide as He et al. make them; biases 0. With `moved`,
    each is moved by up to a millionth of itself, in a way that this number chooses."""
    generator = torch.Generator().manual_seed(moved)
    for name, p in model.named_parameters():
        if p.dim() >= 2:
            seed = sum(name.encode())
            width = math.sqrt(6 / (p[0].numel()))
            values = (spread(p.numel(), seed).double() - 511.5) / 512 * width
            p.data.copy_(values.float().reshape(p.shape))
            if moved:
                p.data.mul_(1 + 2e-6 * (torch.rand(p.shape, generator=generator) - 0.5))
        elif name.endswith("bias"):
            p.data.zero_()


class Residual(nn.Module):
    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body = nn.Sequential(*body)
        self.shortcut = nn.Sequential(*shortcut) if shortcut else None

    def forward(self, x):
        return self.body(x) + (self.shortcut(x) if self.shortcut else x)


def quick():
    pool = dict(kernel_size=3, stride=2, ceil_mode=True)
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2),
        nn.MaxPool2d(**pool),
        nn.ReLU(),
        nn.Conv2d(32, 32, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(**pool),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(**pool),
        nn.Flatten(),
        nn.Linear(1024, 64),
        nn.Linear(64, 10),
    )


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )


def batch_norm():
    return nn.Sequential(
        nn.Conv2d(3, 9, 3, padding=1, bias=False),
        nn.BatchNorm2d(9),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(9, 14, 3, stride=2),
        nn.BatchNorm2d(14),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(14 * 2 * 2, 10),
    )


def residual():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        Residual([nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1)]),
        nn.ReLU(),
        Residual(
            [nn.Conv2d(8, 12, 3, stride=2, padding=1), nn.LeakyReLU(0.1)],
            [nn.Conv2d(8, 12, 1, stride=2)],
        ),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 10),
    )


# name: network, shape, batch, base_lr, max_lr, normalize, caffe, decay
CASES = {
    "cifar10_quick": (quick, (3, 32, 32), 5, 0.001, 0.006, "unit", True, 0.004),
    # As Caffe trains it: pixels up to 255 less the mean image, and rates that suit them.
    "cifar10_quick_pixels": (quick, (3, 32, 32), 5, 5e-6, 3e-5, "mean_image", True, 0.004),
    "lenet": (lenet, (1, 28, 28), 8, 0.0005, 0.003, "unit", False, 0.0005),
    "batch_norm": (batch_norm, (3, 11, 11), 8, 0.002, 0.02, "unit", False, 0.0),
    "residual": (residual, (3, 9, 9), 8, 0.002, 0.02, "unit", False, 0.001),
}
HALF = 10


def train(case, dtype, moved: int = 0) -> list[float]:
    make, shape, batch, base, top, normalize, caffe, decay = case
    model = make()
    weights(model, moved)
    model = model.to(dtype)
    pixels = (spread(SAMPLES * math.prod(shape), 5) // 4).reshape(SAMPLES, *shape).to(dtype)
    labels = spread(SAMPLES, 6) % CLASSES
    data = pixels - pixels.mean(0) if normalize == "mean_image" else pixels / 255
    named = list(model.named_parameters())
    weight = [p for name, p in named if not name.endswith("bias")]
    bias = [p for name, p in named if name.endswith("bias")]
    groups = [{"params": weight, "weight_decay": decay}, {"params": bias, "weight_decay": decay}]
    if caffe:
        optimizer = Caffe(groups, 0.9)
    else:
        optimizer = torch.optim.SGD(groups, lr=1.0, momentum=0.9)
    losses = []
    for step in range(STEPS_OF_LARGE if make in (quick, lenet) else STEPS):
        height = 1 - abs(step % (2 * HALF) / HALF - 1)
        rate = base + (top - base) * height
        # Caffe's nets train biases at twice the rate.
        optimizer.param_groups[0]["lr"] = rate
        optimizer.param_groups[1]["lr"] = rate * (2 if caffe else 1)
        at = step * batch % SAMPLES
        loss = F.cross_entropy(model(data[at : at + batch]), labels[at : at + batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main() -> None:
    torch.set_num_threads(1)
    cases = []
    for name, case in CASES.items():
        exact = train(case, torch.float64)
        others = [train(case, torch.float32)]
        others += [train(case, torch.float64, moved) for moved in range(1, 6)]
        steps, most = 0, STEPS_OF_LARGE if case[0] in (quick, lenet) else STEPS
        while steps < most and all(abs(o[steps] / exact[steps] - 1) < AGREE for o in others):
            steps += 1
        print(name, steps, exact[0], exact[steps - 1])
        _, shape, batch, base, top, normalize, _, _ = case
        cases.append(
            {
                "name": name,
                "shape": list(shape),
                "batch": batch,
                "base_lr": base,
                "max_lr": top,
                "normalize": normalize,
                "loss": exact[:steps],
            }
        )
    write("nets.json", samples_in_a_run=SAMPLES, half_cycle=HALF, cases=cases)


if __name__ == "__main__":
    main()
