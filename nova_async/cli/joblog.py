"""``--joblog``: a line for each attempt, in the columns of GNU parallel, for whatever reads its logs already."""

import os
import shlex
from pathlib import Path
from typing import final

from nova_async._core.text import one_line
from nova_async.cli.say import write_all
from nova_async.records import Attempt
from nova_async.words import Outcome

__all__ = ["JobLog", "joblog_line"]

TITLES = ("Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval", "Signal", "Command")
FAILED = 1
LONGEST = 100_000  # characters of a command; one argument alone may have 128 KiB


@final
class JobLog:
    """A file that only grows: what earlier runs have written stays, and every line is written in one piece."""

    def __init__(self, path: Path) -> None:
        """Open it, with the titles where it is new. Raises ``OSError``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if os.fstat(self._descriptor).st_size == 0:
            write_all(self._descriptor, ("\t".join(TITLES) + "\n").encode())

    def add(self, number: int, attempt: Attempt) -> None:
        """Write that an attempt of the plan's n-th task is over. Raises ``OSError``."""
        write_all(self._descriptor, joblog_line(number, attempt).encode(errors="surrogateescape"))

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def joblog_line(number: int, attempt: Attempt) -> str:
    """Return the line of an attempt that is over; ``number`` is the task's place in the plan, from 1.

    An attempt that failed although its command ended with 0 (its agent said so, its check failed) has 1. The command
    begins with the two variables that say which attempt it was, so that a shell would take it.
    """
    start, end = attempt.start, attempt.end
    assert end is not None
    code = end.exit_code
    signal = -code if code is not None and code < 0 else 0
    exitval = 0 if signal else code or (0 if end.outcome is Outcome.OK else FAILED)
    which = f"NOVA_TASK_ID={start.id.task_id} NOVA_ATTEMPT={start.id.number}"
    cells = (
        str(number),
        ":",  # what parallel calls this machine
        f"{start.started_at.timestamp():.3f}",
        f"{end.duration_seconds:10.3f}",
        "0",
        str(size_of(end.log.path) if end.log else 0),
        str(exitval),
        str(signal),
        f"{which} {one_line(shlex.join(start.command), LONGEST)}".rstrip(),
    )
    return "\t".join(cells) + "\n"


def size_of(path: str) -> int:
    """Return how many bytes a log holds; 0 where it is gone."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0
