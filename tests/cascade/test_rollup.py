"""What the states of tasks mean for groups, branches and the project."""

from hypothesis import given
from hypothesis import strategies as st

from nova_async.cascade import Cascade, Task
from nova_async.cascade.rollup import COLOURS, TaskFacts, roll_up, roll_up_cascade, status_of
from nova_async.usage import TokenUsage

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


def test_sums() -> None:
    """Durations, tokens and known costs are added; a cost that is missing makes the sum partial."""
    facts = [
        TaskFacts("completed", 2.0, TokenUsage(1, 2, 3, 4), 0.5),
        TaskFacts("failed", 1.0, TokenUsage(1, 0, 0, 0)),
        TaskFacts(),
    ]
    rollup = roll_up(facts)
    assert (rollup.status, rollup.colour, rollup.total, rollup.completed) == ("failed", "#ef4444", 3, 1)
    assert (rollup.failed, rollup.in_progress, rollup.pending) == (1, 0, 1)
    assert (rollup.duration_seconds, rollup.usage, rollup.cost_usd) == (3.0, TokenUsage(2, 2, 3, 4), 0.5)
    assert rollup.cost_is_partial
    assert rollup.progress == 1 / 3
    assert not roll_up([facts[0], TaskFacts()]).cost_is_partial
    assert roll_up([]).progress == 0.0


def test_a_whole_plan() -> None:
    """Every branch and group has its own roll-up; ticked tasks count as completed."""
    cascade = Cascade.of([Task("A1", branch="App", group="Base", done=True), Task("A2", branch="App"), Task("B1")])
    rollup = roll_up_cascade(cascade, {"A2": TaskFacts("in_progress")})
    assert rollup.project.status == rollup.branches["App"].status == "in_progress"
    assert rollup.branches[""].status == "pending"
    assert rollup.groups["App", "Base"].status == "completed"
    assert rollup.groups["App", ""].total == 1
