"""A script that waits for a blocking worker until it gets Ctrl-C, and then terminates the worker."""

import sys
from pathlib import Path

from nova_async import Worker

worker = Worker("F1", log_dir=Path(sys.argv[1]))
worker.start(["sleep", "60"])
try:
    print("ready", worker.pid, flush=True)
    worker.wait()
except KeyboardInterrupt:
    print("interrupted; still alive:", worker.is_alive(), flush=True)
    worker.terminate()
    print("ended:", worker.end, flush=True)
