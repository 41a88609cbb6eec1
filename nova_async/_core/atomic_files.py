"""Files and folders of our own: replaced in one step, made to outlive a power cut, and kept out of people's commits."""

import contextlib
import os
import stat
from pathlib import Path

__all__ = ["own_folder", "replace_file", "sync_folder"]

IGNORE = ".gitignore"
IGNORE_ALL = b"# Created by nova: nothing in here belongs in a commit.\n*\n"
OURS = frozenset({".log", ".db"})  # endings of what may lie in a folder that an earlier version of ours has made


def own_folder(path: Path) -> None:
    """Make a folder for files of ours, with a ``.gitignore`` that hides all of it.

    A folder that was there already and holds anything of somebody else's is left as it is.

    Raises the system's ``OSError`` if it cannot be made.
    """
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise
        if (path / IGNORE).exists() or not _is_ours(path):
            return
    with contextlib.suppress(OSError):  # a courtesy: what the folder is made for must not fail for it
        descriptor = os.open(path / IGNORE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            os.write(descriptor, IGNORE_ALL)
        finally:
            os.close(descriptor)


def _is_ours(folder: Path) -> bool:
    if folder.name == ".nova":
        return True
    try:
        found = {entry.suffix for entry in folder.iterdir()}
    except OSError:
        return False
    return bool(found) and found <= OURS


def replace_file(path: Path, content: bytes, *, by_way_of: Path) -> None:
    """Put the content in place of a file in one step that no crash and no power cut can tear.

    It is written in the folder ``by_way_of`` first, which must be on the same file system; where it is not, beside
    the file.

    A new file is for its owner alone: what agents do may hold secrets. An old one keeps its mode.

    Raises the system's ``OSError``; the old file is whole then.
    """
    temporary = by_way_of / f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    try:
        _write(temporary, content, like=path)
        try:
            temporary.replace(path)
        except OSError:
            if by_way_of == path.parent:
                raise
            replace_file(path, content, by_way_of=path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _write(temporary: Path, content: bytes, *, like: Path) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.fchmod(descriptor, stat.S_IMODE(like.stat().st_mode))  # whom its owner let read it
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Make sure that the names in a folder outlive a power cut."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
