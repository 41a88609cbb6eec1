"""Starts a child that keeps our output open for a minute, says ready, and exits with the given code."""

import subprocess
import sys

child = subprocess.Popen(["sleep", "60"], start_new_session="setsid" in sys.argv)
print("ready", child.pid, flush=True)
sys.exit(int(sys.argv[1]))
