"""A child's standard input as a file: a prompt of any length, and an end of file that is sure to come (G38)."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from subprocess import DEVNULL
from typing import IO, Any, Protocol

from nova_async._core.arguments import told
from nova_async._core.threads import open_in_thread

__all__ = ["HasFileno", "Stdin", "as_file", "stdin_of"]


class HasFileno(Protocol):
    """An open file, as far as it matters here."""

    def fileno(self) -> int:
        """Return its descriptor."""
        ...


Stdin = bytes | str | int | HasFileno
"""Text or bytes of any length; or an open file or its descriptor, which the child then reads itself."""


def stdin_of(given: Any) -> bytes | int:
    """Return what was given as standard input: bytes, or an open descriptor; ``DEVNULL`` for None.

    Raises ``TypeError`` for what is neither, and ``OSError`` for a descriptor that is not open.
    """
    if given is None:
        return DEVNULL
    if isinstance(given, str):
        return given.encode()
    if isinstance(given, bytes | bytearray | memoryview):
        return bytes(given)
    wanted = f"stdin must be text, bytes, an open file or a descriptor, not {told(given)}"
    if isinstance(given, bool) or not (isinstance(given, int) or hasattr(given, "fileno")):
        raise TypeError(wanted)
    try:
        descriptor = given if isinstance(given, int) else given.fileno()
    except ValueError as error:  # a file in memory has none
        raise TypeError(f"{wanted} ({error})") from None
    if descriptor != DEVNULL:
        os.fstat(descriptor)
    return descriptor


async def as_file(given: bytes | int) -> AbstractContextManager[int]:
    """Return what yields the descriptor of a nameless file that holds these bytes; a descriptor is yielded as it is.

    Raises the system's ``OSError`` if no temporary file can be written.
    """
    if isinstance(given, int):
        return nullcontext(given)
    return descriptor_of(await open_in_thread(write_temporary, given))


@contextmanager
def descriptor_of(file: IO[bytes]) -> Iterator[int]:
    """Yield a file's descriptor, and close the file."""
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
