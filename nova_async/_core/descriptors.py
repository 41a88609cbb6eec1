"""Descriptors of ours: never with the number of a standard stream, even if the program has closed its own."""

import fcntl
import os

__all__ = ["clear_of_standard_streams", "open_pipe"]

FIRST = 3  # after standard input, output and error


def clear_of_standard_streams(descriptor: int) -> int:
    """Return the descriptor, moved if it has the number of a standard stream that the program has closed.

    There the program's own ``print()`` would write into our file, its ``input()`` read from our pipe, and a redirection
    in a child replace it. Raises ``OSError`` if no descriptor is left; the given one is closed then, too.
    """
    if descriptor >= FIRST:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST)
    finally:
        os.close(descriptor)


def open_pipe() -> tuple[int, int]:
    """Return the read end and the write end of a pipe, neither inheritable. Raises ``OSError`` if none is left."""
    read_end, write_end = os.pipe()
    try:
        read_end = clear_of_standard_streams(read_end)
    except OSError:
        os.close(write_end)
        raise
    try:
        return read_end, clear_of_standard_streams(write_end)
    except OSError:
        os.close(read_end)
        raise
