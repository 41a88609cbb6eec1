"""A script that gets Ctrl-C in a blocking worker's ``lines`` or ``terminate``, and says who is alive then."""

import sys
from pathlib import Path

from nova_async import Worker

folder, call = sys.argv[1:]
worker = Worker("F1", log_dir=Path(folder))
worker.start(["sh", "-c", "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done"])
try:
    for line in worker.lines():
        print(line, flush=True)
        if call == "terminate":
            worker.terminate(grace=600)
except KeyboardInterrupt:
    print("interrupted; still alive:", worker.is_alive(), flush=True)
    worker.terminate(grace=0)
