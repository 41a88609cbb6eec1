"""A journal's file, open for writing, and restored if it is deleted or moved.

All of it runs in one thread, and may wait for the disk.
"""

import contextlib
import errno
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

from nova_async._core.atomic_files import own_folder, sync_folder
from nova_async.errors import JournalError, RunLockedError
from nova_async.journal.explaining import DISK_TROUBLE
from nova_async.journal.lock import RunLock
from nova_async.journal.older import bring_up_to_date
from nova_async.journal.places import files_of, own_path
from nova_async.journal.schema import SCHEMA_VERSION, check_version, make_tables
from nova_async.journal.seal import put_seal, require_ours
from nova_async.journal.taken_away import FileId, Place, file_at
from nova_async.journal.waiting import Record

__all__ = ["JournalFile"]

BUSY_SECONDS = 5.0  # any other process that writes, such as `nova retry`, is done long before
BUSY_PAUSE = 0.01  # seconds between two tries where SQLite itself does not wait
MOST_TRIES = 10  # an `rm -r` of the folder may still be running when the journal is restored; it ends long before
MOST_ASIDE = 1000  # names tried for a file found in our place


@final
class JournalFile:
    """The only connection that writes, and the files behind it."""

    def __init__(self, path: Path, lock: RunLock | None, *, trusts: bool = True) -> None:
        """Open the file, creating it and its folder if needed; a link stays a link.

        ``trusts`` is whether one that was written elsewhere is accepted, and is ours from then on.

        Raises ``JournalError``, ``sqlite3.Error`` and ``OSError``; nothing is open then.
        """
        self.named = path
        self.path = own_path(path)
        self.is_lost = False
        """Whether another run has taken this one's place: then nothing can be written any more."""
        self._lock = lock
        self._shm = files_of(self.path)[2]
        self._shm_size = 0  # bytes; as long as it has been
        self.was_empty = make_file(self.path) and self.path.stat().st_size == 0
        """Whether there was a journal, and nothing in it: what earlier runs have done is lost."""
        self._connection = connect(self.named, self.path, trusts=trusts)
        try:
            self._place = place_of(self._connection, self.path)
        except BaseException:
            self._connection.close()
            raise

    def write(self, records: Sequence[Record]) -> None:
        """Write records in one transaction, all except those that are rejected.

        Raises ``sqlite3.Error`` if the disk or the file accepts nothing; nothing is written then.
        """
        self._restore_shm()
        try:
            self._write_all(records, self._write_one)
        except Exception as error:
            if is_trouble(error):
                raise
            self._write_all(records, self._write_or_reject)

    def _write_all(self, records: Sequence[Record], write_one: Callable[[Record], None]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for record in records:
                write_one(record)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # after some errors SQLite has already rolled back
                self._connection.execute("ROLLBACK")
            raise

    def _write_one(self, record: Record) -> None:
        """Write one record; if it is rejected, nothing at all is written."""
        record.result, record.refusal = record.write(self._connection), None

    def _write_or_reject(self, record: Record) -> None:
        """Write one record; if it is rejected, the others are unaffected."""
        self._connection.execute("SAVEPOINT record")
        try:
            self._write_one(record)
        except Exception as error:
            if is_trouble(error):
                raise
            self._connection.execute("ROLLBACK TO record")
            record.refusal = error
        self._connection.execute("RELEASE record")

    def keep_in_place(self) -> str | None:
        """Restore the journal and its lock if they were removed, and return a message that says so.

        Raises ``JournalError``, ``sqlite3.Error`` and ``OSError`` if that cannot be done, perhaps only for now.
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
        self._restore_shm()
        own_folder(self.path.parent)
        if self._lock is not None and not has_lock:
            self._take_lock_again(self._lock)
        if self._place.is_kept():
            return f"the lock file of {self.named} was removed during this run and has been recreated"
        aside = self._write_anew()
        found = f"; the file found in its place is now {aside.name}" if aside else ""
        return f"{self.named} was deleted or moved during this run and has been restored in full{found}"

    def _restore_shm(self) -> None:
        """Give the -shm file its length again if something cut it: touching what is missing would kill us (SIGBUS).

        It is only a scratch pad; zeros let SQLite make it anew. Not by a descriptor: closing that would release the
        locks that SQLite holds on the file.
        """
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            size = self._shm.lstat().st_size
            if size < self._shm_size and self._place.is_ours(self._shm):
                os.truncate(self._shm, 0)
                os.truncate(self._shm, self._shm_size)
            self._shm_size = max(size, self._shm_size)

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
        """Write all that the open connection holds to the journal's path; return where a file found there was moved.

        Until the last step the old connection is the journal, and after each step either one is whole.
        """
        new = self.path.with_name(self.path.name + ".new")
        copy = self._copy_to(new)
        with contextlib.suppress(sqlite3.Error):  # if we crash now, what is still there may be all that remains
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
        """Switch to the copy at the journal's path, unless that has been removed, too."""
        connection = connect(self.named, self.path, trusts=True)
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
        """Copy all that the open connection holds into another file, and return that file's identity."""
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
        """Close the file; what could not be moved out of its -wal file stays there and is not lost."""
        with contextlib.suppress(OSError):
            self._restore_shm()
        self._connection.close()


def connect(named: Path, path: Path, *, trusts: bool) -> sqlite3.Connection:
    """Connect for writing: check what kind of file it is before changing anything in it, then bring it up to date."""
    connection = open_to_write(path)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")  # a file from elsewhere may have functions in its schema
        connection.execute("BEGIN")  # as of one moment: another process may be creating the tables
        if check_version(named, connection) > 0 and not trusts:
            require_ours(connection, named, path)
        connection.execute("COMMIT")
        write_ahead(connection)
        for pragma in ("synchronous = FULL", "fullfsync = ON"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute("BEGIN IMMEDIATE")
        version = check_version(named, connection)  # the tables may have been created meanwhile
        if version == 0:
            make_tables(connection)
        elif version < SCHEMA_VERSION:
            bring_up_to_date(connection, path)
        put_seal(connection, path)
        connection.execute("COMMIT")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def is_trouble(error: Exception) -> bool:
    """Tell whether the disk or the file, and not the record, is why something could not be written."""
    return (getattr(error, "sqlite_errorname", "") or "").startswith(DISK_TROUBLE)


def write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log; here SQLite itself does not wait for another process to finish writing."""
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
    """Tell whether something failed because a file that was there a moment ago is gone."""
    if isinstance(error, JournalError):
        return is_gone(error.__cause__)
    code = getattr(error, "sqlite_errorname", "") or ""
    return isinstance(error, FileNotFoundError) or code.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR"))


def open_to_write(path: Path) -> sqlite3.Connection:
    """Connect to an existing file: SQLite must not create an empty one in place of one that was just removed."""
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def place_of(connection: sqlite3.Connection, path: Path) -> Place:
    """Return the files that a connection has just opened; raises ``FileNotFoundError`` if they are already gone."""
    place = Place(files_of(path))
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode == "wal" and len(place) < len(files_of(path)):
        raise FileNotFoundError(errno.ENOENT, "it was removed while being opened")
    return place


def make_file(path: Path) -> bool:
    """Create the folder and an empty file, readable by its owner only, and make sure that both survive a power cut.

    Returns whether there was one before.

    An existing file is not opened: closing it again would release the locks that SQLite holds on it elsewhere in this
    process.
    """
    own_folder(path.parent)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return True
    sync_folder(path.parent)
    return False


def move_aside(path: Path, ours: Place) -> Path | None:
    """Rename what is there to a free name, with its own -wal file; return that name, or None if nothing was there."""
    if not os.path.lexists(path):
        return None
    names = [path.with_name(f"{path.name}~{number}") for number in range(1, MOST_ASIDE)]
    aside = next((name for name in names if not os.path.lexists(name)), names[-1])
    path.rename(aside)
    wal = files_of(path)[1]
    if wal.exists() and not ours.is_ours(wal):
        wal.rename(files_of(aside)[1])
    return aside
