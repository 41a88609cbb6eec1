"""Takes a POSIX record lock on a file, as any program can, says so, and holds it until its input ends."""

import fcntl
import sys
from pathlib import Path

with Path(sys.argv[1]).open("w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("ready", flush=True)
    sys.stdin.read()
