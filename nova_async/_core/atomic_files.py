"""Our own files and folders: replaced atomically, made to survive a power cut, and kept out of people's commits."""

import contextlib
import os
import stat
from pathlib import Path

__all__ = ["own_folder", "replace_file", "sync_folder"]

IGNORE = ".gitignore"
IGNORE_ALL = b"# Created by nova: nothing in here belongs in a commit.\n*\n"
OURS = frozenset({".log", ".db"})  # suffixes of the files in a folder that an earlier version has made


def own_folder(path: Path) -> None:
    """Create a folder for our files, with a ``.gitignore`` that hides all of it.

    ``.nova`` is this user's alone: what is in there steers runs. An existing folder that contains anybody else's files
    is left as it is.

    Raises the system's ``OSError`` if it cannot be created.
    """
    if os.path.exists(path / IGNORE):  # noqa: PTH110 - the errors of a Path are for what follows to tell
        return
    try:
        path.mkdir(0o700 if path.name == ".nova" else 0o777, parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise
        if not _is_ours(path):
            return
    with contextlib.suppress(OSError):  # a courtesy that must not make the caller fail
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


def replace_file(
    path: Path, content: bytes, *, by_way_of: Path, keeps_mode: bool = True, outlasts_power_cut: bool = True
) -> None:
    """Replace a file atomically, so that neither a crash nor a power cut can leave it half written.

    Without ``outlasts_power_cut`` a power cut may: for what is quickly found out again, and must not wait for a disk.

    The content is first written to the folder ``by_way_of``; if that fails, or is on another file system, beside the
    file.

    A new file is readable by its owner only, because what agents do may contain secrets. With
    ``keeps_mode`` an existing one stays as readable as it was.

    Raises the system's ``OSError``; the old file is then unchanged.
    """
    temporary = by_way_of / f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    try:
        _write(temporary, content, like=path if keeps_mode else None, syncs=outlasts_power_cut)
        temporary.replace(path)
    except OSError:
        if by_way_of == path.parent:
            raise
        replace_file(path, content, by_way_of=path.parent, keeps_mode=keeps_mode, outlasts_power_cut=outlasts_power_cut)
    finally:
        with contextlib.suppress(OSError):  # a disk that has turned read-only, or is dead, gives nothing back
            temporary.unlink(missing_ok=True)
    if outlasts_power_cut:
        sync_folder(path.parent)


def _write(temporary: Path, content: bytes, *, like: Path | None, syncs: bool) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.suppress(FileNotFoundError):
            if like is not None:
                os.fchmod(descriptor, stat.S_IMODE(like.stat().st_mode))  # those who could read it still can
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        if syncs:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Make sure that the names in a folder survive a power cut."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
