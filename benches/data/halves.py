"""Fashion-MNIST in two halves, to start one from the weights of the other.

    python halves.py FASHION_MNIST_FOLDER OUT

OUT/clothes.npz holds classes 0 to 4, all 30,000 samples of them; OUT/rest.npz classes 5 to 9 (as 0 to 4),
the first 20 samples of each to train on; the test parts are whole. Needs NumPy.
"""

import gzip
import sys
from pathlib import Path

import numpy as np


def read(folder, name, header):
    return np.frombuffer(gzip.open(Path(folder) / f"{name}.gz").read(), np.uint8)[header:]


def part(folder, name):
    y = read(folder, f"{name}-labels-idx1-ubyte", 8)
    return read(folder, f"{name}-images-idx3-ubyte", 16).reshape(len(y), 1, 28, 28), y


def first(y, most):
    """The places of the first `most` samples of each class, in their order."""
    return np.sort(np.concatenate([np.flatnonzero(y == label)[:most] for label in np.unique(y)]))


def main():
    folder, out = sys.argv[1], Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    (x, y), (x_test, y_test) = part(folder, "train"), part(folder, "t10k")
    for name, low, most in [("clothes", 0, None), ("rest", 5, 20)]:
        half, half_test = [(y >= low) & (y < low + 5) for y in (y, y_test)]
        places = first(y[half], most)
        np.savez(
            out / f"{name}.npz",
            x_train=x[half][places], y_train=y[half][places] - low,
            x_test=x_test[half_test], y_test=y_test[half_test] - low,
        )


if __name__ == "__main__":
    main()
