"""Whole training runs of small networks of sequences, in f64 and in f32: recurrent ones, transformers,
carried states, ignored targets, cycles of the rate and of beta1.

60 steps over samples in the order of the file; the last batch of an epoch is smaller where samples do not
cut into whole ones. Weights, tokens, numbers and targets follow a formula in whole numbers (`word`), so
that the files hold results only. Both precisions start from the same numbers: the distance between them
shows what rounding in f32 does to a run that is right.

Writes tests/golden/sequences/NAME.json. Run: python scripts/golden/sequences.py [NAME ..]
"""

import math
import sys

import torch
import torch.nn.functional as F
from golden import write
from torch import nn

STEPS = 60
IGNORED = -100
HALF = 10  # steps of half a triangular cycle


def word(i: int, seed: int) -> int:
    """32 bits of a number and a seed."""
    x = (i * 2654435761 + seed * 40503) % 2**32
    for factor, shift in ((0x2C1B3C6D, 16), (0x297A2D39, 15)):
        x ^= x >> shift
        x = x * factor % 2**32
    return x ^ (x >> 16)


def weights(model: nn.Module) -> None:
    """Matrices uniform within 1 / sqrt(columns), lists within 0.1 of 0, or of 1 where they are weights."""
    for name, p in model.named_parameters():
        seed = sum((i + 1) * byte for i, byte in enumerate(name.encode()))
        width = 1 / math.sqrt(p.shape[-1]) if p.dim() > 1 else 0.1
        middle = 1.0 if p.dim() == 1 and name.endswith("weight") else 0.0
        values = [((word(i, seed) >> 22) - 511.5) / 512 * width + middle for i in range(p.numel())]
        p.data.copy_(torch.tensor(values, dtype=torch.float32).reshape(p.shape))


def tokens(count: int, symbols: int, seed: int) -> torch.Tensor:
    """Squares and some noise: half of what comes next can be learned."""
    values = [(i * i + (word(i, seed) >> 30)) % symbols for i in range(count)]
    return torch.tensor(values)


def numbers(count: int, seed: int) -> torch.Tensor:
    """From -1 to 1, in steps of 1/512."""
    return torch.tensor([((word(i, seed) >> 22) - 512) / 512 for i in range(count)], dtype=torch.float64)


class First:
    """Of what a recurrent layer of PyTorch gives the first: every step's output."""

    def forward(self, x):
        y, self.state = super().forward(x, getattr(self, "carried", None))
        return y


class Rnn(First, nn.RNN):
    pass


class Gru(First, nn.GRU):
    pass


class Lstm(First, nn.LSTM):
    pass


class Last(nn.Module):
    def forward(self, x):
        return x[:, -1]


class Residual(nn.Module):
    def __init__(self, *body):
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x):
        return x + self.body(x)


class Attention(nn.MultiheadAttention):
    def __init__(self, width, heads, causal, bias=True):
        super().__init__(width, heads, bias=bias, batch_first=True)
        self.causal = causal

    def forward(self, x):
        steps = x.shape[1]
        mask = torch.ones(steps, steps, dtype=torch.bool).triu(1) if self.causal else None
        return super().forward(x, x, x, need_weights=False, attn_mask=mask)[0]


class Positions(nn.Module):
    def __init__(self, steps, width):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(steps, width))

    def forward(self, x):
        return x + self.weight


class Sines(nn.Module):
    """Vaswani et al., arXiv 1706.03762, section 3.5."""

    def forward(self, x):
        _, steps, width = x.shape
        t = torch.arange(steps, dtype=torch.float64)[:, None]
        even = torch.arange(0, width, 2, dtype=torch.float64)
        angle = t / 10000 ** (even / width)
        rows = torch.zeros(steps, width, dtype=torch.float64)
        rows[:, 0::2], rows[:, 1::2] = angle.sin(), angle.cos()[:, : width // 2]
        return x + rows.to(x.dtype)


def bidirectional_lstm():
    lstm = Lstm(6, 6, num_layers=2, bidirectional=True, batch_first=True)
    return nn.Sequential(nn.Embedding(11, 6), lstm, Last(), nn.Linear(12, 4))


def gru_positions():
    return nn.Sequential(nn.Embedding(11, 8), Gru(8, 9, batch_first=True), nn.Linear(9, 5))


def carried_rnn():
    rnn = Rnn(8, 10, num_layers=2, batch_first=True)
    return nn.Sequential(nn.Embedding(13, 8), rnn, nn.Linear(10, 13))


def lstm_text():
    return nn.Sequential(nn.Embedding(30, 8), Lstm(8, 10, batch_first=True), nn.Linear(10, 30))


def gru_rows():
    return nn.Sequential(Gru(7, 11, batch_first=True), Last(), nn.Linear(11, 4))


def blocks(width, heads, times, norm, causal, bias=True, act=nn.GELU):
    def block():
        return nn.Sequential(
            Residual(norm(), Attention(width, heads, causal, bias)),
            Residual(
                norm(), nn.Linear(width, 2 * width, bias=bias), act(), nn.Linear(2 * width, width, bias=bias)
            ),
        )

    return nn.Sequential(*(block() for _ in range(times)))


def gpt(symbols, steps, width, heads, bias, tied):
    def norm():
        return nn.LayerNorm(width, bias=bias)

    model = nn.Sequential(
        nn.Embedding(symbols, width),
        Positions(steps, width),
        blocks(width, heads, 2, norm, True, bias),
        norm(),
        nn.Linear(width, symbols, bias=bias and not tied),
    )
    if tied:
        model[4].weight = model[0].weight
    return model


def encoder():
    def norm():
        return nn.RMSNorm(12)

    return nn.Sequential(
        nn.Embedding(11, 12),
        Sines(),
        blocks(12, 3, 1, norm, False, act=nn.SiLU),
        norm(),
        Last(),
        nn.Linear(12, 4),
    )


def block_toml(width, heads, times, norm, causal, bias=True, act="gelu"):
    b = "" if bias else ", bias = false"
    c = ", causal = true" if causal else ""
    return f"""{{ repeat = {{ times = {times}, layers = [
    {{ residual = {{ body = [{norm}, {{ multihead_attention = {{ num_heads = {heads}{c}{b} }} }}] }} }},
    {{ residual = {{ body = [{norm}, {{ linear = {{ out_features = {2 * width}{b} }} }}, "{act}", {{ linear = {{ out_features = {width}{b} }} }}] }} }},
  ] }} }}"""


SGD = {"kind": "sgd", "momentum": 0.9}
ADAMW = {"kind": "adamw", "betas": [0.9, 0.99], "weight_decay": 0.1}
NO_BIAS = "{ layer_norm = { bias = false } }"

# What a run is of: `data` is [kind, samples (of a stream: tokens), steps, symbols or features], `targets`
# the number of classes (of a text: nothing).
CASES = {
    "lstm_bidirectional_last": {
        "model": bidirectional_lstm,
        "layers": [
            "{ embedding = 6 }",
            "{ lstm = { hidden_size = 6, num_layers = 2, bidirectional = true } }",
            '"last"',
            "{ linear = 4 }",
        ],
        "data": ["tokens", 22, 9, 11],
        "targets": ["classes", 4],
        "batch": 4,
        "optimizer": SGD,
        "schedule": {"policy": "triangular", "base_lr": 0.02, "max_lr": 0.2},
    },
    "gru_positions": {
        "model": gru_positions,
        "layers": ["{ embedding = 8 }", "{ gru = 9 }", "{ linear = 5 }"],
        "data": ["tokens", 20, 10, 11],
        "targets": ["positions", 5],
        "batch": 6,
        "optimizer": SGD | {"nesterov": True, "weight_decay": 0.01},
        "schedule": {"policy": "triangular", "base_lr": 0.02, "max_lr": 0.3, "cycle_momentum": True},
    },
    "gpt_tied_ignored": {
        "model": lambda: gpt(11, 10, 12, 3, False, True),
        "layers": [
            "{ embedding = 12 }",
            '"positional_embedding"',
            block_toml(12, 3, 2, NO_BIAS, True, False),
            NO_BIAS,
            '{ linear = { out_features = 11, bias = false, tie = "0.weight" } }',
        ],
        "data": ["tokens", 22, 10, 11],
        "targets": ["ignored", 11],
        "batch": 4,
        "optimizer": ADAMW | {"decay_on": "matrices", "clip_norm": 1.0},
        "schedule": {"policy": "one_cycle", "max_lr": 0.01, "cycle_momentum": False},
    },
    "rnn_carried": {
        "model": carried_rnn,
        "layers": [
            "{ embedding = 8 }",
            "{ rnn = { hidden_size = 10, num_layers = 2 } }",
            "{ linear = 13 }",
        ],
        "data": ["stream", 700, 8, 13],
        "stateful": True,
        "batch": 4,
        "optimizer": SGD,
        "schedule": {"policy": "triangular", "base_lr": 0.01, "max_lr": 0.1},
    },
    "lstm_text_cycled_beta1": {
        "model": lstm_text,
        "layers": ["{ embedding = 8 }", "{ lstm = 10 }", "{ linear = 30 }"],
        "data": ["stream", 300, 12, 30],
        "batch": 5,
        "optimizer": ADAMW,
        "schedule": {"policy": "one_cycle", "max_lr": 0.02, "cycle_momentum": True},
    },
    "gpt_sgd": {
        "model": lambda: gpt(13, 8, 10, 2, True, False),
        "layers": [
            "{ embedding = 10 }",
            '"positional_embedding"',
            block_toml(10, 2, 2, '"layer_norm"', True),
            '"layer_norm"',
            "{ linear = 13 }",
        ],
        "data": ["stream", 180, 8, 13],
        "batch": 4,
        "optimizer": SGD,
        "schedule": {"policy": "triangular", "base_lr": 0.01, "max_lr": 0.1},
    },
    "gru_rows": {
        "model": gru_rows,
        "layers": ["{ gru = 11 }", '"last"', "{ linear = 4 }"],
        "data": ["numbers", 22, 9, 7],
        "targets": ["classes", 4],
        "batch": 8,
        "optimizer": ADAMW,
        "schedule": {"policy": "triangular", "base_lr": 0.001, "max_lr": 0.01},
    },
    "transformer_rms_norm_sines": {
        "model": encoder,
        "layers": [
            "{ embedding = 12 }",
            '{ positional_embedding = "sinusoidal" }',
            block_toml(12, 3, 1, '"rms_norm"', False, act="silu"),
            '"rms_norm"',
            '"last"',
            "{ linear = 4 }",
        ],
        "data": ["tokens", 22, 13, 11],
        "targets": ["classes", 4],
        "batch": 8,
        "optimizer": ADAMW,
        "schedule": {"policy": "one_cycle", "max_lr": 0.01, "cycle_momentum": True},
    },
}


def samples(case: dict):
    """Inputs and targets, one row a sample; of a stream its windows and the tokens that follow."""
    kind, count, steps, width = case["data"]
    if kind == "stream":
        stream = tokens(count, width, 1)
        windows = (count - 1) // steps
        cut = windows * steps
        return stream[:cut].reshape(windows, steps), stream[1 : cut + 1].reshape(windows, steps)
    if kind == "numbers":
        x = numbers(count * steps * width, 1).reshape(count, steps, width)
    else:
        x = tokens(count * steps, width, 1).reshape(count, steps)
    kind, classes = case["targets"]
    if kind == "classes":
        return x, torch.tensor([word(i, 2) % classes for i in range(count)])
    # Of the token and the one before it; where a word says so, it does not count.
    y = (x + x.roll(1, 1)) % classes
    if kind == "ignored":
        drop = torch.tensor([word(i, 3) % 3 == 0 for i in range(count * steps)]).reshape(count, steps)
        y = torch.where(drop, IGNORED, y)
    return x, y


def batches(case: dict, count: int) -> list[list[int]]:
    """The samples of an epoch's steps."""
    batch = case["batch"]
    if case.get("stateful"):
        length = count // batch
        return [[stream * length + s for stream in range(batch)] for s in range(length)]
    return [list(range(at, min(at + batch, count))) for at in range(0, count, batch)]


def optimizer_of(case: dict, model: nn.Module):
    given = case["optimizer"]
    decay = given.get("weight_decay", 0.0)
    matrices = given.get("decay_on") == "matrices"
    groups = [
        {"params": [p], "weight_decay": decay if p.dim() > 1 or not matrices else 0.0}
        for p in model.parameters()
    ]
    if given["kind"] == "sgd":
        return torch.optim.SGD(groups, lr=1.0, momentum=0.9, nesterov=given.get("nesterov", False))
    return torch.optim.AdamW(groups, lr=1.0, betas=tuple(given["betas"]))


def scheduler_of(case: dict, optimizer):
    given = case["schedule"]
    if given["policy"] == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, given["max_lr"], total_steps=STEPS, cycle_momentum=given["cycle_momentum"]
        )
    return torch.optim.lr_scheduler.CyclicLR(
        optimizer,
        base_lr=given["base_lr"],
        max_lr=given["max_lr"],
        step_size_up=HALF,
        cycle_momentum=given.get("cycle_momentum", False),
    )


def momentum_of(optimizer) -> float:
    group = optimizer.param_groups[0]
    return group["betas"][0] if "betas" in group else group["momentum"]


def loss_of(logits, y):
    return F.cross_entropy(logits.flatten(0, -2), y.flatten(), ignore_index=IGNORED)


def carry(model: nn.Module, state) -> None:
    for layer in model:
        if isinstance(layer, First):
            layer.carried = state(layer)


def train(case: dict, dtype) -> dict:
    """Rate, momentum, loss, right answers of each step (before its update); the first gradients."""
    model = case["model"]()
    weights(model)
    model = model.to(dtype)
    x, y = samples(case)
    x = x.to(dtype) if x.is_floating_point() else x
    optimizer = optimizer_of(case, model)
    scheduler = scheduler_of(case, optimizer)
    epoch = batches(case, len(x))
    record = {key: [] for key in ("lr", "momentum", "loss", "correct", "targets", "norm")}
    for step in range(STEPS):
        rows = epoch[step % len(epoch)]
        if case.get("stateful"):
            first = step % len(epoch) == 0
            carry(model, lambda layer: None if first else layer.state.detach())
        optimizer.zero_grad()
        logits = model(x[rows])
        loss = loss_of(logits, y[rows])
        loss.backward()
        record["lr"].append(optimizer.param_groups[0]["lr"])
        record["momentum"].append(momentum_of(optimizer))
        record["loss"].append(loss.item())
        record["correct"].append(int((logits.argmax(dim=-1) == y[rows]).sum()))
        record["targets"].append(int((y[rows] != IGNORED).sum()))
        limit = case["optimizer"].get("clip_norm", math.inf)
        record["norm"].append(nn.utils.clip_grad_norm_(model.parameters(), limit).item())
        if step == 0:
            record["gradients"] = {name: p.grad.clone() for name, p in model.named_parameters()}
        optimizer.step()
        scheduler.step()
    carry(model, lambda layer: None)
    with torch.no_grad():
        if case.get("stateful"):
            parts = []
            for rows in epoch:
                parts.append(loss_of(model(x[rows]), y[rows]).item())
                carry(model, lambda layer: layer.state)
            record["final_loss"] = sum(parts) / len(parts)
        else:
            record["final_loss"] = loss_of(model(x), y).item()
    record["weights"] = {name: p.detach().clone() for name, p in model.named_parameters()}
    return record


def config(case: dict) -> str:
    """The same run as a configuration (its data set apart)."""

    def value(v):
        return str(v).lower() if isinstance(v, bool) else f'"{v}"' if isinstance(v, str) else str(v)

    def table(entries):
        return "\n".join(f"{key} = {value(v)}" for key, v in entries.items())

    data = {"batch": case["batch"], "shuffle": False, "drop_last": False, "normalize": "none"}
    if case.get("stateful"):
        data |= {"source": "numbers", "stateful": True}
    schedule = dict(case["schedule"])
    if schedule["policy"] == "triangular":
        schedule |= {"step_size_up": HALF, "cycle_momentum": schedule.get("cycle_momentum", False)}
    layers = ",\n  ".join(case["layers"])
    return (
        f"[data]\n{table(data)}\n[model]\nlayers = [\n  {layers},\n]\n"
        f"[optimizer]\n{table(case['optimizer'])}\n[schedule]\n{table(schedule)}\n[train]\nsteps = {STEPS}\n"
    )


def short(t: torch.Tensor) -> dict:
    """A tensor with nine digits of each element: f32 has seven."""
    data = [float(f"{v:.8e}") for v in t.double().reshape(-1).tolist()]
    return {"shape": list(t.shape), "data": data}


def furthest(a: dict, b: dict) -> dict:
    return {name: float(f"{(t - b[name].double()).abs().max().item():.3e}") for name, t in a.items()}


def main() -> None:
    for name in sys.argv[1:] or CASES:
        case = CASES[name]
        exact, single = train(case, torch.float64), train(case, torch.float32)
        assert exact["lr"] == single["lr"] and exact["momentum"] == single["momentum"]
        assert exact["correct"] == single["correct"], name
        off = max(abs(a - b) for a, b in zip(exact["loss"], single["loss"]))
        print(name, exact["loss"][0], exact["loss"][-1], "f32 off by", off)
        write(
            f"sequences/{name}.json",
            config=config(case),
            data=case["data"],
            targets=case.get("targets", ["next", case["data"][3]]),
            batch=case["batch"],
            lr=exact["lr"],
            momentum=exact["momentum"],
            loss=exact["loss"],
            loss_f32_off=off,
            counted=exact["targets"],
            correct=exact["correct"],
            norm=exact["norm"],
            norm_f32_off=max(abs(b / a - 1) for a, b in zip(exact["norm"], single["norm"])),
            final_loss=exact["final_loss"],
            gradients={key: short(t) for key, t in exact["gradients"].items()},
            gradients_f32_off=furthest(exact["gradients"], single["gradients"]),
        )


if __name__ == "__main__":
    main()
