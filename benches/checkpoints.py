"""Runs a command of wavetrain; prints which share of its time its checkpoints took.

    python checkpoints.py wavetrain train glyphs
"""

import os
import re
import subprocess
import sys
import time

UNITS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}

if len(sys.argv) < 2:
    sys.exit(__doc__)
start = time.perf_counter()
run = subprocess.run(
    sys.argv[1:],
    env={**os.environ, "RUST_LOG": "wavetrain::train::run=info"},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
)
took = time.perf_counter() - start
found = re.findall(r"the checkpoint of step \d+ took ([\d.]+)(ns|µs|ms|s)\b", run.stderr)
seconds = [float(number) * UNITS[unit] for number, unit in found]
print(
    f"exit {run.returncode}, {len(seconds)} checkpoints in {took:.1f} s: "
    f"{100 * sum(seconds) / took:.2f} %, the longest {1000 * max(seconds, default=0):.0f} ms"
)
