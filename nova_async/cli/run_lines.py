"""A run as lines: one for each event, for people who read a log of it, or as JSON for programs."""

import json
import sys
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TextIO, final

from nova_async._core.text import one_line
from nova_async.cli.figures import UNKNOWN, clock_time, cost_of_attempt, describe_duration, describe_tokens, until
from nova_async.cli.say import write
from nova_async.records import Event
from nova_async.views import TaskView
from nova_async.words import EventKind, Outcome, Phase

__all__ = ["RunLines", "as_json_line", "describe_event", "json_line", "text_line"]

LONGEST = 500  # characters of an error in one line
INSIST = "; press Ctrl-C again to kill them"


def json_line(event: Event) -> str:
    """Write an event as one line of JSON."""
    return as_json_line(event.as_dict())


def as_json_line(document: Mapping[str, Any]) -> str:
    """Write a document as one line of JSON, in which a runner of GitHub finds no command: ``##[name]`` is one."""
    text = json.dumps(document)  # not msgspec: it refuses halves of surrogate pairs, which paths may hold
    return text.replace("##[", "#\\u0023[")  # only strings can hold it


def text_line(event: Event, *, can_insist: bool = False) -> str:
    """Write an event as one line for people, with the time, and that a second Ctrl-C kills where that is so."""
    hint = INSIST if can_insist and event.kind is EventKind.STOPPING and event.data.get("running") else ""
    return f"{clock_time(event.at)} {describe_event(event)}{hint}"


def describe_event(event: Event) -> str:
    """Say in one line what happened; empty for what its neighbours tell already."""
    data, describe = event.data, TEXTS.get(event.kind)
    if describe is None:
        return ""
    text = one_line(describe(data), LONGEST)
    if not text:
        return ""
    return f"{event.task_id} {text}" if event.task_id is not None else text


def started(data: Mapping[str, Any]) -> str:
    """Say that an attempt began, and with which program."""
    program = str(data.get("program") or "").rpartition("/")[2]
    program += f"@{data['account']}" if data.get("account") else ""
    resumes = f", resuming session {data['resumes']}" if data.get("resumes") else ""
    return f"started (attempt {data.get('attempt', 1)}{resumes}) {program}".rstrip()


def completed(data: Mapping[str, Any]) -> str:
    """Say how long a task took, and what it used."""
    return f"completed in {figures(data)}"


def failed(data: Mapping[str, Any]) -> str:
    """Say why a task failed, and what cannot run now."""
    why = data.get("error") or f"outcome {data.get('outcome')}"
    blocks = data.get("blocks") or ()
    blocked = f"; blocks {', '.join(map(str, blocks))}" if blocks else ""
    return f"failed after {figures(data)}: {why}{blocked}"


def retrying(data: Mapping[str, Any]) -> str:
    """Say why an attempt failed, and when the next one begins."""
    why = data.get("error") or data.get("outcome")
    if data.get("outcome") == Outcome.SESSION_REFUSED:
        return f"begins a new session (attempt {data.get('attempt', 1)}: {why})"
    delay = describe_duration(float(data.get("delay_seconds") or 0.0))
    return f"failed (attempt {data.get('attempt', 1)}: {why}); retrying in {delay}"


def held(data: Mapping[str, Any]) -> str:
    """Say why a task that was begun waits for another run."""
    if data.get("is_out_of_budget"):
        return f"waits: {data.get('reason')}"
    why = data.get("error") or data.get("outcome")
    return f"could not run (attempt {data.get('attempt', 1)}: {why}); it waits"


def phase_started(data: Mapping[str, Any]) -> str:
    """Say that the task's check begins; the other phases are of no news to a reader of lines."""
    if data.get("phase") != Phase.VERIFY:
        return ""
    return f"checking: {data['activity']}" if data.get("activity") else "checking"


def limit_reached(data: Mapping[str, Any]) -> str:
    """Say whose usage limit is reached, and until when its tasks wait."""
    which = f" for {data['model']}" if data.get("model") else ""
    kind = f" ({data['limit']})" if data.get("limit") else ""
    moment = datetime.fromisoformat(str(data.get("waits_until")))
    resets = "" if data.get("resets_at") else "; when it resets is not known, so one of them tries then"
    return f"{data.get('agent')} has reached its usage limit{kind}{which}: its tasks wait {until(moment)}{resets}"


def limit_reset(data: Mapping[str, Any]) -> str:
    """Say who works again."""
    which = f" with {data['model']}" if data.get("model") else ""
    return f"{data.get('agent')} works again{which}: its usage limit has reset"


def milestone(data: Mapping[str, Any]) -> str:
    """Say that a milestone is reached."""
    hint = f" ({data['hint']})" if data.get("hint") else ""
    return f"milestone: {data.get('message') or data.get('id')}{hint}"


def stopping(data: Mapping[str, Any]) -> str:
    """Say who is still to end."""
    running = ", ".join(map(str, data.get("running") or ()))
    if not running:
        return "stopping: no new tasks will start"
    return f"stopping {running}"


def warning(data: Mapping[str, Any]) -> str:
    """Say what is wrong, though it costs no task."""
    return f"warning: {data.get('message') or 'something is wrong'}"


def run_started(data: Mapping[str, Any]) -> str:
    """Say what is to do, and what is done already."""
    done, total = int(data.get("completed") or 0), int(data.get("total") or 0)
    name = data.get("project") or "the run"
    chosen = f", {data['selected']} selected" if "selected" in data else ""
    before = f", {done} already completed" if done else ""
    return f"{name}: {total} {'task' if total == 1 else 'tasks'}{chosen}{before}"


def run_ended(data: Mapping[str, Any]) -> str:
    """Count what became of the tasks."""
    parts = [f"{data.get('completed', 0)} completed"]
    parts += [f"{data[word]} {word}" for word in ("failed", "blocked") if data.get(word)]
    return f"ended: {', '.join(parts)} in {describe_duration(float(data.get('duration_seconds') or 0.0))}"


def figures(data: Mapping[str, Any]) -> str:
    """Write duration, tokens and cost of an attempt, as far as known."""
    parts = [describe_duration(float(data.get("duration_seconds") or 0.0))]
    if data.get("tokens"):
        parts.append(f"{describe_tokens(data['tokens'], complete=data.get('usage_is_final', True))} tokens")
    is_final = data.get("usage_is_final", True)
    cost = cost_of_attempt(data.get("cost_usd"), data.get("estimated_usd"), usage_is_final=is_final)
    parts += [cost] if cost != UNKNOWN else []
    return " · ".join(parts)


TEXTS: Mapping[EventKind, Callable[[Mapping[str, Any]], str]] = {
    EventKind.RUN_STARTED: run_started,
    EventKind.ATTEMPT_STARTED: started,
    EventKind.PHASE_STARTED: phase_started,
    EventKind.TASK_COMPLETED: completed,
    EventKind.TASK_FAILED: failed,
    EventKind.TASK_RETRYING: retrying,
    EventKind.TASK_HELD: held,
    EventKind.LIMIT_REACHED: limit_reached,
    EventKind.LIMIT_RESET: limit_reset,
    EventKind.MILESTONE: milestone,
    EventKind.WARNING: warning,
    EventKind.STOPPING: stopping,
    EventKind.RUN_ENDED: run_ended,
}
"""``attempt_ended`` is not there: the task's next event says the same."""


@final
class RunLines:
    """Writes each event as a line. ``can_insist`` tells whether a second Ctrl-C would kill what is being stopped."""

    wants_views = False

    def __init__(
        self,
        output: TextIO | None = None,
        *,
        as_json: bool = False,
        can_insist: Callable[[], bool] = lambda: False,
    ) -> None:
        self._output = output
        self._write = json_line if as_json else lambda event: text_line(event, can_insist=can_insist())
        self._is_told: Callable[[Event], object] = (lambda event: True) if as_json else describe_event
        self._waiting: deque[Event] = deque()

    def rest(self) -> None:
        """Lines are written when something happens, and at no other time."""

    def show(self, views: Mapping[str, TaskView]) -> None:
        """Take note of nothing: lines tell what happens, not how it stands."""

    def say(self, event: Event) -> None:
        """Take note of what happened."""
        if self._is_told(event):
            self._waiting.append(event)

    def draw(self) -> None:
        """Write the events that wait."""
        while self._waiting:
            write(self._write(self._waiting.popleft()) + "\n", self._output or sys.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
