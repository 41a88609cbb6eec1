"""``nova retry``: failed tasks get another chance in the next run."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nova_async._core.advice import run_command
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.options import argument, command_of, option
from nova_async.cli.places import JOURNAL, STATE_FILE
from nova_async.cli.say import say, tell
from nova_async.errors import NovaError

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    tasks: tuple[str, ...] = argument("TASK…", nargs=-1)
    plan: str | None = option(metavar="PLAN", help="The plan they belong to; by default the one run last.")
    state: str = option(metavar="FILE", default=STATE_FILE, help="Path of the state file.")
    journal: str = option(metavar="FILE", default=JOURNAL, help="Path of the run journal.")


def retry(options: Options) -> int:
    """Let the next run try failed tasks again, with all their retries."""
    if not Path(options.journal).is_file():
        tell(f"no run here: {options.journal} does not exist")
        return BAD_INPUT
    from nova_async.orchestrator.retry_command import retry_tasks

    try:
        plan = Path(options.plan) if options.plan is not None else None
        asyncio.run(retry_tasks(Path(options.journal), options.tasks, plan=plan))
    except KeyError as error:
        tell(why_not(error.args[0], options))
        return BAD_INPUT
    except NovaError as error:
        tell(str(error))
        return BAD_INPUT
    say(f"{', '.join(options.tasks)} will run again with the next `{again(options)}`")
    return 0


def again(options: Options) -> str:
    """Return the command that runs these tasks."""
    from nova_async.cli.found_task import find_task

    if options.plan is not None:
        return run_command(options.plan)
    with suppress(NovaError):
        task = find_task(options.tasks[0], state=Path(options.state), journal=Path(options.journal))
        return run_command(str(task.plan or ""))
    return run_command()


def why_not(task_id: str, options: Options) -> str:
    """Say why a task that the journal has never seen cannot be tried again."""
    from nova_async.cli.found_task import find_task

    plan = Path(options.plan) if options.plan is not None else None
    try:
        task = find_task(task_id, state=Path(options.state), journal=Path(options.journal), plan=plan)
    except NovaError as error:
        return str(error)
    runs = f"`{run_command(str(task.plan or ''))}` runs it"
    return f"{task_id} has not run yet: {task.view.reason or runs}"


command = command_of(Options, retry)
