"""``nova stop``: a running run ends, or some of its tasks do."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from nova_async.cli.asking import Done, steer
from nova_async.cli.options import argument, command_of, flag, option
from nova_async.cli.places import folder_and_tasks
from nova_async.control.client import Control
from nova_async.control.protocol import Kind, Stop, StopTask
from nova_async.errors import ControlError
from nova_async.journal.state_document import read_task
from nova_async.words import TaskState

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    tasks: tuple[str, ...] = argument("[DIR] [TASK…]", default=(), nargs=-1)
    kill: bool = flag(help="Kill the agents at once instead of asking them to end.")
    no_wait: bool = flag(help="Do not wait until they have ended.")
    journal: str | None = option(metavar="FILE", help="The run's journal, if it is elsewhere.")
    json: bool = flag(help="Write one JSON line.")


def stop(options: Options) -> int:
    """Stop a running run, or with TASKs only these, and wait until they have ended.

    DIR is the folder of the run; by default, this folder. Without TASKs it is as one Ctrl-C in the terminal of the
    run, with --kill as two; the next nova run continues from there. A stopped task waits for nova retry or the next
    run. The exit code is 1 if the run cannot do it, 2 if there is no such task or no run is running.
    """
    folder, tasks = folder_and_tasks(options.tasks)
    if not tasks:
        wait = None if options.no_wait else until_over
        return steer(folder, options.journal, Stop(kill=options.kill), of_run, as_json=options.json, wait=wait)
    wait_for = None if options.no_wait else partial(until_ended, tasks=tasks)
    told = f"asked to end: {', '.join(tasks)}"
    return steer(
        folder, options.journal, StopTask(tasks=tasks, kill=options.kill), lambda done: done.outcome or told,
        as_json=options.json, wait=wait_for,
    )  # fmt: skip


async def until_over(control: Control) -> str:
    """Wait for the end of the run."""
    await control.wait()
    if not control.is_over:
        raise ControlError(f"the run (pid {control.run.pid}) is gone, and has not said how it ended")
    return f"the run is over: {control.end}"


async def until_ended(control: Control, *, tasks: Sequence[str]) -> str:
    """Wait until none of these tasks is at work any more, and say what each has come to."""
    working, ends = set(tasks), dict.fromkeys(tasks, TaskState.WAITING)
    async with aclosing(control.watch()) as messages:
        async for message in messages:
            if message["kind"] == Kind.OVER:
                break
            found = message.get("tasks", {})
            ends |= {name: read_task(name, found[name]).state for name in working & found.keys()}
            working = {name for name in working if name not in found or is_at_work(ends[name])}
            if not working:
                break
    return describe_ends(ends)


def describe_ends(ends: Mapping[str, TaskState]) -> str:
    """Say which tasks are stopped; one may have come to its end before it heard of that, and then that end counts."""
    words = {TaskState.COMPLETED: "completed before it was stopped", TaskState.FAILED: "failed before it was stopped"}
    told: dict[str, list[str]] = {}
    for task_id, state in ends.items():
        told.setdefault(words.get(state, "stopped"), []).append(task_id)
    return "; ".join(f"{word}: {', '.join(task_ids)}" for word, task_ids in told.items())


def is_at_work(state: TaskState) -> bool:
    """Tell whether an agent is working on a task."""
    return state is TaskState.IN_PROGRESS


def of_run(done: Done) -> str:
    """Say what has happened to the run."""
    return done.outcome or f"the run (pid {done.pid}) was asked to stop"


command = command_of(Options, stop)
