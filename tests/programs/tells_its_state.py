"""Prints what a process inherits: its environment, signals, descriptors and arguments, as JSON on one line."""

import json
import os
import sys
from pathlib import Path

state = Path("/proc/self/status").read_text()
print(
    json.dumps(
        {
            "environment": sorted(Path("/proc/self/environ").read_bytes().decode("latin-1").split("\0")),
            "signals": [line for line in state.splitlines() if line.startswith(("SigBlk", "SigIgn"))],
            "descriptors": sorted(entry.name for entry in Path("/proc/self/fd").iterdir()),
            "words": sys.argv[1:],
            "leads": os.getsid(0) == os.getpid(),
            "group": os.getpgrp() == os.getsid(0),
        }
    ),
    flush=True,
)
