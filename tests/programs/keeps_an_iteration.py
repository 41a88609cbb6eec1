"""A script that reads one line of a blocking worker, keeps the iteration, and ends without another word."""

import sys
from pathlib import Path

from nova_async import Worker

worker = Worker("F1", log_dir=Path(sys.argv[1]))
worker.start(["sh", "-c", "echo ready; sleep 60"])
lines = worker.lines()
print(next(lines), flush=True)
