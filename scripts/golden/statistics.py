"""Quantiles, intervals, contrasts and powers of the statistics of `wavetrain compare`, from SciPy.

Writes tests/golden/statistics.json.
Run: pip install scipy; python scripts/golden/statistics.py
"""

import json
import pathlib

import numpy as np
import scipy
from scipy import stats

FILE = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "statistics.json"


def quantiles():
    """Student's t: share, degrees of freedom, value."""
    shares = [0.5, 0.8, 0.9, 0.975, 0.995, 0.9999]
    freedoms = [1.0, 2.0, 2.7, 4.0, 11.3, 60.0, 999.0, 9999.0]
    return [[p, f, stats.t.ppf(p, f)] for p in shares for f in freedoms]


def exact():
    """Clopper and Pearson: diverged, runs, both ends of the 95 % interval."""
    cases = [(0, 3), (1, 3), (3, 3), (2, 5), (1, 20), (19, 20), (7, 12)]
    rows = []
    for k, n in cases:
        found = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
        rows.append([k, n, found.low, found.high])
    return rows


def scores(seeds: int, samples: int, which: int) -> np.ndarray:
    """Made-up bits: right unless a mixture of seed and sample says otherwise."""
    s = np.arange(seeds)[:, None]
    i = np.arange(samples)[None, :]
    mixed = (s * s * (7 + which) + i * i * 13 + s * i * (5 + 2 * which) + 31 * which) % 97
    return (mixed >= 9 + 3 * which).astype(np.float64)


def cautious(over_seeds: float, over_samples: float, seeds: int, samples: int) -> float:
    """Degrees of freedom with the variance over seeds that is exceeded with a chance of sqrt(5 %)."""
    if seeds == 2:
        return 1.0
    larger = over_seeds * (seeds - 1) / stats.chi2.ppf(0.05**0.5, seeds - 1)
    squares = larger**2 / (seeds - 1) + over_samples**2 / (samples - 1)
    return (larger + over_samples) ** 2 / squares


def contrasts():
    """Of two made-up variants: the gain, its error, degrees of freedom, 95 % interval, one-sided p."""
    rows = []
    for seeds, samples in [(2, 50), (3, 200), (5, 97), (8, 1000), (20, 300)]:
        d = scores(seeds, samples, 1) - scores(seeds, samples, 0)
        over_seeds = d.mean(axis=1).var(ddof=1) / seeds
        over_samples = d.mean(axis=0).var(ddof=1) / samples
        variance = over_seeds + over_samples
        freedom = variance**2 / (over_seeds**2 / (seeds - 1) + over_samples**2 / (samples - 1))
        low, high = stats.t.interval(
            0.95, cautious(over_seeds, over_samples, seeds, samples), d.mean(), variance**0.5
        )
        rest = d - d.mean(axis=1, keepdims=True) - d.mean(axis=0, keepdims=True) + d.mean()
        rows.append(
            {
                "seeds": seeds,
                "samples": samples,
                "gain": d.mean(),
                "error": variance**0.5,
                "freedom": freedom,
                "interval": [low, high],
                "rest": (rest**2).sum() / ((seeds - 1) * (samples - 1)),
            }
        )
    return rows


def powers():
    """Of one fixed look: the chance of a two-sided test at 5 % to find an effect in its direction.

    Differences are effect + seed + sample, both normal; the noncentral t has the degrees of freedom of
    the interval at the true variances.
    """
    rows = []
    for seeds, samples, of_seeds, of_samples in [(5, 200, 0.4, 3.0), (8, 100, 1.0, 2.0), (12, 50, 0.2, 2.0)]:
        a, b = of_seeds**2 / seeds, of_samples**2 / samples
        freedom = cautious(a, b, seeds, samples)
        for effect in [0.15, 0.3, 0.6, 1.2]:
            moved = effect / (a + b) ** 0.5
            critical = stats.t.ppf(0.975, freedom)
            rows.append(
                {
                    "seeds": seeds,
                    "samples": samples,
                    "of_seeds": of_seeds,
                    "of_samples": of_samples,
                    "effect": effect,
                    "power": stats.nct.sf(critical, freedom, moved),
                }
            )
    return rows


def main() -> None:
    fields = {
        "made_by": "scripts/golden/statistics.py",
        "scipy": scipy.__version__,
        "quantiles": quantiles(),
        "exact": exact(),
        "contrasts": contrasts(),
        "powers": powers(),
    }
    lines = (
        f"{json.dumps(key)}: {json.dumps(value, allow_nan=False, separators=(',', ':'))}"
        for key, value in fields.items()
    )
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
