"""What is said of a task, and how it looks: the same words on a terminal, in a pipe and on a page. Pure."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from nova_async.control.figures import cost_of_all, describe_duration, describe_tokens, stopwatch, until
from nova_async.views import TaskView
from nova_async.words import Phase, TaskState

__all__ = [
    "LOOKS",
    "NEEDS_APPROVAL",
    "ON_HOLD",
    "Look",
    "Tone",
    "cost_of",
    "count_states",
    "doing",
    "is_on_hold",
    "is_waiting_for_a_limit",
    "look_of",
    "seconds_until",
    "silent_seconds",
    "time_of",
    "tokens_of",
]


class Tone(StrEnum):
    """What a piece of text means to the eye; a terminal and a page have their own colours for it."""

    PLAIN = "plain"
    STRONG = "strong"
    """Read first: a name, a title."""
    QUIET = "quiet"
    """Read last."""
    GOOD = "good"
    BUSY = "busy"
    """At work."""
    CHANGING = "changing"
    """On its way to another state: it is tried again, or stopped."""
    WARNING = "warning"
    BAD = "bad"


class Look(NamedTuple):
    """How a task's state is shown: a sign and a word, which say all, and a tone."""

    sign: str
    word: str
    tone: Tone


LOOKS = {
    TaskState.IN_PROGRESS: Look("▸", "running", Tone.BUSY),
    TaskState.FAILED: Look("✗", "failed", Tone.BAD),
    TaskState.RETRYING: Look("↻", "retrying", Tone.CHANGING),
    TaskState.READY: Look("-", "ready", Tone.PLAIN),
    TaskState.WAITING: Look("-", "waiting", Tone.QUIET),
    TaskState.BLOCKED: Look("⊘", "blocked", Tone.PLAIN),
    TaskState.COMPLETED: Look("✓", "completed", Tone.GOOD),
}
NEEDS_APPROVAL = Look("?", "to approve", Tone.WARNING)
ON_HOLD = Look("⊘", "on hold", Tone.WARNING)
SILENT = 60.0  # seconds without output; agents think for half a minute
AT_WORK = {Phase.PREPARE: "starting", Phase.RUN: "running", Phase.VERIFY: "checking", Phase.SETTLE: "finishing"}


def look_of(task: TaskView, *, is_over: bool = False) -> Look:
    """Return how a task's state is shown. Once the run ``is_over``, what has not come to its end stays as it is."""
    usual = LOOKS[task.state]
    if is_over and task.state is TaskState.IN_PROGRESS:
        return Look("✗", "lost", Tone.BAD)  # its supervisor died
    if not task.is_selected and task.state is TaskState.WAITING:
        return Look("-", "not selected", Tone.QUIET)
    if task.needs_approval:
        return NEEDS_APPROVAL
    if is_over and waits_for_the_next_run(task):
        return usual
    if is_over and task.state in (TaskState.READY, TaskState.WAITING, TaskState.RETRYING):
        return Look("-", "stopped" if task.attempt else "not started", Tone.PLAIN)
    if task.is_stopped and task.state is TaskState.WAITING:
        return Look("-", "stopped", Tone.PLAIN)
    if is_on_hold(task):
        return ON_HOLD
    if task.state is not TaskState.IN_PROGRESS:
        return usual
    if task.is_stopping:
        return Look("!", "stopping", Tone.CHANGING)
    return usual._replace(word=AT_WORK.get(task.phase, "starting") if task.phase else "starting")


def count_states(states: Sequence[TaskState]) -> list[str]:
    """Say how many tasks are completed, and how many of them failed or are blocked if any are."""
    troubles = [state for state in (TaskState.FAILED, TaskState.BLOCKED) if state in states]
    completed = f"{states.count(TaskState.COMPLETED)} of {len(states)} completed"
    return [completed, *(f"{states.count(state)} {state}" for state in troubles)]


def doing(task: TaskView, now: datetime, *, is_over: bool = False) -> str:
    """Say what a task does, why it failed, or what it waits for; once the run ``is_over`` it waits for nothing.

    That its agent is silent is said with it, and what is missing in its log, whatever it does.
    """
    silent = "" if is_over else describe_silence(task, now)
    missing = f"log error: {task.log_error}" if task.log_error else ""
    return " · ".join(filter(None, (_doing(task, now, is_over=is_over), silent, missing)))


def silent_seconds(task: TaskView, now: datetime) -> float | None:
    """Return for how long a running agent has printed nothing, if that is worth a word; None otherwise."""
    if task.state is not TaskState.IN_PROGRESS or task.last_output_at is None:
        return None
    seconds = (now - task.last_output_at).total_seconds()
    return seconds if seconds >= SILENT else None


def describe_silence(task: TaskView, now: datetime) -> str:
    """Say for how long a running agent has printed nothing, and what it may be waiting for; empty for a moment."""
    seconds = silent_seconds(task, now)
    if seconds is None:
        return ""
    from nova_async.agents.wording import why_silent  # with all agents: seldom needed

    # Without an activity it may be no agent, or one that prints only at its end; what it retries stands before.
    why = why_silent(task.activity) if task.activity and not task.activity.startswith("retrying") else ""
    return f"silent for {describe_duration(seconds)}{why}"


def _doing(task: TaskView, now: datetime, *, is_over: bool) -> str:
    match task.state:
        case TaskState.IN_PROGRESS:
            return "" if is_over else task.activity or ""
        case TaskState.FAILED:
            return task.error or (task.outcome.value if task.outcome else "")
        case TaskState.COMPLETED:
            return f"denied: {', '.join(task.denied)}" if task.denied else ""
        case TaskState.BLOCKED:
            return task.reason or f"blocked by {', '.join(task.blocked_by) or 'a failure'}"
        case TaskState.RETRYING if task.retry_at is not None and not is_over:
            left = max((task.retry_at - now).total_seconds(), 0.0)
            return f"in {stopwatch(left)}" + (f": {task.error}" if task.error else "")
        case TaskState.WAITING if task.retry_at is not None and task.reason and not is_over:
            return f"{task.reason} {until(task.retry_at, now)}"
        case _:
            is_settled = is_on_hold(task) or task.needs_approval or waits_for_the_next_run(task)
            is_plain = (is_over and not is_settled) or not task.is_selected
            return "" if is_plain else task.reason or ""


def is_on_hold(task: TaskView) -> bool:
    """Tell whether a task waits for something that waiting does not bring: its agent cannot work here, say."""
    waits = task.state in (TaskState.READY, TaskState.WAITING) and task.is_selected
    return waits and bool(task.reason) and not (task.reason or "").startswith("waits for ")


def waits_for_the_next_run(task: TaskView) -> bool:
    """Tell whether somebody has let a task run again, or approved it, since the run was over."""
    return task.state is TaskState.WAITING and (task.reason or "").startswith("waits for the next ")


def time_of(task: TaskView) -> str:
    """Write how long a task has worked, for a table; nothing before it has begun."""
    return stopwatch(task.duration_seconds) if task.attempt or task.duration_seconds else ""


def tokens_of(task: TaskView, *, is_over: bool = False) -> str:
    """Write a task's tokens for a table; nothing where none are known.

    While it runs it is plain that more may come; once it does not, what is known to be too little is marked so.
    """
    complete = task.usage_is_final or (task.state is TaskState.IN_PROGRESS and not is_over)
    return describe_tokens(task.usage.total, complete=complete, short=True) if task.usage.total else ""


def cost_of(task: TaskView) -> str:
    """Write what a task has cost, for a table; nothing before it has used anything."""
    if task.cost_usd is None and task.estimated_usd is None and not task.usage.total:
        return ""
    return cost_of_all(task)


def is_waiting_for_a_limit(task: TaskView) -> bool:
    """Tell whether a task waits for a usage limit to reset."""
    return task.state is TaskState.WAITING and task.retry_at is not None


def seconds_until(now: datetime, task: TaskView, since: datetime | None = None) -> float:
    """Return a task's time of work ``since`` its run was begun afresh; of a running attempt up to now."""
    if task.state is not TaskState.IN_PROGRESS or task.started_at is None:
        return task.duration_seconds
    ended = [(each.start.started_at, each.end.duration_seconds) for each in task.attempts if each.end]
    earlier = sum(seconds for started_at, seconds in ended if since is None or started_at >= since)
    earlier += task.earlier.totals.duration_seconds if task.earlier is not None else 0.0
    return max(task.duration_seconds, earlier + (now - task.started_at).total_seconds())
