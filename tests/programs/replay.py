"""Prints a recorded file: `bytes` one at a time, `burst` all at once and exits, `lines` one write per line."""

import os
import sys
from pathlib import Path

manner, file, *repeat = sys.argv[1:]
recorded = Path(file).read_bytes() * int(repeat[0] if repeat else 1)
pieces = {
    "bytes": lambda: (recorded[at : at + 1] for at in range(len(recorded))),
    "burst": lambda: [recorded],
    "lines": lambda: recorded.splitlines(keepends=True),
}[manner]()
for piece in pieces:
    left = memoryview(piece)
    while left:
        left = left[os.write(1, left) :]
