"""The plain values that everything else is told in: sums, events, errors and what is on hold."""

import pickle
import socket
from dataclasses import replace
from datetime import datetime

import pytest

from nova_async.errors import NotReadyError, RunLockedError, SelectionError
from nova_async.records import Event
from nova_async.usage import TokenUsage, Totals
from nova_async.views import Hold, RunReport, TaskView
from nova_async.words import EventKind, Outcome, TaskState
from tests.views import NOON, by_id


def test_usages_add_up() -> None:
    """With each other and by ``sum``, and with nothing else."""
    one = TokenUsage(1, 2, 3, 4)
    assert sum([one, one]) == one + one == TokenUsage(2, 4, 6, 8)
    with pytest.raises(TypeError):
        _ = one + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        _ = 1 + one


def test_a_sum_takes_no_unknown_for_zero() -> None:
    """A cost that is not known makes the sum a lower bound, unless nothing was used."""
    totals = Totals()
    totals.add(TokenUsage())
    assert (totals.cost_usd, totals.cost_is_complete) == (None, True)
    totals.add(TokenUsage(1), usage_by_model={"m": TokenUsage(1)}, cost_usd=0.5)
    totals.add(TokenUsage(2), usage_by_model={"m": TokenUsage(2)}, usage_is_final=False, duration_seconds=3.0)
    assert (totals.cost_usd, totals.cost_is_complete, totals.usage_is_final) == (0.5, False, False)
    assert (totals.usage, totals.usage_by_model) == (TokenUsage(3), {"m": TokenUsage(3)})
    complete = Totals()
    complete.add(TokenUsage(1), cost_is_complete=True)
    assert complete.cost_is_complete


def test_an_estimate_is_never_added_to_what_was_reported() -> None:
    """Both have a sum of their own; an estimate of tokens that may be too few makes no cost complete."""
    totals = Totals()
    totals.add(TokenUsage(1), cost_usd=0.5)
    totals.add(TokenUsage(2), estimated_usd=0.25)
    assert (totals.cost_usd, totals.estimated_usd, totals.cost_is_complete) == (0.5, 0.25, True)
    totals.add(TokenUsage(4), usage_is_final=False, estimated_usd=0.125)
    assert (totals.cost_usd, totals.estimated_usd, totals.cost_is_complete) == (0.5, 0.375, False)


def test_an_event_as_an_object() -> None:
    """With its task if it has one, and with its data beside the rest."""
    event = Event(kind=EventKind.WARNING, at=NOON, data={"message": "x"})
    assert event.as_dict() == {"event": "warning", "at": NOON.isoformat(timespec="milliseconds"), "schema": 1,
                               "message": "x"}  # fmt: skip
    assert replace(event, task_id="F1").as_dict()["task"] == "F1"


def test_a_hold_says_why() -> None:
    """In words where there are some for its outcome."""
    hold = Hold(agent="claude", program="claude", outcome=Outcome.LIMIT, error="e", cure="c")
    assert hold.reason == "claude has reached its usage limit"
    assert replace(hold, outcome=Outcome.EXIT).reason == "claude cannot work"


@pytest.mark.parametrize(("state", "code"), [(TaskState.COMPLETED, 0), (TaskState.FAILED, 1), (TaskState.WAITING, 1)])
def test_the_exit_code_of_a_run(state: TaskState, code: int) -> None:
    """All that it was to run has completed, or not."""
    report = RunReport(
        run_id="r1", project="Shop", tasks=by_id(TaskView(id="F1", state=state), TaskView(id="F2", is_selected=False)),
        started_at=NOON, duration_seconds=1.0, usage=TokenUsage(), usage_by_model={},
        usage_is_final=True, cost_usd=None, cost_is_complete=True, milestones={},
    )  # fmt: skip
    assert (report.exit_code, report.ok) == (code, code == 0)


@pytest.mark.parametrize("problems", [("a",), ("a", "b")])
def test_what_is_missing_survives_pickling(problems: tuple[str, ...]) -> None:
    """One problem is told in the sentence, several in a list."""
    error = NotReadyError(problems)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.problems, str(copy)) == (problems, str(error))
    assert str(error) == ("not started: a" if len(problems) == 1 else "not started:\n  a\n  b")


def test_a_selection_that_is_not_whole_survives_pickling() -> None:
    """It names the first few, and says how to select the rest."""
    error = SelectionError({f"T{number}": ["A", "B"] for number in range(9)})
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.unmet, str(copy)) == (error.unmet, str(error))
    assert "T0 needs A, B" in str(error)
    assert "more like it" in str(error)
    assert "`--until T0` does" in str(error)
    assert "more like it" not in str(SelectionError({"T0": ["A"]}))


def test_a_locked_journal_says_by_whom() -> None:
    """As far as that is known; the machine is named where it is another one."""
    assert "(pid 7)" in str(RunLockedError(7))
    assert "(pid 7)" in str(RunLockedError(7, socket.gethostname()))
    assert "(pid 7 on elsewhere)" in str(RunLockedError(7, "elsewhere"))
    assert "(pid unknown)" in str(RunLockedError(None))


@pytest.mark.parametrize(
    ("outcome", "until", "waits_for"),
    [
        (Outcome.OVERLOAD, None, "waits for the service of claude"),
        (Outcome.NETWORK, None, "waits for the service of claude"),
        (Outcome.LIMIT, NOON, "waits for the usage limit of claude"),
        (Outcome.LIMIT, None, None),
        (Outcome.AUTH, None, None),
    ],
)
def test_a_hold_says_what_its_tasks_wait_for(outcome: Outcome, until: datetime | None, waits_for: str | None) -> None:
    """And nothing where no waiting in this run helps."""
    hold = Hold(agent="claude", program="claude", outcome=outcome, error="no", cure="do", until=until)
    assert hold.waits_for == waits_for
