"""A process as asyncio starts it: told of its exit, found where asyncio loses it, and asked whether it has exited."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

from nova_async.process.birth import Unblocked

__all__ = ["EXIT_UNKNOWN", "AsyncioProcess", "pid_of", "started", "transport_in"]

EXIT_UNKNOWN = 255  # what asyncio says of a child that it could not wait for


class AsyncioProcess(asyncio.SubprocessProtocol):
    """A started process, without pipes of asyncio's.

    ``asyncio.subprocess.Process`` tells of an exit through a coroutine only, which takes a task and two more turns of
    the loop for each child.
    """

    def __init__(self) -> None:
        self.transport: Any = None  # asyncio has told it before anybody else has this object
        self.has_vanished = False  # before asyncio could watch it: it had exited, and been reaped by others
        self._exited = asyncio.Event()
        self.on_exit: Callable[[], object] | None = None  # called once the loop has learned of it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of what asyncio has started; asyncio calls this, before anything else."""
        self.transport = transport

    @property
    def pid(self) -> int:
        """Its number."""
        return pid_of(self.transport)

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None until the loop has learned that it has exited."""
        code: int | None = self.transport.get_returncode()
        return code

    def process_exited(self) -> None:
        """Tell everybody who wants to know; asyncio calls this."""
        self.transport.close()
        self._exited.set()
        if self.on_exit is not None:
            self.on_exit()

    async def wait(self) -> None:
        """Wait until it has exited. It may be cancelled, called again, and called concurrently."""
        await self._exited.wait()

    def has_exited(self) -> bool:
        """Ask the kernel whether it has exited, without reaping it; the loop may not know yet."""
        if self.returncode is not None:
            return True
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return False
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # somebody has reaped it
            return True


async def started(program: str, *arguments: str, **how: Any) -> AsyncioProcess:
    """Start a process, with what ``loop.subprocess_exec`` takes.

    One that asyncio's watcher does not find any more has run all the same (G23).
    """
    process = AsyncioProcess()
    starting = asyncio.get_running_loop().subprocess_exec(lambda: process, program, *arguments, **how)
    try:
        await Unblocked(starting)
    except ProcessLookupError as error:
        process.transport = transport_in(error)
        if process.transport is None:
            raise
        process.has_vanished = True
        process.transport._process_exited(EXIT_UNKNOWN)  # as the watcher does that comes too late
    return process


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


def pid_of(transport: asyncio.SubprocessTransport) -> int:
    """Return the pid of what was started; 0 if asyncio does not know it."""
    return transport.get_pid() or 0
