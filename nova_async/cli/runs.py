"""``nova runs``: the runs of a folder, and what each came to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nova_async._core.moments import day_and_time
from nova_async._core.text import one_line
from nova_async.cli.columns import columns_of_terminal, table_lines
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.found_run import plan_of_key, warn_of_foreign
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.numbers import Whole
from nova_async.cli.options import argument, command_of, flag, option
from nova_async.cli.places import JOURNAL, place_in
from nova_async.cli.say import say, tell
from nova_async.control.figures import UNKNOWN, cost_of_all, describe_tokens, stopwatch
from nova_async.errors import JournalError
from nova_async.journal.condition import condition_of_run
from nova_async.journal.reader import JournalReader
from nova_async.journal.run_sums import RunSums
from nova_async.journal.state_document import written_moment
from nova_async.words import Condition, RunEnd

__all__ = ["RUNS_SCHEMA", "command", "runs_document", "sums_of_runs"]

RUNS_SCHEMA = 1
"""Grows when something that programs read in the document means something else, or is gone; not for what is new."""
MOST_RUNS = 20  # that are shown unless told otherwise: a screen
TITLES = ("run", "started", "plan", "ended", "tasks", "tokens", "cost", "time")
RIGHT = frozenset({5, 6, 7})  # the columns of numbers
INKS = {Condition.FAILED: Ink.RED, Condition.DEAD: Ink.RED, Condition.RUNNING: Ink.BLUE, Condition.COMPLETED: Ink.GREEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    directory: str = argument("[DIR]", default=".")
    limit: int = option("--limit", "-n", type=Whole(1), default=MOST_RUNS, help="How many, newest first.")
    json: bool = flag(help="Write one JSON document.")
    journal: str | None = option(metavar="FILE", help="The run journal, if it is elsewhere.")


def show_runs(options: Options) -> int:
    """List the runs of a folder, newest first: when, which plan, how it ended, tasks, tokens, cost and time.

    DIR is the folder; by default, this one. The numbers are those of the run itself, without earlier runs that it
    resumed. The beginning of a run's id is enough for --run of `nova show`, `nova logs`, `nova result` and `nova
    report`. The exit code is 2 if nothing has been run there.
    """
    journal = place_in(Path(options.directory), JOURNAL, options.journal)
    try:
        reader = JournalReader(journal)
        warn_of_foreign(reader)
        runs = sums_of_runs(reader, options.limit)
    except JournalError as error:
        tell(str(error))
        return BAD_INPUT
    if options.json:
        say(json.dumps(runs_document(runs, journal), indent=2))
        return 0
    rows: list[Sequence[Line]] = [[[Span(title, Ink.GREY)] for title in TITLES]]
    rows += [row_of(run, journal) for run in runs]
    say(*table_lines(rows, width=columns_of_terminal(), right=RIGHT, folding=[TITLES.index("plan")]))
    return 0


def sums_of_runs(reader: JournalReader, limit: int) -> list[RunSums]:
    """Read the latest runs with their sums."""
    from nova_async.orchestrator.retry import NO_VERDICT  # with all that decides

    return reader.run_sums(limit, NO_VERDICT)


def row_of(found: RunSums, journal: Path) -> list[Line]:
    """Return the row of a run."""
    start, sums, condition = found.run.start, found.sums, condition_of_run(found.run)
    seconds, cost = seconds_of(found, condition), cost_of_all(sums)
    complete = sums.usage_is_final or condition is Condition.RUNNING
    tokens = describe_tokens(sums.usage.total, complete=complete, short=True) if sums.usage.total else ""
    return [
        start.run_id,
        day_and_time(start.started_at),
        one_line(str(plan_of_key(start.plan, journal))),
        [Span(str(condition), INKS.get(condition, Ink.PLAIN))],
        tasks_in(found, condition),
        tokens,
        "" if cost == UNKNOWN and not sums.usage.total else cost,
        "" if seconds is None else stopwatch(seconds),
    ]


def tasks_in(found: RunSums, condition: Condition) -> str:
    """Say how many tasks it has completed, how many failed, and how many it began without coming to an end."""
    rest = found.tasks - found.completed - found.failed
    still = "running" if condition is Condition.RUNNING else "unfinished"
    parts = [f"{found.completed} completed", f"{found.failed} failed" if found.failed else ""]
    return ", ".join(filter(None, [*parts, f"{rest} {still}" if rest else ""])) if found.tasks else "none begun"


def seconds_of(found: RunSums, condition: Condition) -> float | None:
    """Return how long a run took, or has taken so far; None where its supervisor died and nobody knows when."""
    if condition is Condition.RUNNING:
        return (datetime.now(UTC) - found.run.start.started_at).total_seconds()
    if found.run.ended_at is None or found.run.end is RunEnd.LOST:
        return None
    return max((found.run.ended_at - found.run.start.started_at).total_seconds(), 0.0)


def runs_document(runs: Sequence[RunSums], journal: Path) -> dict[str, Any]:
    """Return it all as one JSON object."""
    return {"schema": RUNS_SCHEMA, "runs": [run_document(run, journal) for run in runs]}


def run_document(found: RunSums, journal: Path) -> dict[str, Any]:
    """Return a run as a JSON object."""
    run, sums, condition = found.run, found.sums, condition_of_run(found.run)
    seconds = seconds_of(found, condition)
    return {
        "run_id": run.start.run_id,
        "plan": str(plan_of_key(run.start.plan, journal)),
        "project": run.start.project,
        "started_at": written_moment(run.start.started_at),
        "ended_at": written_moment(run.ended_at),
        "duration_seconds": None if seconds is None else round(seconds, 3),
        "condition": condition,
        "end": run.end,
        "fresh": run.fresh,
        "max_workers": run.start.max_workers,
        "pid": run.start.pid,
        "tasks": found.tasks,
        "completed": found.completed,
        "failed": found.failed,
        "attempts": found.attempts,
        "work_seconds": round(sums.duration_seconds, 3),
        "token_usage": sums.usage.as_dict(),
        "usage_is_final": sums.usage_is_final,
        "cost_usd": sums.cost_usd,
        "estimated_usd": sums.estimated_usd,
        "cost_is_complete": sums.cost_is_complete,
    }


command = command_of(Options, show_runs)
