"""How a run is, as far as its state file tells."""

import os

import pytest

from nova_async.journal.condition import Condition, condition_of
from nova_async.process.table import TABLE
from nova_async.views import TaskView
from nova_async.words import RunEnd, TaskState
from tests.views import NOON, run_view

OURSELVES = TABLE.look(os.getpid())
START = OURSELVES.start_time if OURSELVES else 0.0


@pytest.mark.parametrize(
    ("end", "condition"),
    [
        (RunEnd.COMPLETED, Condition.COMPLETED),
        (RunEnd.FAILED, Condition.FAILED),
        (RunEnd.STOPPED, Condition.STOPPED),
        (RunEnd.LOST, Condition.DEAD),
    ],
)
def test_its_own_word_counts_first(end: RunEnd, condition: Condition) -> None:
    """Whoever ran it may live on."""
    assert condition_of(run_view(end=end, pid=os.getpid(), pid_start_time=START), []) is condition


@pytest.mark.parametrize(
    ("pid", "start_time", "condition"),
    [
        (os.getpid(), START, Condition.RUNNING),
        (os.getpid(), START - 1000, Condition.DEAD),
        (os.getpid(), None, Condition.RUNNING),
        (2**22 + 1, START, Condition.DEAD),
    ],
    ids=["it lives", "a later process", "of unknown age", "nobody"],
)
def test_without_a_word_its_supervisor_tells(pid: int, start_time: float | None, condition: Condition) -> None:
    """That very process, and no later one with its number."""
    run = run_view(pid=pid, pid_start_time=start_time)
    assert condition_of(run, [TaskView(id="A", state=TaskState.COMPLETED)]) is condition


@pytest.mark.parametrize(
    ("state", "condition"),
    [
        (TaskState.COMPLETED, Condition.COMPLETED),
        (TaskState.FAILED, Condition.FAILED),
        (TaskState.IN_PROGRESS, Condition.STOPPED),
        (TaskState.WAITING, Condition.STOPPED),
    ],
)
def test_of_a_file_that_names_nobody_the_tasks_tell(state: TaskState, condition: Condition) -> None:
    """As far as it has ended; what was running then is not."""
    run = run_view(completed_at=NOON)
    assert condition_of(run, [TaskView(id="A", state=state)]) is condition
