"""Prints the lines of a file, and stays: `all` of them at once, or the `last` one only when it is asked to end.

More lines, given as arguments, follow when it is asked to end.
"""

import os
import signal
import sys
from pathlib import Path

manner, file, *more = sys.argv[1:]
lines = [line for line in Path(file).read_bytes().split(b"\n") if line.startswith(b"{")]
kept = [] if manner == "all" else [lines.pop()]


def asked(number: int, frame: object) -> None:
    """Print what was kept back, and leave."""
    os.write(1, b"".join(line + b"\n" for line in [*kept, *map(os.fsencode, more)]))
    os._exit(128 + number)


signal.signal(signal.SIGINT, asked)
signal.signal(signal.SIGTERM, asked)
os.write(1, b"\n".join(lines) + b"\n")
while True:
    signal.pause()
