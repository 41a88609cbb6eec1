"""Adopting orphans: for ``nova`` only, whose process is its own, never for a host program of the library (G54).

A process whose parent dies becomes the child of its nearest ancestor that is a subreaper, or of PID 1. So whatever an
agent's daemon does to its session and its environment, it stays below us, and we find it. The price is that we must
reap those orphans, and must never reap anyone else: an exit code that asyncio or ``subprocess`` waits for would be
lost, and a success would become a failure.
"""

import os
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from nova_async._core.after_fork import Step, in_child
from nova_async.process.cookie import supervisor_id, workers_of
from nova_async.process.kinship import ProcessEntry
from nova_async.process.table import TABLE

__all__ = ["Start", "begin", "claims", "left_alone", "look_again", "looking_after", "may_be_adopted", "note_family",
           "orphans", "reap", "reaped", "starting"]  # fmt: skip

PR_SET_CHILD_SUBREAPER = 36
SELDOM = 1.0  # seconds between two looks that only an agent's output has asked for


class Claimant(Protocol):
    """What is needed of a family here."""

    since: float
    """No member can be older; in the table's units."""

    def leader_runs(self) -> bool:
        """Tell whether its leader has not exited."""
        ...

    def knows(self, entry: ProcessEntry) -> bool:
        """Tell whether it needs no further proof that this is a member."""
        ...


class Start:
    """A start under way. ``since`` is before the new process is born, in the table's units."""

    def __init__(self, since: float) -> None:
        self.since = since

    def of(self, pid: int) -> None:
        """Note who was started: a child of ours that somebody here waits for; until `reaped`."""
        _own.add(pid)


_active = False
_starts: set[Start] = set()
_own: set[int] = set()  # children that code of ours waits for
_families: "weakref.WeakSet[Claimant]" = weakref.WeakSet()
_left_alone = float("inf")  # orphans born since then may belong to a family that was allowed to live on
_look_after: Callable[[float], object] | None = None
_latest_look = 0.0  # on the monotonic clock; one that is put off is in the future
_in_doubt = False  # whether `reap` has left someone for the end of a start


def begin() -> bool:
    """Adopt orphans from now on; return whether this system lets us. PID 1 adopts them anyway."""
    global _active
    _active = os.getpid() == 1 or _become_subreaper()
    return _active


def _become_subreaper() -> bool:
    if sys.platform != "linux":
        return False
    import ctypes  # 3 ms: not for the library

    return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


@contextmanager
def starting() -> Iterator[Start]:
    """Enclose the start of a process with a session of its own; tell the ``Start`` its pid before leaving."""
    start = Start(TABLE.now())
    _starts.add(start)
    try:
        yield start
    finally:
        _starts.discard(start)
        if _in_doubt and _look_after is not None:
            _look_after(0.0)


def reaped(pid: int) -> None:
    """Note that a child of ours has been reaped by the code that waits for it."""
    _own.discard(pid)


def note_family(family: Claimant) -> None:
    """Note a family that orphans may belong to."""
    _families.add(family)


def left_alone(family: Claimant) -> None:
    """Note that this family may live on: whichever orphan may be one of its members is nobody's to end."""
    global _left_alone
    _left_alone = min(_left_alone, family.since)


def claims(family: Claimant, entry: ProcessEntry, path_of: Callable[[int], str | None]) -> bool:
    """Tell whether an adopted orphan belongs to this family although nothing about the orphan says so.

    Its family is one of those that lived when it was born. It belongs to ``family`` once the leaders of all others of
    these have exited: while one of them runs, it may be at work for that one. Each family looks again after its own
    leader's exit, so the last of them always claims it. A start under way is a family to be.
    """
    if not _active or entry.parent != os.getpid() or not family.since <= entry.start_time < _left_alone:
        return False
    # Starts first: one that has ended since has put its pid among ours.
    if any(start.since <= entry.start_time for start in list(_starts)) or not _is_adopted(entry.pid, entry.session):
        return False
    if workers_of(path_of(entry.pid), supervisor_id()) or TABLE.has_opted_out(entry.pid):
        return False  # another family's, by its cookie; or meant to live on
    others = [other for other in list(_families) if other is not family]
    return not any(other.knows(entry) or (other.since <= entry.start_time and other.leader_runs()) for other in others)


def may_be_adopted(pid: int) -> bool:
    """Tell whether a child of ours may be an orphan that we have adopted; ``claims`` decides."""
    return _active and pid not in _own


def orphans(since: float) -> list[ProcessEntry]:
    """Return the living orphans born at or after ``since`` that we have adopted and may end; cheap if there are none.

    Those with a cookie of ours are left out: by that, everyone can find them.
    """
    if not _active:
        return []
    looks = (TABLE.look(pid) for pid in TABLE.adopted_by(os.getpid()) if pid not in _own)
    entries = [entry for entry in looks if entry is not None and entry.alive and entry.parent == os.getpid()]
    newborn = min((start.since for start in list(_starts)), default=_left_alone)  # as in `claims`
    return [
        entry
        for entry in entries
        if since <= entry.start_time < min(newborn, _left_alone)
        and _is_adopted(entry.pid, entry.session)
        and not workers_of(TABLE.path_of(entry.pid), supervisor_id())
        and not TABLE.has_opted_out(entry.pid)
    ]


def reap() -> None:
    """Reap the adopted orphans that have exited, and nobody else.

    ``waitpid(-1)`` would take the exit codes of those that others here wait for. What can be reaped without doubt:

    - A child is born into its parent's session, and can only leave it for a session of its own, whose number is its own
      pid. So a child of ours in a third session was not started by us.
    - One that leads a session may be an agent or the guard, which we start so. Those are in ``_own`` before their start
      is over. So without a start under way, one that is not in ``_own`` is an orphan. With one, we look again after it.
    """
    global _in_doubt
    if not _active:
        return
    _in_doubt = False
    for pid in TABLE.adopted_by(os.getpid()):
        if pid in _own:
            continue
        with suppress(ChildProcessError, ProcessLookupError):  # somebody else has reaped it meanwhile
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            session = os.getsid(pid)
            if session == pid and _starts:
                _in_doubt = True
            elif _is_adopted(pid, session):
                os.waitpid(pid, os.WNOHANG)


@contextmanager
def looking_after(look: Callable[[float], object]) -> Iterator[None]:
    """Have this called, from any thread, when a look at our orphans is due in so many seconds although none exits."""
    global _look_after
    _look_after = look
    try:
        yield
    finally:
        _look_after = None


def look_again() -> None:
    """Have the orphans looked at soon: if they were a moment ago, a second after that, once for all who ask."""
    global _latest_look
    now = time.monotonic()
    if _look_after is not None and now >= _latest_look:
        _latest_look = max(now, _latest_look + SELDOM)
        _look_after(_latest_look - now)


def _is_adopted(pid: int, session: int) -> bool:
    """Tell an orphan from a child that was started here, unless a start is under way."""
    return session != os.getsid(0) and pid not in _own


def _start_over_after_fork() -> None:
    """Adopt nobody in a forked child, which is no subreaper and has no children."""
    global _active, _left_alone, _look_after, _in_doubt
    _active, _left_alone, _look_after, _in_doubt = False, float("inf"), None, False
    _starts.clear()
    _own.clear()
    _families.clear()


in_child(Step.ADOPTION, _start_over_after_fork)
