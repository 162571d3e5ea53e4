"""Layers of torch.nn, forward and backward, in f64.

Writes tests/golden/layers/NAME.json. Run: python scripts/golden/layers.py
"""

import torch
from golden import dyadic, tensor, write
from torch import nn

# Zero, both signs of tiny, where the curves bend, and where a careless exp or x^3 overflows f32.
SPECIAL = [0.0, 2.0**-20, 2.0**-4, 0.5, 1.0, 3.0, 6.0, 10.0, 20.0, 88.0, 100.0, 1000.0, 1e6]


def case(layer: nn.Module, x: torch.Tensor, generator: torch.Generator, arguments: str) -> dict:
    """One forward and backward pass, with a random gradient `dy` of the output."""
    layer = layer.double()
    for parameter in layer.parameters():
        parameter.data = dyadic(generator, *parameter.shape)
    x = x.clone().requires_grad_()
    y = layer(x)
    dy = dyadic(generator, *y.shape)
    y.backward(dy)
    parameters = dict(layer.named_parameters())
    return {
        "arguments": arguments,
        "x": tensor(x),
        "parameters": {name: tensor(p) for name, p in parameters.items()},
        "y": tensor(y),
        "dy": tensor(dy),
        "dx": tensor(x.grad),
        "gradients": {name: tensor(p.grad) for name, p in parameters.items()},
    }


def linear() -> None:
    generator = torch.Generator().manual_seed(1)
    sizes = [
        # batch, in, out, bias
        (1, 1, 1, True),
        (3, 17, 5, True),
        (17, 3, 13, True),
        (1, 33, 10, True),
        (5, 33, 17, False),
        (2, 100, 3, True),
        # steps of sequences
        ((2, 3), 5, 4, True),
        ((1, 2), 6, 3, False),
    ]
    cases = [
        case(
            nn.Linear(inputs, outputs, bias),
            dyadic(generator, *((batch,) if isinstance(batch, int) else batch), inputs),
            generator,
            f"out_features = {outputs}\nbias = {str(bias).lower()}",
        )
        for batch, inputs, outputs, bias in sizes
    ]
    write("layers/linear.json", layer="linear", cases=cases)


def elementwise(name: str, variants: list[tuple[nn.Module, str]], sequence=False) -> None:
    generator = torch.Generator().manual_seed(2)
    special = torch.tensor([SPECIAL, [-v for v in SPECIAL]], dtype=torch.float64)
    inputs = [special, dyadic(generator, 3, 17, deviation=2), dyadic(generator, 1, 2, 3, 5)]
    if sequence:
        inputs.append(dyadic(generator, 2, 4, 5))
    cases = [
        case(layer, x, generator, arguments) for layer, arguments in variants for x in inputs
    ]
    write(f"layers/{name}.json", layer=name, cases=cases)


class Residual(nn.Module):
    """body(x) + shortcut(x); without a shortcut body(x) + x."""

    def __init__(self, body: list[nn.Module], shortcut: list[nn.Module]):
        super().__init__()
        self.body = nn.Sequential(*body)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class Scale(nn.Module):
    """factor x"""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def residual() -> None:
    generator = torch.Generator().manual_seed(3)
    body = [nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3)]
    two = 'body = [{ linear = 5 }, "relu", { linear = 3 }]\nshortcut = [{ linear = 3 }]'
    cases = [
        case(Residual([nn.Tanh()], []), dyadic(generator, 3, 17), generator, 'body = ["tanh"]'),
        case(Residual(body, [nn.Linear(7, 3)]), dyadic(generator, 4, 7), generator, two),
    ]
    write("layers/residual.json", layer="residual", cases=cases)


def pictures(name: str, variants: list[tuple[nn.Module, str]]) -> None:
    """Layers of pictures: sizes that no window divides, strides and padding that clip."""
    generator = torch.Generator().manual_seed(4)
    cases = [
        case(layer, dyadic(generator, 2, 3, 5, 6), generator, arguments)
        for layer, arguments in variants
    ]
    write(f"layers/{name}.json", layer=name, cases=cases)


def convolutions() -> None:
    pictures(
        "conv2d",
        [
            (nn.Conv2d(3, 3, 3, padding=1), "out_channels = 3\nkernel_size = 3\npadding = 1"),
            (
                nn.Conv2d(3, 9, (2, 3), stride=2, padding=(1, 2), bias=False),
                "out_channels = 9\nkernel_size = [2, 3]\nstride = 2\npadding = [1, 2]\nbias = false",
            ),
        ],
    )


def poolings() -> None:
    ceil = "kernel_size = 3\nstride = 2\npadding = 1\nceil_mode = true"
    pictures(
        "max_pool2d",
        [
            (nn.MaxPool2d(2), "kernel_size = 2"),
            (nn.MaxPool2d(3, 2, 1, ceil_mode=True), ceil),
        ],
    )
    excluded = nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)
    pictures(
        "avg_pool2d",
        [
            (nn.AvgPool2d(2), "kernel_size = 2"),
            (nn.AvgPool2d(3, 2, 1, ceil_mode=True), ceil),
            (excluded, ceil + "\ncount_include_pad = false"),
        ],
    )
    whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    pictures("global_avg_pool", [(whole, "")])


def embedding() -> None:
    """Tokens have no gradient; of equal ones the gradients add, and what fills up has none."""
    generator = torch.Generator().manual_seed(6)
    cases = []
    for samples, steps, symbols, width, padding in [
        (1, 1, 2, 1, None),
        (3, 7, 5, 33, None),
        (2, 5, 11, 4, 3),
        (2, 9, 3, 17, 0),
    ]:
        layer = nn.Embedding(symbols, width, padding_idx=padding).double()
        layer.weight.data = dyadic(generator, symbols, width)
        x = torch.randint(symbols, (samples, steps), generator=generator)
        y = layer(x)
        dy = dyadic(generator, *y.shape)
        y.backward(dy)
        arguments = f"embedding_dim = {width}\nnum_embeddings = {symbols}"
        if padding is not None:
            arguments += f"\npadding_idx = {padding}"
        cases.append(
            {
                "arguments": arguments,
                "x": tensor(x.double()),
                "parameters": {"weight": tensor(layer.weight)},
                "y": tensor(y),
                "dy": tensor(dy),
                "gradients": {"weight": tensor(layer.weight.grad)},
            }
        )
    write("layers/embedding.json", layer="embedding", cases=cases)


def written(module: nn.RNNBase) -> str:
    """The arguments of a recurrent module as wavetrain writes them."""
    arguments = {
        "hidden_size": module.hidden_size,
        "num_layers": module.num_layers,
        "bidirectional": str(module.bidirectional).lower(),
        "bias": str(module.bias).lower(),
    }
    if isinstance(module, nn.RNN):
        arguments["nonlinearity"] = f'"{module.nonlinearity}"'
    return "\n".join(f"{key} = {value}" for key, value in arguments.items())


def small(module: nn.RNNBase, generator: torch.Generator) -> None:
    """Parameters of which those that multiply h are so small that no error grows with the steps."""
    for name, parameter in module.named_parameters():
        deviation = 0.5 / module.hidden_size if name.startswith("weight_hh") else 0.5
        parameter.data = dyadic(generator, *parameter.shape, deviation=deviation, unit=1024)


def recurrent_case(module: nn.RNNBase, x: torch.Tensor, generator: torch.Generator) -> dict:
    """As `case`, of every step's output."""
    module = module.double()
    small(module, generator)
    x = x.clone().requires_grad_()
    y, _ = module(x)
    dy = dyadic(generator, *y.shape)
    y.backward(dy)
    return {
        "arguments": written(module),
        "x": tensor(x),
        "parameters": {name: tensor(p) for name, p in module.named_parameters()},
        "y": tensor(y),
        "dy": tensor(dy),
        "dx": tensor(x.grad),
        "gradients": {name: tensor(p.grad) for name, p in module.named_parameters()},
    }


def windows(module: nn.RNNBase, generator: torch.Generator) -> dict:
    """Two windows of a sequence: each begins with the states, detached, that the last one left."""
    module = module.double()
    small(module, generator)
    is_lstm = isinstance(module, nn.LSTM)
    directions = 2 if module.bidirectional else 1
    zeros = torch.zeros(module.num_layers * directions, 2, module.hidden_size, dtype=torch.float64)
    states = [zeros.clone() for _ in range(2 if is_lstm else 1)]
    passes = []
    for _ in range(2):
        x = dyadic(generator, 2, 3, module.input_size).requires_grad_()
        module.zero_grad()
        y, after = module(x, tuple(states) if is_lstm else states[0])
        dy = dyadic(generator, *y.shape)
        y.backward(dy)
        names = [
            f"{state}_l{layer}{'_reverse' if direction else ''}"
            for state in "hc"[: len(states)]
            for layer in range(module.num_layers)
            for direction in range(directions)
        ]
        passes.append(
            {
                "states": dict(zip(names, (tensor(s) for state in states for s in state))),
                "x": tensor(x),
                "y": tensor(y),
                "dy": tensor(dy),
                "dx": tensor(x.grad),
                "gradients": {name: tensor(p.grad) for name, p in module.named_parameters()},
            }
        )
        states = [s.detach() for s in (after if is_lstm else [after])]
    return {
        "arguments": written(module),
        "parameters": {name: tensor(p) for name, p in module.named_parameters()},
        "windows": passes,
    }


def recurrent() -> None:
    for name, kind in [("lstm", nn.LSTM), ("gru", nn.GRU), ("rnn", nn.RNN)]:
        generator = torch.Generator().manual_seed(5)
        forms = [
            # batch, steps, features, hidden_size, more
            (1, 1, 1, 1, {}),
            (2, 3, 2, 3, {}),
            (1, 5, 1, 2, {"bias": False, "bidirectional": True}),
            (1, 3, 2, 2, {"num_layers": 2, "bidirectional": True}),
        ]
        if name == "rnn":
            forms += [(2, 4, 3, 5, {"nonlinearity": "relu"})]
        cases = [
            recurrent_case(
                kind(features, hidden, batch_first=True, **more),
                dyadic(generator, batch, steps, features),
                generator,
            )
            for batch, steps, features, hidden, more in forms
        ]
        two = [
            windows(kind(2, 3, batch_first=True), generator),
            windows(kind(1, 2, num_layers=2, bidirectional=True, batch_first=True), generator),
        ]
        write(f"layers/{name}.json", layer=name, cases=cases, windows=two)


def rows() -> None:
    """Layers that normalise rows. RMSNorm's own eps is the precision of its numbers, here f64: it is
    given."""
    generator = torch.Generator().manual_seed(5)
    variants = {
        "layer_norm": [
            (lambda n: nn.LayerNorm(n), ""),
            (lambda n: nn.LayerNorm(n, eps=0.1, bias=False), "eps = 0.1\nbias = false"),
            (
                lambda n: nn.LayerNorm(n, elementwise_affine=False),
                "elementwise_affine = false",
            ),
        ],
        "rms_norm": [
            (lambda n: nn.RMSNorm(n, eps=2.0**-23), ""),
            (
                lambda n: nn.RMSNorm(n, eps=0.1, elementwise_affine=False),
                "eps = 0.1\nelementwise_affine = false",
            ),
        ],
    }
    for name, layers in variants.items():
        cases = [
            case(layer(shape[-1]), dyadic(generator, *shape), generator, arguments)
            for layer, arguments in layers
            for shape in [(3, 9), (2, 2, 6)]
        ]
        write(f"layers/{name}.json", layer=name, cases=cases)


class SelfAttention(nn.MultiheadAttention):
    """Queries, keys and values are all x; with `causal` a step sees those up to its own."""

    def __init__(self, width: int, heads: int, causal: bool, **keywords):
        super().__init__(width, heads, batch_first=True, **keywords)
        self.causal = causal

    def forward(self, x):
        steps = x.shape[1]
        mask = torch.ones(steps, steps, dtype=torch.bool).triu(1) if self.causal else None
        return super().forward(x, x, x, need_weights=False, attn_mask=mask)[0]


def attention() -> None:
    generator = torch.Generator().manual_seed(6)
    variants = [
        (SelfAttention(4, 2, True), (2, 7, 4), "num_heads = 2\ncausal = true"),
        (SelfAttention(8, 2, False), (1, 5, 8), "num_heads = 2"),
        (SelfAttention(5, 1, True), (2, 3, 5), "num_heads = 1\ncausal = true"),
        (
            SelfAttention(6, 6, True, bias=False),
            (2, 1, 6),
            "num_heads = 6\ncausal = true\nbias = false",
        ),
        (
            SelfAttention(6, 3, False, bias=False),
            (1, 9, 6),
            "num_heads = 3\nbias = false",
        ),
    ]
    cases = [
        case(layer, dyadic(generator, *shape), generator, arguments)
        for layer, shape, arguments in variants
    ]
    write("layers/multihead_attention.json", layer="multihead_attention", cases=cases)


class Positions(nn.Module):
    """x plus a row for each step: trained, or as Vaswani et al. write them."""

    def __init__(self, steps: int, width: int, sines: bool):
        super().__init__()
        if not sines:
            self.weight = nn.Parameter(torch.zeros(steps, width))
            return
        angle = torch.arange(steps, dtype=torch.float64)[:, None] / 10000 ** (
            torch.arange(0, width, 2, dtype=torch.float64) / width
        )
        both = torch.stack([angle.sin(), angle.cos()], dim=-1)
        self.register_buffer("rows", both.flatten(1)[:, :width])

    def forward(self, x):
        return x + (self.weight if hasattr(self, "weight") else self.rows)


class Choice(nn.Module):
    """A function of x."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def sequences() -> None:
    generator = torch.Generator().manual_seed(7)

    def cases(name: str, variants: list[tuple[nn.Module, tuple[int, ...], str]]) -> None:
        found = [
            case(layer, dyadic(generator, *shape), generator, arguments)
            for layer, shape, arguments in variants
        ]
        write(f"layers/{name}.json", layer=name, cases=found)

    sines = 'kind = "sinusoidal"'
    cases(
        "positional_embedding",
        [
            (Positions(4, 5, False), (3, 4, 5), ""),
            (Positions(5, 6, True), (2, 5, 6), sines),
            (Positions(40, 3, True), (1, 40, 3), sines),
        ],
    )

    def two() -> nn.Module:
        copy = lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 5))
        return nn.Sequential(copy(), copy())

    copies = 'times = 2\nlayers = [{ linear = 6 }, "relu", { linear = 5 }]'
    cases("repeat", [(two(), (3, 5), copies), (two(), (1, 2, 5), copies)])
    cases("last", [(Choice(lambda x: x[:, -1]), (3, 4, 5), "")])
    rows = Choice(lambda x: x.transpose(1, 2).flatten(2))
    cases("image_rows", [(rows, (2, 3, 4, 3), ""), (rows, (1, 1, 3, 4), "")])


if __name__ == "__main__":
    embedding()
    recurrent()
    sequences()
    attention()
    rows()
    convolutions()
    poolings()
    linear()
    elementwise("flatten", [(nn.Flatten(), "")], sequence=True)
    elementwise("relu", [(nn.ReLU(), "")])
    elementwise("tanh", [(nn.Tanh(), "")])
    elementwise("sigmoid", [(nn.Sigmoid(), "")])
    elementwise(
        "gelu",
        [
            (nn.GELU(), 'approximate = "none"'),
            (nn.GELU(approximate="tanh"), 'approximate = "tanh"'),
        ],
    )
    elementwise("leaky_relu", [(nn.LeakyReLU(0.3), "negative_slope = 0.3")])
    elementwise("silu", [(nn.SiLU(), "")])
    elementwise("scale", [(Scale(-0.7), "factor = -0.7")])
    residual()
