"""The files that an agent keeps of its session, found and read where the agent itself has put them. All of it blocks.

An agent may have prepared what is there, and so may whatever it runs: only regular files below its own folder are
opened, no link in its folders of sessions is followed, and what is read is bounded in bytes and in time. The folder of
all sessions may be a link itself: users put it on another disk, and an agent with a configuration of its own keeps its
sessions where the others do.
"""

import fnmatch
import io
import os
import re
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import final
from urllib.parse import quote

from nova_async._core.home import below_home, home_in
from nova_async._core.threads import DiskThreads
from nova_async.agents import SessionFiles
from nova_async.agents.session import HEAD, SessionReader, SessionUsage

__all__ = ["SESSION_THREADS", "SessionSource"]

CHUNK = 1 << 20  # bytes read at once
MOST_READ = 1 << 28  # bytes of one file; hundreds of times the largest that was seen. Of a larger one it is the end
MOST_ENTRIES = 200_000  # of folders looked at in one search: years of sessions
OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY  # a FIFO must not make us wait
SQLITE_STEPS = 10_000  # of its virtual machine between two looks at the clock: about a millisecond
BUSY_SECONDS = 1.0  # for a lock of another process; readers and writers of opencode's do not lock each other out

# Threads of their own: a home folder that hangs must not occupy the threads that logs are written in.
SESSION_THREADS = DiskThreads("nova-session")


@dataclass(slots=True)
class _Place:
    """How far a file has been read."""

    identity: tuple[int, int]
    offset: int
    is_own: bool


@final
class SessionSource:
    """The session files of one process of an agent.

    ``environment`` and ``cwd`` are the agent's, and its records count from ``since`` on. A later ``read`` takes only
    what is new in the files.
    """

    def __init__(self, files: SessionFiles, environment: Mapping[str, str], cwd: str, since: datetime) -> None:
        self.files = files
        home = home_in(environment)
        self._folder = str(Path(cwd, below_home(files.sessions_in(environment, home), home)))
        self._since = since
        self._session_id = ""
        self._reader: SessionReader | None = None
        self._places: dict[str, _Place] = {}
        self._is_cut = False
        self._in_use = threading.Lock()  # a look that hangs must not meet the last one

    def read_in_time(self, session_id: str, seconds: float) -> SessionUsage | None:
        """Return the same, after so many seconds at most, even if the disk hangs."""
        try:
            reading = SESSION_THREADS.submit(self.read, session_id, time.monotonic() + seconds)
            return reading.result(seconds)
        except (OSError, TimeoutError):
            return None

    def read(self, session_id: str, until: float, *, thoroughly: bool = True) -> SessionUsage | None:
        """Return what the session has used so far; None where nothing is found of it. It never raises.

        It ends at ``until`` on the monotonic clock, if no disk hangs. Without ``thoroughly`` it looks for new files of
        sub-agents only where something has changed since the process began.
        """
        if not self._in_use.acquire(timeout=max(0.0, until - time.monotonic())):
            return None
        try:
            if self.files.rows is not None:
                return self._ask(session_id, until)
            return self._read_lines(session_id, until, thoroughly=thoroughly)
        except Exception:  # whatever is wrong with these files, nothing can be told by them
            return None
        finally:
            self._in_use.release()

    def _read_lines(self, session_id: str, until: float, *, thoroughly: bool) -> SessionUsage | None:
        if self.files.make_reader is None:
            return None
        if self._reader is None or session_id != self._session_id:
            self._session_id, self._places, self._is_cut = session_id, {}, False
            self._reader = self.files.make_reader(session_id, self._since)
        look = _Look(self._folder, until, self._since.timestamp())
        self._find(look, thoroughly=thoroughly)
        for name, place in self._places.items():
            if not self._read_on(self._reader, name, place, until):  # it was written anew: begin again, next time
                self._reader = None
                return None
        is_cut = self._is_cut or look.is_cut
        told = self._reader.usage
        return replace(told, is_cut=told.is_cut or is_cut) if self._places else None

    def _find(self, look: "_Look", *, thoroughly: bool) -> None:
        """Find the files that are not known yet."""
        own, *others = (pattern.format(session_id=self._session_id) for pattern in self.files.patterns)
        if not any(place.is_own for place in self._places.values()):
            for name in look.files(own, in_changed_folders=False):
                self._note(name, is_own=True)
        for pattern in others:
            for name in look.files(pattern, in_changed_folders=False):
                self._note(name, is_own=False)
        for pattern in self.files.related:
            for name in look.files(pattern, in_changed_folders=not thoroughly, changed=True):
                if name not in self._places and self.files.is_related(_head(name), self._session_id):
                    self._note(name, is_own=False)

    def _note(self, name: str, *, is_own: bool) -> None:
        if name not in self._places:
            with suppress(OSError):
                facts = os.lstat(name)
                offset = max(0, facts.st_size - MOST_READ)
                self._is_cut |= offset > 0
                self._places[name] = _Place((facts.st_dev, facts.st_ino), offset, is_own)

    def _read_on(self, reader: SessionReader, name: str, place: _Place, until: float) -> bool:
        """Read what is new in a file; tell whether it is the one that it was."""
        try:
            descriptor = os.open(name, OPEN)
        except OSError:  # it is gone, or has become a link: what was read stays true
            self._is_cut = True
            return True
        with io.FileIO(descriptor) as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                self._is_cut = True
                return True
            if (facts.st_dev, facts.st_ino) != place.identity or facts.st_size < place.offset:
                return False
            file.seek(place.offset)
            left = facts.st_size - place.offset  # and no more: it may grow faster than we read
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                reader.feed(name, chunk, is_own=place.is_own)
                place.offset += len(chunk)
                left -= len(chunk)
                if time.monotonic() > until:
                    self._is_cut = True
                    break
        return True

    def _ask(self, session_id: str, until: float) -> SessionUsage | None:
        """Ask a database, which its owner may be writing at this moment."""
        import sqlite3  # most programs never need it

        rows = self.files.rows
        names = list(_Look(self._folder, until, 0.0).files(self.files.patterns[0], in_changed_folders=False))
        if rows is None or not names:
            return None
        address = f"file:{quote(names[0])}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.set_progress_handler(lambda: time.monotonic() > until, SQLITE_STEPS)
            since = int(self._since.timestamp() * 1000)
            return rows.read(database.execute(rows.query, {"session": session_id, "since": since}), session_id)


@final
class _Look:
    """A search below one folder, which follows no link and ends at ``until``."""

    def __init__(self, folder: str, until: float, since: float) -> None:
        self._folder = folder
        self._until = until
        self._since = since
        self._left = MOST_ENTRIES
        self.is_cut = False

    def files(self, pattern: str, *, in_changed_folders: bool, changed: bool = False) -> Iterator[str]:
        """Return the regular files that match; with ``changed``, only those written to since then.

        With ``in_changed_folders`` only folders are listed in which a file was made since then.
        """
        *folders, name = pattern.split("/")
        for folder in self._folders(self._folder, folders):
            if in_changed_folders and not self._has_changed(folder):
                continue
            for entry in self._entries(folder, name):
                with suppress(OSError):
                    facts = os.lstat(entry)
                    if stat.S_ISREG(facts.st_mode) and not (changed and facts.st_mtime < self._since - 1.0):
                        yield entry

    def _folders(self, folder: str, parts: list[str]) -> Iterator[str]:
        if not parts:
            yield folder
            return
        for entry in self._entries(folder, parts[0]):
            with suppress(OSError):
                facts = Path(entry).stat(follow_symlinks=folder == self._folder)
                if stat.S_ISDIR(facts.st_mode):
                    yield from self._folders(entry, parts[1:])

    def _entries(self, folder: str, pattern: str) -> Iterator[str]:
        if "*" not in pattern:
            yield f"{folder}/{pattern}"
            return
        fits = re.compile(fnmatch.translate(pattern)).match
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                self._left -= 1
                if self._left < 0 or time.monotonic() > self._until:
                    self.is_cut = True
                    return
                if fits(entry.name):
                    yield entry.path

    def _has_changed(self, folder: str) -> bool:
        with suppress(OSError):
            return os.lstat(folder).st_mtime >= self._since - 1.0  # a disk's clock is coarser than ours
        return False


def _head(name: str) -> bytes:
    with suppress(OSError):
        descriptor = os.open(name, OPEN)
        with io.FileIO(descriptor) as file:
            return file.read(HEAD) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    return b""
