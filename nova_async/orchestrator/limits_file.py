"""The usage limits that any run of this user on this machine has met or is near: a small file that all of them share.

It lies in the user's state folder, is private, and names accounts by digests alone. It is replaced as a whole, so that
a reader sees the old or the new one, whoever was killed. What a newer version has written there stays, as far as there
is room. Whatever is wrong with the file holds up no run.
"""

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard, final

from nova_async._core.atomic_files import replace_file
from nova_async._core.own_places import read_file
from nova_async.agents.resets import FURTHEST
from nova_async.journal.seal import key_path

__all__ = ["NOT_SHARED", "Entry", "LimitsFile", "limits_path"]

NOT_SHARED = "Usage limits are not shared with other runs meanwhile"
NAME = "usage-limits.json"
LARGEST = 256 * 1024  # bytes; ours have a few hundred for each limit
MOST = 200  # limits; those that have ended longest ago go first
TRIES, TRY_SECONDS = 20, 0.005  # to take the lock, which others hold for the time of one small write
MOST_ACCOUNTS = 100  # whose gauges are kept; those that have told nothing for longest go first
MOST_GAUGES = 8  # of one account; one has two, and a model two of its own
LONGEST_KIND = 60  # characters
KEPT_SECONDS = 3600.0  # after its end a limit is still known: a run that looks then can tell that another has tried it

LAST_MOMENT = 253_402_300_800.0  # seconds of UTC: the end of the year 9999

SECTIONS = ("limits", "gauges")

Entry = dict[str, Any]


@final
@dataclass(frozen=True, slots=True)
class Sections:
    """What stands in the file, by the digests of accounts; some of it may be another version's."""

    limits: Mapping[str, Any] = field(default_factory=dict)
    gauges: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)
    """By the names of sections that this version does not know."""


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
        self._found = Sections()

    def entries(self) -> Mapping[str, Entry]:
        """Return the limits in the file, by the digest of an account; it is read only if it has changed."""
        limits = self._look().limits
        return {key: entry for key, entry in limits.items() if is_entry(entry)}

    def gauges(self) -> Mapping[str, Entry]:
        """Return how full limits are, by the digest of an account: ``gauges`` by kind, ``started_at``, ``told_at``."""
        return {key: entry for key, entry in self._look().gauges.items() if is_gauge_entry(entry)}

    def _look(self) -> Sections:
        if self._path is None:
            return Sections()
        try:
            found = self._path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            self._seen, self._found = None, Sections()
            return self._found
        except (OSError, ValueError) as error:
            return self._trouble(f"cannot be read: {error}")
        mark = found.st_ino, found.st_mtime_ns, found.st_size
        if mark != self._seen:
            self._seen, self._found = mark, self._read(found)
        return self._found

    def change(self, key: str, entry: Callable[[Entry | None], Entry | None], now: float) -> bool:
        """Put what ``entry`` makes of an account's limit in its place, or take it out; False if that cannot be done."""
        return self._change(lambda found: replace(found, limits=changed(found.limits, key, entry, is_entry)), now)

    def change_gauges(self, key: str, entry: Callable[[Entry | None], Entry | None], now: float) -> bool:
        """Do the same with what stands there about how full an account's limits are."""
        return self._change(lambda found: replace(found, gauges=changed(found.gauges, key, entry, is_gauge_entry)), now)

    def _change(self, make: Callable[[Sections], Sections], now: float) -> bool:
        if self._path is None:
            return False
        try:
            with self._locked():
                self._write(make(self._look()), now)
        except (OSError, ValueError, RecursionError) as error:  # what could just be read may be too deep to be written
            self._trouble(f"cannot be written: {error}")
            return False
        return True

    def _read(self, found: os.stat_result) -> Sections:
        assert self._path is not None
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return self._trouble("is not a private file of yours, so it is not read: remove it")
        try:
            document = json.loads(read_file(self._path, LARGEST))
            limits, gauges = ({**document.get(name, {})} for name in SECTIONS)
            others = {name: value for name, value in document.items() if name not in ("schema", *SECTIONS)}
        except OSError as error:
            return self._trouble(f"cannot be read: {error}")
        except (ValueError, TypeError, AttributeError, RecursionError):
            return self._trouble("does not hold usage limits; it will be replaced when a limit is reached")
        return Sections(limits, gauges, others)

    def _write(self, sections: Sections, now: float) -> None:
        assert self._path is not None
        content = encoded(sections, now)
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

    def _trouble(self, what: str) -> Sections:
        if not self._has_warned:
            self._has_warned = True
            self._warn(f"{self._path} {what}. {NOT_SHARED}")
        return Sections()


def changed(
    entries: Mapping[str, Any], key: str, entry: Callable[[Entry | None], Entry | None], is_ours: Callable[[Any], bool]
) -> Mapping[str, Any]:
    """Return entries in which ``entry`` has made a new one of what stands under a key."""
    left = dict(entries)
    before = left.pop(key, None)
    new = entry(before if is_ours(before) else None)
    return left if new is None else {**left, key: new}


def encoded(sections: Sections, now: float) -> bytes:
    """Return what is to stand in the file: what is still of use, and no more than a reader takes."""
    limits = latest(sections.limits, "opens_at", is_entry, MOST, now - KEPT_SECONDS)
    others, most = sections.others, MOST_ACCOUNTS
    while True:
        gauges = latest(sections.gauges, "told_at", is_gauge_entry, most, now - FURTHEST.total_seconds())
        text = json.dumps({**others, "schema": 1, "limits": limits, "gauges": gauges}).encode()
        if len(text) <= LARGEST or not (others or most):
            return text
        others, most = {}, most if others else most // 2


def latest(
    entries: Mapping[str, Any], name: str, is_ours: Callable[[Any], bool], most: int, since: float
) -> dict[str, Any]:
    """Return the entries of the latest moments; one that is not ours is kept while there is room."""
    moments = {key: entry[name] if is_ours(entry) else since for key, entry in entries.items()}
    fresh = sorted(moments, key=lambda key: -moments[key])[:most]
    return {key: entries[key] for key in fresh if moments[key] > since or not is_ours(entries[key])}


def is_entry(entry: object) -> bool:
    """Tell whether something is what a run writes about a limit."""
    moments, texts = ("resets_at", "claimed_until"), ("kind", "claimed_by")
    return (
        isinstance(entry, dict)
        and is_moment(entry.get("opens_at"))
        and all(entry.get(name) is None or is_moment(entry.get(name)) for name in moments)
        and all(entry.get(name) is None or isinstance(entry.get(name), str) for name in texts)
    )


def is_gauge_entry(entry: object) -> bool:
    """Tell whether something is what a run writes about how full the limits of an account are."""
    if not isinstance(entry, dict) or not is_moment(entry.get("told_at")):
        return False
    gauges, started_at = entry.get("gauges"), entry.get("started_at")
    return (
        (started_at is None or is_moment(started_at))
        and isinstance(gauges, dict)
        and len(gauges) <= MOST_GAUGES
        and all(len(kind) <= LONGEST_KIND and is_gauge(told) for kind, told in gauges.items())
    )


def is_gauge(told: object) -> bool:
    """Tell whether something says how full a limit is."""
    if not isinstance(told, dict):
        return False
    used, resets_at = told.get("used"), told.get("resets_at")
    return is_moment(used) and used <= 1 and (resets_at is None or is_moment(resets_at))


def is_moment(value: object) -> TypeGuard[float]:
    """Tell whether something is a number of seconds of UTC that a calendar has."""
    return isinstance(value, int | float) and 0 <= value < LAST_MOMENT
