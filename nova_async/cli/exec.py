"""``nova exec``: one supervised command."""

import asyncio
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from nova_async._core.threads import DISK_THREADS
from nova_async.agents import AGENTS, recognise
from nova_async.agents.agent import Agent
from nova_async.cascade.values import (
    parse_duration,
    parse_limit_duration,
    parse_money,
    parse_size,
    whole_number,
)
from nova_async.cli.exec_pty import in_a_terminal, our_keyboard
from nova_async.cli.exec_stdin import input_of
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.ink import is_terminal
from nova_async.cli.options import REDACT, argument, command_of, flag, option
from nova_async.cli.places import LOG_DIR
from nova_async.cli.process_wide import adopting_orphans, prepare_process
from nova_async.cli.redacting import warn_of_no_effect
from nova_async.cli.say import stop_writing_to, tell, write_all
from nova_async.cli.signals import Interruption, Suspension, exit_code_of, listen
from nova_async.cli.summary import write_json, write_summary
from nova_async.prices import Prices
from nova_async.process.command import resolve
from nova_async.words import Leftovers, WorkerEnd
from nova_async.worker.async_worker import AsyncWorker
from nova_async.worker.limits import Limits
from nova_async.worker.published_prices import PUBLISHED

Value = TypeVar("Value")

if TYPE_CHECKING:
    from nova_async.cli.rendered import Rendered

__all__ = ["command"]

LIMIT_REACHED, NOT_EXECUTABLE, NOT_FOUND = 124, 126, 127  # as env(1), timeout(1) and the shells have it

ABOVE_NOTHING = "a budget must be above 0"
OUR_LIMITS = {
    WorkerEnd.TIMED_OUT,
    WorkerEnd.STALLED,
    WorkerEnd.OVER_BUDGET,
    WorkerEnd.OUT_OF_MEMORY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    command: tuple[str, ...] = argument("[--] COMMAND…", nargs=-1)
    task: str | None = option(metavar="ID", help="Task id, which names the log; generated if omitted.")
    agent: str | None = option(
        metavar="AGENT", help="Agent whose output format to read, if not recognised from the program (see nova agents)."
    )
    log_dir: str = option(metavar="DIR", default=LOG_DIR, help="Folder for the log (TASK.log).")
    cwd: str | None = option(metavar="DIR", help="Folder to run the command in.")
    stdin: str | None = option(
        metavar="FILE",
        show_default="nova's own, if it is a file or a pipe",
        help="What the command reads; '-' passes on nova's own standard input.",
    )
    no_stdin: bool = flag(help="Give the command no input.")
    timeout: str | None = option(metavar="TIME", help="End it after this long: 90s, 30m, 1h30m.")
    idle_timeout: str | None = option(metavar="TIME", help="End it after this long without output.")
    linger: str | None = option(
        metavar="TIME", help="End it if still running this long after the agent's final result."
    )
    max_memory: str | None = option(
        metavar="SIZE", help="End it once it and all that it has started use more memory than this: 4GiB, 500MB."
    )
    max_tokens: str | None = option(metavar="N", help="End it once it has used more than this many tokens.")
    max_cost: str | None = option(
        metavar="USD", help="End it once it has cost more than this, as the agent reports it or by estimate."
    )
    grace: str = option(metavar="TIME", default="5s", help="Time between SIGTERM and SIGKILL.")
    leftovers: Literal["kill", "leave"] = option(
        type=click.Choice([word.value for word in Leftovers]),
        default="kill",
        help="What to do with processes that outlive the command.",
    )
    redact: tuple[str, ...] = option(multiple=True, default=(), metavar="NAME", help=REDACT)
    pty: bool = flag(help="Give the command a terminal, for colours, progress bars and questions; your keys go to it.")
    no_output: bool = flag(help="Log the output, but do not show it.")
    raw: bool = flag(help="Pass an agent's events through unchanged, on a terminal too.")
    quiet: bool = flag("--quiet", "-q", help="From nova itself, print errors only: no summary, no notes.")
    json: bool = flag(help="Write the summary as one line of JSON (on stderr).")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What to run and how, checked."""

    options: Options
    worker: AsyncWorker
    agent: Agent
    grace: float


def checked(options: Options) -> Execution:
    """Check what the command line says; what is wrong with it ends the command with exit code 2."""
    try:
        limits = Limits(
            timeout=limit("--timeout", options.timeout, parse_limit_duration),
            idle_timeout=limit("--idle-timeout", options.idle_timeout, parse_limit_duration),
            linger=limit("--linger", options.linger, parse_limit_duration),
            max_memory=limit("--max-memory", options.max_memory, parse_size),
            max_tokens=limit("--max-tokens", options.max_tokens, whole_number(1, ABOVE_NOTHING)),
            max_cost_usd=limit("--max-cost", options.max_cost, parse_money),
        )
        worker = AsyncWorker(
            options.task or made_up_id(options.command),
            shlex.join(options.command),
            log_dir=options.log_dir,
            agent=recognise(options.command).name if options.pty and options.agent is None else options.agent,
            limits=limits,
            leftovers=options.leftovers,
            redact=options.redact,
            prices=Prices(),
        )
        grace = limit("--grace", options.grace, parse_duration) or 0.0
        if options.no_stdin and options.stdin is not None:
            raise ValueError("--stdin and --no-stdin cannot be used together")
        agent = recognise(options.command) if options.agent is None else AGENTS[options.agent]
        if options.redact and not options.quiet:
            warn_of_no_effect(options.redact, os.environ)
        return Execution(options=options, worker=worker, agent=agent, grace=grace)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error


def run(options: Options) -> int:
    """Run one command as a supervised worker: its output is passed through, logged and counted.

    The exit code is the command's own; 127 if it was not found, 126 if it cannot be executed, 128+n if signal n ended
    it, 124 if a limit ended it, 2 for bad input, and 130, 143 or 129 if nova itself got Ctrl-C, SIGTERM or SIGHUP.
    """
    execution = checked(options)
    prepare_process(1)
    try:
        stdin = stdin_for(execution)
    except OSError as error:
        raise click.UsageError(f"--stdin: {error}") from error
    try:
        return asyncio.run(supervise(execution, stdin))
    finally:
        if options.stdin not in (None, "-"):
            os.close(stdin)


def stdin_for(execution: Execution) -> int:
    """Return the descriptor that the command reads, or that is typed into its terminal. Raises ``OSError``."""
    options = execution.options
    if options.no_stdin:
        return DEVNULL
    return input_of("-" if options.pty and options.stdin is None else options.stdin, execution.agent)


async def supervise(execution: Execution, stdin: int) -> int:
    """Start, show, wait, sum up."""
    worker, options = execution.worker, execution.options
    endings: set[asyncio.Task[None]] = set()

    def end(grace: float) -> None:
        endings.add(asyncio.get_running_loop().create_task(worker.terminate(grace)))

    def ask() -> None:
        if is_terminal(sys.stderr) and not options.quiet:
            tell(f"stopping {worker.task_id}; press Ctrl-C again to kill it")
        end(execution.grace)

    def resized() -> None:
        if worker.pid is not None and worker.is_alive():
            os.kill(worker.pid, signal.SIGWINCH)

    warned: str | None = None

    def warn() -> None:
        nonlocal warned
        before, warned = warned, worker.warning
        if warned is not None and warned != before and not (options.quiet or options.json):
            tell(warned)

    worker.on_change = warn
    interruption = Interruption(once=ask, twice=lambda: end(0.0))
    keyboard = our_keyboard(resized) if options.pty else nullcontext()
    suspension = Suspension(worker.suspend, worker.resume)
    with adopting_orphans(), listen(interruption, suspension.handlers), keyboard as restore:
        interruption.leaving = restore or interruption.leaving
        if (refused := await begin(execution, stdin)) is not None:
            return refused
        if not options.no_output and sys.stdout is not None:  # None: closed by our parent
            await show_output(worker, writer_for(execution))
        exit_code = await worker.wait()
        if endings:
            await asyncio.wait(endings)
        if worker.report.usage.total and worker.report.cost_usd is None and not PUBLISHED.is_settled:
            await asyncio.get_running_loop().run_in_executor(DISK_THREADS, PUBLISHED.read)
    if options.json or not options.quiet:
        (write_json if options.json else write_summary)(worker)
    if interruption.signal is not None:
        return exit_code_of(interruption.signal)
    if worker.end in OUR_LIMITS:
        return LIMIT_REACHED
    if worker.end is WorkerEnd.LINGERED:
        return 0 if worker.error is None else 1
    return exit_code if exit_code >= 0 else exit_code_of(-exit_code)


async def begin(execution: Execution, stdin: int) -> int | None:
    """Start the command; where that fails, say why and return the exit code."""
    worker, options = execution.worker, execution.options
    try:
        program = resolve(options.command, cwd=options.cwd, env=os.environ)[0]
    except (OSError, ValueError) as error:
        return refuse(options.command[0], error)
    try:
        command = in_a_terminal(program, options.command) if options.pty else options.command
        await worker.start(command, cwd=options.cwd, stdin=stdin)
    except OSError as error:
        from nova_async.attempt.ends import is_about  # seldom needed

        if is_about(error, worker.log_path):
            tell(f"cannot open the log {worker.log_path}: {error.strerror or error}")
            return BAD_INPUT
        exit_code = refuse(options.command[0], error)
        return exit_code if error.filename == program else BAD_INPUT  # else it is the system that refuses
    return None


def refuse(program: str, error: OSError | ValueError) -> int:
    """Say why a program cannot be run, and return the exit code that means so."""
    tell(f"cannot run {describe_failure(program, error)}")
    return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE


async def show_output(worker: AsyncWorker, output: "Rendered | None") -> None:
    """Pass the output on as it is logged; when nobody reads ours any more, the work goes on unseen."""
    loop = asyncio.get_running_loop()
    sys.stdout.flush()
    write = partial(write_all, sys.stdout.fileno()) if output is None else output.write
    try:
        async with aclosing(worker.output()) as chunks:
            async for chunk in chunks:
                await loop.run_in_executor(DISK_THREADS, write, chunk)
        if output is not None:
            await loop.run_in_executor(DISK_THREADS, partial(output.end, is_over=True))
    except OSError as error:
        log = worker.log_ref.path if worker.log_ref else worker.log_path
        tell(f"output is no longer shown ({error.strerror}); it is still logged in {log}")
        stop_writing_to(sys.stdout)


def writer_for(execution: Execution) -> "Rendered | None":
    """Return what renders an agent's output for a person; None where the bytes are passed on as they are."""
    agent, options = execution.agent, execution.options
    if options.raw or options.pty or not agent.program or not is_terminal(sys.stdout):
        return None
    from nova_async.cli.rendered import Rendered  # not for a pipe

    # A script around an agent has options of its own.
    mode = agent.mode_of(options.command) if recognise(options.command) is agent else None
    return Rendered(sys.stdout, agent.name, mode)


def describe_failure(program: str, error: OSError | ValueError) -> str:
    """Say what the system said, and of which file, if that is not the program itself."""
    if not isinstance(error, OSError):
        return f"{program}: {error}"
    where = f" ({error.filename})" if error.filename and os.fspath(error.filename) != program else ""
    return f"{program}: {error.strerror or error}{where}"


def made_up_id(command: Sequence[str]) -> str:
    """Make an id for a command that was given none: what it is, when, and a number that nobody else has."""
    program = re.sub(r"[^A-Za-z0-9]+", "-", Path(command[0]).name).strip("-")[:40] or "command"
    return f"{program}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def limit(name: str, text: str | None, read: Callable[[str], Value]) -> Value | None:
    """Read a limit as a plan has it: ``30m``, ``4GiB``, ``$4.50``; None where there is none, or ``off``.

    Raises ``ValueError`` where it cannot be read.
    """
    if text is None or text.strip().casefold() == "off":
        return None
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


command = command_of(Options, run, allow_interspersed_args=False)
