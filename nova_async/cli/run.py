"""``nova run``: a whole plan, shown while it runs, and summed up."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nova_async._core.advice import Place, run_command
from nova_async.cascade import Cascade
from nova_async.cli.above_the_plan import with_command_line
from nova_async.cli.advised import place_of
from nova_async.cli.choosing import chosen_tasks, plan_and_tasks
from nova_async.cli.detach import Begun, detach, keep_short
from nova_async.cli.dry_run import show_dry_run
from nova_async.cli.earlier import earlier_runs, note_on_growth, notes_on_earlier_runs, retry_command
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.github import Fence, is_github
from nova_async.cli.limit_options import limit
from nova_async.cli.numbers import Whole
from nova_async.cli.options import REDACT, argument, command_of, flag, option, optional_flag, order_option
from nova_async.cli.others_told import others_told
from nova_async.cli.painter import Painter
from nova_async.cli.places import JOURNAL, LOG_DIR, STATE_FILE
from nova_async.cli.plan import read_cascade
from nova_async.cli.process_wide import adopting_orphans, prepare_process
from nova_async.cli.reports import Reports, open_reports
from nova_async.cli.ringing import Ringing
from nova_async.cli.run_display import choose_view, keys_of, terminal_signals, views_for
from nova_async.cli.run_page import page_served
from nova_async.cli.run_summary import write_json_summary, write_run_summary
from nova_async.cli.run_table import RunTable
from nova_async.cli.say import OutputError, stop_writing_to, tell
from nova_async.cli.signals import Interruption, exit_code_of, listen
from nova_async.cli.terminal import is_attended
from nova_async.errors import NovaError
from nova_async.views import RunReport
from nova_async.words import Permissions

if TYPE_CHECKING:
    from nova_async.orchestrator.orchestrator import Orchestrator
    from nova_async.orchestrator.outlook import Outlook

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says about a run."""

    words: tuple[str, ...] = argument("[PLAN] [TASK…]", default=(), nargs=-1)
    only: tuple[str, ...] = option(
        multiple=True, default=(), metavar="EXPR", help="Run only tasks matching EXPR: T1, T*, tag:x, group:Name, !T2."
    )
    until: tuple[str, ...] = option(
        multiple=True, default=(), metavar="TASK", help="Run this task and everything it needs."
    )
    dry_run: bool = flag(help="Show what would run and what would be skipped; start nothing.")
    agent: str | None = option(
        metavar="AGENT", help="Run all tasks with this agent (see nova agents), or with several in order: A,B."
    )
    command: str | None = option(metavar='"PROG … {prompt}"', help="Run all tasks with this command, without a shell.")
    permissions: str | None = option(
        type=click.Choice([str(word) for word in Permissions]),
        show_default="the plan's, else edit",
        help="What agents may do: only read, change files in their folder, anything, or as they are configured.",
    )
    agent_arg: tuple[str, ...] = option(
        "--agent-arg",
        multiple=True,
        default=(),
        metavar="WORD",
        help="Extra argument for every agent's command line; repeatable.",
    )
    max_wait: str | None = limit("TIME", "Wait no longer for a usage limit to reset (30m, 2h); 0 never waits.")
    pace: str | None = limit("WORD", "Start fewer tasks as a usage limit nears: on, off, or from which share (0.8).")
    max_workers: int | None = option(
        "--max-workers", "-j", type=Whole(1), show_default="the plan's", help="How many tasks run at once."
    )
    cwd: str = option(
        metavar="DIR",
        default=".",
        show_default="this folder",
        help="Where agents work; a task's relative cwd starts here.",
    )
    timeout: str | None = limit("TIME", "End each attempt after this long: 90s, 30m, 1h30m.")
    idle_timeout: str | None = limit("TIME", "End an attempt after this long without output.")
    linger: str | None = limit("TIME", "End an agent still running this long after its final result.")
    max_memory: str | None = limit("SIZE", "End an attempt that uses more memory, with all it has started: 4GiB.")
    min_free_memory: str | None = limit("SIZE", "Start nothing new while less memory is available: 2GiB.")
    budget_usd: str | None = limit(
        "USD", "What the run may cost in all, with what earlier runs of the plan have cost.", "--budget", "--budget-usd"
    )
    budget_tokens: str | None = limit("N", "How many tokens the run may use in all.")
    task_budget_usd: str | None = limit("USD", "What each task may cost, all its attempts together.")
    task_budget_tokens: str | None = limit("N", "How many tokens each task may use, all its attempts together.")
    pass_env: tuple[str, ...] = option(
        multiple=True,
        default=(),
        metavar="NAME",
        help="Let tasks see this variable and no other but what programs need (AWS_* for several, none); repeatable.",
    )
    redact: tuple[str, ...] = option(multiple=True, default=(), metavar="NAME", help=REDACT)
    order: str | None = order_option()
    with_optional: bool = optional_flag()
    retry_failed: bool = flag(help="Run failed tasks again.")
    fresh: bool = flag(help="Start over; ignore earlier results.")
    trust_journal: bool = flag(help="Accept a journal that was written by another user or on another machine.")
    notify: tuple[str, ...] = option(
        multiple=True,
        default=(),
        metavar="WHAT",
        help='Notify this: "PROG {text}", a URL, bell, osc9 or none; repeatable.',
    )
    serve: bool = flag(help="Show the run as a page in the browser, too (see nova serve).")
    detach: bool = flag(help="Once the run has begun, let it go on without this terminal; nova stop ends it.")
    json: bool = flag(help="Write one JSON line per event, then a summary; with --detach, where the run is.")
    plain: bool = flag(help="Write lines instead of a table.")
    joblog: str | None = option(metavar="FILE", help="Append one line per attempt, in GNU parallel's joblog format.")
    junit: str | None = option(metavar="FILE", help="Write the results as JUnit XML.")
    report: str | None = option(metavar="FILE", help="Write the run as an HTML page when it ends.")
    log_dir: str = option(metavar="DIR", default=LOG_DIR, help="Folder for the logs (TASK.log).")
    state: str = option(metavar="FILE", default=STATE_FILE, help="Path of the state file.")
    journal: str = option(metavar="FILE", default=JOURNAL, help="Path of the run journal.")

    @property
    def place(self) -> Place:
        """Where the run is, for the commands that are advised."""
        files = {"journal": self.journal, "state": self.state, "log_dir": self.log_dir, "cwd": self.cwd}
        return Place(files=place_of(**files).files)


def run_plan(options: Options) -> int:
    """Run a plan, a few tasks at a time; completed tasks are skipped.

    PLAN is CASCADE.md unless you name another. With TASKs, only these run, even if they failed before. The exit
    code is 0 if all of them completed, 1 if not, 2 for bad input, and 130, 143 or 129 after Ctrl-C, SIGTERM or
    SIGHUP. Ctrl-C once asks the agents to stop, twice kills them; the next run continues from there.
    """
    if options.serve and options.detach:
        raise click.UsageError("--serve and --detach cannot be used together: `nova serve` shows any run")
    plan, tasks = plan_and_tasks(options.words)
    cascade = read_cascade(plan, order=options.order, with_optional=options.with_optional)
    cascade = with_command_line(cascade, options)
    only = chosen_tasks(cascade, tasks, options.only, options.until)
    workers = options.max_workers or cascade.settings.max_workers
    options = replace(options, retry_failed=options.retry_failed or bool(tasks))
    if not options.fresh:
        for note in notes_on_earlier_runs(cascade, Path(options.journal)):
            tell(options.place.advice(note))
    if only is not None or options.dry_run:
        try:
            outlook = outlook_for(cascade, only, options)
        except NovaError as error:
            tell(str(error))
            return BAD_INPUT
        tell_skipped(tasks, outlook, cascade, options)
        if options.dry_run:
            show_dry_run(cascade, outlook, max_workers=workers, cwd=options.cwd, as_json=options.json)
            return 0
    begun = (
        detach(Path(options.journal), place=options.place, as_json=options.json) if options.detach else lambda _: None
    )
    if isinstance(begun, int):
        return begun
    prepare_process(workers)
    fence = Fence() if is_github() and not options.json else None
    places = options.state, options.journal, options.log_dir
    with (
        page_served(*places) if options.serve else nullcontext(),
        open_reports(options.joblog, options.junit, options.report, places) as reports,
        fence.around() if fence else nullcontext(),
    ):
        return asyncio.run(supervise(cascade, only, options, reports, fence, begun))


def outlook_for(cascade: Cascade, only: frozenset[str] | None, options: Options) -> "Outlook":
    """Return what the run would do, by what is in the journal now.

    Raises ``JournalError`` for a journal that cannot be read, and ``SelectionError`` as the run does.
    """
    from nova_async.orchestrator.outlook import look_ahead

    places = Path(options.journal), Path(options.state)
    history = earlier_runs(cascade, *places, trusts=options.trust_journal, root=Path(options.cwd))
    return look_ahead(
        cascade, history, only=only,
        max_workers=options.max_workers, fresh=options.fresh, retry_failed=options.retry_failed,
        folder_of=lambda cwd: str(Path(options.cwd, cwd).absolute()),
    )  # fmt: skip


def tell_skipped(tasks: Sequence[str], outlook: "Outlook", cascade: Cascade, options: Options) -> None:
    """Say which of the tasks that somebody named will not run, and why."""
    from nova_async.orchestrator.outlook import COMPLETED_BEFORE

    for task_id in tasks:
        if (why := outlook.skipped.get(task_id)) is not None:
            has_cure = why == COMPLETED_BEFORE
            again = retry_command(cascade, Path(options.journal), task_id)
            cure = f"; `{again}` lets it run again" if has_cure else ""
            tell(options.place.advice(f"{task_id} will not run: {why}{cure}"))


async def supervise(
    cascade: Cascade, only: frozenset[str] | None, options: Options, reports: Reports, fence: Fence | None, begun: Begun
) -> int:
    """Run, show, sum up. ``fence`` is there where a runner of GitHub reads us."""
    from nova_async.orchestrator.orchestrator import Orchestrator  # not before there is something to run

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
        state_file=options.state,
        journal=options.journal,
        root=options.cwd,
        retry_failed=options.retry_failed,
        fresh=options.fresh,
        only=only,
        trust_journal=options.trust_journal,
        waits_for_approval=options.detach or is_attended(sys.stdout, sys.stderr),  # or nobody would answer
        on_change=on_change,
    )
    interruption = Interruption(once=orchestrator.stop, twice=lambda: orchestrator.stop(grace=0.0))
    with ExitStack() as stack:
        stack.enter_context(adopting_orphans())
        view = choose_view(
            cascade, orchestrator, fence, interruption, state=options.state, log_dir=options.log_dir,
            as_json=options.json, as_lines=options.plain, place=options.place,
        )  # fmt: skip
        if options.detach:
            orchestrator.listen(lambda task_id: None, lambda event: keep_short())
        ringing = Ringing(view)
        painter = Painter(ringing, views_for(view, orchestrator), lost_our_reader)
        if isinstance(view, RunTable):
            interruption.leaving = view.leave_at_once
        stack.enter_context(listen(interruption, terminal_signals(orchestrator.executor, view, painter)))
        stack.enter_context(ringing)
        stack.enter_context(keys_of(view, orchestrator, painter))
        try:
            async with others_told(orchestrator, ring=None if options.json else ringing.ring):
                report = await run_and_show(orchestrator, painter, reports, begun)
        except NovaError as error:
            problem = error
    if report is None:
        tell(options.place.advice(str(problem).replace("`nova run ", f"`{run_command(cascade.name)} ")))
        return BAD_INPUT
    reports.finish(report)
    with suppress(OutputError):  # the run is over, and how it ended is its exit code
        sum_up(report, options, interrupted=interruption.signal is not None)
        if grown := note_on_growth(cascade, report.started_at, run_command(cascade.name)):
            tell(options.place.advice(grown))
    return report.exit_code if interruption.signal is None else exit_code_of(interruption.signal)


async def run_and_show(orchestrator: "Orchestrator", painter: Painter, reports: Reports, begun: Begun) -> RunReport:
    """Run to the end, while it is shown, and answers others; ``begun`` is told where."""
    from nova_async.control.server import listening

    following = asyncio.create_task(painter.follow(orchestrator.events()))
    reporting = asyncio.create_task(reports.follow(orchestrator.events, lambda: orchestrator.views))
    painting = asyncio.create_task(painter.paint())
    try:
        async with listening(orchestrator, begun):
            report = await orchestrator.run()
        await asyncio.wait((following, reporting))
        return report
    finally:
        following.cancel()
        reporting.cancel()
        painter.close()
        await asyncio.wait((following, reporting, painting))


def sum_up(report: RunReport, options: Options, *, interrupted: bool) -> None:
    """Write the summary."""
    if options.json:
        write_json_summary(report)
    else:
        plan, _ = plan_and_tasks(options.words)
        write_run_summary(report, interrupted=interrupted, again=run_command(plan), place=options.place)


def lost_our_reader(error: OSError) -> None:
    """Say that nobody sees us any more, and let the work go on."""
    tell(f"display stopped ({error.strerror}); the run continues")
    stop_writing_to(sys.stdout)


command = command_of(Options, run_plan)
