"""``nova plan``: is the plan right, and in which order would it go? Runs nothing."""

import dataclasses
import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from nova_async._core.sizes import describe_size
from nova_async._core.text import one_line
from nova_async.cascade import Cascade, CascadeError, Milestone, Order, RunSettings, Task, TaskOptions, load_cascade
from nova_async.cascade.front_matter import KEY_OF
from nova_async.cascade.load import find_settings
from nova_async.cli.as_whom import callings, describe_callings
from nova_async.cli.columns import columns_of_terminal, table_lines
from nova_async.cli.earlier import next_run, notes_on_earlier_runs
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.mermaid import flowchart
from nova_async.cli.not_enforced import not_enforced
from nova_async.cli.options import argument, command_of, flag, optional_flag, order_option
from nova_async.cli.places import JOURNAL, PLAN, STATE_FILE
from nova_async.cli.say import say, tell
from nova_async.control.figures import describe_cost, write_seconds
from nova_async.orchestrator.cost_sources import KnownPrices, cost_sources
from nova_async.orchestrator.countable import budget_problems, named, told
from nova_async.orchestrator.price_search import find_prices
from nova_async.orchestrator.readiness import login_left_out
from nova_async.words import PlanOrder

if TYPE_CHECKING:
    from nova_async.orchestrator.outlook import Outlook

__all__ = ["command", "read_cascade", "remarks", "resuming"]

SIZES = ("max_memory", "min_free_memory")  # bytes, which a plan writes as 4GiB
LONGEST = 500  # characters of a sentence; a model may have any name
SECONDS = ("timeout", "idle_timeout", "grace", "linger", "max_wait")  # what a plan writes as 30m


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    plan: str = argument("[PLAN]", default=PLAN)
    json: bool = flag(help="Write one JSON document.")
    mermaid: bool = flag(help="Write a Mermaid flowchart.")
    order: str | None = order_option()
    with_optional: bool = optional_flag()


def read_cascade(path: str, *, order: str | None = None, with_optional: bool = False) -> Cascade:
    """Read the plan, and the settings file of this folder or else of the plan's.

    ``order`` and ``with_optional`` are what the command line says. Says all problems of both files on stderr, and what
    is written there but not acted on yet. Raises ``click.exceptions.Exit`` with code 2 if one cannot be read or has an
    error.
    """
    try:
        cascade = load_cascade(
            path, settings=find_settings(".", Path(path).parent), order=order, with_optional=with_optional
        )
    except OSError as error:
        hint = "; create one with `nova init`" if isinstance(error, FileNotFoundError) else ""
        tell(f"cannot read {error.filename or path}: {error.strerror or error}{hint}")
        raise click.exceptions.Exit(BAD_INPUT) from None
    except CascadeError as error:
        report_problems(error)
        raise click.exceptions.Exit(BAD_INPUT) from error
    for warning in cascade.warnings:
        say(str(warning), err=True)
    for sentence in not_enforced(cascade):
        say(f"{path}: {sentence}", err=True)
    return cascade


def report_problems(error: CascadeError) -> None:
    """Write every problem of a plan that cannot be run, and how many there are."""
    for diagnostic in error.diagnostics:
        say(str(diagnostic), err=True)
    count = len(error.errors)
    tell(f"{count} {'error' if count == 1 else 'errors'}; the plan cannot run")


def show_plan(options: Options) -> int:
    """Check a plan and show the order it would run in; starts nothing.

    PLAN is CASCADE.md unless you name another. The exit code is 2 if it has errors.
    """
    if options.json and options.mermaid:
        raise click.UsageError("--json and --mermaid cannot be used together")
    try:
        cascade = read_cascade(options.plan, order=options.order, with_optional=options.with_optional)
    except click.exceptions.Exit as leaving:
        if options.json and isinstance(leaving.__cause__, CascadeError):
            write_json(
                {"ok": False, "file": options.plan, "diagnostics": diagnostics_of(leaving.__cause__.diagnostics)}
            )
        return BAD_INPUT
    prices = find_prices(cascade)
    if problems := list(map(told, budget_problems(cascade, can_estimate=prices.has).items())):
        for problem in problems:
            say(f"{options.plan}: {problem}", err=True)
        if options.json:
            write_json({"ok": False, "file": options.plan, "problems": problems})
        return BAD_INPUT
    for note in (*notes_on_logins(cascade), *notes_on_earlier_runs(cascade, Path(JOURNAL))):
        tell(note)
    if options.json:
        outlook = next_run(cascade, Path(JOURNAL), Path(STATE_FILE))
        about = {"skipped": outlook.skipped, "resumed": outlook.resumed} if outlook else {"skipped": {}, "resumed": {}}
        write_json({**document(cascade, prices), **about})
    elif options.mermaid:
        say(flowchart(cascade), nl=False)
    else:
        write_plan(cascade, prices, next_run(cascade, Path(JOURNAL), Path(STATE_FILE)))
    return 0


def notes_on_logins(cascade: Cascade) -> Iterator[str]:
    """Say which agents would not get the variables that log them in."""
    found: dict[str, list[str]] = {}
    for task in cascade.tasks.values():
        for served in cascade.in_order(task):
            note = login_left_out(served, cascade.settings, os.environ)
            if note is not None and cascade.command_of(task) is None:
                found.setdefault(note, []).append(task.id)
    return map(told, found.items())


def write_json(value: Any) -> None:
    """Write one indented JSON document."""
    say(json.dumps(msgspec.to_builtins(value), indent=2))


def document(cascade: Cascade, prices: KnownPrices) -> dict[str, Any]:
    """Return the whole plan as one JSON object."""
    front = TaskOptions.layered(cascade.settings.task_options)
    return {
        "ok": True,
        "file": cascade.name,
        "project": cascade.project,
        "settings": settings_written(cascade.settings),
        "settings_from": cascade.settings.inherited,
        "task_defaults": options_unlike(front, TaskOptions()),
        "tasks": [
            {
                "id": task.id,
                "name": task.name,
                "prompt": task.description,
                "depends_on": task.depends_on,
                "branch": task.branch,
                "group": task.group,
                "options": options_unlike(task.options, TaskOptions()),
                "done": task.done,
                "line": task.line,
            }
            for task in cascade.tasks.values()
        ],
        "agents": [calling.as_dict() for calling in callings(cascade)],
        "cost": [{"known": how, "tasks": tasks} for how, tasks in cost_sources(cascade, prices).items()],
        "order": dataclasses.asdict(cascade.order),
        "left_out": list(cascade.skipped),
        "waves": cascade.waves(),
        "critical_path": cascade.critical_path(),
        "hierarchy": cascade.hierarchy,
        "milestones": [dataclasses.asdict(milestone) for milestone in cascade.milestones],
        "diagnostics": diagnostics_of(cascade.warnings),
        "not_enforced": not_enforced(cascade),
    }


def diagnostics_of(diagnostics: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return problems as JSON objects."""
    return [
        {"file": found.file, "line": found.line, "code": found.code, "text": found.text, "is_error": found.is_error}
        for found in diagnostics
    ]


def settings_written(settings: RunSettings) -> dict[str, Any]:
    """Return the settings of the run that the author set."""
    fields = [field.name for field in dataclasses.fields(settings)]
    written = {name: getattr(settings, name) for name in fields if name in settings.written}
    return written | ({"notify": [*map(str, settings.notify)]} if "notify" in written else {})


def options_unlike(options: TaskOptions, usual: TaskOptions) -> dict[str, Any]:
    """Return the options that differ from the usual ones; the agents are named as a plan has them, in their order."""
    names = [field.name for field in dataclasses.fields(options) if field.name not in ("agent", "account", "then")]
    agents = [str(each.choice) for each in options.in_order]
    found: dict[str, Any] = {}
    if agents != [str(each.choice) for each in usual.in_order]:
        found["agent"] = agents if len(agents) > 1 else agents[0]
    return found | {name: getattr(options, name) for name in names if getattr(options, name) != getattr(usual, name)}


def write_plan(cascade: Cascade, prices: KnownPrices, outlook: "Outlook | None") -> None:
    """Write for people: the waves, each with its tasks, then the longest chain, milestones and counts.

    ``outlook`` is what the next run would do, if there was an earlier one.
    """
    skipped = outlook.skipped if outlook is not None else {}
    resumed = outlook.resumed if outlook is not None else {}
    front = TaskOptions.layered(cascade.settings.task_options)
    lines: list[Line] = [[Span(one_line(cascade.project or cascade.name), Ink.BOLD)]]
    for title, settings in settings_by_place(cascade, front):
        lines.append([Span(f"{title}: ", Ink.GREY), describe_options(settings)])
    lines += describe_callings(cascade, cascade.tasks)
    for how, tasks in (sources := cost_sources(cascade, prices)).items():
        lines.append([Span("cost: ", Ink.GREY), one_line(how, LONGEST) + (named(tasks) if len(sources) > 1 else "")])
    lines.append([Span("order: ", Ink.GREY), describe_order(cascade.order)])
    waves = cascade.waves()
    rows: list[list[Line]] = []
    for number, wave in enumerate(waves, 1):
        for place, task_id in enumerate(wave):
            task = cascade.tasks[task_id]
            wave_number = [Span(f"wave {number}" if place == 0 else "", Ink.GREY)]
            why = f"skipped: {skipped[task_id]}" if task_id in skipped and not task.done else ""
            session = resuming(resumed.get(task_id))
            others = [Span(" · ".join(filter(None, (why, session, remarks(task, front)))), Ink.GREY)]
            rows.append([wave_number, [Span(task.id, Ink.BOLD)], name_of(task), others])
    lines += table_lines(rows, folding=(2, 3), width=columns_of_terminal())
    for milestone in cascade.milestones:
        text = f"{milestone.name or milestone.id}: {describe_trigger(milestone)}"
        lines.append([Span("milestone ", Ink.GREY), one_line(text)])
    path = cascade.critical_path()
    lines.append([Span("longest chain: ", Ink.GREY), " → ".join(path)])
    say(*lines, counts(cascade, waves, path))


def describe_order(order: Order) -> str:
    """Say whether the order of the file counts, and why."""
    kind = "as in the file" if order.kind is PlanOrder.PHASE else "by dependencies"
    return f"{kind} ({order.reason})" if order.reason else kind


def settings_by_place(cascade: Cascade, front: TaskOptions) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give what is set for the whole run, by the name it has at the top of a plan: the plan's, then the others'."""
    options = {KEY_OF[name]: value for name, value in options_unlike(front, TaskOptions()).items()}
    settings, inherited = {**settings_written(cascade.settings), **options}, cascade.settings.inherited
    if mine := {key: value for key, value in settings.items() if key not in inherited}:
        yield "for the whole run", mine
    for name in dict.fromkeys(inherited.values()):
        yield f"from {name}", {key: value for key, value in settings.items() if inherited.get(key) == name}


def name_of(task: Task) -> str:
    """Return the task's name, and whether it is ticked off."""
    return f"{task.name} (done)" if task.done else task.name


def resuming(session_id: str | None) -> str:
    """Say which session a task resumes; nothing where it begins a new one."""
    return f"resumes session {session_id}" if session_id else ""


def remarks(task: Task, front: TaskOptions) -> str:
    """Say what a task waits for, and its options where they differ from those of the whole run."""
    after = f"after {', '.join(task.depends_on)}" if task.depends_on else ""
    own = {"class" if name == "task_class" else name: value
           for name, value in options_unlike(task.options, front).items()}  # fmt: skip
    return " · ".join(filter(None, (after, describe_options(own))))


def describe_options(options: dict[str, Any]) -> str:
    """Write options as ``model opus, timeout 30m``."""
    return ", ".join(f"{name} {describe_value(name, value)}" for name, value in options.items())


def describe_value(name: str, value: Any) -> str:
    """Write a value as a plan has it."""
    if value is None:
        return "off"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in SECONDS and isinstance(value, int | float):
        return write_seconds(value)
    if name in SIZES and isinstance(value, int):
        return describe_size(value)
    if name.endswith("budget_usd"):
        return describe_cost(value)
    if name == "backoff":
        return "..".join(map(write_seconds, value))
    if name in ("command", "verify", "agent_args"):
        return shlex.join(value)
    if name == "notify":
        return "; ".join(value) or "none"
    if isinstance(value, tuple | list):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return " ".join(value) or "none"
    return " ".join(str(value).split())


def describe_trigger(milestone: Milestone) -> str:
    """Say when a milestone is reached."""
    if milestone.percent is not None:
        return f"at {milestone.percent:g} %"
    if milestone.on is not None:
        return "at the first failure"
    return f"when {milestone.group or ', '.join(milestone.tasks)} is completed"


def counts(cascade: Cascade, waves: list[list[str]], path: list[str]) -> str:
    """Sum the plan up in one line."""
    tasks, workers = len(cascade.tasks), cascade.settings.max_workers
    widest = max(map(len, waves), default=0)
    could = f" ({widest} could run)" if widest > workers else ""
    done = sum(task.done for task in cascade.tasks.values())
    parts = [
        f"{tasks} {'task' if tasks == 1 else 'tasks'}" + (f", {done} done" if done else ""),
        f"{len(waves)} {'wave' if len(waves) == 1 else 'waves'}",
        f"up to {min(widest, workers)} at once{could}",
        f"longest chain {len(path)}",
    ]
    return " · ".join(parts)


command = command_of(Options, show_plan)
