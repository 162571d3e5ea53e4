#!/usr/bin/env python3
"""Fits x P(x^2) / Q(x^2) to the error function between 0 and 3.92, for the least relative error.

What `numeric_erf` in shaders/shared/numeric.wgsl holds. Linearised least squares in Chebyshev points,
whose weights grow where the error is largest (Lawson's algorithm). Needs NumPy.
"""

import math

import numpy as np

LIMIT, DEGREE, POINTS, ROUNDS = 3.92, 5, 4000, 200


def main():
    x = LIMIT * (0.5 - 0.5 * np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS))
    wanted = np.array([math.erf(v) / v for v in x])
    t = (x / LIMIT) ** 2
    powers = t[:, None] ** np.arange(DEGREE + 1)
    terms = np.concatenate([powers, -wanted[:, None] * powers[:, 1:]], axis=1)
    weights, q = np.ones(POINTS), np.ones(POINTS)
    best = (math.inf, None)
    for _ in range(ROUNDS):
        row = weights / (wanted * q)
        found, *_ = np.linalg.lstsq(terms * row[:, None], wanted * row, rcond=None)
        p, q = powers @ found[: DEGREE + 1], 1 + powers[:, 1:] @ found[DEGREE + 1 :]
        off = np.abs(p / q / wanted - 1)
        if off.max() < best[0]:
            best = (off.max(), found)
        weights *= (off / off.max()) ** 0.3 + 1e-3
        weights /= weights.mean()
    off, found = best
    scale = LIMIT ** (2 * np.arange(DEGREE + 1))
    print("p:", list(found[: DEGREE + 1] / scale))
    print("q:", [1.0, *(found[DEGREE + 1 :] / scale[1:])])
    print(f"relative error at most {off:.2e}")


if __name__ == "__main__":
    main()
