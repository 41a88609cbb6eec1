"""One child process: in a session of its own, its output in a pipe of our own, its exit reported reliably."""

import asyncio
import errno
import os
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from nova_async._core.after_fork import Step, in_child
from nova_async._core.descriptors import clear_of_standard_streams
from nova_async.process import adoption, at_exit, orphan_guard
from nova_async.process.birth import Unblocked, give_descriptor_limit
from nova_async.process.command import resolve
from nova_async.process.cookie import COOKIE_VARIABLE, new_cookie, start_over_after_fork
from nova_async.process.exit_status import exit_code_of_reaped
from nova_async.process.family import Family
from nova_async.process.keeper import Keeper
from nova_async.process.pipes import USUAL, OutputPipe
from nova_async.process.table import TABLE

__all__ = ["DEVNULL", "Child", "resolve", "spawn"]

DEVNULL = subprocess.DEVNULL
SPAWNS_AT_ONCE = 4  # each stops the loop until the new program has begun, so others get their turn in between (G20)
REAPED_BY_OTHERS = 255  # what asyncio says of a child that it could not wait for
TEARDOWN_PATIENCE = 0.25  # seconds for a spawn that was cut off; see `_outlast`

T = TypeVar("T")

_turns: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = weakref.WeakKeyDictionary()
_turns_lock = threading.Lock()


class Child:
    """A started process and its output.

    ``pid`` is that of the leader: the process that was started itself. ``cookie`` is the family path in its
    environment, ``output`` the read end of its stdout, ``errors`` that of its stderr where it has a pipe of its own
    (both non-blocking; -1 once closed), ``family`` the leader and everything that descends from it.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        cookie: str,
        output: OutputPipe,
        errors: OutputPipe | None,
        family: Family,
        keeper: Keeper | None,
    ) -> None:
        self.pid = process.pid
        self.cookie = cookie
        self.family = family
        self._process = process
        self._output = output
        self._errors = errors
        self._keeper = keeper
        self._pidfd = _pidfd_of(process.pid)
        self._exit_code: int | None = None
        self.exit_is_unknown = False  # then the code is 255, and says nothing

    def __repr__(self) -> str:
        return f"<Child {self.pid}, returncode {self.returncode}>"

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None until the loop has learned that the leader has exited."""
        if self._exit_code is None and self._process.returncode is not None:
            self._exit_code = self._true_code(self._process.returncode)
        return self._exit_code

    def _true_code(self, told: int) -> int:
        """Return the code that the process ended with: asyncio says 255 if somebody else has reaped it (G23)."""
        if told != REAPED_BY_OTHERS or (code := exit_code_of_reaped(self._pidfd)) is None:
            # Where SIGCHLD is ignored, the kernel keeps the status of no child.
            lost = isinstance(self._process, Vanished) or signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
            self.exit_is_unknown = told == REAPED_BY_OTHERS and lost
            return told
        return code

    def has_exited(self) -> bool:
        """Ask the kernel whether the leader has exited, of which the loop may not know yet."""
        return _has_exited(self._process)

    async def wait(self) -> int:
        """Wait until the leader has exited and return its code, whatever grandchildren or open pipes remain (G1).

        It may be cancelled, called again, and called concurrently.
        """
        await self.family.leader_exit()
        code = self.returncode
        assert code is not None
        return code

    def reap(self) -> int:
        """Reap the leader, which has been killed, in place of a loop that was closed; return its exit code."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            code = exit_code_of_reaped(self._pidfd)
        else:
            code = os.waitstatus_to_exitcode(status) if pid else None
        code = -signal.SIGKILL if code is None else code
        transport = self._process._transport  # type: ignore[attr-defined]
        transport.get_extra_info("subprocess").returncode = code
        transport.close()  # or it would warn, and close itself by the closed loop
        return code

    @property
    def output(self) -> int:
        """The descriptor of its standard output, and of its standard error if they share a pipe."""
        return self._output.read_end

    @property
    def errors(self) -> int:
        """The descriptor of its standard error; -1 if that shares a pipe with its standard output."""
        return -1 if self._errors is None else self._errors.read_end

    def close_output(self) -> None:
        """Close our ends of its pipes, and what the exit code is asked by; a second call does nothing."""
        self._output.close()
        for pipe in (self._errors, self._keeper):
            if pipe is not None:
                pipe.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


async def spawn(
    command: Sequence[str],
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str],
    stdin: int = DEVNULL,
    errors_apart: bool = False,
    kept: bool = False,
) -> Child:
    """Start a command as the leader of a new family.

    If it is cancelled, at any moment, it leaves nothing behind: no process, no descriptor, no task.

    The child sees the program's name as it is written in ``command``. It starts in ``cwd``, by default ours. ``env`` is
    its complete environment; the family cookie is added. ``stdin`` is a descriptor or ``DEVNULL``; never a pipe that
    nobody closes (G38). Standard error shares the pipe of standard output, which keeps their order, unless
    ``errors_apart`` gives it one of its own. ``kept`` puts a keeper before it, which then is the leader.

    Raises ``OSError``, ``TypeError`` and ``ValueError`` as ``resolve`` does, and the system's own error if the start
    itself fails. ``OSError`` as well if the command runs and asyncio cannot watch it: it is killed then.
    """
    if stdin == subprocess.PIPE:
        raise ValueError("stdin must be a descriptor or DEVNULL: agents wait forever on a pipe that nobody closes")
    env = dict(env)  # a copy, because we wait; and os.environ is slow to read twice
    program, *arguments = resolve(command, cwd=cwd, env=env)
    argv = [os.fsdecode(command[0]), *arguments]
    async with _turn():
        # A task of its own: asyncio's spawn may not be cut off half-way (G18).
        newborn = asyncio.create_task(
            _start(program, argv, cwd, env, stdin, errors_apart, kept), name=f"spawn {argv[0]}"
        )
        try:
            return await asyncio.shield(newborn)
        except asyncio.CancelledError:
            await _outlast(newborn)
            if not newborn.cancelled() and newborn.exception() is None:
                child = newborn.result()
                child.close_output()
                end = asyncio.create_task(child.family.kill(), name=f"end {argv[0]}")
                await _outlast(end)
                if end.cancelled():  # with every other task of a loop that is being torn down
                    child.family.kill_now()
            raise


async def _start(
    program: str,
    argv: list[str],
    cwd: str | os.PathLike[str] | None,
    env: Mapping[str, str],
    stdin: int,
    errors_apart: bool,
    kept: bool,
) -> Child:
    orphan_guard.ensure()
    cookie = new_cookie()
    at_exit.expect(cookie)
    since, born = TABLE.now(), time.monotonic()
    output = errors = keeper = process = None
    try:
        if kept:
            keeper = Keeper()
            argv = keeper.command(program, argv)
            program = argv[0]
        output = OutputPipe()
        # Little is said there, and nothing is lost by waiting for us: the usual size will do.
        errors = OutputPipe(USUAL) if errors_apart else None
        creating = asyncio.create_subprocess_exec(
            *argv,
            executable=program,
            stdin=stdin,
            stdout=output.write_end,
            stderr=(errors or output).write_end,
            cwd=cwd,
            env={**env, COOKIE_VARIABLE: cookie},
            start_new_session=True,
            close_fds=True,
            pass_fds=(keeper.passed_on,) if keeper is not None else (),
        )
        with adoption.starting() as start:
            process = await _created(creating)
            start.of(process.pid)
        give_descriptor_limit(process.pid)
    except BaseException as error:
        for pipe in (output, errors, keeper):
            if pipe is not None:
                pipe.close()
        started = process if process is not None else _transport_in(error)
        if started is not None or isinstance(error, asyncio.CancelledError):
            # After a cancellation of the whole loop asyncio has killed the leader, but it may have had children.
            pid = 0 if started is None else _pid_of(started)
            Family(pid, cookie, born=born, since=since, leader_exit=_nobody).kill_now()
        at_exit.forget(cookie)
        if isinstance(started, asyncio.SubprocessTransport):
            started.close()  # reaps it
        if started is not None and isinstance(error, Exception):
            raise _not_supervised(error) from error
        raise
    for pipe in (output, errors):
        if pipe is not None:
            pipe.close_write_end()
    leader = process

    async def leader_exit() -> None:
        await leader.wait()
        adoption.reaped(leader.pid)
        if keeper is not None:
            family.note(keeper.last_words())

    family = Family(
        leader.pid,
        cookie,
        born=born,
        since=since,
        leader_exit=leader_exit,
        leader_runs=lambda: not _has_exited(leader),
    )
    if keeper is not None:
        keeper.started()
    adoption.note_family(family)
    at_exit.register(family)
    orphan_guard.watch_over(family.guard_notes)
    return Child(leader, cookie, output, errors, family, keeper)


class Vanished(asyncio.subprocess.Process):
    """A process that had exited, and been reaped by others, before asyncio could watch it."""


async def _created(creating: Coroutine[Any, Any, asyncio.subprocess.Process]) -> asyncio.subprocess.Process:
    """Start the process; one that asyncio's watcher does not find any more has run all the same (G23)."""
    try:
        return await Unblocked(creating)
    except ProcessLookupError as error:
        transport: Any = _transport_in(error)
        if transport is None:
            raise
        transport._process_exited(REAPED_BY_OTHERS)  # as the watcher does that comes too late
        return Vanished(transport, transport.get_protocol(), asyncio.get_running_loop())


def _transport_in(error: BaseException) -> asyncio.SubprocessTransport | None:
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


def _pid_of(started: asyncio.SubprocessTransport | asyncio.subprocess.Process) -> int:
    return (started.get_pid() if isinstance(started, asyncio.SubprocessTransport) else started.pid) or 0


def _not_supervised(error: Exception) -> OSError:
    """Say that a command has run, and why it was killed at once."""
    number = error.errno if isinstance(error, OSError) else errno.EAGAIN  # a RuntimeError: there is no thread left
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return OSError(number, f"it was started, but could not be supervised, and was killed ({reason})")


def _has_exited(process: asyncio.subprocess.Process) -> bool:
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return False
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # somebody has reaped it
        return True


def _pidfd_of(pid: int) -> int:
    """Return a descriptor that stands for a child of ours, or -1: by it the kernel knows how the child has ended."""
    try:
        return clear_of_standard_streams(os.pidfd_open(pid))
    except (AttributeError, OSError):  # no pidfds here, no descriptor left, or it has ended and was reaped by others
        return -1


async def _nobody() -> None:
    """Stand in for the exit of an unknown leader."""


def _turn() -> asyncio.Semaphore:
    loop = asyncio.get_running_loop()
    with _turns_lock:
        return _turns.setdefault(loop, asyncio.Semaphore(SPAWNS_AT_ONCE))


async def _outlast(task: "asyncio.Task[T]") -> None:
    """Wait for a task to finish, however often we are cancelled meanwhile.

    If the task itself is cancelled, then every task of the loop is, including one inside asyncio's spawn that its own
    clean-up then waits for in vain (https://github.com/python/cpython/pull/140805): a second cancel ends it.
    """
    while not task.done():
        torn_down = task.cancelling() > 0
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task], timeout=TEARDOWN_PATIENCE if torn_down else None)
            if torn_down:
                task.cancel()


def _start_over_after_fork() -> None:
    """Replace the lock, which another thread may have held at the fork."""
    global _turns_lock
    _turns_lock = threading.Lock()


in_child(Step.SPAWNING, _start_over_after_fork)
in_child(Step.COOKIE, start_over_after_fork)  # here: the cookie is read by the guard, too, which loads nothing else
