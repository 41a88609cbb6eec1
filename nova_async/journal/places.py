"""Where a journal's files really are, and that each is a file of its own: nothing else of the user is ever written."""

import errno
import os
import stat
from pathlib import Path

from nova_async._core.own_places import JOURNAL, chosen_by_us, refuse_links
from nova_async.errors import JournalError

__all__ = ["files_of", "lock_of_older", "own_path"]

CURE = "remove it, or name another journal (--journal)"
WAL_MAGIC = (0x377F0682, 0x377F0683)  # how a write-ahead log of SQLite begins


def own_path(named: Path) -> Path:
    """Return where a journal is; links are followed in a path that the user has named, but not in the usual place.

    Raises ``JournalError`` for a link that is not followed, and for anything but a file in the place of the journal or
    of a file beside it: SQLite would follow a link, and write to what it leads to.
    """
    try:
        refuse_links(named, chosen_by_us(named, JOURNAL), CURE)
        path = Path(os.path.realpath(named))
        beside = [path.with_name(path.name + end) for end in ("-journal", ".lock", ".new")]
        for place in (*files_of(path), *beside, *filter(None, [lock_of_older(path)])):
            refuse_all_but_files(place)
    except OSError as error:
        raise JournalError(f"{error.filename}: {error.strerror}") from error
    refuse_linked_files(*files_of(path)[1:])
    return path


def files_of(path: Path) -> list[Path]:
    """Return the files that a journal consists of while it is open."""
    return [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]


def lock_of_older(path: Path) -> Path | None:
    """Return the file that an older nova locks, for a journal in the usual place; else it had none."""
    return path.with_name("lock") if (path.parent.name, path.name) == Path(JOURNAL).parts else None


def refuse_all_but_files(place: Path) -> None:
    """Check that there is a regular file or nothing."""
    refuse_links(place, 1, CURE)
    try:
        mode = place.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise OSError(errno.EINVAL, f"it is {what}, in the place of a file of nova's journal: {CURE}", str(place))


def refuse_linked_files(wal: Path, shm: Path) -> None:
    """Check that SQLite's two files beside a journal are not also somebody's file of another name (a hard link)."""
    for place in (wal, shm):
        try:
            has_other_names = place.lstat().st_nlink > 1
        except OSError:
            continue
        if has_other_names and not (place == wal and is_write_ahead_log(wal)):  # that may be a copy with hard links
            raise JournalError(f"{place}: it is a hard link to a file that is not part of a journal: {CURE}")


def is_write_ahead_log(path: Path) -> bool:
    """Tell whether a file begins as SQLite's write-ahead logs do."""
    try:
        with path.open("rb") as file:
            return int.from_bytes(file.read(4), "big") in WAL_MAGIC
    except OSError:
        return False
