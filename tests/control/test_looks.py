"""What is said of a task, and how it looks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from nova_async.control.board import Board
from nova_async.control.looks import (
    Tone,
    cost_of,
    count_states,
    doing,
    is_waiting_for_a_limit,
    look_of,
    seconds_until,
    silent_seconds,
    time_of,
    tokens_of,
)
from nova_async.usage import TokenUsage
from nova_async.views import TaskView
from nova_async.words import Outcome, Phase, TaskState
from tests.views import NOON, attempt, by_id, run_view

S = TaskState
LATER = NOON + timedelta(seconds=90)
HOUR = timedelta(hours=1)


def task(state: TaskState, **more: Any) -> TaskView:
    """Return a task in that state."""
    return TaskView(id="F1", state=state, **more)


@pytest.mark.parametrize(
    ("view", "at_work", "over"),
    [
        (task(S.COMPLETED), "✓ completed", "✓ completed"),
        (task(S.FAILED), "✗ failed", "✗ failed"),
        (task(S.BLOCKED), "⊘ blocked", "⊘ blocked"),
        (task(S.WAITING), "- waiting", "- not started"),
        (task(S.WAITING, is_selected=False), "- not selected", "- not selected"),
        (task(S.READY, reason="the key was rejected"), "⊘ on hold", "- not started"),
        (task(S.WAITING, needs_approval=True, reason="waits for approval"), "? to approve", "? to approve"),
        (task(S.WAITING, reason="stopped; …", is_stopped=True, attempt=1), "- stopped", "- stopped"),
        (task(S.WAITING, reason="waits for the next `nova run`"), "- waiting", "- waiting"),
        (task(S.RETRYING, attempt=1), "↻ retrying", "- stopped"),
        (task(S.IN_PROGRESS), "▸ starting", "✗ lost"),
        (task(S.IN_PROGRESS, phase=Phase.VERIFY), "▸ checking", "✗ lost"),
        (task(S.IN_PROGRESS, phase=Phase.RUN, is_stopping=True), "! stopping", "✗ lost"),
    ],
)
def test_how_a_state_is_shown(view: TaskView, at_work: str, over: str) -> None:
    """A sign and a word say it all; once the run is over, nothing waits any more."""
    for look, told in ((look_of(view), at_work), (look_of(view, is_over=True), over)):
        assert f"{look.sign} {look.word}" == told


def test_the_tone_of_a_state() -> None:
    """What is good or bad news looks like it."""
    tones = [look_of(task(state)).tone for state in (S.COMPLETED, S.FAILED, S.IN_PROGRESS, S.RETRYING, S.WAITING)]
    assert tones == [Tone.GOOD, Tone.BAD, Tone.BUSY, Tone.CHANGING, Tone.QUIET]


@pytest.mark.parametrize(
    ("view", "at_work", "over"),
    [
        (task(S.IN_PROGRESS, activity="Bash: ls"), "Bash: ls", ""),
        (task(S.IN_PROGRESS, log_error="disk full"), "log error: disk full", "log error: disk full"),
        (task(S.FAILED, error="exit code 3"), "exit code 3", "exit code 3"),
        (task(S.FAILED, outcome=Outcome.EXIT), "exit", "exit"),
        (task(S.FAILED), "", ""),
        (task(S.COMPLETED), "", ""),
        (task(S.COMPLETED, denied=("A", "B")), "denied: A, B", "denied: A, B"),
        (task(S.BLOCKED, blocked_by=("A", "B")), "blocked by A, B", "blocked by A, B"),
        (task(S.BLOCKED), "blocked by a failure", "blocked by a failure"),
        (task(S.RETRYING, retry_at=LATER, error="busy"), "in 1:30: busy", ""),
        (task(S.RETRYING, retry_at=LATER), "in 1:30", ""),
        (task(S.WAITING, retry_at=LATER, reason="waits for the limit"),
         f"waits for the limit until {LATER.astimezone():%H:%M:%S} (in 1 min 30 s)", ""),
        (task(S.WAITING, reason="waits for F2"), "waits for F2", ""),
        (task(S.WAITING, reason="waits for the next `nova run`"), "waits for the next `nova run`",
         "waits for the next `nova run`"),
        (task(S.WAITING, reason="not selected", is_selected=False), "", ""),
        (task(S.READY, reason="the key was rejected"), "the key was rejected", "the key was rejected"),
        (task(S.WAITING, reason="stopped; …", is_stopped=True), "stopped; …", "stopped; …"),
        (task(S.WAITING, reason="waits for approval: …", needs_approval=True), "waits for approval: …",
         "waits for approval: …"),
        (task(S.READY), "", ""),
    ],
)  # fmt: skip
def test_what_a_task_does(view: TaskView, at_work: str, over: str) -> None:
    """Its activity, why it failed, or what it waits for; of a run that is over, only what still is so."""
    assert (doing(view, NOON), doing(view, NOON, is_over=True)) == (at_work, over)


@pytest.mark.parametrize(
    ("seconds", "activity", "told"),
    [
        (59.9, "thinking", "thinking"),
        (60, "thinking", "thinking · silent for 1 min 0 s; the agent may be waiting for its provider"),
        (3725, "Bash: make", "Bash: make · silent for 1 h 2 min"),
        (95, "retrying (529 overloaded), 3/10", "retrying (529 overloaded), 3/10 · silent for 1 min 35 s"),
        (95, None, "silent for 1 min 35 s"),
        (-5, None, ""),
    ],
)
def test_that_an_agent_is_silent_is_said_after_a_minute(seconds: float, activity: str | None, told: str) -> None:
    """With what it may be waiting for; not where a tool works, nor where nothing shows that it is an agent."""
    view = task(S.IN_PROGRESS, activity=activity, last_output_at=NOON - timedelta(seconds=seconds))
    assert doing(view, NOON) == told
    assert (silent_seconds(view, NOON) is None) is (seconds < 60)
    assert doing(view, NOON, is_over=True) == ""
    assert silent_seconds(task(S.COMPLETED, last_output_at=NOON), LATER) is None


def test_what_a_task_has_used() -> None:
    """Nothing where nothing is known, and a mark where it is known to be too little."""
    silent, some = task(S.WAITING), TokenUsage(1_000)
    assert (time_of(silent), tokens_of(silent), cost_of(silent)) == ("", "", "")
    begun = task(S.IN_PROGRESS, attempt=1, usage=some, usage_is_final=False)
    assert (time_of(begun), tokens_of(begun), cost_of(begun)) == ("0:00", "1.0k", "-")
    assert tokens_of(begun, is_over=True) == "≥ 1.0k"
    assert cost_of(task(S.COMPLETED, cost_usd=0.5)) == "$0.50"


def test_the_clock_of_a_running_task_goes_on() -> None:
    """It has worked for as long as its ended attempts and the present one together, whenever that was written."""
    attempts = (attempt(number=1, outcome=Outcome.STALLED), attempt(number=2, outcome=None))
    begun = task(S.IN_PROGRESS, started_at=NOON, attempts=attempts, duration_seconds=1.0)
    assert seconds_until(LATER, begun) == 95.25
    assert seconds_until(NOON - timedelta(hours=1), begun) == 1.0  # a clock that was set back
    assert seconds_until(LATER, task(S.IN_PROGRESS, duration_seconds=7.0)) == 7.0
    assert seconds_until(LATER, task(S.COMPLETED, started_at=NOON, duration_seconds=7.0)) == 7.0


def test_attempts_before_a_fresh_run_are_not_in_the_clock_of_a_running_task() -> None:
    """--fresh starts the sums at zero: what a running task shows is what it will have worked when it ends."""
    before = replace(attempt(number=1, outcome=Outcome.OK), start=replace(attempt().start, started_at=NOON - HOUR))
    begun = task(S.IN_PROGRESS, started_at=NOON, attempts=(before, attempt(number=2, outcome=None)), attempt=2)
    alone = seconds_until(LATER, replace(begun, attempts=begun.attempts[1:]))
    assert seconds_until(LATER, begun, NOON - HOUR / 2) == alone < seconds_until(LATER, begun, NOON - HOUR)
    run = run_view(started_at=NOON - HOUR / 2)
    assert Board(run, by_id(begun), LATER).at(LATER).tasks[begun.id].duration_seconds == alone


def test_counts_and_limits() -> None:
    """Troubles are counted only where there are any."""
    assert count_states([S.COMPLETED, S.WAITING]) == ["1 of 2 completed"]
    assert count_states([S.FAILED, S.BLOCKED, S.BLOCKED]) == ["0 of 3 completed", "1 failed", "2 blocked"]
    assert is_waiting_for_a_limit(task(S.WAITING, retry_at=LATER))
    assert not is_waiting_for_a_limit(task(S.RETRYING, retry_at=LATER))
