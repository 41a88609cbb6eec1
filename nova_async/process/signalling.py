"""Signals and waiting by identity, never by a bare pid: the number may belong to a stranger by now (G14).

Shared with the orphan guard, so it imports nothing that the guard would have to load.
"""

import os
import select
import time

from nova_async.process.kinship import same_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable

    from nova_async.process.sight import Sight
    from nova_async.process.table import Identity
else:
    try:
        import _signal as signal  # the C half of signal; the other half loads enum, which costs the guard 8 ms
    except ImportError:
        import signal

__all__ = ["is_still", "open_pidfd", "send_signal", "signal", "wait_for_exits", "with_continue"]

SHORTEST_PAUSE, LONGEST_PAUSE = 0.002, 0.1  # seconds between looks where the system has no pidfd


def open_pidfd(pid: int) -> int | None:
    """Return a pidfd of that process, or None where the system cannot provide one.

    Raises ``ProcessLookupError`` if there is no such process.
    """
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except (AttributeError, OSError):  # macOS, an old kernel, a sandbox, or no descriptor left
        return None


def is_still(table: "Sight", who: "Identity") -> bool:
    """Tell whether that very process is alive."""
    entry = table.look(who.pid)
    return entry is not None and entry.alive and same_start(entry.start_time, who.start_time)


def with_continue(sig: int) -> list[int]:
    """Return the signal, followed by SIGCONT if a stopped process would otherwise never notice it (G49)."""
    lone = (0, signal.SIGKILL, signal.SIGCONT, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
    return [sig] if sig in lone else [sig, signal.SIGCONT]


def send_signal(table: "Sight", who: "Identity", sig: int) -> bool:
    """Signal that very process, or by a negative pid that group, if it still exists; never init and never ourselves.

    Returns False if it exists and the system does not let us: it is another user's.
    """
    if who.pid in (-1, 0, 1, os.getpid(), -os.getpgrp()):
        return True
    try:
        pidfd = open_pidfd(who.pid)
    except ProcessLookupError:
        return True
    try:
        # Only now: the descriptor pins its process, so this check stays true.
        if is_still(table, who):
            for each in with_continue(sig):
                _send(who.pid, pidfd, each)
    except ProcessLookupError:
        pass  # gone meanwhile
    except PermissionError:
        return False
    finally:
        if pidfd is not None:
            os.close(pidfd)
    return True


def _send(pid: int, pidfd: int | None, sig: int) -> None:
    if pidfd is not None:
        try:
            signal.pidfd_send_signal(pidfd, sig)
        except ProcessLookupError:
            raise
        except OSError:  # a sandbox may refuse this call (EPERM, ENOSYS) and allow the older one (G58)
            pass
        else:
            return
    os.kill(pid, sig)


def wait_for_exits(table: "Sight", whom: "Iterable[Identity]", timeout: float) -> None:
    """Block until all of them have exited, or ``timeout`` seconds are over."""
    deadline = time.monotonic() + timeout
    poll = select.poll()
    pidfds: set[int] = set()
    unwatched: list[Identity] = []
    try:
        for who in whom:
            try:
                pidfd = open_pidfd(who.pid)
            except ProcessLookupError:
                continue
            if pidfd is None:
                unwatched.append(who)
            elif is_still(table, who):
                pidfds.add(pidfd)
                poll.register(pidfd, select.POLLIN)
            else:
                os.close(pidfd)
        while pidfds and (left := deadline - time.monotonic()) > 0:
            for pidfd, _ in poll.poll(left * 1000):
                poll.unregister(pidfd)
                pidfds.remove(pidfd)
                os.close(pidfd)
        pause = SHORTEST_PAUSE
        while (unwatched := [who for who in unwatched if is_still(table, who)]) and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
    finally:
        for pidfd in pidfds:
            os.close(pidfd)
