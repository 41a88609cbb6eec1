"""Stands for whoever is notified: writes down its arguments, its variables, its descriptors and its standard input."""

import json
import os
import sys
from pathlib import Path


def is_open(descriptor: int) -> bool:
    """Tell whether a descriptor is open."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


said = sys.stdin.read()
told = {
    "arguments": sys.argv[2:],
    "variables": {name: value for name, value in os.environ.items() if name.startswith("NOVA_") or "KEY" in name},
    "descriptors": [number for number in range(256) if is_open(number)],
    "notice": json.loads(said),
}
with Path(sys.argv[1]).open("a") as notices:
    notices.write(json.dumps(told) + "\n")
