"""The log of an attempt, as bytes: all of it or a part, from the very file that the attempt has written."""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import FileIO
from typing import NamedTuple, final
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from nova_async._core.threads import in_thread
from nova_async.web.answers import problem

__all__ = ["Log", "log_answer", "part_of"]

CHUNK = 256 * 1024  # bytes read at once, in a thread; what a client has not taken is held by nobody
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class Log:
    """The log of an attempt, open."""

    file: FileIO
    task_id: str
    number: int
    """Of the attempt."""
    agent: str
    """Whose output it is."""
    is_over: bool
    """Whether its attempt has ended."""

    def close(self) -> None:
        """Close it."""
        self.file.close()

    @property
    def size(self) -> int:
        """How many bytes it has by now."""
        return os.fstat(self.file.fileno()).st_size

    @property
    def key(self) -> tuple[int, int]:
        """What tells the file from all others."""
        status = os.fstat(self.file.fileno())
        return status.st_dev, status.st_ino


class Part(NamedTuple):
    """A part of a file: from a byte, up to but not including another."""

    begin: int
    end: int


def part_of(wanted: str | None, size: int) -> Part | None:
    """Return the part that a Range header asks for, the whole for one that we need not understand.

    None if there is no such part.
    """
    found = RANGE.fullmatch((wanted or "").replace(" ", ""))
    if found is None or found.groups() == ("", ""):
        return Part(0, size)
    first, last = found.groups()
    if not first:
        begin, end = max(size - int(last), 0), size
    else:
        begin, end = int(first), min(int(last) + 1, size) if last else size
    if last and first and int(last) < int(first):
        return Part(0, size)  # it says nothing, so it is to be ignored (RFC 9110, 14.1.1)
    return Part(begin, end) if begin < end else None


def log_answer(log: Log, wanted: str | None, *, is_read: bool = True, is_kept: bool = False) -> Response:
    """Answer with a log, or the part that a Range header asks for; ``is_kept`` if the browser is to save it.

    Without ``is_read`` the answer has no body. The log is closed when the answer has been given.
    """
    size = log.size
    part = part_of(wanted, size)
    headers = {"accept-ranges": "bytes", "cache-control": "no-store"}
    if part is None:
        log.file.close()
        return problem(416, f"the log has {size} bytes by now", {**headers, "content-range": f"bytes */{size}"})
    if is_kept:
        name = quote(f"{log.task_id}-{log.number}.log")
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{name}"
    headers["content-length"] = str(part.end - part.begin)
    whole = part == (0, size) and not (wanted or "").startswith("bytes=")
    if not whole:
        headers["content-range"] = f"bytes {part.begin}-{part.end - 1}/{size}"
    return StreamingResponse(
        read_part(log.file, part) if is_read else nothing(), 200 if whole else 206, headers,
        "text/plain; charset=utf-8", BackgroundTask(log.file.close),
    )  # fmt: skip


async def read_part(file: FileIO, part: Part) -> AsyncIterator[bytes]:
    """Read a part of a file, chunk by chunk; of one that has been cut meanwhile, what is left."""
    begin = part.begin
    try:
        while begin < part.end:
            count = min(CHUNK, part.end - begin)
            chunk = await in_thread(os.pread, file.fileno(), count, begin)
            if not chunk:
                return
            begin += len(chunk)
            yield chunk
    finally:
        file.close()  # also where the client has gone


async def nothing() -> AsyncIterator[bytes]:
    """Read nothing."""
    return
    yield b""
