"""What can be wrong with a journal, as a sentence that says what to do."""

from pathlib import Path

from nova_async.errors import NovaError

__all__ = ["JournalError", "explained"]

START_ANEW = "move it away together with its -wal file and start anew (finished tasks will then run again)"


class JournalError(NovaError):
    """The journal cannot be opened, read or written."""


def explained(path: Path, error: BaseException) -> JournalError:
    """Turn what SQLite or the system said about a journal into a sentence that names the file and the way out."""
    code = getattr(error, "sqlite_errorname", "") or ""
    if isinstance(error, OSError):
        said = error.strerror or str(error)
        return JournalError(f"{path} cannot be used ({said}): {check_permissions()}")
    if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return JournalError(f"{path} is no journal or is damaged ({error}): {START_ANEW}")
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return JournalError(f"{path} cannot be used ({error}): {check_permissions()}")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return JournalError(f"{path} is being written by another process ({error}): wait for it or stop it")
    if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return JournalError(f"{path} cannot be written ({error}): make room on its disk, or check that disk")
    return JournalError(f"{path}: {error}")


def check_permissions() -> str:
    """Say what to do where files may not be made or changed."""
    return "check the permissions of the file and its folder, or choose another place for the journal"
