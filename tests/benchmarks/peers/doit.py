"""doit: tasks in Python, with a record of what is done."""

import sys
from pathlib import Path

from tests.benchmarks.peers.peer import Peer, call, no_module

PLAN = """
def task_each():
    for number in range({count}):
        yield {{"name": str(number), "actions": [["/bin/true"]]}}
"""


def tasks(folder: Path, count: int, at_once: int) -> None:
    """Run so many tasks, in threads as it recommends for programs."""
    (folder / "dodo.py").write_text(PLAN.format(count=count))
    call([sys.executable, "-m", "doit", "-v", "0", "-n", str(at_once), "-P", "thread"], folder)


PEER = Peer("doit -n", no_module("doit"), tasks=tasks)
