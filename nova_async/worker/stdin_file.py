"""A child's standard input as a file: a prompt of any length, read at leisure, and an end that surely comes (G38)."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from subprocess import DEVNULL
from typing import IO

from nova_async._core.threads import open_in_thread

__all__ = ["as_file"]


@asynccontextmanager
async def as_file(text: bytes | str | None) -> AsyncIterator[int]:
    """Give the descriptor of a nameless file that holds ``text``, or ``DEVNULL`` where there is none.

    Raises the system's ``OSError`` where no temporary file can be written.
    """
    if text is None:
        yield DEVNULL
        return
    content = text.encode() if isinstance(text, str) else text
    file = await open_in_thread(write_temporary, content)
    with file:
        yield file.fileno()


def write_temporary(content: bytes) -> IO[bytes]:
    """Write a file that has no name and is gone when it is closed, rewound to its start."""
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it outlives this function
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(file.fileno(), left) :]
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file
