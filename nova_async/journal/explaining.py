"""What is wrong with a journal, as a message that names the file and says what to do."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from nova_async.errors import JournalError

__all__ = ["DISK_TROUBLE", "explained", "refused", "understood"]

START_OVER = "move it and its -wal file away to start over (finished tasks will run again)"
CHECK_PERMISSIONS = "check the permissions of the file and its folder, or choose another path for the journal"

# SQLite's errors about the disk or the file: they affect every record, and may be over a moment later.
DISK_TROUBLE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_READONLY", "SQLITE_CANTOPEN",
                "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_NOMEM", "SQLITE_PROTOCOL",
                "SQLITE_INTERRUPT")  # fmt: skip


def explained(path: Path, error: BaseException) -> JournalError:
    """Turn an error of SQLite or the system into a message that names the journal's file and says what to do."""
    if isinstance(error, JournalError):
        return error
    code = getattr(error, "sqlite_errorname", "") or ""
    if isinstance(error, OSError):
        said = f"{path} cannot be used ({error.strerror or error}): {CHECK_PERMISSIONS}"
    elif code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        said = f"{path} is not a nova journal, or is damaged ({error}): {START_OVER}"
    elif code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        said = f"{path} cannot be used ({error}): {CHECK_PERMISSIONS}"
    elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        said = f"{path} is locked by another process ({error}): wait for it to finish or stop it"
    elif code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
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
