"""What happened in a run, in words: a sentence for each event, the same in a log, on a terminal and on a page. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from nova_async._core.money import dollars
from nova_async._core.text import listed, one_line
from nova_async.control.figures import UNKNOWN, cost_of_attempt, describe_duration, describe_tokens, until
from nova_async.control.gauge_words import describe_gauge
from nova_async.journal.foreign_json import as_count, as_moment, as_number, as_text, as_texts, as_word
from nova_async.records import Event
from nova_async.words import EventKind, Outcome, Phase

__all__ = ["describe_event", "read_event"]

ABOUT = frozenset({"event", "at", "schema", "task", "number"})  # of an event, what is not its data
LONGEST = 500  # characters of an error in one line
MOST_NAMED = 10  # tasks in one line


def describe_event(event: Event) -> str:
    """Say in one line what happened; empty for what its neighbours tell already."""
    describe = TEXTS.get(event.kind)
    if describe is None:
        return ""
    text = one_line(describe(event), LONGEST)
    if not text:
        return ""
    return f"{event.task_id} {text}" if event.task_id is not None else text


def read_event(said: Mapping[str, Any]) -> Event | None:
    """Read what ``Event.as_dict`` has written; None for a kind that another version knows."""
    kind, at = as_word(EventKind, said.get("event")), as_moment(said.get("at"))
    if kind is None or at is None:
        return None
    data = {name: value for name, value in said.items() if name not in ABOUT}
    return Event(kind=kind, at=at, task_id=as_text(said.get("task")), data=data, number=as_count(said.get("number")))


def started(event: Event) -> str:
    """Say that an attempt began, and with which program."""
    data = event.data
    program = str(data.get("program") or "").rpartition("/")[2]
    program += f"@{data['account']}" if data.get("account") else ""
    resumes = f", resuming session {data['resumes']}" if data.get("resumes") else ""
    return f"started (attempt {data.get('attempt', 1)}{resumes}) {program}".rstrip()


def completed(event: Event) -> str:
    """Say how long a task took, and what it used."""
    data = event.data
    return f"completed in {figures(data)}"


def failed(event: Event) -> str:
    """Say why a task failed, and what cannot run now."""
    data = event.data
    why = data.get("error") or f"outcome {data.get('outcome')}"
    blocks = data.get("blocks") or ()
    blocked = f"; blocks {', '.join(map(str, blocks))}" if blocks else ""
    return f"failed after {figures(data)}: {why}{blocked}"


def retrying(event: Event) -> str:
    """Say why an attempt failed, and when the next one begins."""
    data = event.data
    why = data.get("error") or data.get("outcome")
    if data.get("outcome") == Outcome.SESSION_REFUSED:
        return f"begins a new session (attempt {data.get('attempt', 1)}: {why})"
    delay = describe_duration(float(data.get("delay_seconds") or 0.0))
    return f"failed (attempt {data.get('attempt', 1)}: {why}); retrying in {delay}"


def held(event: Event) -> str:
    """Say why a task that was begun waits for another run."""
    data = event.data
    if data.get("is_out_of_budget"):
        return f"waits: {data.get('reason')}"
    why = data.get("error") or data.get("outcome")
    return f"could not run (attempt {data.get('attempt', 1)}: {why}); it waits"


def task_stopping(event: Event) -> str:
    """Say that somebody wants a task to stop."""
    return "is being stopped"


def task_stopped(event: Event) -> str:
    """Say that a task does not go on in this run, unless somebody wants it to."""
    return f"stopped after {figures(event.data)}" if event.data.get("attempt") else "stopped before it began"


def task_reopened(event: Event) -> str:
    """Say that a task runs again, and what was built on it and stays as it is."""
    stay = as_texts(event.data.get("stay_completed"))
    return f"runs again; built on it, and left completed: {listed(stay, MOST_NAMED)}" if stay else "runs again"


def approval_needed(event: Event) -> str:
    """Say that a task waits for somebody."""
    return f"waits for approval: `nova approve {event.task_id or 'TASK'}`"


def approved(event: Event) -> str:
    """Say that somebody has let a task begin."""
    return "is approved"


def paused(event: Event) -> str:
    """Say that nothing new begins, and what still runs."""
    running = as_texts(event.data.get("running"))
    return f"paused: no new tasks will start{f'; still running: {listed(running, MOST_NAMED)}' if running else ''}"


def resumed(event: Event) -> str:
    """Say that the run goes on."""
    return "resumed"


def workers_changed(event: Event) -> str:
    """Say how many tasks run at once from now on."""
    return f"up to {as_count(event.data.get('max_workers'))} at once now ({as_count(event.data.get('before'))} before)"


def budget_changed(event: Event) -> str:
    """Say what the run may use from now on."""
    usd, tokens = as_number(event.data.get("max_cost_usd")), as_count(event.data.get("max_tokens"))
    parts = [dollars(usd)] if usd is not None else []
    parts += [f"{tokens:,} tokens"] if tokens else []
    return f"the run's budget is now {' and '.join(parts)}"


def phase_started(event: Event) -> str:
    """Say that the task's check begins; the other phases are of no news to a reader of lines."""
    data = event.data
    if data.get("phase") != Phase.VERIFY:
        return ""
    return f"checking: {data['activity']}" if data.get("activity") else "checking"


def limit_near(event: Event) -> str:
    """Say how much of a usage limit is used, and when the next task starts if that slows starts down."""
    data = event.data
    moments = as_moment(data.get("resets_at")), as_moment(data.get("next_start_at"))
    used = min(as_number(data.get("used")) or 0.0, 1.0)
    return describe_gauge(str(data.get("agent")), str(data.get("limit")), used, *moments, event.at)


def limit_reached(event: Event) -> str:
    """Say whose usage limit is reached, and until when its tasks wait."""
    data = event.data
    which = f" for {data['model']}" if data.get("model") else ""
    kind = f" ({data['limit']})" if data.get("limit") else ""
    moment = as_moment(data.get("waits_until"))
    resets = "" if data.get("resets_at") else "; when it resets is not known, so one of them tries then"
    wait = f"its tasks wait {until(moment, event.at)}" if moment else "its tasks wait"
    return f"{data.get('agent')} has reached its usage limit{kind}{which}: {wait}{resets}"


def limit_reset(event: Event) -> str:
    """Say who works again."""
    data = event.data
    which = f" with {data['model']}" if data.get("model") else ""
    return f"{data.get('agent')} works again{which}: its usage limit has reset"


def milestone(event: Event) -> str:
    """Say that a milestone is reached."""
    data = event.data
    hint = f" ({data['hint']})" if data.get("hint") else ""
    return f"milestone: {data.get('message') or data.get('id')}{hint}"


def stopping(event: Event) -> str:
    """Say who is still to end."""
    data = event.data
    running = ", ".join(map(str, data.get("running") or ()))
    if not running:
        return "stopping: no new tasks will start"
    return f"stopping {running}"


def warning(event: Event) -> str:
    """Say what is wrong, though it costs no task."""
    data = event.data
    return f"warning: {data.get('message') or 'something is wrong'}"


def run_started(event: Event) -> str:
    """Say what is to do, and what is done already."""
    data = event.data
    done, total = int(data.get("completed") or 0), int(data.get("total") or 0)
    name = data.get("project") or "the run"
    chosen = f", {data['selected']} selected" if "selected" in data else ""
    before = f", {done} already completed" if done else ""
    return f"{name}: {total} {'task' if total == 1 else 'tasks'}{chosen}{before}"


def run_ended(event: Event) -> str:
    """Count what became of the tasks."""
    data = event.data
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


TEXTS: Mapping[EventKind, Callable[[Event], str]] = {
    EventKind.RUN_STARTED: run_started,
    EventKind.ATTEMPT_STARTED: started,
    EventKind.PHASE_STARTED: phase_started,
    EventKind.TASK_COMPLETED: completed,
    EventKind.TASK_FAILED: failed,
    EventKind.TASK_RETRYING: retrying,
    EventKind.TASK_HELD: held,
    EventKind.TASK_STOPPING: task_stopping,
    EventKind.TASK_STOPPED: task_stopped,
    EventKind.TASK_REOPENED: task_reopened,
    EventKind.APPROVAL_NEEDED: approval_needed,
    EventKind.APPROVED: approved,
    EventKind.PAUSED: paused,
    EventKind.RESUMED: resumed,
    EventKind.WORKERS_CHANGED: workers_changed,
    EventKind.BUDGET_CHANGED: budget_changed,
    EventKind.LIMIT_NEAR: limit_near,
    EventKind.LIMIT_REACHED: limit_reached,
    EventKind.LIMIT_RESET: limit_reset,
    EventKind.MILESTONE: milestone,
    EventKind.WARNING: warning,
    EventKind.STOPPING: stopping,
    EventKind.RUN_ENDED: run_ended,
}
"""``attempt_ended`` is not there: the task's next event says the same."""
