"""Where a run answers: a socket beside its journal, or in a private folder of the user where that cannot be."""

import contextlib
import errno
import hashlib
import itertools
import os
import socket
import stat
import tempfile
import time
from pathlib import Path
from typing import final
from weakref import WeakSet

from nova_async._core.after_fork import Step, in_child
from nova_async._core.atomic_files import own_folder
from nova_async.journal.places import own_path
from nova_async.journal.taken_away import file_at

__all__ = ["Listener", "listen_beside"]

MOST_PATH = 103  # bytes; macOS has room for so many, Linux for four more
MOST_SWEPT = 1000  # sockets looked at when a run begins; each takes some 20 µs
NEW = 60.0  # seconds in which a socket may not listen yet
MOST_WAITING = 64  # connections that the system keeps until we accept them

_open: "WeakSet[Listener]" = WeakSet()


@final
class Listener:
    """A socket that listens, and its file."""

    def __init__(self, path: Path, *, replaces: bool) -> None:
        """Begin to listen; if it ``replaces``, in the place of what a killed run has left.

        Raises ``OSError`` where that cannot be, also if something other than a socket is there.
        """
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX)  # no program that we start inherits it
        try:
            if replaces:
                make_room(path)
            with contextlib.suppress(OSError):  # Linux: it is nobody else's from the beginning, whatever the umask
                os.fchmod(self.socket.fileno(), 0o600)
            self.socket.bind(str(path))
            path.chmod(0o600)
            self._file = file_at(path)
            self.socket.listen(MOST_WAITING)
            self.socket.setblocking(False)
        except BaseException:
            self.socket.close()
            raise
        _open.add(self)

    def is_in_place(self) -> bool:
        """Tell whether others would find it."""
        try:
            return file_at(self.path) == self._file
        except OSError:
            return True  # nobody can tell

    def close(self) -> None:
        """Listen no more, and remove the file unless it is another run's by now."""
        self.socket.close()
        with contextlib.suppress(OSError):
            if file_at(self.path) == self._file:
                self.path.unlink()


def listen_beside(journal: Path, replaces: bool) -> Listener:
    """Listen where the clients of a run look for it; the caller holds the journal's lock.

    A run that has just begun ``replaces`` the socket of a killed one; later the socket there may be that of another
    run, in whose journal's place ours is.

    Raises ``OSError``, that of the place beside the journal, if there is no place.
    """
    path = own_path(journal)
    if replaces:
        sweep()
    try:
        own_folder(path.parent)
        return Listener(short(path.with_name(path.name + ".sock")), replaces=replaces)
    except OSError as error:
        try:
            return Listener(private_place(path), replaces=replaces)
        except OSError:
            raise error from None


def private_place(journal: Path) -> Path:
    """Return a place for the socket of a journal in a folder that is only this user's.

    Raises ``OSError`` if there is no such folder.
    """
    name = hashlib.sha256(os.fsencode(journal)).hexdigest()[:16] + ".sock"
    error: OSError | None = None
    for parent, folder in runtime_folders():
        try:
            if parent.is_dir():
                return short(private_folder(parent / folder) / name)
        except OSError as found:
            error = found
    raise error or FileNotFoundError(errno.ENOENT, "there is no folder for it")


def runtime_folders() -> list[tuple[Path, str]]:
    """Return where the folder may be, the best place first, and what it is called there."""
    mine = f"nova-{os.geteuid()}"
    places = [(Path(tempfile.gettempdir()), mine), (Path("/tmp"), mine)]
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    return [(runtime, "nova"), *places] if runtime.is_absolute() else places


def private_folder(path: Path) -> Path:
    """Create a folder for this user alone; raises ``OSError`` if what is there is anything else."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if not is_private(path):
        raise PermissionError(errno.EPERM, "it is not a folder of this user alone", str(path))
    return path


def is_private(folder: Path) -> bool:
    """Tell whether a folder is this user's alone; raises ``OSError`` if there is nothing."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def sweep() -> None:
    """Remove what killed runs of this user, with whatever journal, have left in the private folders."""
    for parent, name in runtime_folders():
        with contextlib.suppress(OSError):
            if is_private(folder := parent / name):
                for path in itertools.islice(folder.glob("*.sock"), MOST_SWEPT):
                    remove_dead(path)


def remove_dead(path: Path) -> None:
    """Remove a socket on which nobody listens any more."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        found, this = path.lstat(), file_at(path)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid() or time.time() - found.st_mtime < NEW:
            return
        probe.setblocking(False)  # a run that accepts nobody at the moment has a queue, and where that is full it lives
        if probe.connect_ex(str(path)) == errno.ECONNREFUSED and file_at(path) == this:
            path.unlink()


def short(path: Path) -> Path:
    """Return a path that a socket can have; raises ``OSError`` for a longer one."""
    if len(os.fsencode(path)) > MOST_PATH:
        raise OSError(errno.ENAMETOOLONG, f"a socket's path can have {MOST_PATH} bytes at most", str(path))
    return path


def make_room(path: Path) -> None:
    """Remove the socket of a killed run; raises ``OSError`` if something else is in its place."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISSOCK(mode) or stat.S_ISLNK(mode)):
            raise FileExistsError(errno.EEXIST, "there is something other than a socket", str(path))
        path.unlink()


def _close_in_child() -> None:
    """Let a forked child not keep the run's clients waiting for an answer after the run has died."""
    for listener in _open:
        listener.socket.close()


in_child(Step.CONTROL, _close_in_child)
