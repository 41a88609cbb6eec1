"""Folders that an attempt has for itself and that vanish with it, also when their process was killed."""

import asyncio
import fcntl
import os
import stat
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import final

from nova_async._core.remove_tree import is_moved_up, remove_tree
from nova_async._core.threads import DiskThreads

__all__ = ["OwnFolders"]

PREFIX = "nova."
NAME_LENGTH = len(PREFIX) + 8  # as ``mkdtemp`` makes them
LONGEST = 60.0  # seconds for one folder; what is left then, the next run goes on with
COMPANY_SECONDS = 0.05  # that a folder waits for others to be removed by the same thread: each would wake one
CLOSE_SECONDS = 10.0  # for all that is still being removed when a run ends
MOST_SWEPT = 1000  # names that are looked at in a folder such as /tmp

# Separate threads: removing a huge folder must not occupy those that logs are written in.
THREADS = DiskThreads("nova-clean")


@final
@dataclass(slots=True)
class Root:
    """Our folder in another one, such as /tmp."""

    path: Path
    lock: int
    """The descriptor that locks it for as long as this process lives."""
    used: int = 0
    """How many folders in it are in use."""


@final
class OwnFolders:
    """Private folders, each for one attempt, below one folder of this process.

    That one is locked, so that another process can tell it from what a crash has left, and removed with the last folder
    in it. ``make`` may block: call it in a thread.
    """

    def __init__(self) -> None:
        self._roots: dict[Path, Root] = {}
        """By the folder in which they are."""
        self._swept: set[Path] = set()
        self._numbers = count(1)
        self._making = threading.Lock()
        self._to_remove: list[Path] = []  # together
        self._removing = 0  # with those
        self._hurries = False
        self._changed = threading.Condition()

    def make(self, parent: Path) -> Path:
        """Make a folder somewhere below ``parent``; its path is short, for sockets have room for some 100 bytes.

        Raises ``OSError``.
        """
        with self._making:
            if parent not in self._swept:
                self._swept.add(parent)
                sweep(parent)
            root = self._roots.get(parent)
            if root is None or not root.path.is_dir():  # somebody may have cleaned up
                if root is not None:
                    os.close(root.lock)
                root = self._roots[parent] = new_root(parent)
            while True:
                folder = root.path / str(next(self._numbers))
                with suppress(FileExistsError):  # a fork of this process made it
                    folder.mkdir(mode=0o700)
                    root.used += 1
                    return folder

    def remove_soon(self, folder: Path, first: Callable[[], object] | None = None) -> None:
        """Have a folder removed in a thread that nobody waits for, after what is to be done ``first``, and at once."""
        with self._changed:
            self._removing += 1
            if first is None:
                self._to_remove.append(folder)
                if len(self._to_remove) > 1:  # a thread waits for company already
                    return
        remove = self._remove_together if first is None else partial(self._remove, folder, first)
        try:
            THREADS.submit(remove)
        except OSError:  # no thread to be had
            self._hurries = True
            remove()

    def _remove_together(self) -> None:
        """Remove all folders that come within a moment; those that come later get a thread of their own."""
        with self._changed:
            self._changed.wait_for(lambda: self._hurries, COMPANY_SECONDS)
            folders, self._to_remove = self._to_remove, []
        for folder in folders:
            self._remove(folder)

    def _remove(self, folder: Path, first: Callable[[], object] = lambda: None) -> None:
        try:
            first()
            remove_tree(folder, LONGEST)
            self._release(folder.parent)
        finally:
            with self._changed:
                self._removing -= 1
                self._changed.notify_all()

    def _release(self, path: Path) -> None:
        """Note that one folder less is in use, and remove ours with the last one."""
        with self._making:
            root = self._roots.get(path.parent)
            if root is None or root.path != path:
                return
            root.used -= 1
            if root.used == 0:
                del self._roots[path.parent]
                with suppress(OSError):  # what could not be removed, the next run tries again
                    path.rmdir()
                os.close(root.lock)

    async def settled(self) -> None:
        """Wait a while for what is being removed; what is left then, the next run removes."""
        with suppress(OSError):  # no thread to be had
            await asyncio.wrap_future(THREADS.submit(self._wait))

    def _wait(self) -> None:
        with self._changed:
            self._hurries = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._removing, CLOSE_SECONDS)


def new_root(parent: Path) -> Root:
    """Make the folder of this process in another one and lock it; raises ``OSError``."""
    while True:
        root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        with suppress(FileNotFoundError):
            descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if is_locked_by_us(descriptor) and root.is_dir():
                return Root(root, descriptor)
            os.close(descriptor)
        # Another run has taken it for one that a crash has left, and sweeps it.


def is_locked_by_us(descriptor: int) -> bool:
    """Lock a folder; tell whether nobody else has done so before."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a disk without locks: then nobody can take the folder for one that a crash left
        pass
    return True


def sweep(parent: Path) -> None:
    """Remove, in a thread, what processes that are no more have left in a folder."""
    for _, name in zip(range(MOST_SWEPT), names_in(parent), strict=False):
        with suppress(OSError):
            THREADS.submit(sweep_one, parent / name)


def names_in(parent: Path) -> list[str]:
    """Return the names of what may be folders of such processes."""
    try:
        with os.scandir(parent) as entries:
            return [entry.name for entry in entries if is_name(entry.name)]
    except OSError:
        return []


def is_name(name: str) -> bool:
    """Tell whether one of our folders may be called so."""
    return name.startswith(PREFIX) and len(name) == NAME_LENGTH


def sweep_one(root: Path) -> None:
    """Remove a folder if it is one of ours and no living process has locked it, as systemd-tmpfiles does."""
    with suppress(OSError):
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            is_ours = is_name(root.name) and status.st_uid == os.geteuid()
            if is_ours and stat.S_IMODE(status.st_mode) == stat.S_IRWXU and is_numbered(root):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(root, LONGEST)
        finally:
            os.close(descriptor)


def is_numbered(root: Path) -> bool:
    """Tell whether a folder holds nothing but what ``make`` has made: another program's may be called like ours."""
    with os.scandir(root) as entries:
        return all(entry.name.isdecimal() or is_moved_up(entry.name) for entry in entries)
