"""Reading the keys of a terminal in an event loop, while the terminal is ours."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, final

from nova_async.cli.keys import Keys
from nova_async.cli.terminal import is_in_foreground

__all__ = ["KeyReader"]

CHUNK = 1024  # bytes; more than anybody types at once, and a large paste comes in pieces


@final
class KeyReader:
    """Calls ``press`` with each key; a context manager for within a running event loop."""

    def __init__(self, descriptor: int, press: Callable[[str], object]) -> None:
        self._descriptor = descriptor
        self._press = press
        self._keys = Keys()
        self._loop = asyncio.get_running_loop()
        self._is_open = False

    def __enter__(self) -> Self:
        self._is_open = True
        self.resume()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        self.pause()

    def pause(self) -> None:
        """Leave the keys to others."""
        self._loop.remove_reader(self._descriptor)

    def resume(self) -> None:
        """Read keys again, if the terminal is ours: in the background, reading would stop us."""
        if self._is_open and is_in_foreground(self._descriptor):
            with suppress(OSError):  # a kind of file that cannot be waited for
                self._loop.add_reader(self._descriptor, self._read)

    def _read(self) -> None:
        if not is_in_foreground(self._descriptor):
            self.pause()  # or we would be told of the same key for ever
            return
        try:
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # the terminal is gone
            self.pause()
            return
        for key in self._keys.feed(data):
            self._press(key)
