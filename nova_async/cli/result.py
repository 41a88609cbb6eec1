"""``nova result``: what an agent answered in the end, and nothing else."""

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from nova_async._core.advice import Place, run_command
from nova_async.agents import AGENTS, recognise
from nova_async.agents.registry import PLAIN
from nova_async.cli.advised import place_of, seen_from
from nova_async.cli.exit_codes import BAD_INPUT
from nova_async.cli.found_task import Answer, FoundTask, answer_of, find_task
from nova_async.cli.ink import is_terminal
from nova_async.cli.options import argument, command_of, option, run_option
from nova_async.cli.places import JOURNAL, LOG_DIR, STATE_FILE, folder_and_task, place_in
from nova_async.cli.say import say, tell, write_all
from nova_async.errors import NovaError
from nova_async.journal.columns import MOST_TEXT
from nova_async.journal.log_files import open_log
from nova_async.records import Attempt, LogRef
from nova_async.words import TaskState

__all__ = ["command"]

NO_ANSWER = 1
CHUNK = 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    words: tuple[str, ...] = argument("[DIR] TASK", nargs=-1)
    plan: str | None = option(metavar="PLAN", help="The plan it belongs to; by default the one run last.")
    run: str | None = run_option()
    state: str | None = option(metavar="FILE", help="The state file, if it is elsewhere.")
    journal: str | None = option(metavar="FILE", help="The run journal, if it is elsewhere.")


def show_result(options: Options) -> int:
    """Print the final answer of a task's agent; in a pipe, exactly as the agent gave it.

    TASK is a task id, DIR the folder of the run; by default, this folder. The exit code is 1 if there is no answer, 2
    if there is no such task.
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
    answer = answer_of(task.view.attempts)
    if answer is None:
        place = place_of(folder, journal=options.journal, state=options.state)
        tell(place.advice(f"{task_id} has no answer: {why_none(task, place)}"))
        return NO_ANSWER
    text = whole(answer, state.parent)
    if sys.stdout is not None and not is_terminal(sys.stdout):
        sys.stdout.flush()
        write_all(sys.stdout.fileno(), text.encode("utf-8", "surrogateescape"))
    else:
        say(text.strip("\n"))
    return 0


def why_none(task: FoundTask, place: Place) -> str:
    """Say why there is no final answer."""
    view = task.view
    if not view.attempts:
        if view.state is TaskState.COMPLETED:
            return "it was ticked off in the plan, and no agent has run"
        return f"it has not run yet{f': {view.reason}' if view.reason else ''}"
    last = view.attempts[-1]
    if last.end is None and not task.is_over:
        return f"attempt {last.start.id.number} is still running"
    if not last.counts:
        return f"its earlier attempts no longer count; `{run_command(seen_from(place, task.plan))}` runs it again"
    look = f"; `nova logs {view.id}` shows what it printed"
    if view.error:
        return f"{view.error}{look}"
    if last.start.agent in ("", PLAIN.name):
        return f"its command is not an agent that nova can read{look}"
    return f"its agent gave none{look}"


def whole(answer: Answer, folder: Path) -> str:
    """Return all of an answer, of which the journal keeps the beginning; the log has the rest, where it still is."""
    if len(answer.text.encode("utf-8", "surrogatepass")) < MOST_TEXT - 4:
        return answer.text
    end = answer.attempt.end or answer.attempt.finished
    log = end.log if end is not None else None
    found = answer_in(log, answer.attempt, folder) if log is not None else None
    if found is not None and found.startswith(answer.text):
        return found
    tell(f"only the first {MOST_TEXT // 1024} KiB of the answer are kept, and its log is gone")
    return answer.text


def answer_in(log: LogRef, attempt: Attempt, folder: Path) -> str | None:
    """Read the final answer out of an attempt's log; None if the log is not there any more."""
    agent = AGENTS.get(attempt.start.agent)
    if agent is None:
        return None
    command = attempt.start.command
    reader = agent.reader(agent.mode_of(command) if recognise(command) is agent else None)
    path = Path(log.path)
    file = open_log(log, dict.fromkeys((path, folder / path, Path(LOG_DIR, path.name))), Path(LOG_DIR))
    if file is None:
        return None
    with file:
        while chunk := file.read(CHUNK):
            reader.feed(chunk)
    reader.close()
    return reader.report.result


command = command_of(Options, show_result)
