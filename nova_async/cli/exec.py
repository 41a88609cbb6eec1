"""``nova exec``: one supervised command."""

import asyncio
import os
import re
import select
import shlex
import sys
import time
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import typer

from nova_async.cascade.values import parse_duration
from nova_async.cli.process_wide import prepare_process
from nova_async.cli.signals import Interruption, exit_code_of, listen
from nova_async.cli.summary import write_json, write_summary
from nova_async.process.child import resolve
from nova_async.status import WorkerEnd
from nova_async.worker.async_worker import AsyncWorker
from nova_async.worker.disk_threads import DISK_THREADS
from nova_async.worker.limits import Limits

__all__ = ["Execution", "run"]

BAD_INPUT, LIMIT_REACHED, NOT_EXECUTABLE, NOT_FOUND = 2, 124, 126, 127  # as env(1), timeout(1) and the shells have it

OUR_LIMITS = {
    WorkerEnd.TIMED_OUT,
    WorkerEnd.STALLED,
    WorkerEnd.OVER_BUDGET,
    WorkerEnd.OUT_OF_MEMORY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What to run and how, checked."""

    command: list[str]
    cwd: str | None
    stdin: bytes | None
    grace: float
    quiet: bool
    json: bool
    worker: AsyncWorker

    @classmethod
    def from_options(
        cls,
        *,
        command: list[str],
        task: str | None,
        agent: str | None,
        log_dir: str,
        cwd: str | None,
        stdin: str | None,
        timeout: str | None,
        idle_timeout: str | None,
        linger: str | None,
        max_tokens: int | None,
        max_cost: float | None,
        grace: str,
        leftovers: Literal["kill", "leave"],
        quiet: bool,
        json: bool,
    ) -> Self:
        """Check the command line's options; what is wrong with them ends the command with exit code 2."""
        try:
            limits = Limits(
                timeout=seconds("--timeout", timeout),
                idle_timeout=seconds("--idle-timeout", idle_timeout),
                linger=seconds("--linger", linger),
                max_tokens=max_tokens,
                max_cost_usd=max_cost,
            )
            worker = AsyncWorker(
                task or made_up_id(command),
                shlex.join(command),
                log_dir=log_dir,
                agent=agent,
                limits=limits,
                leftovers=leftovers,
            )
            return cls(
                command=command,
                cwd=cwd,
                stdin=read_stdin(stdin),
                grace=seconds("--grace", grace) or 0.0,
                quiet=quiet,
                json=json,
                worker=worker,
            )
        except (ValueError, OSError) as error:
            raise typer.BadParameter(str(error)) from error


def run(execution: Execution) -> int:
    """Run the command to its end, write the summary, and return the exit code."""
    prepare_process()
    return asyncio.run(supervise(execution))


async def supervise(execution: Execution) -> int:
    """Start, show, wait, sum up."""
    worker = execution.worker
    endings: set[asyncio.Task[None]] = set()

    def end(grace: float) -> None:
        endings.add(asyncio.get_running_loop().create_task(worker.terminate(grace)))

    def ask() -> None:
        if sys.stderr.isatty():
            complain(f"stopping {worker.task_id}; once more kills it at once")
        end(execution.grace)

    interruption = Interruption(once=ask, twice=lambda: end(0.0))
    with listen(interruption):
        try:
            program = resolve(execution.command, cwd=execution.cwd, env=os.environ)[0]
        except (OSError, ValueError) as error:
            complain(f"cannot run {describe_failure(execution.command[0], error)}")
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        try:
            await worker.start(execution.command, cwd=execution.cwd, stdin=execution.stdin)
        except OSError as error:
            complain(f"cannot run {describe_failure(execution.command[0], error)}")
            if error.filename != program:
                return BAD_INPUT  # it is the log, or the system, that refuses
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        if not execution.quiet and sys.stdout is not None:  # None: closed by whoever started us
            await show_output(worker)
        exit_code = await worker.wait()
        if endings:
            await asyncio.wait(endings)
    with suppress(OSError):
        (write_json if execution.json else write_summary)(worker)
    if interruption.signal is not None:
        return exit_code_of(interruption.signal)
    if worker.end in OUR_LIMITS:
        return LIMIT_REACHED
    if worker.end is WorkerEnd.LINGERED:
        return 0 if worker.error is None else 1
    return exit_code if exit_code >= 0 else exit_code_of(-exit_code)


async def show_output(worker: AsyncWorker) -> None:
    """Pass the output on as it is logged; when nobody reads ours any more, the work goes on unseen."""
    loop = asyncio.get_running_loop()
    sys.stdout.flush()
    async with aclosing(worker.output()) as output:
        async for chunk in output:
            try:
                await loop.run_in_executor(DISK_THREADS, write_all, chunk)
            except OSError as error:
                complain(f"output is no longer shown ({error.strerror}); it is still logged in {worker.log_path}")
                # What Python would flush at exit must not fail there.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return


def write_all(chunk: bytes) -> None:
    """Write a chunk to standard output, however slowly it is read."""
    left = memoryview(chunk)
    while left:
        try:
            left = left[os.write(sys.stdout.fileno(), left) :]
        except BlockingIOError:  # whoever shares it with us (Node does so) made it non-blocking
            select.select([], [sys.stdout], [])


def complain(text: str) -> None:
    """Say on stderr what the person should know; if nobody listens there, the work goes on all the same."""
    with suppress(OSError):
        typer.echo(f"nova: {text}", err=True)


def describe_failure(program: str, error: OSError | ValueError) -> str:
    """Say what the system said, and of which file, if that is not the program itself."""
    if not isinstance(error, OSError):
        return f"{program}: {error}"
    where = f" ({error.filename})" if error.filename and os.fspath(error.filename) != program else ""
    return f"{program}: {error.strerror or error}{where}"


def made_up_id(command: list[str]) -> str:
    """Make an id for a command that was given none: what it is, when, and a number that nobody else has."""
    program = re.sub(r"[^A-Za-z0-9]+", "-", Path(command[0]).name).strip("-")[:40] or "command"
    return f"{program}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def read_stdin(source: str | None) -> bytes | None:
    """Read what the command shall read: a file, our own input for ``-``, or nothing."""
    if source is None:
        return None
    if source != "-":
        return Path(source).read_bytes()
    return sys.stdin.buffer.read() if sys.stdin is not None else b""  # None: closed by whoever started us


def seconds(option: str, text: str | None) -> float | None:
    """Read a duration such as ``90``, ``30m`` or ``1h30m``, in seconds.

    Raises ``ValueError`` if it is none.
    """
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
