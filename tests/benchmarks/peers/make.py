"""``make -j``: no log and no record, but an order."""

from pathlib import Path

from tests.benchmarks.peers.peer import Peer, call, no_program


def tasks(folder: Path, count: int, at_once: int) -> None:
    """Make so many targets that are no files."""
    names = " ".join(f"t{number}" for number in range(count))
    (folder / "Makefile").write_text(f"NAMES = {names}\n.PHONY: all $(NAMES)\nall: $(NAMES)\n$(NAMES):\n\t@/bin/true\n")
    call(["make", "-s", f"-j{at_once}"], folder)


PEER = Peer("make -j", no_program("make"), tasks=tasks)
