"""``nova retry``: tasks that have come to their end get another chance, in the running run or in the next one."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nova_async._core.advice import Place, run_command
from nova_async.cli.advised import place_of, seen_from
from nova_async.cli.asking import answered, failed, nothing_run, require_tasks
from nova_async.cli.options import argument, command_of, flag, option
from nova_async.cli.places import JOURNAL, STATE_FILE, folder_and_tasks, place_in
from nova_async.cli.say import say
from nova_async.control.protocol import Retry
from nova_async.errors import NoRunError, NovaError

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    tasks: tuple[str, ...] = argument("[DIR] TASK…", nargs=-1)
    downstream: bool = flag(help="Run again all that depends on them, too.")
    plan: str | None = option(metavar="PLAN", help="The plan they belong to; by default the one run last.")
    state: str | None = option(metavar="FILE", help="The state file, if it is elsewhere.")
    journal: str | None = option(metavar="FILE", help="The run's journal, if it is elsewhere.")
    json: bool = flag(help="Write one JSON line.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is meant by that."""

    folder: Path
    tasks: tuple[str, ...]
    journal: Path
    state: Path
    plan: Path | None
    place: Place


def retry(options: Options) -> int:
    """Let failed tasks run again, with all their retries: in the running run, or else in the next one.

    DIR is the folder of the run; by default, this folder. The exit code is 1 if the running run refuses, 2 if there is
    no such task or nothing has been run here.
    """
    folder, tasks = folder_and_tasks(options.tasks)
    require_tasks(tasks)
    journal, state = place_in(folder, JOURNAL, options.journal), place_in(folder, STATE_FILE, options.state)
    plan = None if options.plan is None else Path(options.plan)
    place = place_of(folder, journal=options.journal, state=options.state)
    wanted = Wanted(folder=folder, tasks=tasks, journal=journal, state=state, plan=plan, place=place)
    if not wanted.journal.is_file():
        return failed(nothing_run(wanted.journal), as_json=options.json)
    try:
        again = in_the_run(wanted, options)
        if again is not None:
            told = f"{', '.join(again)} {'runs' if len(again) == 1 else 'run'} again"
        else:
            again, told = in_the_next_run(wanted, options)
    except NovaError as error:
        return failed(error, as_json=options.json, place=wanted.place)
    say(json.dumps({"ok": True, "tasks": again}) if options.json else told)
    return 0


def in_the_run(wanted: Wanted, options: Options) -> tuple[str, ...] | None:
    """Have the running run do it, and return the tasks that run again; None if no run of that plan is running."""
    asked = Retry(tasks=wanted.tasks, downstream=options.downstream)
    try:
        done = asyncio.run(answered(wanted.journal, asked, plan=wanted.plan))
    except NoRunError:
        return None
    return tuple(done.answer.get("tasks", wanted.tasks))


def in_the_next_run(wanted: Wanted, options: Options) -> tuple[tuple[str, ...], str]:
    """Have the journal forget what the tasks have come to; return those that run again, and a sentence about it.

    Raises ``NovaError`` with the reason where that cannot be.
    """
    from nova_async.cli.found_task import NoTaskError, find_task, read_plan_of
    from nova_async.orchestrator.retry_command import retry_tasks

    found = cascade = None
    with suppress(NovaError):
        found = find_task(wanted.tasks[0], state=wanted.state, journal=wanted.journal, plan=wanted.plan)
    if found is not None:
        try:
            cascade = read_plan_of(found)
        except NoTaskError:
            if options.downstream:
                raise
    try:
        retried = asyncio.run(
            retry_tasks(
                wanted.journal,
                wanted.tasks,
                plan=wanted.plan,
                cascade=cascade,
                downstream=options.downstream,
                state=wanted.state,
            )
        )
    except KeyError as error:
        raise NoTaskError(why_not(error.args[0], wanted)) from None
    told = f"{', '.join(retried.again)} will run again with the next `{next_run(wanted, found and found.plan)}`"
    if retried.stay_completed:
        which = ", ".join(retried.stay_completed)
        told += f"; what is built on {'it' if len(retried.again) == 1 else 'them'} stays completed: {which}"
        told += " (--downstream runs it again)"
    return retried.again, told


def next_run(wanted: Wanted, plan: Path | None) -> str:
    """Return the command that runs the tasks, from the folder in which we are."""
    return wanted.place.command(run_command(seen_from(wanted.place, wanted.plan or plan)))


def why_not(task_id: str, wanted: Wanted) -> str:
    """Say why a task that the journal has never seen cannot be tried again."""
    from nova_async.cli.found_task import find_task

    try:
        task = find_task(task_id, state=wanted.state, journal=wanted.journal, plan=wanted.plan)
    except NovaError as error:
        return str(error)
    runs = f"`{run_command(seen_from(wanted.place, task.plan))}` runs it"
    return f"{task_id} has not run yet: {task.view.reason or runs}"


command = command_of(Options, retry)
