"""The one way in which the command writes: nothing raw, and nothing that ends us when nobody reads any more."""

import errno
import io
import os
import select
import sys
from typing import IO, TextIO

import click

from nova_async.cli.ink import Line, colours_of, paint

__all__ = ["OutputError", "say", "stop_writing_to", "tell", "write", "write_all"]

GONE = {errno.EPIPE, errno.EIO, errno.ECONNRESET}  # `| head` has seen enough; the terminal was closed


class OutputError(click.ClickException):
    """Our output takes nothing though somebody wants it: its disk is full, say."""

    def show(self, file: IO[str] | None = None) -> None:
        """Say so on standard error."""
        tell(f"cannot write the output: {self.message}")


def say(*lines: Line, err: bool = False, nl: bool = True) -> None:
    """Write lines for a person to our output, or with ``err`` to standard error.

    Where nobody reads any more they go nowhere, and so does whatever comes after them. Raises ``OutputError`` where
    our output takes them for another reason not; standard error may fail in silence.
    """
    stream = sys.stderr if err else sys.stdout
    colours = colours_of(stream)
    text = "\n".join(paint(line, colours) for line in lines) + ("\n" if nl else "")
    try:
        write(text, stream)
    except OSError as error:
        stop_writing_to(stream)
        if error.errno not in GONE and not err:
            raise OutputError(error.strerror or str(error)) from error


def tell(text: str) -> None:
    """Say on standard error, in our own name, what the person should know."""
    say(f"nova: {text}", err=True)


def write(text: str, stream: TextIO | None) -> None:
    """Write text that is fit for a terminal to a stream; to nobody where it was closed by our parent.

    What its encoding has no sign for is written as an escape. Raises ``OSError`` when nobody reads any more.
    """
    if stream is None:
        return
    try:
        descriptor = stream.fileno()
    except io.UnsupportedOperation:  # a stream in memory
        stream.write(text)
        return
    stream.flush()
    write_all(descriptor, text.encode(stream.encoding or "utf-8", "backslashreplace"))


def write_all(descriptor: int, data: bytes) -> None:
    """Write bytes, however slowly they are read."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:  # a program that shares it with us (Node, say) made it non-blocking
            select.select([], [descriptor], [])


def stop_writing_to(stream: TextIO | None) -> None:
    """Let whatever is still written to a stream go nowhere: what Python flushes at our exit must not fail."""
    if stream is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
