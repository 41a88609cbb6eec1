"""By what a journal shows that it was written here: results that came with a repository must not count.

Each journal has a random id, and two digests of it. One is made with a secret key of the user, which no repository can
know; it stays right when the folder is copied. The other is made with the machine, the user and the file's inode; it
stays right where there is no home folder, or another one each time, as in a container. Either is enough. Each user or
machine that has accepted a journal has a seal on it, so that they can take turns.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import sqlite3
import stat
from pathlib import Path
from typing import NamedTuple

from nova_async._core.own_places import user_states
from nova_async.errors import JournalError
from nova_async.journal.columns import as_json, as_text
from nova_async.journal.schema import SEAL

__all__ = ["is_ours", "put_seal", "require_ours"]

KEY_BYTES = 32
MACHINE = Path("/etc/machine-id")
MOST_SEALS = 8  # of users, machines and containers that share a folder; so few are no chance to guess an inode
MOST_LOGS = 100  # that are looked for, if a journal has no seal


class Seal(NamedTuple):
    """What a journal says about its origin."""

    id: str
    by_key: str | None
    by_place: str | None

    def matches(self, by_key: str | None, by_place: str | None) -> bool:
        """Tell whether one of its digests is that one."""
        pairs = ((self.by_key, by_key), (self.by_place, by_place))
        return any(
            said is not None and ours is not None and hmac.compare_digest(said.encode(errors="replace"), ours.encode())
            for said, ours in pairs
        )


def require_ours(connection: sqlite3.Connection, named: Path, path: Path) -> None:
    """Check that a journal was written by this user on this machine; ``path`` is where it really is.

    Raises ``JournalError``, with what to do, if that cannot be told.
    """
    if not is_ours(connection, path):
        raise JournalError(
            f"{named} was not written by you on this machine, so its results do not count: it may have come with the"
            " repository. To continue with it all the same, use `nova run --trust-journal` once; to start over, move it"
            " away"
        )


def is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell whether a journal was written by this user on this machine."""
    seals = read_seals(connection)
    if not seals:
        return has_our_logs(connection, path)
    key = user_key()
    return any(seal.matches(keyed(seal.id, key), placed(seal.id, path)) for seal in seals)


def put_seal(connection: sqlite3.Connection, path: Path) -> None:
    """Put our seal on a journal, within the caller's transaction; those of others who have accepted it stay."""
    seals = read_seals(connection)
    number = seals[0].id if seals else secrets.token_hex(16)
    by_key, by_place = keyed(number, user_key() or new_key()), placed(number, path)
    before = [seal for seal in seals if seal.id == number and seal.matches(by_key, by_place)]
    if not before or any(seal != Seal(number, by_key, by_place) for seal in before):
        if not has_table(connection):
            connection.execute(SEAL)
        old_key = before[0].by_key if before else None
        others = [seal for seal in seals if seal not in before]
        # Without a place, it may be one of many keys of homes that are gone: those have to go first.
        others.sort(key=lambda seal: seal.by_place is None)
        connection.execute("DELETE FROM seal")
        rows = [Seal(number, by_key or old_key, by_place), *others][:MOST_SEALS]
        connection.executemany("INSERT INTO seal VALUES (?, ?, ?)", rows)


def read_seals(connection: sqlite3.Connection) -> list[Seal]:
    """Return a journal's seals, the latest first; none if it has none, as those of an older nova."""
    if not has_table(connection):
        return []
    rows = connection.execute("SELECT id, by_key, by_place FROM seal ORDER BY rowid LIMIT ?", (MOST_SEALS,)).fetchall()
    return [Seal(*row) for row in rows if row[0] is not None and all(isinstance(cell, str | None) for cell in row)]


def has_table(connection: sqlite3.Connection) -> bool:
    """Tell whether a journal can have a seal: those of an older nova cannot."""
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'seal'").fetchone())


def keyed(number: str, key: bytes | None) -> str | None:
    """Return the digest that only the user can make."""
    return None if key is None else hmac.new(key, number.encode(errors="replace"), hashlib.sha256).hexdigest()


def placed(number: str, path: Path) -> str | None:
    """Return the digest that is right for this very file; None if it is somebody else's."""
    try:
        status = path.stat()
    except OSError:
        return None
    if status.st_uid != os.geteuid():
        return None
    machine = ""
    with contextlib.suppress(OSError, ValueError):
        machine = MACHINE.read_text("ascii")
    return hashlib.sha256(repr((number, machine, status.st_uid, status.st_ino)).encode(errors="replace")).hexdigest()


def key_path() -> Path | None:
    """Return where the user's key is; None for a user without a home."""
    try:
        return user_states() / "journal.key"
    except FileNotFoundError:
        return None


def user_key() -> bytes | None:
    """Return the user's key; None if there is none, or others could have read or made it."""
    path = key_path()
    try:
        with open(path or os.devnull, "rb") as file:  # noqa: PTH123 - of which nothing is read
            status = os.fstat(file.fileno())
            is_private = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
            key = file.read(KEY_BYTES) if is_private else b""
    except (OSError, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def new_key() -> bytes | None:
    """Make the user's key; None if it cannot be kept. Of several who make one at once, all return the same."""
    path = key_path()
    if path is None:
        return None
    new = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.stat().st_uid != os.geteuid():
            return None  # as root in the home of somebody else, who could not use it
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(new)
    except (OSError, ValueError):
        return None
    finally:
        with contextlib.suppress(OSError, ValueError):
            new.unlink()
    return user_key()


def has_our_logs(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell whether one of a journal's logs is the very file, by its inode, that it names: no repository can know that.

    Only logs in the folder of the run count, not files of the system, whose inodes are the same everywhere.
    """
    try:
        rows = connection.execute(
            "SELECT log FROM attempts WHERE log NOT NULL ORDER BY rowid DESC LIMIT ?", (MOST_LOGS,)
        )
        logs = [as_json(log, dict) for (log,) in rows]
        return any(is_our_log(log, path.parent.parent) for log in logs)
    except (sqlite3.OperationalError, TypeError, ValueError, KeyError, OSError):  # an older format knew no inodes
        return False


def is_our_log(log: dict[str, object], folder: Path) -> bool:
    """Tell whether a log below the folder is the file that a journal means."""
    try:
        place = (folder / as_text(log["path"])).resolve()
        status = place.lstat()
    except OSError:
        return False
    is_here = stat.S_ISREG(status.st_mode) and place.is_relative_to(folder.resolve())
    return is_here and (log["device"], log["inode"]) == (status.st_dev, status.st_ino)
