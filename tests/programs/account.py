"""Stands in for an agent whose account refuses it: `account.py FOLDER REFUSAL SERVED`, both recordings of Claude.

Writes its task into FOLDER/starts, prints the first and exits with 1; once FOLDER/mended exists, it prints the second
and exits with 0.
"""

import os
import sys
from pathlib import Path

folder, refusal, served = map(Path, sys.argv[1:4])
with (folder / "starts").open("a") as starts:
    starts.write(f"{os.environ['NOVA_TASK_ID']}\n")
mended = (folder / "mended").exists()
sys.stdout.write((served if mended else refusal).read_text())
sys.exit(0 if mended else 1)
