"""Starts a process with an empty environment in a session of its own: "ready PID" tells which one (G56).

Only its parent link shows whose it is. Its parent is this program, or with ``helper`` a child of it, or with
``stranded`` a process that has itself left its parents. The program stays, or exits with 0 once a file ``go`` exists.
"""

import os
import signal
import sys
import time
from pathlib import Path

options = set(sys.argv[1:])
assert options <= {"helper", "stranded"}, options
signal.signal(signal.SIGINT, signal.SIG_DFL)
told, tell = os.pipe()


def start_relative() -> None:
    """Start it, and have it say its pid once it is on its own."""
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.dup2(tell, 3, inheritable=True)
        never, kept_open = os.pipe()
        os.dup2(never, 0)
        os.set_inheritable(kept_open, True)
        os.execve("/bin/sh", ["sh", "-c", "echo $$ >&3; exec 3>&-; read nothing"], {})


if options:
    if os.fork() == 0:
        if "stranded" in options:
            os.setsid()
            if os.fork() != 0:
                os._exit(0)
        start_relative()
        os.close(tell)
        while True:
            signal.pause()
    if "stranded" in options:
        os.wait()
else:
    start_relative()
os.close(tell)
print("ready", os.read(told, 100).decode().strip(), flush=True)
while not Path("go").exists():
    time.sleep(0.01)
