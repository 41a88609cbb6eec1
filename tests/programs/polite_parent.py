"""Exits with 0 at SIGTERM; its child ignores the signal and stays (G12)."""

import os
import signal
import subprocess
import sys
from pathlib import Path

child = subprocess.Popen([sys.executable, Path(__file__).with_name("stubborn.py")], stdout=subprocess.PIPE)
child.stdout.readline()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
print("ready", child.pid, flush=True)
while True:
    signal.pause()
