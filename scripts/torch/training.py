"""The same training in PyTorch, and how long both may be compared."""

import copy

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

AGREE, ALLOWED = 0.002, 0.01
SMALL = 1e-4  # losses below it are compared with it


def named_layers(layers: list, path: str = ""):
    """(what the names of its tensors begin with, arguments) of each layer, nested ones included."""
    for position, layer in enumerate(layers):
        (name, a), = [(layer, {})] if isinstance(layer, str) else layer.items()
        yield f"{path}{position}.", a
        if name == "multihead_attention":
            yield f"{path}{position}.out_proj.", a
        if name == "repeat":
            for time in range(a["times"]):
                yield from named_layers(a["layers"], f"{path}{position}.{time}.")
        if name == "residual":
            yield from named_layers(a["body"], f"{path}{position}.body.")
            yield from named_layers(a.get("shortcut", []), f"{path}{position}.shortcut.")


class Optimizer:
    """torch.optim.Adam and AdamW, SGD and Caffe's solver, with multipliers; rates and momenta are
    given step by step."""

    def __init__(self, net, layers: list, optimizer: dict):
        arguments = dict(named_layers(layers))
        self.settings = optimizer
        self.groups = []
        for name, p in net.named_parameters():
            if not p.requires_grad:
                continue
            owner, _, kind = name.rpartition(".")
            # weight_ih_l0 and in_proj_weight, too.
            kind = "bias" if "bias" in kind else "weight"
            of = arguments[owner + "."]
            one = {"weight": 1.0, "bias": 1.0}
            lr, decay = of.get("lr_mult", one)[kind], of.get("decay_mult", one)[kind]
            self.groups.append({"p": p, "lr": lr, "decay": decay, "v": torch.zeros_like(p)})
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}.get(optimizer["kind"])
        self.adam = None
        if kind:
            groups = [{"params": [g["p"]]} for g in self.groups]
            self.adam = kind(groups, eps=optimizer["eps"])

    def adam_step(self, lr: float, momentum: float) -> None:
        for group, own in zip(self.adam.param_groups, self.groups):
            group["lr"] = lr * own["lr"]
            group["betas"] = (momentum, self.settings["betas"][1])
            group["weight_decay"] = self.settings["weight_decay"] * own["decay"]
        self.adam.step()

    @torch.no_grad()
    def step(self, lr: float, momentum: float) -> None:
        if self.adam:
            return self.adam_step(lr, momentum)
        nesterov = self.settings["nesterov"]
        for group in self.groups:
            p, v, rate = group["p"], group["v"], lr * group["lr"]
            g = p.grad + self.settings["weight_decay"] * group["decay"] * p
            if self.settings["momentum_form"] == "caffe":
                before = v.clone()
                v.mul_(momentum).add_(rate * g)
                p.sub_((1 + momentum) * v - momentum * before if nesterov else v)
            else:
                v.mul_(momentum).add_(g)
                p.sub_(rate * (g + momentum * v if nesterov else v))


def loss_of(settings: dict, logits, y):
    if settings["kind"] == "mse":
        return F.mse_loss(logits, F.one_hot(y, logits.shape[1]).to(logits.dtype))
    return F.cross_entropy(logits, y, label_smoothing=settings["label_smoothing"])


def train(net, about, config: dict, data: dict, steps: list, dtype) -> tuple[list, list]:
    """Losses and norms of the gradient before each update; `net` is trained in place."""
    net.to(dtype).train()
    mean, scale = about.mean.to(dtype), about.scale.to(dtype)
    x = (data["x"].to(dtype) - mean) * scale
    y = data["y"].long()
    optimizer = Optimizer(net, about.description["layers"], config["optimizer"])
    batch = config["data"]["batch"]
    per_epoch = -(-len(y) // batch)
    losses, norms = [], []
    for step in steps:
        first = step["step"] % per_epoch * batch
        logits = net(x[first : first + batch])
        loss = loss_of(config["loss"], logits, y[first : first + batch])
        for p in net.parameters():
            p.grad = None
        loss.backward()
        losses.append(loss.item())
        squares = [(p.grad**2).sum() for p in net.parameters() if p.grad is not None]
        norms.append(torch.stack(squares).sum().sqrt().item())
        optimizer.step(step["lr"], step["momentum"])
    return losses, norms


def follow(name, net, about, config, data, steps, file, least) -> bool:
    """Compares the run in `steps` with PyTorch from the weights of `net`."""
    single, double = copy.deepcopy(net), copy.deepcopy(net)
    exact, exact_norms = train(double, about, config, data, steps, torch.float64)
    rounded, _ = train(single, about, config, data, steps, torch.float32)
    own = [step["loss"] for step in steps]
    apart = [abs(a - b) / max(b, SMALL) for a, b in zip(rounded, exact)]
    length = next((i for i, a in enumerate(apart) if a > AGREE), len(apart))
    off = max(abs(a - b) / max(b, SMALL) for a, b in zip(own[:length], exact[:length]))
    norms = zip([step["grad_norm"] for step in steps[:length]], exact_norms)
    off_norm = max(abs(a - b) / max(b, SMALL) for a, b in norms)
    good = length >= least and max(off, off_norm) <= ALLOWED
    whole = ""
    if length == len(steps):
        weights, theirs = load_file(file), double.state_dict()
        assert weights.keys() == theirs.keys()
        far = 0.0
        for key, value in theirs.items():
            if value.dtype == torch.int64:
                assert weights[key].item() == value.item(), key
                continue
            distance = (weights[key].double() - value).abs().max().item()
            far = max(far, distance / max(value.abs().max().item(), 1e-3))
        good &= far <= ALLOWED
        whole = f", weights after it by {far:.1e}"
    print(
        f"{name:<24} {own[0]:.4f} to {own[-1]:.4f}: {length} of {len(steps)} steps comparable "
        f"(PyTorch's f32 off by {max(apart[:length]):.1e}), own loss off by {off:.1e}, gradient norm by {off_norm:.1e}{whole}   "
        f"{'ok' if good else 'DIFFERS'}"
    )
    return good
