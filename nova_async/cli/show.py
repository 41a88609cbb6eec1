"""``nova show``: everything about one task."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from nova_async._core.advice import HERE, Place, run_command
from nova_async._core.text import clean, listed, one_line
from nova_async.agents.rendering import shortened
from nova_async.cli.advised import place_of, seen_from
from nova_async.cli.columns import columns_of_terminal, table_lines
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.found_task import FoundTask, answer_of, find_task
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.options import argument, command_of, flag, option, run_option
from nova_async.cli.places import JOURNAL, STATE_FILE, folder_and_task, place_in
from nova_async.cli.say import say, tell
from nova_async.cli.tones import INKS
from nova_async.control.denials import cure_of
from nova_async.control.figures import clock_time, cost_of_attempt, describe_duration, describe_kinds, describe_tokens
from nova_async.control.looks import cost_of, doing, look_of, seconds_until, silent_seconds
from nova_async.errors import NovaError
from nova_async.journal.last_output import with_last_output
from nova_async.journal.rollup import status_word
from nova_async.journal.state_document import written_moment
from nova_async.records import Attempt
from nova_async.views import TaskView
from nova_async.words import TaskState

__all__ = ["command"]

LONGEST_WORD = 80  # characters of one word of a command line: prompts are shown by themselves
MOST_FILES = 20
LONGEST = 1_000  # characters of an error
TITLES: Sequence[Line] = ("attempt", "outcome", "time", "tokens", "cost", "started", "log", "error")
NUMBERS = frozenset({0, 2, 3, 4})  # the columns that are set to the right


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    words: tuple[str, ...] = argument("[DIR] TASK", nargs=-1)
    plan: str | None = option(metavar="PLAN", help="The plan it belongs to; by default the one run last.")
    run: str | None = run_option()
    state: str | None = option(metavar="FILE", help="The state file, if it is elsewhere.")
    journal: str | None = option(metavar="FILE", help="The run journal, if it is elsewhere.")
    json: bool = flag(help="Write one JSON document.")


def show_task(options: Options) -> int:
    """Show everything about one task: its state and why, its attempts, what it changed, and its answer.

    TASK is a task id, DIR the folder of the run; by default, this folder. The exit code is 2 if there is no such
    task.
    """
    if options.plan is not None and options.run is not None:
        raise click.UsageError("--plan and --run cannot be used together: a run is one of a plan")
    plan = Path(options.plan) if options.plan is not None else None
    folder, task_id = folder_and_task(options.words)
    state, journal = place_in(folder, STATE_FILE, options.state), place_in(folder, JOURNAL, options.journal)
    try:
        task = find_task(task_id, state=state, journal=journal, plan=plan, run_id=options.run)
    except NovaError as error:
        tell(str(error))
        return BAD_INPUT
    if not task.is_over:
        view = with_last_output(task.view, state.parent)
        task = replace(task, view=replace(view, duration_seconds=seconds_until(datetime.now(UTC), view, task.since)))
    prompt = prompt_of(task)
    if options.json:
        say(json.dumps(document(task, prompt), indent=2))
    else:
        say(*described(task, prompt, place_of(folder, journal=options.journal, state=options.state)))
    return 0


def prompt_of(task: FoundTask) -> str | None:
    """Return a task's prompt as the plan has it now; None where it cannot be read, or an earlier run had another."""
    from nova_async.cascade import CascadeError, load_cascade
    from nova_async.cascade.load import find_settings
    from nova_async.orchestrator.secrets import Secrets

    if task.plan is None:
        return None
    try:
        cascade = load_cascade(task.plan, settings=find_settings(".", task.plan.parent))
    except (CascadeError, OSError):
        return None
    found = cascade.tasks.get(task.view.id)
    if found is not None and task.of_run:
        from nova_async.orchestrator.reporting import digest

        attempts = task.view.attempts
        if not attempts or attempts[-1].start.prompt_digest != digest(found):
            return None  # it was another one then, for all that is known
    return Secrets(cascade).redaction.text(found.description or found.name) if found is not None else None


def described(task: FoundTask, prompt: str | None, place: Place = HERE) -> Iterator[Line]:
    """Give it all for a person, line by line."""
    view, width = task.view, columns_of_terminal()
    name = f" {one_line(view.name)}" if view.name else ""
    look = look_of(view, is_over=task.is_over)
    state = Span(look.word, INKS[look.tone])
    yield [Span(view.id, Ink.BOLD), f"{name}: ", state]
    facts: list[list[Line]] = [[f"  {title}", one_line(fact, LONGEST)] for title, fact in facts_of(task, place)]
    yield from table_lines(facts, width=width, folding=[1])
    if view.attempts:
        yield ""
        rows = [TITLES, *(row_of(attempt, view) for attempt in view.attempts)]
        yield from table_lines(rows, width=width, right=NUMBERS, folding=[TITLES.index("error")])
    if prompt:
        yield from section("Prompt", [f"  {line}" for line in shortened(prompt).split("\n")])
    answer = answer_of(view.attempts)
    if answer is not None:
        of = "" if answer.attempt is view.attempts[-1] else f" of attempt {answer.attempt.start.id.number}"
        yield from section(f"Answer{of}", clean(answer.text).strip("\n").split("\n"))


def section(title: str, lines: Sequence[str]) -> Iterator[Line]:
    """Give lines under a title."""
    yield ""
    yield [Span(title, Ink.BOLD)]
    yield from lines


def facts_of(task: FoundTask, place: Place) -> Iterator[tuple[str, str]]:
    """Give what is known of a task, with a title each."""
    view = task.view
    last = view.attempts[-1] if view.attempts else None
    end = (last.end or last.finished) if last else None
    if why := doing(view, datetime.now(UTC), is_over=task.is_over):
        yield ("doing", why) if view.state is TaskState.IN_PROGRESS else ("why", place.advice(why))
    where = " / ".join(filter(None, (view.branch, view.group)))
    if task.plan is not None or where:
        yield "plan", " · ".join(filter(None, (str(task.plan or ""), where)))
    if last is not None:
        about = (
            last.start.served_by,
            end.model if end else None,
            view.session_id and f"session {view.session_id}",
        )
        yield "agent", " · ".join(filter(None, about))
        if last.start.resumes is not None:
            yield "resumed", f"session {last.start.resumes}, in attempt {last.start.id.number}"
        yield "time", times_of(view)
    if view.usage.total:
        total = describe_tokens(view.usage.total, complete=view.usage_is_final)
        yield "tokens", f"{total}: {describe_kinds(view.usage)}"
    if cost := cost_of(view):
        yield "cost", cost
    if view.denied:
        again = run_command(seen_from(place, task.plan))
        yield "denied", f"{', '.join(view.denied)}: {place.advice(cure_of(view.denied, again))}"
    if view.files_changed:
        yield "changed", listed(view.files_changed, MOST_FILES)
    if view.commit_sha:
        yield "commit", view.commit_sha
    if end is not None and end.leftovers:
        processes = "process" if end.leftovers == 1 else "processes"
        yield "left", f"{end.leftovers} {processes} that outlived the agent"
    if last is not None and last.start.command:
        yield "command", command_line(last.start.command)
    if view.log_path:
        yield "log", view.log_path


def times_of(view: TaskView) -> str:
    """Say how long a task has worked, and when its last attempt began and ended."""
    parts = [describe_duration(view.duration_seconds)]
    if view.started_at is not None:
        parts.append(f"started {moment(view.started_at)}")
    if view.completed_at is not None:
        parts.append(f"ended {moment(view.completed_at)}")
    return " · ".join(parts)


def moment(at: datetime) -> str:
    """Write a moment in the person's own zone."""
    return f"{at.astimezone():%Y-%m-%d} {clock_time(at)}"


def command_line(command: Sequence[str]) -> str:
    """Write a command line with its long words cut: prompts are."""
    return shlex.join(one_line(word, LONGEST_WORD) for word in command)


def row_of(attempt: Attempt, view: TaskView) -> list[Line]:
    """Return the row of an attempt."""
    end, number, started = attempt.end, str(attempt.start.id.number), clock_time(attempt.start.started_at)
    if end is None:
        how = "running" if view.state is TaskState.IN_PROGRESS else "lost"
        return [number, how, "", "", "", started, (view.log_path if attempt is view.attempts[-1] else None) or "", ""]
    has_cost = end.cost_usd is not None or end.usage.total
    return [
        number,
        end.outcome.value if attempt.counts else f"{end.outcome.value} (no longer counts)",
        describe_duration(end.duration_seconds),
        describe_tokens(end.usage.total, complete=end.usage_is_final, short=True) if end.usage.total else "",
        cost_of_attempt(end.cost_usd, end.estimated_usd, usage_is_final=end.usage_is_final) if has_cost else "",
        started,
        end.log.path if end.log else "",
        # Of the last one it stands above.
        one_line(end.error or "") if attempt is not view.attempts[-1] or end.error != view.error else "",
    ]


def document(task: FoundTask, prompt: str | None) -> dict[str, Any]:
    """Return it all as one JSON object."""
    view, now = task.view, datetime.now(UTC)
    answer = answer_of(view.attempts)
    silent = None if task.is_over else silent_seconds(view, now)
    return {
        "id": view.id,
        "name": view.name,
        "branch": view.branch,
        "group": view.group,
        "plan": str(task.plan) if task.plan is not None else None,
        "status": status_word(view.state),
        "state": view.state,
        "phase": view.phase,
        "doing": doing(view, now, is_over=task.is_over) or None,
        "silent_seconds": None if silent is None else int(silent),
        "is_running": view.state is TaskState.IN_PROGRESS and not task.is_over,
        "outcome": view.outcome,
        "error": view.error,
        "blocked_by": view.blocked_by,
        "duration_seconds": round(view.duration_seconds, 3),
        "started_at": written_moment(view.started_at),
        "completed_at": written_moment(view.completed_at),
        "token_usage": view.usage.as_dict(),
        "token_usage_by_model": {model: used.as_dict() for model, used in view.usage_by_model.items()},
        "usage_is_final": view.usage_is_final,
        "cost_usd": view.cost_usd,
        "estimated_usd": view.estimated_usd,
        "cost_is_complete": view.cost_is_complete,
        "denied": view.denied,
        "files_changed": view.files_changed,
        "commit_sha": view.commit_sha,
        "session_id": view.session_id,
        "pid": view.pid,
        "log_path": view.log_path,
        "log_error": view.log_error,
        "prompt": prompt,
        "result": answer.text if answer else None,
        "attempts": [attempt_document(attempt) for attempt in view.attempts],
    }


def attempt_document(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as a JSON object."""
    start, end = attempt.start, attempt.end
    about: dict[str, Any] = {
        "number": start.id.number,
        "run_id": start.id.run_id or None,
        "counts": attempt.counts,
        "agent": start.agent or None,
        "account": start.account or None,
        "resumes": start.resumes,
        "command": start.command,
        "limits": dict(start.limits),
        "started_at": written_moment(start.started_at),
    }
    if end is None:
        return {**about, "outcome": None}
    return {
        **about,
        "outcome": end.outcome,
        "phase": end.phase,
        "ended_at": written_moment(end.ended_at),
        "duration_seconds": round(end.duration_seconds, 3),
        "error": end.error,
        "exit_code": end.exit_code,
        "token_usage": end.usage.as_dict(),
        "usage_is_final": end.usage_is_final,
        "cost_usd": end.cost_usd,
        "estimated_usd": end.estimated_usd,
        "model": end.model,
        "session_id": end.session_id,
        "denied": end.denied,
        "leftovers": end.leftovers,
        "result": end.result,
        "log_path": end.log.path if end.log else None,
        "log_error": end.log_error,
    }


command = command_of(Options, show_task)
