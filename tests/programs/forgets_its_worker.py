"""A script that starts a blocking worker, prints its pid, and ends without another word."""

import sys
from pathlib import Path

from nova_async import Worker

worker = Worker("F1", log_dir=Path(sys.argv[1]))
worker.start(["sh", "-c", "trap '' TERM INT; echo ready; while :; do sleep 1; done"])
for _line in worker.lines():
    break
print(worker.pid, flush=True)
