"""Removes a folder that strangers have written in: no link is followed, and a huge one does not take for ever."""

import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, islice
from pathlib import Path

__all__ = ["is_moved_up", "remove_tree"]

MOVED_UP = re.compile(r"\.[0-9a-f]{16}-\d+")
BATCH = 1000  # names that are held at once; a folder may have millions


def remove_tree(folder: Path, seconds: float) -> bool:
    """Remove a folder of ours with all that is in it, and tell whether nothing is left after so many seconds.

    Links are removed, not followed, and other file systems that are mounted in it are left alone. However deep it is,
    only two folders are open at once: what is in a subfolder is moved up.
    """
    with suppress(OSError):  # most are empty
        folder.rmdir()
        return True
    deadline = time.monotonic() + seconds
    try:
        top = open_folder(str(folder), None)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        device = os.fstat(top).st_dev
        new_names = (f".{token}-{number}" for token in [os.urandom(8).hex()] for number in count())
        while time.monotonic() < deadline:
            if not one_round(top, device, new_names, deadline):
                break
    finally:
        os.close(top)
    with suppress(OSError):
        folder.rmdir()
    return not folder.is_dir()


def is_moved_up(name: str) -> bool:
    """Tell whether something is called as what is moved up: a removal that was cut off has left it."""
    return MOVED_UP.fullmatch(name) is not None


def one_round(top: int, device: int, new_names: Iterator[str], deadline: float) -> bool:
    """Remove what is in the folder ``top``, moving up what is below; tell whether anything has changed."""
    has_changed = False
    for name in names_in(top):
        if time.monotonic() > deadline:
            break
        if removed(name, top):
            has_changed = True
            continue
        with suppress(OSError):
            below = open_folder(name, top)
            try:
                if os.fstat(below).st_dev == device:
                    has_changed |= empty(below, top, new_names, deadline)
            finally:
                os.close(below)
            has_changed |= removed(name, top)
    return has_changed


def empty(folder: int, top: int, new_names: Iterator[str], deadline: float) -> bool:
    """Remove what a folder holds, or move it up to ``top``; tell whether anything has changed."""
    has_changed = False
    while time.monotonic() < deadline:
        is_same = True
        for name in names_in(folder):
            if removed(name, folder) or moved_up(name, folder, top, new_names):
                is_same = False
        if is_same:
            break
        has_changed = True
    return has_changed


def removed(name: str, folder: int) -> bool:
    """Remove a file, a link or an empty folder; tell whether it is gone."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.EPERM):  # a folder, on Linux and elsewhere
            return False
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError:
            return False
    return True


def moved_up(name: str, folder: int, top: int, new_names: Iterator[str]) -> bool:
    """Move a folder that is not empty up to ``top``; tell whether it is there now."""
    try:
        with suppress(OSError):  # one that may not be written in cannot be moved either
            os.close(open_folder(name, folder))
        os.rename(name, next(new_names), src_dir_fd=folder, dst_dir_fd=top)
    except OSError:  # mounted, or not ours
        return False
    return True


def names_in(folder: int) -> list[str]:
    """Return some of the names in a folder; all are seen once those are gone."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in islice(entries, BATCH)]
    except OSError:
        return []


def open_folder(name: str, inside: int | None) -> int:
    """Open a folder, which is no link, and make it one that we may empty: some programs take that right away.

    Raises ``OSError`` if it is none or not ours.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder = os.open(name, flags, dir_fd=inside)
    except PermissionError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=inside, follow_symlinks=False).st_mode):
            raise
        os.chmod(name, stat.S_IRWXU, dir_fd=inside)
        folder = os.open(name, flags, dir_fd=inside)
    with suppress(OSError):
        if os.fstat(folder).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.fchmod(folder, stat.S_IRWXU)
    return folder
