"""What the kernel reports about files and folders, so that nobody has to look: inotify on Linux, kqueue elsewhere."""

import contextlib
import os
import sys
from typing import final

__all__ = ["KernelNews"]

if sys.platform == "linux":
    import ctypes

    MOST_NEWS = 64 * 1024  # bytes taken at once; what they say does not matter

    @final
    class KernelNews:  # pyright: ignore[reportRedeclaration]  # one of the two exists, whatever the system
        """What inotify reports. Raises ``OSError`` where there is none left, ``AttributeError`` for a libc without."""

        def __init__(self) -> None:
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            if self._descriptor < 0:
                raise OSError(ctypes.get_errno(), "no inotify")

        def watch(self, path: bytes, events: int) -> None:
            """Have these events of a file or folder reported, too; raises ``OSError``."""
            if self._libc.inotify_add_watch(self._descriptor, path, events) < 0:
                raise OSError(ctypes.get_errno(), "no watch")

        def fileno(self) -> int:
            """Return the descriptor that becomes readable when there is news."""
            return self._descriptor

        def take(self) -> None:
            """Discard what has been reported so far."""
            with contextlib.suppress(BlockingIOError):
                while os.read(self._descriptor, MOST_NEWS):
                    pass

        def close(self) -> None:
            """Close everything."""
            os.close(self._descriptor)

else:
    import select

    MOST_NEWS = 64  # events taken at once; what they say does not matter

    @final
    class KernelNews:
        """What kqueue reports about files and folders that are open."""

        def __init__(self) -> None:
            self._queue = select.kqueue()

        def watch(self, descriptor: int, events: int) -> None:
            """Have these events of an open file or folder reported, too; raises ``OSError``."""
            add = select.KQ_EV_ADD | select.KQ_EV_CLEAR
            self._queue.control([select.kevent(descriptor, select.KQ_FILTER_VNODE, add, events)], 0, 0)

        def fileno(self) -> int:
            """Return the descriptor that becomes readable when there is news."""
            return self._queue.fileno()

        def take(self) -> None:
            """Discard what has been reported so far."""
            while self._queue.control(None, MOST_NEWS, 0):
                pass

        def close(self) -> None:
            """Close everything; what was watched stays open."""
            self._queue.close()
