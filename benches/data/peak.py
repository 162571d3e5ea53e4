"""Runs a command; prints how long it took and the most memory that was resident.

    python peak.py wavetrain train pictures.toml --data FOLDER --set data.cache=disk
"""

import resource
import subprocess
import sys
import time

if len(sys.argv) < 2:
    sys.exit(__doc__)
start = time.perf_counter()
status = subprocess.run(sys.argv[1:]).returncode
took = time.perf_counter() - start
# In KiB on Linux.
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"exit {status}, {took:.1f} s, {peak:.0f} MB at most")
