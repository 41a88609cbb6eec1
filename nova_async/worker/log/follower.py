"""Reading a log while it is being written: woken when there is more; any number of readers, at no cost in memory."""

import asyncio
import codecs
import io
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Literal, Protocol

from aiofiles.threadpool import wrap

from nova_async._core.threads import DISK_THREADS, in_thread, open_in_thread
from nova_async.worker.log.file import Stretch, find_log, identity_of, open_to_read

__all__ = ["GrowingLog", "follow_bytes", "follow_lines"]

READ_BYTES = 256 * 1024  # one hop to a thread; a few of them outrun any disk
MAX_LINE = 16 * 1024 * 1024  # characters; a longer line comes in pieces of this size, so that memory stays bounded


class GrowingLog(Protocol):
    """What a follower needs to know of the log that it follows."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    @property
    def stretch(self) -> Stretch:
        """The file that the newest output is in, and where in it."""
        ...

    @property
    def written(self) -> int:
        """Bytes of the attempt that are in the file so far."""
        ...

    @property
    def is_regular(self) -> bool:
        """Whether it can be read back."""
        ...

    async def more(self, seen: int) -> None:
        """Wait until ``written`` is above ``seen``, or never will be."""
        ...


async def follow_bytes(log: GrowingLog) -> AsyncGenerator[bytes, None]:
    """Yield the log from the attempt's first byte to its last, as it comes, in chunks of up to 256 KiB.

    What was moved away, truncated or deleted before it could be read is left out, and nothing comes twice.

    Raises ``io.UnsupportedOperation`` if the log is a device or a FIFO, and the system's ``OSError`` if it is gone.
    """
    if not log.is_regular:
        raise io.UnsupportedOperation(f"{log.path} cannot be read back: it is not a regular file")
    seen = 0  # bytes of the attempt that were read, or are gone
    while True:
        stretch = log.stretch
        raw = await open_in_thread(open_log, log, stretch)
        file = wrap(raw, executor=DISK_THREADS)
        try:
            seen = max(seen, -stretch.start)  # what came before is in a file that was moved away, or lost
            await file.seek(stretch.start + seen)
            while True:
                if seen >= log.written:
                    await log.more(seen)
                    if seen >= log.written:
                        return
                written = log.written
                chunk = await file.read(READ_BYTES)
                if chunk:
                    seen += len(chunk)
                    yield chunk
                    continue
                what = await in_thread(what_happened, log, raw)
                if what == "moved":
                    break
                if what == "lost":
                    seen = max(seen, written)
        finally:
            await asyncio.shield(file.close())


def open_log(log: GrowingLog, stretch: Stretch) -> io.FileIO:
    """Open the very file that the log is written to, even if a later attempt has taken its name."""
    return open_to_read(find_log(log.path, stretch.identity), stretch.identity)


def what_happened(log: GrowingLog, file: io.FileIO) -> Literal["moved", "cut", "lost"]:
    """Find out why a log is shorter than what was written to it, and rewind it if it was truncated.

    Either it was moved away or deleted, and the writer continued in a new file in its place; or it was truncated, and
    the writer continued at its new end; or the bytes were lost with a file that can no longer be found.
    """
    status = os.fstat(file.fileno())
    if identity_of(status) != log.stretch.identity:
        return "moved"
    if status.st_size < file.tell():
        file.seek(0)
        return "cut"
    return "lost"


async def follow_lines(log: GrowingLog) -> AsyncGenerator[list[str], None]:
    r"""Yield the lines of the log without their ``\n``, as many at a time as are available.

    Bytes that are not valid UTF-8 are shown as ``\xff``. Raises as ``follow_bytes`` does.
    """
    decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode
    rest = ""
    async with aclosing(follow_bytes(log)) as chunks:
        async for chunk in chunks:
            # Not splitlines(): agents print U+2028 and others raw inside their JSON strings (G45).
            *lines, last = decode(chunk).split("\n")
            if lines:
                lines[0] = rest + lines[0]
                rest = last
                yield lines
            else:
                rest += last
            while len(rest) > MAX_LINE:
                yield [rest[:MAX_LINE]]
                rest = rest[MAX_LINE:]
    if rest := rest + decode(b"", final=True):
        yield [rest]
