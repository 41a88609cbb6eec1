"""Noticing at once that a journal is removed: by ``git clean``, by ``rm -rf``, by renaming a folder above it."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import final

from nova_async._core.kernel_news import KernelNews

__all__ = ["FileId", "Place", "Watch", "file_at"]

FileId = tuple[int, int]
"""Device and inode."""


@final
class Place:
    """Files that must stay where they are now."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._files: dict[Path, FileId] = {path: file for path in paths if (file := file_at(path)) is not None}

    def __len__(self) -> int:
        return len(self._files)

    def is_kept(self) -> bool:
        """Tell whether all of them are still there, and nothing else in their place."""
        return all(self.is_ours(path) for path in self._files)

    def is_ours(self, path: Path) -> bool:
        """Tell whether the file there is still the same one; if that cannot be checked, it is taken to be."""
        try:
            return file_at(path) == self._files.get(path)
        except OSError:
            return True


def file_at(path: Path) -> FileId | None:
    """Return the identity of the file at a path, or None if there is none."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


@final
class Watch:
    """Calls ``look`` in the event loop when something in a folder, or the folder itself, may have been removed.

    The kernel reports it, without polling. Where it cannot (no inotify left, a network file system), ``look`` is never
    called; but a journal also checks whenever it writes.
    """

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop, look: Callable[[], None]) -> None:
        self._loop = loop
        self._look = look
        self._news: News | None = None
        with contextlib.suppress(OSError, AttributeError):  # also: a libc without inotify
            self._news = News(folder)
            loop.add_reader(self._news.kernel.fileno(), self._told)

    def close(self) -> None:
        """Stop watching; call it in the loop's thread."""
        if self._news is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._news.kernel.fileno())
            self._news.close()
            self._news = None

    def _told(self) -> None:
        if self._news is not None:
            self._news.kernel.take()
            self._look()


if sys.platform == "linux":
    MOVED_FROM, MOVED_TO, DELETED, DELETED_ITSELF, MOVED_ITSELF = 0x40, 0x80, 0x200, 0x400, 0x800
    ONLY_FOLDERS = 0x0100_0000

    @final
    class News:  # pyright: ignore[reportRedeclaration]  # one of the two exists, whatever the system
        """What inotify reports about a folder's entries, the folder itself, and those above it."""

        def __init__(self, folder: Path) -> None:
            self.kernel = KernelNews()
            itself = DELETED_ITSELF | MOVED_ITSELF | ONLY_FOLDERS
            entries = MOVED_FROM | MOVED_TO | DELETED | itself
            try:
                self.kernel.watch(os.fsencode(folder), entries)  # pyright: ignore[reportArgumentType]
            except OSError:
                self.kernel.close()
                raise
            for above in folder.parents:
                with contextlib.suppress(OSError):  # one that we may not read goes unwatched
                    self.kernel.watch(os.fsencode(above), itself)  # pyright: ignore[reportArgumentType]

        def close(self) -> None:
            """Close everything."""
            self.kernel.close()

else:
    import select

    @final
    class News:
        """What kqueue reports about a folder's entries, the folder itself, and those above it.

        Only folders are opened: closing a descriptor of a database would release SQLite's locks on it.
        """

        def __init__(self, folder: Path) -> None:
            self.kernel = KernelNews()
            self._folders: list[int] = []
            itself = select.KQ_NOTE_DELETE | select.KQ_NOTE_RENAME
            for above in (folder, *folder.parents):
                with contextlib.suppress(OSError):  # one that we may not read goes unwatched
                    self._folders.append(os.open(above, getattr(os, "O_EVTONLY", os.O_RDONLY) | os.O_CLOEXEC))
                    self.kernel.watch(self._folders[-1], itself | select.KQ_NOTE_WRITE if above == folder else itself)

        def close(self) -> None:
            """Close everything."""
            self.kernel.close()
            for folder in self._folders:
                os.close(folder)
