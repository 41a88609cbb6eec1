"""What is wrong with a journal, as a sentence that names the file and says what to do."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from nova_async.errors import JournalError

__all__ = ["DISK_TROUBLE", "explained", "refused", "understood"]

START_ANEW = "move it away together with its -wal file and start anew (finished tasks will then run again)"
CHECK_PERMISSIONS = "check the permissions of the file and its folder, or choose another place for the journal"

# What SQLite says of the disk or the file: true for every record, and perhaps not a moment later.
DISK_TROUBLE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_READONLY", "SQLITE_CANTOPEN",
                "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_NOMEM", "SQLITE_PROTOCOL",
                "SQLITE_INTERRUPT")  # fmt: skip


def explained(path: Path, error: BaseException) -> JournalError:
    """Turn what SQLite or the system said about a journal into a sentence that names the file and the way out."""
    if isinstance(error, JournalError):
        return error
    code = getattr(error, "sqlite_errorname", "") or ""
    if isinstance(error, OSError):
        said = f"{path} cannot be used ({error.strerror or error}): {CHECK_PERMISSIONS}"
    elif code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        said = f"{path} is no journal or is damaged ({error}): {START_ANEW}"
    elif code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        said = f"{path} cannot be used ({error}): {CHECK_PERMISSIONS}"
    elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        said = f"{path} is being written by another process ({error}): wait for it or stop it"
    elif code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        said = f"{path} cannot be written ({error}): make room on its disk, or check that disk"
    elif isinstance(error, sqlite3.Error):
        said = f"{path} cannot be read as a journal ({error}): {START_ANEW}"
    else:
        said = f"{path} holds what nova never wrote ({type(error).__name__}: {error}): {START_ANEW}"
    return JournalError(said)


def refused(path: Path, refusal: Exception) -> JournalError:
    """Say why one record was not taken."""
    if isinstance(refusal, JournalError):
        return refusal
    error = JournalError(f"{path} does not take this record: {refusal}")
    error.__cause__ = refusal
    return error


@contextlib.contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while a journal is read into a ``JournalError``: its rows may be anybody's."""
    try:
        yield
    except Exception as error:
        if isinstance(error, JournalError):
            raise
        raise explained(path, error) from error
