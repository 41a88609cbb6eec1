"""Waits, in one process group, for a child that does the work and needs a moment to clean up at SIGTERM (G36)."""

import os
import signal
import subprocess
import sys
import time


def clean_up(number: int, frame: object) -> None:
    """Take a moment, then go."""
    time.sleep(0.3)
    os.write(1, b"cleaned up\n")  # the signal may have come upon "ready", within Python's own stream
    os._exit(0)


if sys.argv[1:] == ["work"]:
    signal.signal(signal.SIGTERM, clean_up)
    print("ready", os.getpid(), flush=True)
    while True:
        signal.pause()
subprocess.run([sys.executable, __file__, "work"], check=False)
