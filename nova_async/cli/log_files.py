"""Opening a log that a state file or a journal names: never another file, whatever stands there."""

import io
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from nova_async._core.own_places import open_without_waiting
from nova_async.records import LogRef

__all__ = ["open_log", "open_own_log", "with_odd_bytes"]

SPELLED_BYTE = re.compile(r"\\x([89a-f][0-9a-f])")


def open_log(ref: LogRef, places: Iterable[Path], log_dir: Path) -> io.FileIO | None:
    """Open that very log, in the first of the places where it is; None if it is in none of them.

    A repository may have brought the file that names it. So without the log's inode, which no repository can know,
    only a log in the user's own folder is opened.
    """
    for place in places:
        try:
            if ref.inode is None:
                if place.resolve().parent != log_dir.resolve():
                    continue
                return open_own_log(place)
            log = open_without_waiting(place)
        except (OSError, ValueError):
            continue
        found = os.fstat(log.fileno())
        if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) == (ref.device, ref.inode):
            return log
        log.close()
    return None


def open_own_log(path: Path) -> io.FileIO:
    """Open a log in the user's folder by its name.

    Raises ``OSError``, also for a link, which could lead to any file of the user.
    """
    return io.FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK))


def with_odd_bytes(path: str) -> str:
    r"""Return a path as the system knows it, whose bytes that are not UTF-8 the state file spells out (``l\xffgs``).

    A folder may also really be called so: only the log's inode tells which one is meant.
    """
    return SPELLED_BYTE.sub(lambda byte: chr(0xDC00 + int(byte[1], 16)), path)
