"""Of what somebody is notified: decided from the events of a run alone."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.notice.due import LONGEST_VALUE, MOST, MOST_ITEMS, Due, Notice
from nova_async.records import Event
from nova_async.words import EventKind, NoticeKind, Outcome

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


def event(kind: str, task_id: str | None = None, **data: Any) -> Event:
    """Return an event."""
    return Event(kind=EventKind(kind), at=NOON, task_id=task_id, data=data, run_id="r1")


def due(*events: Event) -> list[Notice]:
    """Return what is told because of these events."""
    known = Due("Shop", "CASCADE.md")
    return [notice for each in events if (notice := known.notice(each)) is not None]


NEAR = event("warning", message="the run's budget of $5 is 80 % used", budget_of=None, is_used_up=False)
SPENT = event("warning", message="the run's budget of $5 is used up", budget_of=None, is_used_up=True)


@pytest.mark.parametrize(
    ("happened", "kind", "text"),
    [
        (event("run_ended", ok=True, completed=3, duration_seconds=5.0), "end", "ended: 3 completed in 5.0 s"),
        (event("task_failed", "T2", error="exit code 1", duration_seconds=2.0, blocks=["T3"]), "failure",
         "T2 failed after 2.0 s: exit code 1; blocks T3"),
        (event("attempt_ended", "T2", outcome=Outcome.OK, denied=["Bash", "Write"]), "blocked",
         "T2: the agent was denied Bash, Write"),
        (event("approval_needed", "T4"), "blocked", "T4 waits for approval: `nova approve T4`"),
        (event("warning", message="x is not logged in; log in", held="x", outcome=Outcome.AUTH), "blocked",
         "x is not logged in; log in"),
        (event("warning", message="x has reached its limit", held="x", outcome=Outcome.LIMIT), "limit",
         "x has reached its limit"),
        (event("limit_near", agent="x", limit="five_hour", used=0.81), "limit", "x: 81 % of its 5-hour limit used"),
        (event("limit_reached", agent="x", model=None), "limit",
         "x has reached its usage limit: its tasks wait; when it resets is not known, so one of them tries then"),
        (NEAR, "budget", "the run's budget of $5 is 80 % used"),
        (SPENT, "budget", "the run's budget of $5 is used up"),
        (event("task_held", "T1", reason="T1's budget of $1 is used up", is_out_of_budget=True), "budget",
         "T1 waits: T1's budget of $1 is used up"),
    ],
)  # fmt: skip
def test_what_somebody_is_notified_of(happened: Event, kind: str, text: str) -> None:
    """In the words that the run's own lines have for it; a second time it is no news."""
    [notice] = due(happened, happened)
    assert (notice.kind, notice.title, notice.text) == (kind, "nova: Shop", text)


@pytest.mark.parametrize(
    "happened",
    [
        event("run_started"),
        event("task_completed", "T1"),
        event("attempt_ended", "T1", outcome=Outcome.EXIT),
        event("task_held", "T1", outcome=Outcome.AUTH),
        event("warning", message="the disk is full"),
        event("warning", message="T1's budget is 80 % used", budget_of="T1", is_used_up=False),
        event("limit_reset", agent="x", model=None),
        event("stopping"),
    ],
)
def test_what_nobody_is_notified_of(happened: Event) -> None:
    """What needs nobody, or is told otherwise, is no notice."""
    assert due(happened) == []


def test_one_failure_is_told_and_the_rest_is_in_the_end() -> None:
    """Of failures only the first is told; of a budget, that it is nearly used up, and that it is."""
    failures = [event("task_failed", f"T{number}", outcome=Outcome.EXIT) for number in range(5)]
    told = due(*failures, NEAR, SPENT, event("limit_reached", agent="x"), event("limit_reached", agent="y"))
    assert [notice.kind for notice in told] == ["failure", "budget", "budget", "limit", "limit"]


def test_a_limit_is_told_once_near_and_once_reached() -> None:
    """Each limit of an account for itself, and not again when nearness begins to slow starts down."""
    near = [event("limit_near", agent="x", limit=limit, used=0.9) for limit in ("five_hour", "seven_day", "five_hour")]
    told = due(*near, event("limit_reached", agent="x"), near[0], event("limit_near", agent="y", limit="five_hour"))
    assert [(notice.kind, notice.event.kind) for notice in told] == [
        ("limit", "limit_near"), ("limit", "limit_near"), ("limit", "limit_reached"), ("limit", "limit_near")
    ]  # fmt: skip


def test_another_budget_is_told_anew() -> None:
    """Once the run has another budget, that this one is nearly used up is news."""
    assert [notice.kind for notice in due(NEAR, SPENT, SPENT, event("budget_changed", usd=9.0), NEAR, SPENT)] == [
        "budget"
    ] * 4


def test_each_gate_is_told() -> None:
    """Each gate needs somebody for itself, however often the task comes to it."""
    gates = [event("approval_needed", task_id) for task_id in ("T1", "T2", "T1")]
    assert len(due(*gates)) == 2


def test_a_run_tells_so_much_and_no_more() -> None:
    """However many accounts there are, only so many notices are sent; that of the end is always among them."""
    limits = [event("limit_reached", agent=f"x{number}") for number in range(2 * MOST)]
    told = due(*limits, event("run_ended", ok=False))
    assert len(told) == MOST + 1
    assert told[-1].kind is NoticeKind.END


def test_a_notice_as_json() -> None:
    """It is the event as `nova run --json` writes it, with what it means, and bounded."""
    blocks = [f"T{number}" for number in range(2 * MOST_ITEMS)]
    [notice] = due(event("task_failed", "T2", error="x" * 10_000, blocks=blocks, token_usage={"input_tokens": 3}))
    told = notice.as_dict()
    assert json.loads(json.dumps(told)) == told
    assert (told["event"], told["task"], told["notice"], told["title"]) == (
        "task_failed",
        "T2",
        "failure",
        "nova: Shop",
    )
    assert (told["project"], told["plan"], told["run_id"], told["schema"]) == ("Shop", "CASCADE.md", "r1", 1)
    assert (len(told["error"]), len(told["blocks"]), told["token_usage"]) == (
        LONGEST_VALUE + 1,
        MOST_ITEMS,
        {"input_tokens": 3},
    )


EVENTS = [
    NEAR, SPENT, event("run_ended", ok=True), event("task_failed", "T1"), event("task_failed", "T2"),
    event("limit_reached", agent="x"), event("attempt_ended", "T1", denied=["Bash"]), event("run_started"),
    event("warning", message="m", held="x", outcome=Outcome.AUTH), event("task_held", "T1", is_out_of_budget=True),
]  # fmt: skip


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_nothing_is_told_twice(events: Sequence[Event]) -> None:
    """In whatever order events come, and however often, no text is told twice."""
    texts = [(notice.kind, notice.text) for notice in due(*events)]
    assert len(texts) == len(set(texts))
    assert (NoticeKind.FAILURE in dict(texts)) == any(each.kind is EventKind.TASK_FAILED for each in events)
