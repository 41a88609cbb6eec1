"""What is wrong with a journal, as a message that names the file and says what to do."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from nova_async.errors import JournalError

__all__ = ["DISK_TROUBLE", "explained", "is_damage", "is_disk_failure", "refused", "understood"]

START_OVER = "move it and its -wal file away to start over (finished tasks will run again)"
CHECK_PERMISSIONS = "check the permissions of the file and its folder, or choose another path for the journal"

# SQLite's errors about the disk or the file: they affect every record, and may be over a moment later.
DISK_TROUBLE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_READONLY", "SQLITE_CANTOPEN",
                "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_NOMEM", "SQLITE_PROTOCOL",
                "SQLITE_INTERRUPT")  # fmt: skip


DAMAGE = ("SQLITE_NOTADB", "SQLITE_CORRUPT")
DISK_FAILURE = ("SQLITE_FULL", "SQLITE_IOERR")


def is_damage(error: BaseException) -> bool:
    """Tell whether SQLite takes the file itself for damaged."""
    return name_of(error).startswith(DAMAGE)


def is_disk_failure(error: BaseException) -> bool:
    """Tell whether the disk has failed to read or write something."""
    return name_of(error).startswith(DISK_FAILURE)


def name_of(error: BaseException) -> str:
    """Return SQLite's name of an error; "" if it is none of SQLite's."""
    return getattr(error, "sqlite_errorname", "") or ""


def explained(path: Path, error: BaseException) -> JournalError:
    """Turn an error of SQLite or the system into a message that names the journal's file and says what to do."""
    if isinstance(error, JournalError):
        return error
    code = name_of(error)
    if isinstance(error, OSError):
        said = f"{path} cannot be used ({error.strerror or error}): {CHECK_PERMISSIONS}"
    elif is_damage(error):
        said = f"{path} is not a nova journal, or is damaged ({error}): {START_OVER}"
    elif code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        said = f"{path} cannot be used ({error}): {CHECK_PERMISSIONS}"
    elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        said = f"{path} is locked by another process ({error}): wait for it to finish or stop it"
    elif is_disk_failure(error):
        said = f"{path} cannot be written ({error}): free some disk space, or check the disk"
    elif isinstance(error, sqlite3.Error):
        said = f"{path} cannot be read as a journal ({error}): {START_OVER}"
    else:
        said = f"{path} contains data that nova did not write ({type(error).__name__}: {error}): {START_OVER}"
    return JournalError(said)


def refused(path: Path, refusal: Exception) -> JournalError:
    """Say why one record was rejected."""
    if isinstance(refusal, JournalError):
        return refusal
    error = JournalError(f"{path} rejected a record: {refusal}")
    error.__cause__ = refusal
    return error


@contextlib.contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while a journal is read into a ``JournalError``: anybody may have written its rows."""
    try:
        yield
    except Exception as error:
        if isinstance(error, JournalError):
            raise
        raise explained(path, error) from error
