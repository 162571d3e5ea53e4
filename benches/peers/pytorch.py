"""The models of `wavetrain bench` on PyTorch's CPU kernels: whole training steps.

    python pytorch.py [MODEL]...

A batch from host memory, forward, cross entropy, backward, SGD with momentum 0.9, the loss read
back each step; the median over the steps of 20 s or 200 steps. The same table as `cargo run`.
"""

import statistics
import sys
import time

import torch
from torch import nn


def conv(channels_in, channels_out, padding=0):
    return nn.Conv2d(channels_in, channels_out, 5, padding=padding)


def mlp(*widths):
    layers = [nn.Flatten()]
    for width_in, width_out in zip(widths, widths[1:]):
        layers += [nn.Linear(width_in, width_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lenet():
    return nn.Sequential(
        conv(1, 20), nn.MaxPool2d(2), conv(20, 50), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10))


def quick():
    return nn.Sequential(
        conv(3, 32, 2), nn.MaxPool2d(3, 2, ceil_mode=True), nn.ReLU(),
        conv(32, 32, 2), nn.ReLU(), nn.AvgPool2d(3, 2, ceil_mode=True),
        conv(32, 64, 2), nn.ReLU(), nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.Flatten(), nn.Linear(1024, 64), nn.Linear(64, 10))


MODELS = {
    "mlp-512": (lambda: mlp(784, 512, 512, 10), (128, 1, 28, 28)),
    "mlp-64": (lambda: mlp(128, 64, 64, 10), (16, 1, 1, 128)),
    "lenet": (lenet, (128, 1, 28, 28)),
    "cifar10_quick": (quick, (100, 3, 32, 32)),
}
WARM_UP, LEAST, MOST, TIME = 3, 5, 200, 20.0


def bench(name):
    start = time.perf_counter()
    make, shape = MODELS[name]
    net = make()
    x, y = torch.rand(shape), torch.arange(shape[0]) * 7 % 10
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    first, times = 0.0, []
    for step in range(WARM_UP + MOST):
        begin = time.perf_counter()
        loss = nn.functional.cross_entropy(net(x.clone()), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        if step == 0:
            first = time.perf_counter() - start
        if step >= WARM_UP:
            times.append(time.perf_counter() - begin)
            if sum(times) > TIME and len(times) >= LEAST:
                break
    median = 1e3 * statistics.median(times)
    print(f"{name:<14}{shape[0]:>6}  {'PyTorch CPU':<14}{median:>11.3f}{len(times):>8}{first:>11.2f} s",
          flush=True)


def main():
    wanted = sys.argv[1:] or list(MODELS)
    unknown = [name for name in wanted if name not in MODELS]
    if unknown:
        sys.exit(f"no model is called {unknown[0]}; choose from {', '.join(MODELS)}")
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    print("model          batch  peer              ms/step   steps   first step")
    for name in wanted:
        bench(name)


if __name__ == "__main__":
    main()
