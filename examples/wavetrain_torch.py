"""Loads a model.safetensors that wavetrain wrote into PyTorch modules, from the file alone.

    net, about = load("runs/cifar10-quick-0001/model.safetensors")
    logits = net(about.prepare(pixels))      # pixels: [N, C, H, W], 0 to 255; tokens: [N, T]
    names = [about.classes[i] for i in logits.argmax(1)]

`save(net, about, "start.safetensors")` goes the other way: `wavetrain train --init start.safetensors`.
Needs torch and safetensors.
"""

import dataclasses
import json
import pathlib
import zlib

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass
class About:
    """What the file says besides the weights."""

    description: dict
    classes: list[str]
    mean: torch.Tensor
    scale: torch.Tensor

    def prepare(self, values: torch.Tensor) -> torch.Tensor:
        """The network's input from samples as they are in the data (pixels 0 to 255, tokens)."""
        if self.description["input"]["values"] == "tokens":
            return values.long()
        return (values.to(self.mean.dtype) - self.mean) * self.scale


class Residual(nn.Module):
    """body(x) + shortcut(x)."""

    def __init__(self, body: nn.Module, shortcut: nn.Module):
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class Scale(nn.Module):
    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


class GlobalAvgPool(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


class WithinChannelNorm(nn.Module):
    """Caffe's LRN within a channel."""

    def __init__(self, size: int, alpha: float, beta: float):
        super().__init__()
        self.size, self.alpha, self.beta = size, alpha, beta

    def forward(self, x):
        means = F.avg_pool2d(x * x, self.size, stride=1, padding=(self.size - 1) // 2)
        return x / (1 + self.alpha * means) ** self.beta


class RowNorm(nn.Module):
    """torch.nn.LayerNorm or RMSNorm over the last axis, with the tensors that the file has."""

    def __init__(self, eps: float, centred: bool, tensors: dict):
        super().__init__()
        self.eps, self.centred = eps, centred
        for name in ("weight", "bias"):
            there = tensors.get(name)
            parameter = None if there is None else nn.Parameter(torch.empty_like(there))
            self.register_parameter(name, parameter)

    def forward(self, x):
        if self.centred:
            return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)
        return F.rms_norm(x, x.shape[-1:], self.weight, self.eps)


class SelfAttention(nn.MultiheadAttention):
    """Queries, keys and values are all x; with `causal` a step sees those up to its own."""

    def __init__(self, width: int, heads: int, causal: bool, **keywords):
        super().__init__(width, heads, batch_first=True, **keywords)
        self.causal = causal

    def forward(self, x):
        steps = x.shape[1]
        mask = None
        if self.causal:
            mask = torch.ones(steps, steps, dtype=torch.bool, device=x.device).triu(1)
        return super().forward(x, x, x, need_weights=False, attn_mask=mask)[0]


class Positions(nn.Module):
    """x plus a row for each step: trained, or sines."""

    def __init__(self, weight: torch.Tensor | None):
        super().__init__()
        self.weight = None if weight is None else nn.Parameter(torch.empty_like(weight))

    def forward(self, x):
        if self.weight is not None:
            return x + self.weight
        steps, width = x.shape[1:]
        even = torch.arange(0, width, 2, dtype=torch.float64)
        angle = torch.arange(steps, dtype=torch.float64)[:, None] / 10000 ** (even / width)
        rows = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width]
        return x + rows.to(x)


class ImageRows(nn.Module):
    """[N, C, H, W] becomes [N, H, C W]."""

    def forward(self, x):
        return x.transpose(1, 2).flatten(2)


def every_step(kind: type) -> type:
    """torch.nn.LSTM, GRU or RNN with the output of every step alone; the states begin at zero."""

    class EveryStep(kind):
        def forward(self, x):
            return super().forward(x)[0]

    return EveryStep


class Last(nn.Module):
    def forward(self, x):
        return x[:, -1]


def load(path) -> tuple[nn.Sequential, About]:
    """The network in evaluation mode, and what the file says besides."""
    path = pathlib.Path(path)
    with safe_open(path, "pt") as file:
        description = json.loads(file.metadata()["wavetrain"])
    weights = load_file(path)
    net = chain(description["layers"], weights, "")
    tie(net, description["layers"])
    net.load_state_dict(weights, strict=True)
    mean, scale = normalization(description, path)
    return net.eval(), About(description, description["classes"], mean, scale)


def tie(net: nn.Sequential, layers: list) -> None:
    """Makes one parameter of those that are tied."""
    for position, layer in enumerate(layers):
        other = layer.get("linear", {}).get("tie") if isinstance(layer, dict) else None
        if other:
            net[position].weight = net.get_parameter(other)


def save(net: nn.Module, about: About, path) -> None:
    """Writes weights as wavetrain reads them, with their description."""
    state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    save_file(state, path, {"wavetrain": json.dumps(about.description)})


def normalization(description: dict, path: pathlib.Path):
    """x = (value - mean) * scale: a number for each channel, or arrays in a file beside."""
    how = description["normalization"]
    if "file" in how:
        beside = path.parent / how["file"]
        found = f"crc32:{zlib.crc32(beside.read_bytes()):08x}"
        assert found == how["checksum"], f"{beside} belongs to another model"
        arrays = load_file(beside)
        return arrays["mean"], arrays["scale"]
    channels = [-1] + [1] * (len(description["input"]["shape"]) - 1)
    return tuple(torch.tensor(how[name]).reshape(channels) for name in ("mean", "scale"))


def chain(layers: list, weights: dict, path: str) -> nn.Sequential:
    modules = []
    for position, layer in enumerate(layers):
        # "relu", or {"linear": {...}}
        (name, arguments), = [(layer, {})] if isinstance(layer, str) else layer.items()
        modules.append(module(name, arguments, weights, f"{path}{position}."))
    return nn.Sequential(*modules)


def module(name: str, a: dict, weights: dict, path: str) -> nn.Module:
    """The module of one layer with the arguments `a`, whose tensors begin with `path`."""
    size = lambda key: a[key] if isinstance(a[key], int) else tuple(a[key])
    if name == "linear":
        inputs = weights[path + "weight"].shape[1]
        return nn.Linear(inputs, a["out_features"], bias=a["bias"])
    if name == "conv2d":
        inputs = weights[path + "weight"].shape[1]
        sizes = [size(key) for key in ("kernel_size", "stride", "padding")]
        return nn.Conv2d(inputs, a["out_channels"], *sizes, bias=a["bias"])
    if name == "batch_norm2d":
        channels = weights[path + "running_mean"].shape[0]
        norm = nn.BatchNorm2d(channels, a["eps"], a["momentum"], affine=a["affine"])
        if a["affine"] and not a["bias"]:
            norm.register_parameter("bias", None)
        if a["affine"] and not a["weight"]:
            norm.weight.requires_grad_(False)
        return norm
    if name in ("layer_norm", "rms_norm"):
        tensors = {key: weights.get(path + key) for key in ("weight", "bias")}
        return RowNorm(a.get("eps", 2.0**-23), name == "layer_norm", tensors)
    if name == "embedding":
        rows, width = weights[path + "weight"].shape
        return nn.Embedding(rows, width, padding_idx=a.get("padding_idx"))
    if name in ("lstm", "gru", "rnn"):
        kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[name]
        keys = ["hidden_size", "num_layers", "bias", "dropout", "bidirectional", "nonlinearity"]
        keywords = {key: a[key] for key in keys if key in a}
        width = weights[path + "weight_ih_l0"].shape[1]
        return every_step(kind)(width, batch_first=True, **keywords)
    if name == "multihead_attention":
        width = weights[path + "in_proj_weight"].shape[1]
        keywords = {"dropout": a["dropout"], "bias": a["bias"]}
        return SelfAttention(width, a["num_heads"], a["causal"], **keywords)
    if name == "positional_embedding":
        return Positions(weights.get(path + "weight"))
    if name == "repeat":
        copies = [chain(a["layers"], weights, f"{path}{i}.") for i in range(a["times"])]
        return nn.Sequential(*copies)
    if name in ("max_pool2d", "avg_pool2d"):
        stride = size("stride") if "stride" in a else None
        pool = {"kernel_size": size("kernel_size"), "stride": stride, "padding": size("padding")}
        pool["ceil_mode"] = a["ceil_mode"]
        if name == "max_pool2d":
            return nn.MaxPool2d(**pool)
        return nn.AvgPool2d(**pool, count_include_pad=a["count_include_pad"])
    if name == "local_response_norm":
        if a["within_channel"]:
            return WithinChannelNorm(a["size"], a["alpha"], a["beta"])
        return nn.LocalResponseNorm(a["size"], a["alpha"], a["beta"], a["k"])
    if name == "residual":
        body = chain(a["body"], weights, path + "body.")
        return Residual(body, chain(a.get("shortcut", []), weights, path + "shortcut."))
    simple = {
        "flatten": nn.Flatten,
        "image_rows": ImageRows,
        "last": Last,
        "relu": nn.ReLU,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "silu": nn.SiLU,
        "global_avg_pool": GlobalAvgPool,
        "leaky_relu": lambda: nn.LeakyReLU(a["negative_slope"]),
        "gelu": lambda: nn.GELU(a["approximate"]),
        "dropout": lambda: nn.Dropout(a["p"]),
        "scale": lambda: Scale(a["factor"]),
    }
    return simple[name]()
