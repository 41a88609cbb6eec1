"""Running a command that notifies somebody: with a time limit, its output bounded, and nobody of its family left."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import final

from nova_async._core.cancellation import complete
from nova_async._core.text import one_line
from nova_async.process.child import Child
from nova_async.process.family import Family
from nova_async.process.spawn import spawn
from nova_async.worker.stdin_file import as_file

__all__ = ["run"]

GRACE = 1.0  # seconds between SIGTERM and SIGKILL, as for what outlives an agent: nothing is lost with it
CHUNK = 64 * 1024  # bytes read at once
MOST_OUTPUT = 1024 * 1024  # bytes that it may print; what prints more gets no reader for it, and ends of that
KEPT = 2_000  # bytes of its output, the last: its error stands there


async def run(command: Sequence[str], env: Mapping[str, str], said: bytes, seconds: float) -> str | None:
    """Run a command with this standard input, and return what went wrong; None if it exited with 0.

    It is ended after so many seconds, and at once when this is cancelled; so is all that it has started.
    """
    try:
        with await as_file(said) as stdin:
            child = await spawn(command, env=env, stdin=stdin)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        return f"cannot be started: {why}"
    output = Output(child)
    code: int | None = None
    ending = partial(end, child.family, is_hurried=True)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                code = await child.wait()
        ending = partial(end, child.family, is_over=code is not None)
    finally:
        await complete(ending)
        output.read_all()
        output.close()
        child.close_output()
    if code is None:
        return f"took longer than {seconds:g} s and was ended{output.last_line}"
    return None if code == 0 else f"exited with code {code}{output.last_line}"


async def end(family: Family, *, is_over: bool = False, is_hurried: bool = False) -> None:
    """End whoever is left of a family, first by SIGTERM unless there is no time; ``is_over``: its leader has exited."""
    with suppress(OSError):  # no look was possible: then without SIGTERM
        left = await (family.look_for_others() if is_over else family.look())
        if not left:
            return
        if not is_hurried:
            family.signal(signal.SIGTERM, left)
            if await family.gone(GRACE):
                return
    with suppress(OSError):  # the orphan guard and our exit end what we cannot look for now
        await family.kill()


@final
class Output:
    """What a command prints: read as it comes, so that it never waits, and forgotten but for its end."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._loop = asyncio.get_running_loop()
        self._read = 0
        self._kept = b""
        self._loop.add_reader(child.output, self.read)

    def read(self) -> bool:
        """Take what is there, and tell whether there was anything."""
        try:
            chunk = os.read(self._child.output, CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            chunk = b""
        self._read += len(chunk)
        self._kept = (self._kept + chunk)[-KEPT:]
        if not chunk or self._read > MOST_OUTPUT:
            self.close()
            self._child.close_output()
        return bool(chunk)

    def read_all(self) -> None:
        """Take what is left."""
        while self._child.output >= 0 and self.read():
            pass

    def close(self) -> None:
        """Read no more."""
        if self._child.output >= 0:
            self._loop.remove_reader(self._child.output)

    @property
    def last_line(self) -> str:
        """The last line of what it printed, to be put behind a sentence; empty where it printed nothing."""
        lines = self._kept.decode(errors="replace").strip().splitlines()
        return f": {one_line(lines[-1])}" if lines else ""
