"""Takes a journal's lock, says so, and holds it until it is killed; with ``fork`` a forked child outlives it."""

import os
import signal
import sys
from pathlib import Path

from nova_async.journal.lock import RunLock

lock = RunLock(Path(sys.argv[1]))
lock.open()
child = os.fork() if sys.argv[2:] == ["fork"] else None
if child == 0:
    lock.close()  # what a child inherits it may not give away either
    os.write(1, b"child %d\n" % os.getpid())  # in one piece: both write at the same time
else:
    os.write(1, b"ready %d\n" % os.getpid())
signal.pause()
