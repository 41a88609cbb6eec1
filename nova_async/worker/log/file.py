"""The log on disk: kept when a new one begins, appended to, written anew if it is deleted.

Everything here blocks; ``writer`` calls it in a thread.
"""

import contextlib
import errno
import io
import os
import stat
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from nova_async._core.atomic_files import own_folder
from nova_async._core.descriptors import clear_of_standard_streams
from nova_async._core.own_places import open_without_waiting, refuse_links
from nova_async.worker.log.kept import kept_logs, note_kept, numbered

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["FileIdentity", "LogFile", "Stretch", "find_log", "identity_of", "open_to_read", "without"]

FileIdentity = tuple[int, int]  # device and inode: what stays when a file is renamed

# O_NONBLOCK: opening a FIFO that nobody reads fails (ENXIO) instead of hanging; it is cleared again for the writes.
FLAGS = os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL  # to read: what is deleted can then be written again
PRIVATE = 0o600  # agents print secrets
CHUNK = 1024 * 1024  # bytes copied at once
# Bytes of a deleted log that are written again: more than almost any log holds, and few enough that the output, which
# waits meanwhile, is not taken for stalled. Of a longer log it is the end.
MOST_RESTORED = 256 * 1024 * 1024
MOST_CHUNKS = 1000  # in one call; the system allows 1,024
MOST_TRIES = 100  # to take a name for a new log while other workers take theirs
CURE = "remove it, or choose another folder for the logs (log_dir, --log-dir)"


# A log does not keep its name: the next attempt takes it over. So a log file that renames another tells its owner, if
# that is in this process; one renamed by another process is found by its identity.
_logs: "WeakValueDictionary[FileIdentity, LogFile]" = WeakValueDictionary()


class Stretch(NamedTuple):
    """The file that the newest output is in, and where in it."""

    identity: FileIdentity
    start: int
    """The offset of the attempt's first byte; below zero if earlier bytes are in another file, or lost."""


class LogFile(io.FileIO):
    """One attempt's log: an unbuffered file that counts what it took.

    A link is followed, and a device or FIFO opened as it is; but the last ``parts_of_ours`` parts of the path, which
    nova has chosen and not the user, must not be links: whoever wrote them could lead us to any file of the user. Only
    the log itself may be a link to a character device, such as ``/dev/null``, which takes no harm.

    Raises the system's ``OSError`` if it cannot be opened.
    """

    def __init__(self, path: Path, parts_of_ours: int = 0) -> None:
        path = path.absolute()  # the program may change its directory; its logs stay where they are
        self._one_at_a_time = threading.Lock()
        self._parts_of_ours = parts_of_ours
        refuse_links(path.parent, parts_of_ours - 1, CURE)
        own_folder(path.parent)
        super().__init__(open_log(path, follows_links=parts_of_ours == 0), "wb", closefd=True)
        self.path = path  # kept up to date when a later worker of this process renames the file
        self.taken = 0  # bytes written so far: correct even if a cancellation lost the result of a write
        self.gone = 0  # bytes of them that are no longer in any file that somebody can open
        self.trouble: str | None = None  # what has happened to the file, or to its folder
        self._note_file()

    @property
    def identity(self) -> FileIdentity:
        """Which file it is, even after it was renamed."""
        return self.stretch.identity

    def write(self, data: "ReadableBuffer", /, begin: int | None = None) -> int:
        """Write all of ``data`` and return its length in bytes; otherwise as ``writelines``."""
        whole = bytes(data)
        self.writelines([whole], begin)
        return len(whole)

    def writelines(self, lines: "Iterable[ReadableBuffer]", /, begin: int | None = None) -> None:
        """Write all of several chunks, none of which is copied.

        With ``begin``, the value of ``taken`` when they were first handed over, they may be handed over again even
        while another thread is still writing them: no byte is written twice.

        Raises ``OSError`` if the disk accepts no more; ``taken`` then says how much of it was written.
        """
        left = [bytes(chunk) for chunk in lines]  # which copies no bytes
        with self._one_at_a_time:
            if self.is_regular:
                self._keep_in_place()
            if begin is not None:
                left = without(self.taken - begin, left)
            while left:
                written = os.writev(self.fileno(), left[:MOST_CHUNKS])
                self.taken += written
                left = without(written, left)

    def close(self) -> None:
        """Close the file, after any write under way in another thread; one that was deleted is written once more.

        If that is not possible, ``gone`` counts its bytes.
        """
        with self._one_at_a_time:
            try:
                if not self.closed and self.is_regular and self.taken:
                    self._keep_in_place(is_last=True)
                    if os.fstat(self.fileno()).st_nlink == 0:
                        self.gone = self.taken
            finally:
                super().close()

    def _note_file(self, start: int | None = None) -> None:
        status = os.fstat(self.fileno())
        self.is_regular = stat.S_ISREG(status.st_mode)
        self.stretch = Stretch(identity_of(status), status.st_size if start is None else start)
        if self.is_regular:
            _logs[self.stretch.identity] = self

    def _keep_in_place(self, *, is_last: bool = False) -> None:
        """Make sure that people find what is written next (G7, G27); if that fails, go on with the file that is open.

        A file that was moved away is followed by a new one in its place, never by somebody else's that is there now.
        One that was deleted is written again; its folder is made again only at the ``last`` moment, because whoever
        removes one may be about to make it anew.
        """
        try:
            status = self.path.lstat() if self._parts_of_ours else self.path.stat()
        except OSError:
            status = None
        if status is not None and identity_of(status) == self.identity:
            self._note_size(status.st_size)
            return
        try:
            if os.fstat(self.fileno()).st_nlink == 0:
                self._write_again(is_taken=status is not None, is_last=is_last)
            elif status is None:
                refuse_links(self.path.parent, self._parts_of_ours - 1, CURE)
                self._go_on_in(open_private(self.path, NEW), -self.taken)
        except OSError as error:  # also where the folder itself was moved: then the file is still in it
            if os.fstat(self.fileno()).st_nlink == 0:
                self.trouble = f"the log was deleted and cannot be written again ({error.strerror})"

    def _note_size(self, size: int) -> None:
        """Note how much of the output another program has cut off, such as a rotation that copies and truncates."""
        cut = self.stretch.start + self.taken - size
        if cut > 0:
            self.stretch = Stretch(self.identity, self.stretch.start - cut)
            self.gone += cut
            self.trouble = "another program shortened the log"

    def _write_again(self, *, is_taken: bool, is_last: bool) -> None:
        """Write the log, of which only we still have the file, to a new one in its place, or beside it."""
        refuse_links(self.path.parent, self._parts_of_ours - 1, CURE)
        if is_last and self.path.parent.parent.is_dir():  # of a whole tree that was removed nothing should come back
            own_folder(self.path.parent)
        path, new = claim_kept_name(self.path) if is_taken else (self.path, open_private(self.path, NEW))
        try:
            first = max(0, self.stretch.start, self.stretch.start + self.taken - MOST_RESTORED)
            copy_from(self.fileno(), first, new)
        except BaseException:
            os.close(new)
            path.unlink(missing_ok=True)
            raise
        if lost := first - max(0, self.stretch.start):
            self.gone += lost
        self.trouble = "the log was deleted, and only its end could be written again" if self.gone else None
        if is_taken:
            self.trouble = f"the log was deleted and something else has its name; it is now {path.name}"
        self.path = path
        self._go_on_in(new, self.stretch.start - first)

    def _go_on_in(self, new: int, start: int) -> None:
        try:
            os.dup2(new, self.fileno(), inheritable=False)
        finally:
            os.close(new)
        self._note_file(start)


def without(size: int, chunks: list[bytes]) -> list[bytes]:
    """Return what is left of chunks when so many of their first bytes are taken off."""
    for number, chunk in enumerate(chunks):
        if size < len(chunk):
            return [chunk[size:] if size else chunk, *chunks[number + 1 :]]
        size -= len(chunk)
    return []


def open_log(path: Path, *, follows_links: bool) -> int:
    """Open the log of a new attempt, after an earlier one is moved aside; return the descriptor."""
    for _ in range(MOST_TRIES):
        try:
            return open_private(path, NEW)
        except FileExistsError:
            if path.is_symlink() or not (path.is_file() or not path.exists()):
                return open_what_is_there(path, follows_links=follows_links)
        keep_previous(path)  # or that of another worker, who was faster
    raise FileExistsError(errno.EEXIST, "other programs keep creating it", str(path))


def open_what_is_there(path: Path, *, follows_links: bool) -> int:
    """Open a device, a FIFO, or what a link leads to."""
    if follows_links:
        return open_private(path, os.O_WRONLY if path.exists() and not path.is_file() else os.O_RDWR | os.O_CREAT)
    if not path.is_char_device():
        refuse_links(path, 1, CURE)
        return open_private(path, os.O_WRONLY | os.O_NOFOLLOW)
    descriptor = open_private(path, os.O_WRONLY)
    if not stat.S_ISCHR(os.fstat(descriptor).st_mode):  # it was replaced meanwhile
        os.close(descriptor)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return descriptor


def open_private(path: Path, flags: int) -> int:
    """Open a log for appending, readable by its owner only, and return the descriptor."""
    descriptor = clear_of_standard_streams(os.open(path, FLAGS | flags, PRIVATE))
    os.set_blocking(descriptor, True)
    return descriptor


def copy_from(descriptor: int, offset: int, target: int) -> None:
    """Append what a file holds from an offset on to another one."""
    while chunk := os.pread(descriptor, CHUNK, offset):
        offset += len(chunk)
        left = memoryview(chunk)
        while left:
            left = left[os.write(target, left) :]


def is_regular(status: os.stat_result) -> bool:
    """Tell whether it is an ordinary file."""
    return stat.S_ISREG(status.st_mode)


def identity_of(status: os.stat_result) -> FileIdentity:
    """Return what identifies a file, by whatever path it is reached."""
    return status.st_dev, status.st_ino


def keep_previous(path: Path) -> None:
    """Move an earlier attempt's ``F1.log`` aside to ``F1~1.log``, ``F1~2.log`` …, oldest first."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not is_regular(status):
        return  # a device, a FIFO or a link: put there on purpose
    aside, claimed = claim_kept_name(path)
    os.close(claimed)
    if (log := _logs.get(identity_of(status))) is not None:
        log.path = aside  # before the rename: its writer must not find its path empty and start a new file there
    path.replace(aside)


def claim_kept_name(path: Path) -> tuple[Path, int]:
    """Create the next ``F1~n.log``, so that two workers with one id take different ones; return its descriptor, too."""
    number = max((number for number, _ in kept_logs(path)), default=0) + 1
    while True:
        aside = numbered(path, number)
        try:
            descriptor = open_private(aside, NEW)
        except FileExistsError:
            number += 1
        else:
            note_kept(path, number)
            return aside, descriptor


def open_to_read(path: Path, identity: FileIdentity) -> io.FileIO:
    """Open a log that was found, if it is still that very file.

    Raises ``FileNotFoundError`` if it is another one by now.
    """
    file = open_without_waiting(path)
    if identity_of(os.fstat(file.fileno())) != identity:
        file.close()
        raise FileNotFoundError(errno.ENOENT, "the log was moved or deleted", str(path))
    return file


def find_log(path: Path, identity: FileIdentity) -> Path:
    """Return where a log that began at ``path`` is now: there, or beside it if a later log took its name.

    Raises ``FileNotFoundError`` if it is gone.
    """
    try:
        if identity_of(path.stat()) == identity:
            return path
        for _, other in kept_logs(path):
            with contextlib.suppress(FileNotFoundError):
                if identity_of(other.stat()) == identity:
                    return other
    except (FileNotFoundError, ValueError):  # also what can be no path, from a journal of somebody else's
        pass
    raise FileNotFoundError(errno.ENOENT, "the log was moved or deleted", str(path))
