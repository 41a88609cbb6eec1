"""``nova approve``: tasks that wait for a person may begin, in the running run or in the next one."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from nova_async.cli.advised import place_of
from nova_async.cli.asking import answered, failed, nothing_run, require_tasks
from nova_async.cli.options import argument, command_of, flag, option
from nova_async.cli.places import JOURNAL, STATE_FILE, folder_and_tasks, place_in
from nova_async.cli.say import say
from nova_async.control.protocol import Approve
from nova_async.errors import NoRunError, NovaError

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    tasks: tuple[str, ...] = argument("[DIR] TASK…", nargs=-1)
    plan: str | None = option(metavar="PLAN", help="The plan they belong to; by default the one run last.")
    state: str | None = option(metavar="FILE", help="The state file, if it is elsewhere.")
    journal: str | None = option(metavar="FILE", help="The run's journal, if it is elsewhere.")
    json: bool = flag(help="Write one JSON line.")


def approve(options: Options) -> int:
    """Let tasks begin that wait for approval (gate = true): in the running run, or else in the next one.

    DIR is the folder of the run; by default, this folder. The exit code is 1 if a task needs no approval, 2 if there
    is no such task or nothing has been run here.
    """
    folder, tasks = folder_and_tasks(options.tasks)
    require_tasks(tasks)
    journal, state = place_in(folder, JOURNAL, options.journal), place_in(folder, STATE_FILE, options.state)
    plan = None if options.plan is None else Path(options.plan)
    when = ""
    try:
        try:
            asyncio.run(answered(journal, Approve(tasks=tasks), plan=plan))
        except NoRunError:
            if not journal.is_file():
                raise nothing_run(journal) from None
            approve_for_later(journal, state, plan, tasks)
            when = " for the next run"
    except NovaError as error:
        place = place_of(folder, journal=options.journal, state=options.state)
        return failed(error, as_json=options.json, place=place)
    say(json.dumps({"ok": True, "tasks": tasks}) if options.json else f"approved{when}: {', '.join(tasks)}")
    return 0


def approve_for_later(journal: Path, state: Path, plan: Path | None, tasks: tuple[str, ...]) -> None:
    """Have the journal know that these tasks may begin; raises ``NovaError`` with the reason if they may not."""
    from nova_async.cli.found_task import find_task, read_plan_of
    from nova_async.orchestrator.approve_command import approve_tasks

    found = [find_task(task_id, state=state, journal=journal, plan=plan) for task_id in tasks]
    asyncio.run(approve_tasks(journal, tasks, read_plan_of(found[0]), state=state))


command = command_of(Options, approve)
