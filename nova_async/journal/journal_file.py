"""A journal's file, open for writing, and put back where it belongs if somebody takes it away.

All of it works in one thread, and may wait for the disk.
"""

import contextlib
import errno
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import final

from nova_async._core.atomic_files import own_folder, sync_folder
from nova_async.errors import JournalError, RunLockedError
from nova_async.journal.explaining import DISK_TROUBLE
from nova_async.journal.lock import RunLock
from nova_async.journal.schema import SCHEMA_VERSION, check_version, make_tables
from nova_async.journal.taken_away import FileId, Place, file_at
from nova_async.journal.version_1 import bring_up_to_date
from nova_async.journal.waiting import Record

__all__ = ["JournalFile"]

BUSY_SECONDS = 5.0  # another process that writes, such as `nova retry`, is done long before
BUSY_PAUSE = 0.01  # seconds between two tries where SQLite does not wait by itself
MOST_TRIES = 10  # whoever removes a folder is still at it when the journal is put back, and is done long before
MOST_ASIDE = 1000  # names tried for a file that lies in our place


@final
class JournalFile:
    """The one connection that writes, and the files behind it."""

    def __init__(self, path: Path, lock: RunLock | None) -> None:
        """Open the file, and make it and its folder where there is none yet; a link stays a link.

        Raises ``JournalError``, ``sqlite3.Error`` and ``OSError``; nothing is open then.
        """
        self.named = path
        self.path = Path(os.path.realpath(path))
        self.is_lost = False
        """Whether another run works in this one's place: nothing can be written any more."""
        self._lock = lock
        make_file(self.path)
        self._connection = connect(self.named, self.path)
        try:
            self._place = place_of(self._connection, self.path)
        except BaseException:
            self._connection.close()
            raise

    def write(self, records: Sequence[Record]) -> None:
        """Write records in one transaction, all of them but for those that are refused.

        Raises ``sqlite3.Error`` where the disk or the file takes nothing; nothing is written then.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for record in records:
                self._write_one(record)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # after some errors SQLite has rolled back already
                self._connection.execute("ROLLBACK")
            raise

    def _write_one(self, record: Record) -> None:
        """Write one record; if it is refused, the others are none the worse."""
        record.refusal = None
        self._connection.execute("SAVEPOINT record")
        try:
            record.result = record.write(self._connection)
        except Exception as error:
            if (getattr(error, "sqlite_errorname", "") or "").startswith(DISK_TROUBLE):
                raise
            self._connection.execute("ROLLBACK TO record")
            record.refusal = error
        self._connection.execute("RELEASE record")

    def keep_in_place(self) -> str | None:
        """Put the journal and its lock back if they have been taken away; say so then.

        Raises ``JournalError``, ``sqlite3.Error`` and ``OSError`` where that cannot be done, perhaps only now.
        """
        if self.is_lost:
            raise JournalError(f"{self.named} is now in use by another run: stop this one")
        for _ in range(MOST_TRIES):
            try:
                return self._keep_in_place()
            except (OSError, sqlite3.Error, JournalError) as error:
                if self.is_lost or not is_gone(error):
                    raise
        return self._keep_in_place()

    def _keep_in_place(self) -> str | None:
        has_lock = self._lock is None or self._lock.is_in_place()
        if has_lock and self._place.is_kept():
            return None
        own_folder(self.path.parent)
        if self._lock is not None and not has_lock:
            self._take_lock_again(self._lock)
        if self._place.is_kept():
            return f"the lock file of {self.named} was removed during this run and has been recreated"
        aside = self._write_anew()
        found = f"; the file found in its place is now {aside.name}" if aside else ""
        return f"{self.named} was deleted or moved during this run and has been restored in full{found}"

    def _take_lock_again(self, lock: RunLock) -> None:
        try:
            lock.take_again()
        except RunLockedError as error:
            self.is_lost = True
            who = f"pid {error.pid}" if error.pid else "pid unknown"
            raise JournalError(
                f"{self.named} was deleted or moved, and another nova run ({who}) has started in its place:"
                " stop one of them, because both may run the same tasks"
            ) from error

    def _write_anew(self) -> Path | None:
        """Put all that the open connection holds in the journal's place; return where another file there went.

        Until the last step the old connection is the journal, and after each step either is whole.
        """
        new = self.path.with_name(self.path.name + ".new")
        copy = self._copy_to(new)
        with contextlib.suppress(sqlite3.Error):  # what still lies there may be all that a crash leaves
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        aside = None if self._place.is_ours(self.path) else move_aside(self.path, self._place)
        for beside in files_of(self.path)[1:]:
            # SQLite would take them for those of the new file.
            beside.unlink(missing_ok=True)
        new.replace(self.path)
        sync_folder(self.path.parent)
        self._go_over_to(copy)
        return aside

    def _go_over_to(self, copy: FileId | None) -> None:
        """Write to the copy in the journal's place from now on, unless somebody has taken that away, too."""
        connection = connect(self.named, self.path)
        try:
            place = place_of(connection, self.path)
            if file_at(self.path) != copy:
                raise FileNotFoundError(errno.ENOENT, "it keeps being removed")
        except BaseException:
            connection.close()
            raise
        old, self._connection, self._place = self._connection, connection, place
        old.close()  # only now: it removes no files of a database that is no longer in its place

    def _copy_to(self, new: Path) -> FileId | None:
        """Copy all that the open connection holds into another file, and return which one that is."""
        for leftover in (*files_of(new), new.with_name(new.name + "-journal")):
            leftover.unlink(missing_ok=True)
        make_file(new)
        copied = file_at(new)
        with contextlib.closing(open_to_write(new)) as copy:
            copy.execute("PRAGMA synchronous = FULL")
            copy.execute("PRAGMA fullfsync = ON")
            self._connection.backup(copy)
        return copied

    def close(self) -> None:
        """Close the file; what could not be moved from its -wal file stays there and is not lost."""
        self._connection.close()


def connect(named: Path, path: Path) -> sqlite3.Connection:
    """Connect for writing: check what kind of file it is before anything in it is changed, then bring it up to date."""
    connection = open_to_write(path)
    try:
        connection.execute("BEGIN")  # as of one moment: somebody else may be making the tables
        check_version(named, connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA trusted_schema = OFF")  # whoever made the file may have put functions into it
        write_ahead(connection)
        for pragma in ("synchronous = FULL", "fullfsync = ON"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute("BEGIN IMMEDIATE")
        version = check_version(named, connection)  # they may have been made meanwhile
        if version == 0:
            make_tables(connection)
        elif version < SCHEMA_VERSION:
            bring_up_to_date(connection, path)
        connection.execute("COMMIT")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log; SQLite itself does not wait here for somebody else to finish writing."""
    give_up_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > give_up_at:
                raise
        time.sleep(BUSY_PAUSE)


def is_gone(error: BaseException | None) -> bool:
    """Tell whether something failed because a file that had just been there is gone."""
    if isinstance(error, JournalError):
        return is_gone(error.__cause__)
    code = getattr(error, "sqlite_errorname", "") or ""
    return isinstance(error, FileNotFoundError) or code.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR"))


def open_to_write(path: Path) -> sqlite3.Connection:
    """Connect to a file that is there: one that has just been taken away must not be made, empty, by SQLite."""
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def place_of(connection: sqlite3.Connection, path: Path) -> Place:
    """Return which files a connection has just opened; raises ``FileNotFoundError`` if they are gone already."""
    place = Place(files_of(path))
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode == "wal" and len(place) < len(files_of(path)):
        raise FileNotFoundError(errno.ENOENT, "it was removed while being opened")
    return place


def make_file(path: Path) -> None:
    """Make the folder and an empty file, for its owner only, and make sure that both outlive a power cut.

    A file that is there is not opened: closing it again would give away the locks that SQLite has on it elsewhere in
    this process.
    """
    own_folder(path.parent)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    sync_folder(path.parent)


def files_of(path: Path) -> list[Path]:
    """Return the files that a journal consists of while it is open."""
    return [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]


def move_aside(path: Path, ours: Place) -> Path | None:
    """Move what lies there to a free name, with its own -wal file; return that name, None if nothing lay there."""
    if not os.path.lexists(path):
        return None
    names = [path.with_name(f"{path.name}~{number}") for number in range(1, MOST_ASIDE)]
    aside = next((name for name in names if not os.path.lexists(name)), names[-1])
    path.rename(aside)
    wal = files_of(path)[1]
    if wal.exists() and not ours.is_ours(wal):
        wal.rename(files_of(aside)[1])
    return aside
