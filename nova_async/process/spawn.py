"""Starting a child: in a session of its own, its output in a pipe of our own; a start that fails leaves nothing."""

import asyncio
import errno
import os
import subprocess
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

from nova_async._core.after_fork import Step, in_child
from nova_async.process import adoption, at_exit, orphan_guard
from nova_async.process.asyncio_process import Started, created, has_exited, pid_of, transport_in
from nova_async.process.birth import give_descriptor_limit
from nova_async.process.child import Child, Pipes
from nova_async.process.command import resolve
from nova_async.process.cookie import COOKIE_VARIABLE, new_cookie, start_over_after_fork
from nova_async.process.family import Family
from nova_async.process.table import TABLE

__all__ = ["DEVNULL", "spawn"]

DEVNULL = subprocess.DEVNULL
SPAWNS_AT_ONCE = 4  # each stops the loop until the new program has begun, so others get their turn in between (G20)
TEARDOWN_PATIENCE = 0.25  # seconds for a spawn that was cut off; see `_outlast`

T = TypeVar("T")

_turns: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = weakref.WeakKeyDictionary()
_turns_lock = threading.Lock()


class Program(NamedTuple):
    """What is to run: the file, the words of its command line, where, in which environment, with which input."""

    file: str
    words: list[str]
    cwd: str | os.PathLike[str] | None
    env: Mapping[str, str]
    stdin: int


class Newborn(NamedTuple):
    """What is known of a family before its leader is started; see ``Family``."""

    cookie: str
    born: float
    since: float


async def spawn(
    command: Sequence[str],
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str],
    stdin: int = DEVNULL,
    errors_apart: bool = False,
    kept: bool = False,
    file: str | None = None,
) -> Child:
    """Start a command as the leader of a new family.

    If it is cancelled, at any moment, it leaves nothing behind: no process, no descriptor, no task.

    The child sees the program's name as it is written in ``command``. It starts in ``cwd``, by default ours. ``env`` is
    its complete environment; the family cookie is added. ``stdin`` is a descriptor or ``DEVNULL``; never a pipe that
    nobody closes (G38). Standard error shares the pipe of standard output, which keeps their order, unless
    ``errors_apart`` gives it one of its own. ``kept`` puts a keeper before it, which then is the leader. ``file`` is
    the program's own path where ``resolve`` has found it already.

    Raises ``OSError``, ``TypeError`` and ``ValueError`` as ``resolve`` does, and the system's own error if the start
    itself fails. ``OSError`` as well if the command runs and asyncio cannot watch it: it is killed then.
    """
    if stdin == subprocess.PIPE:
        raise ValueError("stdin must be a descriptor or DEVNULL: agents wait forever on a pipe that nobody closes")
    env = dict(env)  # a copy, because we wait; and os.environ is slow to read twice
    if file is None:
        file = resolve(command, cwd=cwd, env=env)[0]
    program = Program(file, [os.fsdecode(word) for word in command], cwd, env, stdin)
    async with _turn():
        # A task of its own: asyncio's spawn may not be cut off half-way (G18).
        starting = asyncio.create_task(_start(program, errors_apart, kept), name=f"spawn {program.words[0]}")
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await _outlast(starting)
            if not starting.cancelled() and starting.exception() is None:
                await _end(starting.result())
            raise


async def _end(child: Child) -> None:
    """End a child that nobody wants any more, however often we are cancelled meanwhile."""
    child.close_output()  # first, because an end takes descriptors
    ending = asyncio.create_task(child.family.kill(), name=f"end {child.pid}")
    await _outlast(ending)
    # With every other task of a loop that is being torn down, or no look at the processes was possible.
    if ending.cancelled() or ending.exception() is not None:
        child.family.kill_now()


async def _start(program: Program, errors_apart: bool, kept: bool) -> Child:
    orphan_guard.ensure()
    newborn = Newborn(new_cookie(), time.monotonic(), TABLE.now())
    at_exit.expect(newborn.cookie)
    pipes = process = None
    try:
        pipes = Pipes(errors_apart=errors_apart, kept=kept)
        with adoption.starting() as start:
            process = await _create(program, newborn.cookie, pipes)
            start.of(process.pid)
        give_descriptor_limit(process.pid)
        return _supervise(process, newborn, pipes)
    except BaseException as error:
        if pipes is not None:
            pipes.close()  # first, because an end takes descriptors
        started = process or transport_in(error)
        if started is not None or isinstance(error, asyncio.CancelledError):
            _end_started(started, newborn)
        at_exit.forget(newborn.cookie)
        if started is not None and isinstance(error, Exception):
            raise _not_supervised(error) from error
        raise


async def _create(program: Program, cookie: str, pipes: Pipes) -> asyncio.subprocess.Process:
    """Start the process itself, or a keeper that starts it."""
    assert pipes.output is not None
    file, words, keeper = program.file, program.words, pipes.keeper
    if keeper is not None:
        file, *_ = words = keeper.command(file, words)
    return await created(
        asyncio.create_subprocess_exec(
            *words,
            executable=file,
            stdin=program.stdin,
            stdout=pipes.output.write_end,
            stderr=(pipes.errors or pipes.output).write_end,
            cwd=program.cwd,
            env={**program.env, COOKIE_VARIABLE: cookie},
            start_new_session=True,
            close_fds=True,
            pass_fds=() if keeper is None else (keeper.passed_on,),
        )
    )


def _supervise(leader: asyncio.subprocess.Process, newborn: Newborn, pipes: Pipes) -> Child:
    """Make the family of a process that runs known to all that may have to end it."""
    pipes.close_ends_of_child()
    keeper = pipes.keeper

    async def leader_exit() -> None:
        await leader.wait()
        adoption.reaped(leader.pid)
        if keeper is not None:
            family.note(keeper.last_words())

    family = Family(
        leader.pid, **newborn._asdict(), leader_exit=leader_exit, leader_runs=lambda: not has_exited(leader)
    )
    adoption.note_family(family)
    at_exit.register(family)
    orphan_guard.watch_over(family.guard_notes)
    return Child(leader, newborn.cookie, pipes, family)


def _end_started(started: Started | None, newborn: Newborn) -> None:
    """Kill and reap what a start that failed has left running.

    None is a start that was cancelled with its whole loop: asyncio has killed the leader, but it may have had children.
    """
    pid = 0 if started is None else pid_of(started)
    Family(pid, **newborn._asdict()).kill_now()
    orphan_guard.forget(newborn.cookie)
    adoption.reaped(pid)
    if isinstance(started, asyncio.SubprocessTransport):
        started.close()  # reaps it


def _not_supervised(error: Exception) -> OSError:
    """Say that a command has run, and why it was killed at once."""
    number = error.errno if isinstance(error, OSError) else errno.EAGAIN  # a RuntimeError: there is no thread left
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return OSError(number, f"it was started, but could not be supervised, and was killed ({reason})")


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
