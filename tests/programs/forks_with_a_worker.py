"""A script that forks while it has a blocking worker; the child tries the old worker, then makes one of its own."""

import os
import sys
import warnings
from pathlib import Path

from nova_async import Worker, WorkerStateError

warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of forking with threads: that is what is tested

folder = Path(sys.argv[1])
worker = Worker("parent", log_dir=folder)
worker.start(["cat", "/dev/zero"], stdin=None) if len(sys.argv) > 2 else worker.start(["sleep", "60"])
child = os.fork()
if child == 0:
    for ask in (worker.wait, worker.terminate, lambda: next(worker.lines())):
        try:
            ask()
        except WorkerStateError as error:
            print("child:", str(error).split(":")[0], flush=True)
    own = Worker("child", log_dir=folder)
    own.start(["echo", "hi"])
    print("child: own worker ended with", own.wait(), flush=True)
    sys.exit(0)
os.waitpid(child, 0)
print("parent: still alive:", worker.is_alive(), flush=True)
worker.terminate()
print("parent: ended:", worker.end, flush=True)
