"""Runs a tool in a session of its own, as agents do, and writes to the file given whenever it would ask its model.

That is after the tool's end, until it has ended itself, for which it takes a moment after SIGTERM.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

LEAVING = 0.2  # seconds; what Claude Code takes

tool = subprocess.Popen(["sleep", "300"], start_new_session=True)


def leave(*_: object) -> None:
    """Clean up first."""
    time.sleep(LEAVING)
    sys.exit(143)


def ask_the_model_again() -> None:
    """Pay for one more answer."""
    tool.wait()
    with Path(sys.argv[1]).open("a") as calls:
        calls.write("paid\n")


signal.signal(signal.SIGTERM, leave)
threading.Thread(target=ask_the_model_again, daemon=True).start()
print("ready", os.getpid(), tool.pid, flush=True)
while True:
    signal.pause()
