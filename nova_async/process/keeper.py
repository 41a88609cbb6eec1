"""A keeper, seen from its supervisor: a small process that leads a family and adopts its orphans (G54).

It costs 12 ms of CPU and 4 MB for each worker, so it is only there if asked for. With it, the library finds what
otherwise only ``nova`` finds, and the host program stays as it is.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from nova_async._core.descriptors import open_pipe
from nova_async.process.orphan_guard import find_interpreter

__all__ = ["Keeper", "reason_against"]

PROGRAM = Path(__file__).with_name("keeper_program.py")
LAST_WORDS = 1024 * 1024  # bytes; far more than a keeper says


def reason_against() -> str | None:
    """Return why there can be no keeper here; None if there can."""
    if sys.platform != "linux":
        return "only Linux lets a process adopt orphans"
    if find_interpreter() is None:
        return f"{sys.executable!r} is not a Python interpreter that could run it"
    return None


class Keeper:
    """The keeper of one family. Raises ``OSError`` if there can be none here, or no descriptor is left."""

    def __init__(self) -> None:
        interpreter = find_interpreter()
        if interpreter is None:
            raise OSError(f"no keeper: {reason_against()}")
        self._interpreter = interpreter
        self._pipe, self.passed_on = open_pipe()
        """The descriptor that the keeper is given, until ``started``."""

    def command(self, program: str, argv: list[str]) -> list[str]:
        """Return the command line that has the keeper start ``program``, a file, as ``argv``."""
        return [self._interpreter, "-I", "-S", str(PROGRAM), str(self.passed_on), program, *argv]

    def started(self) -> None:
        """Close the keeper's end, which it has by now; a second call does nothing."""
        if self.passed_on >= 0:
            os.close(self.passed_on)
            self.passed_on = -1

    def last_words(self) -> list[tuple[int, float]]:
        """Return pid and start time of each process that was below the keeper when it exited; nobody if asked again.

        A keeper that was killed has not said any.
        """
        if self._pipe < 0:
            return []
        said = b""
        os.set_blocking(self._pipe, False)
        with suppress(BlockingIOError):  # no end of file: a process that was just being started has a copy of the pipe
            while (chunk := os.read(self._pipe, 65536)) and len(said) < LAST_WORDS:
                said += chunk
        self.close()
        *lines, _ = said.split(b"\n")
        return [(int(pid), float(start)) for pid, start in (line.split() for line in lines)]

    def close(self) -> None:
        """Close our ends; a second call does nothing."""
        self.started()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
