"""A process as asyncio starts it: found where asyncio loses it, and asked whether it has exited."""

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

from nova_async.process.birth import Unblocked

__all__ = ["EXIT_UNKNOWN", "Started", "Vanished", "created", "has_exited", "pid_of", "transport_in"]

EXIT_UNKNOWN = 255  # what asyncio says of a child that it could not wait for

Started = asyncio.subprocess.Process | asyncio.SubprocessTransport  # the latter where asyncio gave us no process


class Vanished(asyncio.subprocess.Process):
    """A process that had exited, and been reaped by others, before asyncio could watch it."""


async def created(creating: Coroutine[Any, Any, asyncio.subprocess.Process]) -> asyncio.subprocess.Process:
    """Start the process; one that asyncio's watcher does not find any more has run all the same (G23)."""
    try:
        return await Unblocked(creating)
    except ProcessLookupError as error:
        transport: Any = transport_in(error)
        if transport is None:
            raise
        transport._process_exited(EXIT_UNKNOWN)  # as the watcher does that comes too late
        return Vanished(transport, transport.get_protocol(), asyncio.get_running_loop())


def transport_in(error: BaseException) -> asyncio.SubprocessTransport | None:
    """Return what asyncio had started when this happened to it, None if it had started nothing.

    It forgets a child that its watcher refuses (no thread, pidfd or descriptor left, a sandbox): no argument and no
    attribute leads to it any more, only the variables of the functions that the exception came from.
    """
    trace = error.__traceback__
    while trace is not None:
        for value in trace.tb_frame.f_locals.values():
            if isinstance(value, asyncio.SubprocessTransport) and value.get_pid() is not None:  # else it never ran
                return value
        trace = trace.tb_next
    return None


def pid_of(started: Started) -> int:
    """Return the pid of what was started; 0 if asyncio does not know it."""
    return (started.get_pid() if isinstance(started, asyncio.SubprocessTransport) else started.pid) or 0


def has_exited(process: asyncio.subprocess.Process) -> bool:
    """Ask the kernel whether it has exited, without reaping it; the loop may not know yet."""
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return False
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # somebody has reaped it
        return True
