"""What happened in a run, in words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from nova_async.control.event_words import describe_event, read_event
from nova_async.records import Event
from nova_async.words import EventKind, Outcome, Phase

NOON = datetime(2030, 1, 2, 12, 0, 0).astimezone()
HOUR_LATER = NOON.replace(hour=13).astimezone(UTC).isoformat()
MINUTE_LATER = NOON.replace(minute=1).astimezone(UTC).isoformat()
USED = {"attempt": 1, "duration_seconds": 153.0, "tokens": 12_345, "cost_usd": 0.42}


@pytest.mark.parametrize(
    ("kind", "data", "told"),
    [
        ("run_started", {"project": "Shop", "total": 3, "completed": 1}, "Shop: 3 tasks, 1 already completed"),
        ("run_started", {"total": 1, "selected": 1}, "the run: 1 task, 1 selected"),
        ("attempt_started", {"attempt": 2, "program": "/usr/bin/tool", "account": "work", "resumes": "s1"},
         "started (attempt 2, resuming session s1) tool@work"),
        ("attempt_started", {}, "started (attempt 1)"),
        ("attempt_ended", {"outcome": Outcome.OK}, ""),
        ("task_completed", USED, "completed in 2 min 33 s · 12,345 tokens · $0.42"),
        ("task_completed", {"duration_seconds": 2.0}, "completed in 2.0 s"),
        ("task_failed", {"outcome": Outcome.EXIT, "duration_seconds": 2.0, "blocks": ["F3"]},
         "failed after 2.0 s: outcome exit; blocks F3"),
        ("task_retrying", {"outcome": Outcome.OVERLOAD, "error": "API\nError", "delay_seconds": 30.0},
         "failed (attempt 1: API Error); retrying in 30 s"),
        ("task_retrying", {"outcome": Outcome.SESSION_REFUSED}, "begins a new session (attempt 1: session_refused)"),
        ("task_held", {"reason": "the budget is used up", "is_out_of_budget": True}, "waits: the budget is used up"),
        ("task_held", {"outcome": Outcome.AUTH}, "could not run (attempt 1: auth); it waits"),
        ("task_stopping", {}, "is being stopped"),
        ("task_stopped", USED, "stopped after 2 min 33 s · 12,345 tokens · $0.42"),
        ("task_stopped", {}, "stopped before it began"),
        ("task_reopened", {}, "runs again"),
        ("task_reopened", {"stay_completed": ["A", "B"]}, "runs again; built on it, and left completed: A, B"),
        ("approved", {}, "is approved"),
        ("paused", {"running": ["F1"]}, "paused: no new tasks will start; still running: F1"),
        ("paused", {}, "paused: no new tasks will start"),
        ("resumed", {}, "resumed"),
        ("workers_changed", {"max_workers": 8, "before": 3}, "up to 8 at once now (3 before)"),
        ("budget_changed", {"max_cost_usd": 2.5, "max_tokens": 1000}, "the run's budget is now $2.50 and 1,000 tokens"),
        ("budget_changed", {"max_tokens": 1000}, "the run's budget is now 1,000 tokens"),
        ("budget_changed", {"max_cost_usd": 2.5}, "the run's budget is now $2.50"),
        ("phase_started", {"phase": Phase.VERIFY, "activity": "pytest"}, "checking: pytest"),
        ("phase_started", {"phase": Phase.VERIFY}, "checking"),
        ("phase_started", {"phase": Phase.SETTLE}, ""),
        ("limit_near", {"agent": "x", "limit": "five_hour", "used": 0.8699, "resets_at": HOUR_LATER,
                        "next_start_at": MINUTE_LATER},
         "x: 86 % of its 5-hour limit used, resets 13:00; next start at 12:01:00 (pace)"),
        ("limit_near", {"agent": "x", "limit": "seven_day_big", "used": 0.996},
         "x: 99 % of its seven day big limit used"),
        ("limit_reached", {"agent": "x", "model": "m", "limit": "5h", "waits_until": HOUR_LATER, "resets_at": "then"},
         "x has reached its usage limit (5h) for m: its tasks wait until 13:00 (in 1 h 0 min)"),
        ("limit_reached", {"agent": "x"},
         "x has reached its usage limit: its tasks wait; when it resets is not known, so one of them tries then"),
        ("limit_reset", {"agent": "x", "model": "m"}, "x works again with m: its usage limit has reset"),
        ("limit_reset", {"agent": "x"}, "x works again: its usage limit has reset"),
        ("milestone", {"id": "m", "message": "Half.", "hint": "open it"}, "milestone: Half. (open it)"),
        ("milestone", {"id": "m"}, "milestone: m"),
        ("warning", {"message": "the disk is full"}, "warning: the disk is full"),
        ("warning", {}, "warning: something is wrong"),
        ("stopping", {"running": ["F1", "F2"]}, "stopping F1, F2"),
        ("stopping", {}, "stopping: no new tasks will start"),
        ("run_ended", {"completed": 1, "failed": 1, "duration_seconds": 160.0},
         "ended: 1 completed, 1 failed in 2 min 40 s"),
    ],
)  # fmt: skip
def test_events_in_words(kind: str, data: dict[str, Any], told: str) -> None:
    """Each is one line that can be understood without the others."""
    assert describe_event(Event(kind=EventKind(kind), at=NOON, data=data)) == told
    of_a_task = describe_event(Event(kind=EventKind(kind), at=NOON, task_id="F1", data=data))
    assert of_a_task == (f"F1 {told}" if told else "")


def test_how_to_approve() -> None:
    """Who is told that a task waits for approval is told how to give it."""
    event = Event(kind=EventKind.APPROVAL_NEEDED, at=NOON, task_id="F1")
    assert describe_event(event) == "F1 waits for approval: `nova approve F1`"
    assert describe_event(Event(kind=EventKind.APPROVAL_NEEDED, at=NOON)) == "waits for approval: `nova approve TASK`"


def test_an_event_is_read_as_it_was_written() -> None:
    """What a run tells others is the same event there; one of a newer version is passed over."""
    event = Event(kind=EventKind.TASK_FAILED, at=NOON, task_id="F1", data={"error": "x"}, number=7)
    assert read_event({**event.as_dict(), "number": 7}) == event
    assert read_event(Event(kind=EventKind.STOPPING, at=NOON).as_dict()) == Event(kind=EventKind.STOPPING, at=NOON)
    assert read_event({"event": "danced", "at": NOON.isoformat()}) is None
    assert read_event({"event": "stopping", "at": "noon"}) is None
