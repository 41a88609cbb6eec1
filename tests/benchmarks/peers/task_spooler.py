"""task-spooler: a queue, a log of each task, no order."""

import os
import shutil
from pathlib import Path

from tests.benchmarks.peers.peer import Peer, call


def missing() -> str | None:
    """Say what is missing; another program of the name ``ts`` is in moreutils."""
    return None if shutil.which("tsp") else "tsp (task-spooler) is not on PATH"


def tasks(folder: Path, count: int, at_once: int) -> None:
    """Queue so many, in a server of our own, and wait for all."""
    env = {
        **os.environ, "TS_SOCKET": str(folder / "socket"), "TMPDIR": str(folder), "TS_MAXFINISHED": str(count),
        "TS_SLOTS": str(at_once),
    }  # fmt: skip
    try:
        call(["sh", "-c", f"for each in $(seq {count}); do tsp /bin/true >&2; done"], folder, env)
        call(["sh", "-c", f"for each in $(seq 0 {count - 1}); do tsp -w $each; done"], folder, env)
    finally:
        call(["tsp", "-K"], folder, env)


PEER = Peer("task-spooler", missing, tasks=tasks)
