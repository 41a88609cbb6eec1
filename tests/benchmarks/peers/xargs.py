"""``xargs -P``: no log, no record, no resume."""

from pathlib import Path

from tests.benchmarks.peers.peer import Peer, call, no_program


def tasks(folder: Path, count: int, at_once: int) -> None:
    """Run a program for each line of input."""
    given = "".join(f"{number}\n" for number in range(count)).encode()
    call(["xargs", "-P", str(at_once), "-n", "1", "/bin/true"], folder, given=given)


PEER = Peer("xargs -P", no_program("xargs"), tasks=tasks)
