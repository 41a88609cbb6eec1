"""What a shell offers when somebody presses TAB: task ids, agents, files. It is quick, says nothing and never fails."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import click
from click.shell_completion import CompletionItem

from nova_async.cli.places import JOURNAL, STATE_FILE, folder_and_tasks

__all__ = ["completer_of"]

Item: TypeAlias = "CompletionItem[str]"  # as text: in click 8.2 it takes no parameter
Offer = Callable[[click.Context, str], Iterable[Item]]
Completer = Callable[[click.Context, click.Parameter, str], list[Item]]

LARGEST = 64 * 1024 * 1024  # bytes of a state file: one of 100,000 tasks; a larger one would take seconds to read
MOST_RUNS = 50  # that are offered; a shell asks before it shows more
OF_THE_PLAN = frozenset({"run", "plan"})  # commands that are about tasks that may not have run


def completer_of(metavar: str) -> Completer | None:
    """Return what offers values for a parameter, by the word that stands for it in the help; None for any text."""
    # Files first: bash forgets what was offered before them, and offers them only where nothing else fits.
    known = {"PLAN": files, "FILE": files, "DIR": folders, "AGENT": agents, "TASK": task_ids, "WHAT": receivers,
             "RUN": run_ids}  # fmt: skip
    words = re.findall(r"\w+", metavar)
    if {"DIR", "TASK"} <= {*words}:
        known["DIR"] = folders_named
    offers = [offer for word, offer in known.items() if word in words]
    return guarded(*offers) if offers else None


def guarded(*offers: Offer) -> Completer:
    """Have nothing offered where looking for it fails: a person in the middle of a line wants no traceback."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[Item]:
        try:
            return [item for offer in offers for item in offer(ctx, incomplete)]
        except Exception:
            return []

    return complete


def files(_: click.Context, incomplete: str) -> Iterable[Item]:
    """Let the shell offer files."""
    yield CompletionItem(incomplete, type="file")


def folders(ctx: click.Context, incomplete: str) -> Iterable[Item]:
    """Let the shell offer folders, before the first task."""
    if not words_of(ctx):
        yield CompletionItem(incomplete, type="dir")


def folders_named(ctx: click.Context, incomplete: str) -> Iterable[Item]:
    """Let the shell offer folders where a task may stand as well: only what has a slash, or is a dot, is a folder."""
    return folders(ctx, incomplete) if "/" in incomplete or incomplete.startswith(".") else ()


def agents(_: click.Context, incomplete: str) -> Iterable[Item]:
    """Offer the agents that nova can read."""
    from nova_async.agents import AGENTS

    return (CompletionItem(name) for name in AGENTS if name.startswith(incomplete))


def receivers(_: click.Context, incomplete: str) -> Iterable[Item]:
    """Offer the words that somebody who is to be notified may be."""
    return (CompletionItem(word) for word in ("bell", "osc9", "none") if word.startswith(incomplete))


def task_ids(ctx: click.Context, incomplete: str) -> Iterable[Item]:
    """Offer the tasks of the run here, or of the plan where that is what the command is about, or nothing has run."""
    given = set(words_of(ctx))
    sources = (of_plan, of_state) if ctx.info_name in OF_THE_PLAN else (of_state, of_plan)
    for task_id, about in (sources[0](ctx) or sources[1](ctx)).items():
        if task_id.startswith(incomplete) and task_id not in given:
            yield CompletionItem(task_id, help=about or None)


def run_ids(ctx: click.Context, incomplete: str) -> Iterable[Item]:
    """Offer the runs here, newest first, each with when it began and which plan it ran."""
    from nova_async._core.moments import day_and_time
    from nova_async.journal.reader import JournalReader  # with SQLite

    # What stands before an option that has no value yet is no parameter for click.
    named = str(ctx.params.get("directory") or ".")
    folder = folder_and_tasks(words_of(ctx) or ctx.args)[0] if named == "." else Path(named)
    journal = Path(ctx.params.get("journal") or folder / JOURNAL)
    for run in JournalReader(journal).runs(limit=MOST_RUNS):
        if run.start.run_id.startswith(incomplete):
            yield CompletionItem(run.start.run_id, help=f"{day_and_time(run.start.started_at)} {run.start.plan}")


def words_of(ctx: click.Context) -> tuple[str, ...]:
    """Return the tasks that stand on the line already; before them the plan, where a command takes both."""
    return tuple(ctx.params.get("tasks") or ctx.params.get("words") or ())


def of_state(ctx: click.Context) -> dict[str, str]:
    """Return the ids in the state file, each with its name; none where there is no such file."""
    folder, _ = folder_and_tasks(words_of(ctx))
    path = Path(ctx.params.get("state") or folder / STATE_FILE)
    if not path.is_file() or path.stat().st_size > LARGEST:
        return {}
    tasks = json.loads(path.read_bytes())["tasks"]
    return {task_id: str(task.get("nova", {}).get("name") or "") for task_id, task in tasks.items()}


def of_plan(ctx: click.Context) -> dict[str, str]:
    """Return the ids in the plan, each with its name; none where there is no plan."""
    from nova_async.cascade.reading import read_plan
    from nova_async.cli.choosing import plan_and_tasks

    path = Path(ctx.params.get("plan") or plan_and_tasks(words_of(ctx))[0])
    if not path.is_file():
        return {}

    return {task.id: task.name for task in read_plan(path.read_text(errors="replace")).tasks.values()}
