"""``nova run``: a whole plan, shown while it runs, and summed up."""

import asyncio
import os
import shlex
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import typer
from rich.console import Console

from nova_async.agents import AGENTS
from nova_async.cascade import Cascade
from nova_async.cascade.diagnostics import did_you_mean
from nova_async.cli.earlier import notes_on_earlier_runs
from nova_async.cli.painter import Painter
from nova_async.cli.plan import read_cascade
from nova_async.cli.process_wide import prepare_process
from nova_async.cli.run_lines import RunLines, RunView
from nova_async.cli.run_summary import write_json_summary, write_run_summary
from nova_async.cli.run_table import RunTable
from nova_async.cli.signals import Interruption, exit_code_of, listen
from nova_async.errors import NovaError
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.orchestrator.views import RunReport

__all__ = ["RunOptions", "run_plan"]

BAD_INPUT = 2
SHORT = 0.2  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line says about a run."""

    path: str
    agent: str | None
    command: str | None
    max_workers: int | None
    log_dir: str
    state_file: str
    journal: str
    retry_failed: bool
    fresh: bool
    json: bool
    plain: bool


def run_plan(options: RunOptions) -> int:
    """Run a plan to its end, and return the exit code."""
    prepare_process()
    cascade = with_command_line(read_cascade(options.path), options)
    if not options.fresh:
        for note in notes_on_earlier_runs(cascade, Path(options.journal)):
            typer.echo(f"nova: {note}", err=True)
    return asyncio.run(supervise(cascade, options))


def with_command_line(cascade: Cascade, options: RunOptions) -> Cascade:
    """Put what the command line says above what is written in the plan.

    Raises:
        typer.BadParameter: no such agent, or no command.

    """
    settings = cascade.settings
    if options.agent is not None:
        # Without a program of its own, an agent needs a command.
        known = [name for name, agent in AGENTS.items() if agent.program or options.command is not None]
        if options.agent not in known:
            guess = did_you_mean(options.agent, known)
            raise typer.BadParameter(f"--agent: {options.agent} is not one of {', '.join(known)}{guess}")
        # Who names an agent wants it, not the plan's command.
        cascade = replace(cascade, settings=replace(settings, command=None)).with_options(agent=options.agent)
    if options.command is not None:
        try:
            words = tuple(shlex.split(options.command))
        except ValueError as error:
            raise typer.BadParameter(f"--command: {error}") from error
        if not words:
            raise typer.BadParameter("--command: it names no program")
        cascade = replace(cascade, settings=replace(cascade.settings, command=words))
        if options.agent is None:  # the program tells whose output it is, whatever the plan was written for
            cascade = without_agents(cascade)
    return cascade


def without_agents(cascade: Cascade) -> Cascade:
    """Forget which agents the plan names."""

    def rest(options: object) -> dict[str, object]:
        return {name: value for name, value in dict(options).items() if name != "agent"}  # type: ignore[call-overload]

    settings = replace(cascade.settings, task_options=rest(cascade.settings.task_options))
    tasks = {task_id: replace(task, written=rest(task.written)) for task_id, task in cascade.tasks.items()}
    return replace(cascade, tasks=tasks, settings=settings).with_options()


async def supervise(cascade: Cascade, options: RunOptions) -> int:
    """Run, show, sum up."""
    painter: Painter | None = None
    report: RunReport | None = None
    problem: NovaError | None = None

    def on_change(task_id: str | None) -> None:
        if painter is not None:
            painter.changed(task_id)

    orchestrator = Orchestrator(
        cascade,
        max_workers=options.max_workers,
        log_dir=options.log_dir,
        state_file=options.state_file,
        journal=options.journal,
        root=Path(options.path).parent,
        retry_failed=options.retry_failed,
        fresh=options.fresh,
        on_change=on_change,
    )
    interruption = Interruption(once=orchestrator.stop, twice=lambda: orchestrator.stop(grace=0.0))
    with ExitStack() as stack:
        stack.enter_context(listen(interruption))
        view = stack.enter_context(choose_view(cascade, orchestrator, options))
        if isinstance(view, RunTable):
            interruption.leaving = show_cursor
        painter = Painter(view, lambda: orchestrator.views, lost_our_reader)
        try:
            report = await run_and_show(orchestrator, painter)
        except NovaError as error:
            problem = error
    if report is None:
        complain(str(problem))
        return BAD_INPUT
    with suppress(OSError):
        sum_up(report, options, interrupted=interruption.signal is not None)
    return report.exit_code if interruption.signal is None else exit_code_of(interruption.signal)


async def run_and_show(orchestrator: Orchestrator, painter: Painter) -> RunReport:
    """Run to the end, while it is shown."""
    following = asyncio.create_task(painter.follow(orchestrator.events()))
    painting = asyncio.create_task(painter.paint())
    try:
        report = await orchestrator.run()
        await following
        return report
    finally:
        following.cancel()
        painter.close()
        await asyncio.wait((following, painting))


def choose_view(cascade: Cascade, orchestrator: Orchestrator, options: RunOptions) -> RunView:
    """Take a table for a person at a terminal, else lines."""
    console = Console(highlight=False)
    if options.json or options.plain or not console.is_terminal or console.is_dumb_terminal:
        return RunLines(as_json=options.json)
    return RunTable(
        cascade.project or cascade.name,
        len(cascade.tasks),
        orchestrator.max_workers,
        console,
        remaining_path=cascade.remaining_path,
    )


def sum_up(report: RunReport, options: RunOptions, *, interrupted: bool) -> None:
    """Write the summary."""
    if options.json:
        write_json_summary(report)
    else:
        write_run_summary(report, interrupted=interrupted)


def lost_our_reader(error: OSError) -> None:
    """Say that nobody sees us any more, and let the work go on."""
    complain(f"the run is no longer shown ({error.strerror}); it goes on")
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python flushes at exit must not fail


def show_cursor() -> None:
    """Give the terminal its cursor back, which our table has hidden; one that takes nothing now is not waited for."""
    writing = Thread(target=os.write, args=(sys.stdout.fileno(), b"\x1b[?25h\n"), daemon=True)
    writing.start()
    writing.join(SHORT)


def complain(text: str) -> None:
    """Say on stderr what the person should know, if anybody listens there."""
    with suppress(OSError):
        typer.echo(f"nova: {text}", err=True)
