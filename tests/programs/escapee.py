"""Leaves a descendant that ignores SIGTERM and runs from its family: "ready PID" tells which one (G13).

Options: ``session``, it gets a session of its own; ``environment``, it clears its environment; ``orphan``, its parent
exits at once. The program itself exits with 0, or with ``stay`` waits for a signal.
"""

import os
import signal
import sys

options = set(sys.argv[1:])
assert options <= {"session", "environment", "orphan", "stay"}, options

if os.fork() == 0:
    if "session" in options:
        os.setsid()
    if "orphan" in options and os.fork() != 0:
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    never, kept_open = os.pipe()
    os.dup2(never, 0)
    os.set_inheritable(kept_open, True)
    environment = {} if "environment" in options else dict(os.environ)
    os.execve("/bin/sh", ["sh", "-c", "echo ready $$; read nothing"], environment)
if "orphan" in options:
    os.wait()
if "stay" in options:
    while True:
        signal.pause()
