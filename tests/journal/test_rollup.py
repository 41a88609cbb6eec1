"""What the states of tasks mean for groups, branches and the project."""

from hypothesis import given
from hypothesis import strategies as st

from nova_async.journal.rollup import COLOURS, roll_up, status_of, status_word
from nova_async.usage import TokenUsage, Totals
from nova_async.views import TaskView
from nova_async.words import TaskState

STATUSES = st.sampled_from(sorted(COLOURS))


@given(st.lists(st.lists(STATUSES, min_size=1)))
def test_rolling_up_groups_or_their_tasks_gives_the_same(groups: list[list[str]]) -> None:
    """It makes no difference whether tasks are looked at directly or through their groups."""
    assert status_of(map(status_of, groups)) == status_of(status for group in groups for status in group)


def test_worst_first() -> None:
    """Failed beats in progress beats pending beats completed; nothing at all is pending."""
    assert status_of(COLOURS) == "failed"
    assert status_of(["pending", "in_progress", "completed"]) == "in_progress"
    assert status_of(["pending", "completed"]) == "pending"
    assert status_of(["completed"]) == "completed"
    assert status_of([]) == "pending"


def test_every_state_has_a_status() -> None:
    """Whatever does not run and has not ended is pending to the state file."""
    assert {state.value: status_word(state) for state in TaskState} == {
        "waiting": "pending", "blocked": "pending", "ready": "pending", "retrying": "pending",
        "in_progress": "in_progress", "completed": "completed", "failed": "failed",
    }  # fmt: skip


def test_sums() -> None:
    """Durations, tokens and known costs are added; what a task that failed has cost is not known, and that is told."""
    done = TaskView(
        id="F1", state=TaskState.COMPLETED, duration_seconds=2.25, usage=TokenUsage(1, 2, 3, 4), cost_usd=0.5
    )
    failed = TaskView(
        id="F2", state=TaskState.FAILED, duration_seconds=1.5, usage=TokenUsage(1), usage_is_final=False,
        cost_is_complete=False,
    )  # fmt: skip
    blocked = TaskView(id="F3", state=TaskState.BLOCKED)
    rollup = roll_up([done, failed, blocked])
    assert (rollup.status, rollup.colour, rollup.total, rollup.completed) == ("failed", "#ef4444", 3, 1)
    assert (rollup.failed, rollup.in_progress, rollup.pending, rollup.blocked) == (1, 0, 1, 1)
    assert rollup.sums == Totals(
        usage=TokenUsage(2, 2, 3, 4), usage_is_final=False, cost_usd=0.5, cost_is_complete=False, duration_seconds=3.75
    )
    assert rollup.progress == 1 / 3


def test_unknown_is_not_nothing() -> None:
    """Where no task has told what it cost there is no sum, be they none, untouched or silent."""
    silent = TaskView(id="F1", state=TaskState.COMPLETED, usage=TokenUsage(1), cost_is_complete=False)
    for tasks in ([], [TaskView(id="F1")], [silent]):
        assert roll_up(tasks).sums.cost_usd is None
    partly = TaskView(id="F2", usage=TokenUsage(1), cost_usd=0.5, cost_is_complete=False)
    assert (roll_up([partly]).sums.cost_usd, roll_up([partly]).sums.cost_is_complete) == (0.5, False)
    assert roll_up([]).sums.cost_is_complete
    assert not roll_up([silent]).sums.cost_is_complete
    assert roll_up([]).progress == 0.0
