"""What earlier runs of a plan mean for the next one, without a journal."""

from dataclasses import replace
from datetime import timedelta

import pytest

from nova_async.cascade import Cascade, Task
from nova_async.cascade.options import TaskOptions
from nova_async.journal.history import History
from nova_async.orchestrator.resume import completed_tasks, resumed_state, take_over
from nova_async.usage import TokenUsage
from nova_async.words import Outcome, TaskState
from tests.views import NOON, attempt

PLAN = Cascade.of([Task(id="F1", options=TaskOptions(retries=0))])


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.EXIT, TaskState.FAILED),
        (Outcome.DENIED, TaskState.READY),
        (Outcome.AUTH, TaskState.READY),
        (Outcome.OK, TaskState.COMPLETED),
    ],
)
def test_what_a_task_has_come_to(outcome: Outcome, state: TaskState) -> None:
    """A verdict stands; what an account or a permission refused may be allowed by now."""
    known = take_over(PLAN, History(attempts={"F1": (attempt(outcome=outcome),)}))
    assert resumed_state(PLAN, known, max_workers=1).schedule.state("F1") is state


def test_which_tasks_have_completed() -> None:
    """Those that an attempt has completed that still counts."""
    forgotten = replace(attempt("F2"), counts=False)
    running = attempt("F3", outcome=None)
    attempts = {"F1": (attempt(),), "F2": (forgotten,), "F3": (running,), "F4": (attempt(outcome=Outcome.EXIT),)}
    assert completed_tasks(History(attempts=attempts)) == {"F1"}


@pytest.mark.parametrize(("seconds", "tokens"), [(-1, 3), (0, 3), (1, 0)])
def test_what_was_spent_before_a_fresh_start_is_in_no_sum(seconds: int, tokens: int) -> None:
    """An attempt that no longer counts is in it if this try had begun when it did."""
    spent = replace(attempt(usage=TokenUsage(3)), counts=False)
    known = take_over(PLAN, History(started_at=NOON + timedelta(seconds=seconds), attempts={"F1": (spent,)}))
    assert known["F1"].spending.tokens == tokens
