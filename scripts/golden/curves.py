"""Whole training runs of a small network under a cyclical rate, in f64 and in f32.

40 steps over 60 samples in batches of 8 (the last of an epoch has 4), one or several a step, in the order of the file, one
thread. Both precisions start from the same numbers, so the distance between them shows what
rounding in f32 does to a run that is right.

Writes tests/golden/curves/NAME.json. Run: python scripts/golden/curves.py
"""

import torch
import torch.nn.functional as F
from golden import dyadic, tensor, write
from torch import nn

STEPS, BATCH, SAMPLES, FEATURES, CLASSES = 40, 8, 60, 20, 5
SCHEDULE = {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 10}
SHAPES = {  # of nn.Sequential(linear 16, activation, linear 12, activation, linear 5)
    "0.weight": (16, 20),
    "0.bias": (16,),
    "2.weight": (12, 16),
    "2.bias": (12,),
    "4.weight": (5, 12),
    "4.bias": (5,),
}
BIAS_TWICE = ', lr_mult = { weight = 1, bias = 2 }, decay_mult = { weight = 1, bias = 0 }'

CASES = {
    "momentum": {},
    "cycled_momentum": {"cycled": True},
    "tanh_sigmoid_mse": {"activations": ("tanh", "sigmoid"), "loss": "mse"},
    "smoothing_nesterov_decay_multipliers": {
        "activations": ("relu", "gelu_tanh"),
        "smoothing": 0.1,
        "nesterov": True,
        "weight_decay": 0.01,
        "bias_lr_mult": 2.0,
        "bias_decay_mult": 0.0,
    },
    "caffe_cycled_decay": {"form": "caffe", "cycled": True, "weight_decay": 0.01},
    "triangular2_no_momentum": {"policy": "triangular2", "momentum": 0.0},
    # Steps of three batches: 24, 24 and 8 + 4 of the 60 samples.
    "accumulated": {"accumulate": 3},
    "adamw": {"kind": "adamw", "weight_decay": 0.1},
    "adam_cycled_decay_multipliers": {
        "kind": "adam",
        "cycled": True,
        "weight_decay": 0.01,
        "bias_lr_mult": 2.0,
        "bias_decay_mult": 0.0,
    },
    "adamw_clipped": {"kind": "adamw", "eps": 1e-4, "clip_norm": 1.0},
    "momentum_clipped": {"clip_norm": 0.5},
}
ADAMS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
ACTIVATIONS = {
    "relu": (nn.ReLU, '"relu"'),
    "gelu": (nn.GELU, '"gelu"'),
    "gelu_tanh": (lambda: nn.GELU(approximate="tanh"), '{ gelu = { approximate = "tanh" } }'),
    "tanh": (nn.Tanh, '"tanh"'),
    "sigmoid": (nn.Sigmoid, '"sigmoid"'),
}


class Caffe(torch.optim.Optimizer):
    """V = mu V + lr (g + decay w), w -= V (BVLC/caffe, src/caffe/solvers/sgd_solver.cpp)."""

    def __init__(self, groups, momentum):
        super().__init__(groups, {"lr": 1.0, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                v = self.state[p].setdefault("v", torch.zeros_like(p))
                v.mul_(group["momentum"])
                v.add_(p.grad + group["weight_decay"] * p, alpha=group["lr"])
                p.sub_(v)


def network(case: dict) -> nn.Sequential:
    first, second = (ACTIVATIONS[a][0]() for a in case.get("activations", ("relu", "gelu")))
    return nn.Sequential(nn.Linear(20, 16), first, nn.Linear(16, 12), second, nn.Linear(12, 5))


def loss_of(case: dict, logits, labels):
    if case.get("loss") == "mse":
        return F.mse_loss(logits, F.one_hot(labels, CLASSES).to(logits.dtype))
    return F.cross_entropy(logits, labels, label_smoothing=case.get("smoothing", 0.0))


def decay_of(case: dict) -> float:
    return case.get("weight_decay", 0.01 if case.get("kind") == "adamw" else 0.0)


def momentum_of(optimizer) -> float:
    group = optimizer.param_groups[0]
    return group["betas"][0] if "betas" in group else group["momentum"]


def optimizer_of(case: dict, model: nn.Module):
    """The optimizer and its CyclicLR; weights and biases are two groups."""
    decay, momentum = decay_of(case), case.get("momentum", 0.9)
    bias_lr = case.get("bias_lr_mult", 1.0)
    named = list(model.named_parameters())
    weights = [p for name, p in named if name.endswith("weight")]
    biases = [p for name, p in named if name.endswith("bias")]
    groups = [
        {"params": weights, "weight_decay": decay},
        {"params": biases, "weight_decay": decay * case.get("bias_decay_mult", 1.0)},
    ]
    if "kind" in case:
        optimizer = ADAMS[case["kind"]](groups, lr=1.0, eps=case.get("eps", 1e-8))
    elif case.get("form") == "caffe":
        optimizer = Caffe(groups, momentum)
    else:
        nesterov = case.get("nesterov", False)
        optimizer = torch.optim.SGD(groups, lr=1.0, momentum=momentum, nesterov=nesterov)
    scheduler = torch.optim.lr_scheduler.CyclicLR(
        optimizer,
        base_lr=[SCHEDULE["base_lr"], SCHEDULE["base_lr"] * bias_lr],
        max_lr=[SCHEDULE["max_lr"], SCHEDULE["max_lr"] * bias_lr],
        step_size_up=SCHEDULE["step_size_up"],
        mode=case.get("policy", "triangular"),
        cycle_momentum=case.get("cycled", False),
    )
    return optimizer, scheduler


def train(case: dict, start: dict, pixels, labels, dtype) -> dict:
    """Rate, momentum, loss and right answers of each step (before its update); the end."""
    model = network(case).to(dtype)
    model.load_state_dict({name: w.to(dtype) for name, w in start.items()}, strict=True)
    data = pixels.to(dtype) / 255
    optimizer, scheduler = optimizer_of(case, model)
    record = {"lr": [], "momentum": [], "loss": [], "correct": []}
    if "clip_norm" in case:
        record["norm"] = []
    whole = BATCH * case.get("accumulate", 1)
    per_epoch = -(-SAMPLES // whole)
    for step in range(STEPS):
        first = step % per_epoch * whole
        end = min(first + whole, SAMPLES)
        optimizer.zero_grad()
        mean, correct = 0.0, 0
        for at in range(first, end, BATCH):
            x, y = data[at : min(at + BATCH, end)], labels[at : min(at + BATCH, end)]
            logits = model(x)
            # The mean over the step's samples, whatever batches they come in.
            loss = loss_of(case, logits, y) * (len(y) / (end - first))
            loss.backward()
            mean += loss.item()
            correct += int((logits.argmax(dim=1) == y).sum())
        record["lr"].append(optimizer.param_groups[0]["lr"])
        record["momentum"].append(momentum_of(optimizer))
        record["loss"].append(mean)
        record["correct"].append(correct)
        if "clip_norm" in case:
            norm = nn.utils.clip_grad_norm_(model.parameters(), case["clip_norm"])
            record["norm"].append(norm.item())
        optimizer.step()
        scheduler.step()
    with torch.no_grad():
        logits = model(data)
    record["final_loss"] = loss_of(case, logits, labels).item()
    record["final_correct"] = int((logits.argmax(dim=1) == labels).sum())
    record["weights"] = {name: w.clone() for name, w in model.state_dict().items()}
    return record


def config(case: dict) -> str:
    """The same run as a configuration (its data set apart)."""
    extra = BIAS_TWICE if "bias_lr_mult" in case else ""
    first, second = (ACTIVATIONS[a][1] for a in case.get("activations", ("relu", "gelu")))
    linear = [f"{{ linear = {{ out_features = {n}{extra} }} }}" for n in (16, 12, 5)]
    layers = ",\n  ".join([linear[0], first, linear[1], second, linear[2]])
    lines = [
        f'[data]\nbatch = {BATCH}\nshuffle = false\ndrop_last = false\nnormalize = "unit"',
        f"[model]\nlayers = [\n  {layers},\n]",
        f'[loss]\nkind = "{case.get("loss", "cross_entropy")}"',
    ]
    if "smoothing" in case:
        lines.append(f"label_smoothing = {case['smoothing']}")
    lines.append(f'[optimizer]\nkind = "{case.get("kind", "sgd")}"')
    if "kind" in case:
        lines += [f"eps = {case.get('eps', 1e-8)}", f"weight_decay = {decay_of(case)}"]
    else:
        lines += [
            f"momentum = {case.get('momentum', 0.9)}",
            f"nesterov = {str(case.get('nesterov', False)).lower()}",
            f"weight_decay = {decay_of(case)}",
            f'momentum_form = "{case.get("form", "torch")}"',
        ]
    if "clip_norm" in case:
        lines.append(f"clip_norm = {case['clip_norm']}")
    lines += [
        f'[schedule]\npolicy = "{case.get("policy", "triangular")}"',
        *(f"{key} = {value}" for key, value in SCHEDULE.items()),
        f"cycle_momentum = {str(case.get('cycled', False)).lower()}",
        f"[train]\nsteps = {STEPS}",
    ]
    if "accumulate" in case:
        lines.append(f"accumulate = {case['accumulate']}")
    return "\n".join(lines) + "\n"


def data(generator: torch.Generator):
    """Five noisy patterns of bytes, and which of them each sample is."""
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    patterns = torch.randint(256, (CLASSES, FEATURES), generator=generator).double()
    noise = torch.randn(SAMPLES, FEATURES, generator=generator, dtype=torch.float64) * 70
    return (patterns[labels] + noise).round().clamp(0, 255), labels


def main() -> None:
    generator = torch.Generator().manual_seed(6)
    pixels, labels = data(generator)
    # The deviation of torch.nn.Linear's own start, uniform within 1 / sqrt(in).
    start = {
        name: dyadic(generator, *shape, deviation=(3 * inputs) ** -0.5, unit=4096)
        for (name, shape), inputs in zip(SHAPES.items(), (20, 20, 16, 16, 12, 12))
    }
    write(
        "curves/start.json",
        samples=tensor(pixels.long()),
        labels=labels.tolist(),
        weights={name: tensor(w) for name, w in start.items()},
    )
    for name, case in CASES.items():
        exact = train(case, start, pixels, labels, torch.float64)
        single = train(case, start, pixels, labels, torch.float32)
        assert exact["lr"] == single["lr"] and exact["momentum"] == single["momentum"]
        write(
            f"curves/{name}.json",
            config=config(case),
            lr=exact["lr"],
            momentum=exact["momentum"],
            loss=exact["loss"],
            loss_f32=single["loss"],
            **({"norm": exact["norm"]} if "norm" in exact else {}),
            correct=exact["correct"],
            correct_f32=single["correct"],
            final_loss=exact["final_loss"],
            final_loss_f32=single["final_loss"],
            final_correct=exact["final_correct"],
            weights={name: tensor(w) for name, w in exact["weights"].items()},
            weights_f32_off={
                name: (w - single["weights"][name].double()).abs().max().item()
                for name, w in exact["weights"].items()
            },
        )


if __name__ == "__main__":
    main()
