"""Nets drawn at random, from all layers but dropout, whose masks are this program's own."""

import random

ACTIVATIONS = [
    '"relu"', '"tanh"', '"sigmoid"', '"silu"', '"gelu"', '{ gelu = "tanh" }',
    "{ leaky_relu = 0.1 }", "{ scale = 0.7 }",
]  # fmt: skip
LOSSES = [
    'kind = "cross_entropy"',
    'kind = "cross_entropy"\nlabel_smoothing = 0.1',
    'kind = "mse"',
]
OPTIMIZERS = [  # kind, arguments
    ("sgd", "momentum = 0.9"),
    ("sgd", "momentum = 0.0"),
    ("sgd", "momentum = 0.9\nnesterov = true\nweight_decay = 0.001"),
    ("sgd", 'momentum = 0.9\nmomentum_form = "caffe"\nweight_decay = 0.004'),
    ("sgd", 'momentum = 0.8\nnesterov = true\nmomentum_form = "caffe"'),
    ("adam", "eps = 1e-3\nweight_decay = 0.01"),
    ("adamw", "eps = 1e-3\nweight_decay = 0.1"),
    ("adamw", "eps = 1e-4\nbetas = [0.8, 0.99]"),
]
SCHEDULES = [
    'policy = "triangular"\nbase_lr = 0.002\nmax_lr = 0.02\nstep_size_up = 15',
    'policy = "triangular2"\nbase_lr = 0.001\nmax_lr = 0.02\nstep_size_up = 7\nstep_size_down = 5',
    'policy = "triangular"\nbase_lr = 0.002\nmax_lr = 0.01\nstep_size_up = 9\ncycle_momentum = true',
    'policy = "one_cycle"\nmax_lr = 0.02\npct_start = 0.25',
    'policy = "cosine"\nlr = 0.01',
]


class Draw:
    """A net in the making: its layers, and the shape of what comes out so far."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        one = self.random
        self.shape = [one.choice([1, 3]), one.randint(7, 15), one.randint(7, 15)]
        self.channels, self.height, self.width = self.shape
        self.layers = []

    def pair(self, low: int, high: int) -> list:
        return [self.random.randint(low, high), self.random.randint(low, high)]

    def convolution(self) -> None:
        kernel, padding, stride = self.pair(1, 5), self.pair(0, 2), self.pair(1, 2)
        sides = [self.height, self.width]
        kernel = [min(k, side + 2 * p) for k, side, p in zip(kernel, sides, padding)]
        self.height, self.width = (
            (side + 2 * p - k) // s + 1 for side, k, p, s in zip(sides, kernel, padding, stride)
        )
        self.channels = self.random.randint(1, 18)
        bias = self.random.choice(["true", "false"])
        self.layers.append(
            f"{{ conv2d = {{ out_channels = {self.channels}, kernel_size = {kernel}, "
            f"stride = {stride}, padding = {padding}, bias = {bias} }} }}"
        )

    def pool(self) -> None:
        sides = [self.height, self.width]
        kernel = [min(k, side) for k, side in zip(self.pair(1, 3), sides)]
        stride, padding = self.pair(1, 3), [self.random.randint(0, k // 2) for k in kernel]
        ceil = self.random.random() < 0.5

        def out(side: int, k: int, s: int, p: int) -> int:
            places = side + 2 * p - k
            size = (-(-places // s) if ceil else places // s) + 1
            # torch.nn.MaxPool2d: a window starts inside the picture or its left padding.
            return size - 1 if ceil and (size - 1) * s >= side + p else size

        self.height, self.width = map(out, sides, kernel, stride, padding)
        kind = self.random.choice(["max_pool2d", "avg_pool2d"])
        more = ", count_include_pad = false" if kind == "avg_pool2d" and self.random.random() < 0.5 else ""
        self.layers.append(
            f"{{ {kind} = {{ kernel_size = {kernel}, stride = {stride}, padding = {padding}, "
            f"ceil_mode = {str(ceil).lower()}{more} }} }}"
        )

    def norm(self) -> None:
        size = self.random.choice([3, 5])
        self.layers.append(
            self.random.choice([
                '"batch_norm2d"',
                "{ batch_norm2d = { affine = false } }",
                f"{{ local_response_norm = {{ size = {size}, alpha = 0.02 }} }}",
                f"{{ local_response_norm = {{ size = {size}, alpha = 0.02, within_channel = true }} }}",
            ])
        )

    def residual(self) -> None:
        same = f"out_channels = {self.channels}, kernel_size = 3, padding = 1"
        body = [f"{{ conv2d = {{ {same} }} }}", self.random.choice(ACTIVATIONS)]
        if self.random.random() < 0.5:
            body.append(f"{{ conv2d = {{ {same}, bias = false }} }}")
        shortcut = self.random.choice([
            "",
            ", shortcut = [{ scale = 0.5 }]",
            f', shortcut = [{{ conv2d = {{ out_channels = {self.channels}, kernel_size = 1 }} }}, "tanh"]',
        ])
        self.layers.append(f"{{ residual = {{ body = [{', '.join(body)}]{shortcut} }} }}")

    def activation(self) -> None:
        self.layers.append(self.random.choice(ACTIVATIONS))

    def head(self) -> None:
        if self.random.random() < 0.3:
            self.layers.append('"global_avg_pool"')
        else:
            self.layers.append('"flatten"')
        if self.random.random() < 0.5:
            self.layers += [f"{{ linear = {self.random.randint(3, 40)} }}"]
            self.activation()
        self.layers.append("{ linear = 4 }")


def random_net(seed: int) -> dict:
    draw = Draw(seed)
    kinds = [draw.convolution, draw.pool, draw.norm, draw.residual, draw.activation]
    draw.convolution()
    for kind in draw.random.choices(kinds, weights=[3, 2, 2, 1, 3], k=draw.random.randint(2, 7)):
        # A norm over one value per channel is refused.
        if kind != draw.norm or draw.height * draw.width > 1:
            kind()
    draw.head()
    one = draw.random
    kind, optimizer = one.choice(OPTIMIZERS)
    # Without momentum there is none to cycle.
    still = "momentum = 0.0" in optimizer
    schedules = [s for s in SCHEDULES if not still or "one_cycle" not in s and "cycle_mo" not in s]
    return {
        "layers": "[\n" + ",\n".join(draw.layers) + "]",
        "shape": draw.shape,
        "batch": one.choice([4, 7, 8, 9, 11]),
        "normalize": one.choice(["standard", "unit"]),
        "loss": one.choice(LOSSES),
        "kind": kind,
        "optimizer": optimizer,
        "schedule": one.choice(schedules),
    }
