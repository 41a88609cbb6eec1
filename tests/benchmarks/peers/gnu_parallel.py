"""GNU parallel with a record and a log of each task: the peer that keeps as much as we do."""

import shutil
import subprocess
from pathlib import Path

from tests.benchmarks.peers.peer import Peer, call


def missing() -> str | None:
    """Say what is missing; another program of the same name is in moreutils."""
    if (program := shutil.which("parallel")) is None:
        return "parallel is not on PATH"
    said = subprocess.run([program, "--version"], capture_output=True, stdin=subprocess.DEVNULL, check=False).stdout
    return None if said.startswith(b"GNU parallel") else "the parallel on PATH is not GNU parallel"


def tasks(folder: Path, count: int, at_once: int) -> None:
    """Run a program for each line of input."""
    given = "".join(f"{number}\n" for number in range(count)).encode()
    options = ["--will-cite", "-j", str(at_once), "--joblog", "joblog", "--results", "results"]
    call(["parallel", *options, "/bin/true", "{}"], folder, given=given)


PEER = Peer("parallel --joblog --results", missing, tasks=tasks)
