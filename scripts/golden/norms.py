"""Layers that normalise pictures, forward and backward, in f64: torch.nn.BatchNorm2d over three
steps of training and in evaluation, torch.nn.LocalResponseNorm, and Caffe's LRN layer within a
channel, which PyTorch lacks, by its formulas in NumPy.

Writes tests/golden/layers/batch_norm2d.json and local_response_norm.json.
Run: python scripts/golden/norms.py
"""

import numpy as np
import torch
from golden import dyadic, tensor, write
from torch import nn


def batch_norm_case(
    layer: nn.BatchNorm2d,
    shape: tuple[int, ...],
    generator: torch.Generator,
    arguments: str,
    shift: float = 0.0,
) -> dict:
    """One pass of a layer as it stands, with its running statistics before and after."""
    states = {name: tensor(buffer.clone()) for name, buffer in layer.named_buffers()}
    x = (dyadic(generator, *shape) + shift).requires_grad_()
    y = layer(x)
    dy = dyadic(generator, *shape)
    layer.zero_grad()
    y.backward(dy)
    parameters = dict(layer.named_parameters())
    after = {name: tensor(buffer.clone()) for name, buffer in layer.named_buffers()}
    return {
        "arguments": arguments,
        "training": layer.training,
        "states": states,
        "x": tensor(x),
        "parameters": {name: tensor(p) for name, p in parameters.items()},
        "y": tensor(y),
        "dy": tensor(dy),
        "dx": tensor(x.grad),
        "gradients": {name: tensor(p.grad) for name, p in parameters.items()},
        "states_after": after,
    }


def batch_norm2d() -> None:
    generator = torch.Generator().manual_seed(3)
    variants = [
        # arguments of the layer here and there, channels, shift of the inputs
        ({}, "", 5, 0.0),
        ({"eps": 1e-3, "momentum": 0.25, "affine": False}, "eps = 0.001\nmomentum = 0.25\naffine = false", 2, 16.0),
        ({"bias": False}, "bias = false", 3, -2.0),
    ]
    cases = []
    for keywords, arguments, channels, shift in variants:
        layer = nn.BatchNorm2d(channels, **keywords).double()
        for parameter in layer.parameters():
            parameter.data = dyadic(generator, *parameter.shape)
        for batch in (3, 2, 3):
            shape = (batch, channels, 2, 3)
            cases.append(batch_norm_case(layer, shape, generator, arguments, shift))
        layer.eval()
        cases.append(batch_norm_case(layer, (2, channels, 1, 3), generator, arguments, shift))
    write("layers/batch_norm2d.json", layer="batch_norm2d", cases=cases)


def caffe_within(x: np.ndarray, size: int, alpha: float, beta: float) -> np.ndarray:
    """Caffe's LRNLayer::WithinChannelForward: squares, their average over size x size pixels of the
    picture padded with zeros (the average pooling divides by size^2 everywhere, as it counts its
    padding), 1 + alpha times that to the power -beta, times x."""
    pad = (size - 1) // 2
    squares = np.pad(x * x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    height, width = x.shape[2:]
    average = np.zeros_like(x)
    for h in range(height):
        for w in range(width):
            average[:, :, h, w] = squares[:, :, h : h + size, w : w + size].sum(axis=(2, 3))
    return x * (1.0 + alpha * average / size**2) ** -beta


def caffe_within_case(shape, size, alpha, beta, generator) -> dict:
    """Forward by the formula; backward by central differences of it with complex steps, which are
    exact to rounding: the imaginary part of f(x + ih) / h."""
    x = dyadic(generator, *shape)
    dy = dyadic(generator, *shape)
    values = x.numpy()
    step = 1e-30
    dx = np.zeros_like(values)
    for i in np.ndindex(*shape):
        moved = values.astype(np.complex128)
        moved[i] += 1j * step
        y = caffe_within(moved, size, alpha, beta)
        dx[i] = (y * dy.numpy()).sum().imag / step
    return {
        "arguments": f"size = {size}\nalpha = {alpha}\nbeta = {beta}\nwithin_channel = true",
        "x": tensor(x),
        "parameters": {},
        "y": tensor(torch.from_numpy(caffe_within(values, size, alpha, beta))),
        "dy": tensor(dy),
        "dx": tensor(torch.from_numpy(dx)),
        "gradients": {},
    }


def across_case(shape, size, alpha, beta, k, generator) -> dict:
    layer = nn.LocalResponseNorm(size, alpha, beta, k).double()
    x = dyadic(generator, *shape).requires_grad_()
    y = layer(x)
    dy = dyadic(generator, *shape)
    y.backward(dy)
    return {
        "arguments": f"size = {size}\nalpha = {alpha}\nbeta = {beta}\nk = {float(k)}",
        "x": tensor(x),
        "parameters": {},
        "y": tensor(y),
        "dy": tensor(dy),
        "dx": tensor(x.grad),
        "gradients": {},
    }


def local_response_norm() -> None:
    generator = torch.Generator().manual_seed(4)
    cases = [
        across_case((2, 7, 2, 3), 5, 0.5, 0.75, 1, generator),
        across_case((1, 9, 1, 2), 4, 2.0, 0.5, 2, generator),
        across_case((2, 3, 2, 2), 3, 1e-4, 0.75, 1, generator),
        caffe_within_case((2, 2, 4, 5), 3, 0.75, 0.75, generator),
        caffe_within_case((1, 3, 3, 6), 5, 4.0, 1.25, generator),
        # Caffe's cifar10_full.
        caffe_within_case((1, 1, 6, 7), 3, 5e-05, 0.75, generator),
    ]
    write("layers/local_response_norm.json", layer="local_response_norm", cases=cases)


if __name__ == "__main__":
    batch_norm2d()
    local_response_norm()
