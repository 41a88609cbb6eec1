"""The usage limits that any run of this user on this machine has met: a small file that all of them share.

It lies in the user's state folder, is private, and names accounts by digests alone. It is replaced as a whole, so that
a reader sees the old or the new one, whoever was killed. Whatever is wrong with it holds up no run.
"""

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, final

from nova_async._core.atomic_files import replace_file
from nova_async._core.own_places import read_file
from nova_async.journal.seal import key_path

__all__ = ["NOT_SHARED", "Entry", "LimitsFile", "limits_path"]

NOT_SHARED = "Usage limits are not shared with other runs meanwhile"
NAME = "usage-limits.json"
LARGEST = 256 * 1024  # bytes; ours have a few hundred for each limit
MOST = 200  # limits; those that have ended longest ago go first
TRIES, TRY_SECONDS = 20, 0.005  # to take the lock, which others hold for the time of one small write
KEPT_SECONDS = 3600.0  # after its end a limit is still known: a run that looks then can tell that another has tried it

LAST_MOMENT = 253_402_300_800.0  # seconds of UTC: the end of the year 9999

Entry = dict[str, Any]


def limits_path() -> Path | None:
    """Return where the file is; None for a user without a home."""
    key = key_path()
    return None if key is None else key.with_name(NAME)


@final
class LimitsFile:
    """Reads and changes the file. ``warn`` is told once what is wrong with it; then the run goes by what it knows."""

    def __init__(self, path: Path | None, warn: Callable[[str], object]) -> None:
        self._path = path
        self._warn = warn
        self._has_warned = False
        self._seen: tuple[int, int, int] | None = None
        self._entries: Mapping[str, Entry] = {}

    def entries(self) -> Mapping[str, Entry]:
        """Return what stands in the file, by the digest of an account; it is read only if it has changed."""
        if self._path is None:
            return {}
        try:
            found = self._path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            self._seen, self._entries = None, {}
            return self._entries
        except (OSError, ValueError) as error:
            return self._trouble(f"cannot be read: {error}")
        mark = found.st_ino, found.st_mtime_ns, found.st_size
        if mark != self._seen:
            self._seen, self._entries = mark, self._read(found)
        return self._entries

    def change(self, key: str, entry: Callable[[Entry | None], Entry | None], now: float) -> bool:
        """Put what ``entry`` makes of an account's entry in its place, or take it out; False if that cannot be done."""
        if self._path is None:
            return False
        try:
            with self._locked():
                entries = dict(self.entries())
                new = entry(entries.pop(key, None))
                if new is not None:
                    entries[key] = new
                self._write(entries, now)
        except (OSError, ValueError) as error:
            self._trouble(f"cannot be written: {error}")
            return False
        return True

    def _read(self, found: os.stat_result) -> Mapping[str, Entry]:
        assert self._path is not None
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return self._trouble("is not a private file of yours, so it is not read: remove it")
        try:
            document = json.loads(read_file(self._path, LARGEST))
            entries = {key: entry for key, entry in document["limits"].items() if is_entry(entry)}
        except OSError as error:
            return self._trouble(f"cannot be read: {error}")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return self._trouble("does not hold usage limits; it will be replaced when a limit is reached")
        return entries

    def _write(self, entries: Mapping[str, Entry], now: float) -> None:
        assert self._path is not None
        fresh = sorted(entries.items(), key=lambda item: -item[1]["opens_at"])
        left = {key: entry for key, entry in fresh[:MOST] if entry["opens_at"] > now - KEPT_SECONDS}
        content = json.dumps({"schema": 1, "limits": left}).encode()
        # Other runs wait for the lock meanwhile: the file is not worth waiting for a disk.
        replace_file(self._path, content, by_way_of=self._path.parent, keeps_mode=False, outlasts_power_cut=False)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the file; another holder has it for a moment only, so nobody waits long for it."""
        assert self._path is not None
        folder = self._path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.geteuid():
            raise PermissionError(f"{folder} is another user's")  # as root in the home of somebody else
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path.with_suffix(".lock"), flags, 0o600)
        try:
            for _ in range(TRIES):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(TRY_SECONDS)
            else:
                raise BlockingIOError(errno.EAGAIN, "another run does not let go of it")
            yield
        finally:
            os.close(descriptor)

    def _trouble(self, what: str) -> Mapping[str, Entry]:
        if not self._has_warned:
            self._has_warned = True
            self._warn(f"{self._path} {what}. {NOT_SHARED}")
        return {}


def is_entry(entry: object) -> bool:
    """Tell whether something is what a run writes about a limit."""
    moments, texts = ("resets_at", "claimed_until"), ("kind", "claimed_by")
    return (
        isinstance(entry, dict)
        and is_moment(entry.get("opens_at"))
        and all(entry.get(name) is None or is_moment(entry.get(name)) for name in moments)
        and all(entry.get(name) is None or isinstance(entry.get(name), str) for name in texts)
    )


def is_moment(value: object) -> bool:
    """Tell whether something is a number of seconds of UTC that a calendar has."""
    return isinstance(value, int | float) and 0 <= value < LAST_MOMENT
