"""The models of `wavetrain bench` on PyTorch's CPU kernels: whole training steps.

    python pytorch.py [MODEL]...

A batch from host memory, forward, cross entropy, backward, SGD with momentum 0.9 (or AdamW after
clipping by norm, as the model has it), the loss read back each step; the median over the steps of 20 s or 200 steps. The same table as `cargo run`.
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


class Rows(nn.Module):
    """Rows of a picture through a GRU, of which the last step is classified."""

    def __init__(self):
        super().__init__()
        self.gru, self.linear = nn.GRU(28, 64, batch_first=True), nn.Linear(64, 10)

    def forward(self, x):
        return self.linear(self.gru(x[:, 0])[0][:, -1])


class Letters(nn.Module):
    """Tokens through an LSTM, of which every step is classified."""

    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(65, 256), nn.LSTM(256, 256, batch_first=True)
        self.linear = nn.Linear(256, 65)

    def forward(self, x):
        return self.linear(self.lstm(self.embedding(x))[0]).flatten(0, 1)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, bias=False) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width, False), nn.Linear(width, width, False)
        self.up, self.down = nn.Linear(width, 4 * width, False), nn.Linear(4 * width, width, False)

    def forward(self, x):
        batch, steps, width = x.shape
        qkv = self.qkv(self.norms[0](x)).view(batch, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(*qkv, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, steps, width))
        return x + self.down(nn.functional.gelu(self.up(self.norms[1](x))))


class Gpt(nn.Module):
    """The network that nanoGPT trains on a CPU."""

    def __init__(self):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(65, 128), nn.Parameter(torch.zeros(64, 128))
        self.blocks = nn.Sequential(*(Block(128, 4) for _ in range(4)))
        self.norm, self.head = nn.LayerNorm(128, bias=False), nn.Linear(128, 65, False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        y = self.blocks(self.embedding(x) + self.positions)
        return self.head(self.norm(y)).flatten(0, 1)


# Symbols of tokens; models that take none have floats.
TOKENS = {"lstm-256": 65, "gpt-128": 65}
ADAMW = ("gru-64", "gpt-128")
MODELS = {
    "gru-64": (Rows, (128, 1, 28, 28)),
    "lstm-256": (Letters, (32, 64)),
    "gpt-128": (Gpt, (12, 64)),
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
    if name in TOKENS:
        x = torch.randint(TOKENS[name], shape)
        y = torch.randint(TOKENS[name], (x.numel(),))
    else:
        x, y = torch.rand(shape), torch.arange(shape[0]) * 7 % 10
    if name in ADAMW:
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.001)
    else:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    first, times = 0.0, []
    for step in range(WARM_UP + MOST):
        begin = time.perf_counter()
        loss = nn.functional.cross_entropy(net(x.clone()), y)
        optimizer.zero_grad()
        loss.backward()
        if name in ADAMW:
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
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
