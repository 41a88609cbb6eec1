"""Hides itself in /proc as ssh-agent does, by not being dumpable: "ready PID", then sleeps for the seconds given."""

import ctypes
import os
import sys
import time

PR_SET_DUMPABLE = 4

assert ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
print("ready", os.getpid(), flush=True)
time.sleep(float(sys.argv[1]))
