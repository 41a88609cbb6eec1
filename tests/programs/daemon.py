"""Leaves a daemon, as daemons do it: a session of its own, no parent. "ready PID" tells which one.

The first word says what else hides it: it ``clears`` its environment (or does, and ``reads`` to the end of its input),
``overwrites`` it with a title, or is ``undumpable``; or ``nothing``. The program itself exits, or with ``stay`` waits
for a signal, with ``linger`` for the end of its input.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_DUMPABLE = 4
ENV_START, ENV_END = 49, 50  # counted from 0 in /proc/PID/stat

way, *others = sys.argv[1:]
told, tell = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    if way in ("clears", "reads"):
        os.set_inheritable(tell, True)
        script = f"echo $$ >&{tell}; exec {tell}>&-; exec {'cat' if way == 'reads' else 'sleep 60'}"
        os.execve("/bin/sh", ["sh", "-c", script], {})
    if way == "overwrites":
        fields = Path("/proc/self/stat").read_text().split()
        start, end = int(fields[ENV_START]), int(fields[ENV_END])
        ctypes.memset(start, 0, end - start)
    if way == "undumpable":
        assert ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
    os.write(tell, b"%d\n" % os.getpid())
    os.close(tell)
    while True:
        signal.pause()
os.wait()
os.close(tell)
with os.fdopen(told) as lines:
    print(f"ready {int(lines.readline())}", flush=True)
if "stay" in others:
    while True:
        signal.pause()
if "linger" in others:
    sys.stdin.readline()
