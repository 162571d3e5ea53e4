"""What the scripts beside this one share: where golden files go and how they are written."""

import json
import pathlib
import sys

import torch

sys.dont_write_bytecode = True
torch.set_num_threads(1)

ROOT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"


def write(path: str, **fields) -> None:
    """Writes tests/golden/PATH: a JSON object, one field a line, with its origin first.

    Floats are written with the fewest digits that read back to the same f64.
    """
    script = pathlib.Path(sys.argv[0]).name
    origin = {
        "made_by": f"scripts/golden/{script}",
        "torch": torch.__version__,
    }
    lines = (
        f"{json.dumps(key)}: {json.dumps(value, allow_nan=False, separators=(',', ':'))}"
        for key, value in {**origin, **fields}.items()
    )
    file = ROOT / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{file.relative_to(ROOT.parents[1])}: {file.stat().st_size} bytes")


def tensor(t: torch.Tensor) -> dict:
    """A tensor as shape and elements, last dimension fastest."""
    return {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def dyadic(generator: torch.Generator, *shape: int, deviation: float = 1.0, unit: int = 256):
    """Normal numbers rounded to multiples of 1/UNIT, in f64: the same in f32, f64 and text."""
    z = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return torch.round(z * deviation * unit) / unit + 0.0  # + 0.0: no negative zeros
