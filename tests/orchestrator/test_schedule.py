"""Which task may start, and when: the rules without a clock."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.cascade import Cascade, Task, parse_cascade
from nova_async.cascade.options import TaskOptions
from nova_async.orchestrator.schedule import MOST_BLOCKERS, Schedule


def cascade(*tasks: tuple[str, str], **options: dict[str, object]) -> Cascade:
    """Make a cascade of (id, dependencies) pairs, with options by id."""
    return Cascade.of(
        Task(id=name, depends_on=tuple(needs.split()), options=TaskOptions(**options.get(name, {})))  # type: ignore[arg-type]
        for name, needs in tasks
    )


def start_all(schedule: Schedule) -> list[str]:
    """Start everything that there is a place for."""
    started = []
    while task_id := schedule.start_next():
        started.append(task_id)
    return started


def test_a_task_waits_for_all_its_dependencies() -> None:
    """A task is ready when the last thing that it depends on has completed."""
    schedule = Schedule(cascade(("A", ""), ("B", ""), ("C", "A B")), max_workers=9)
    assert start_all(schedule) == ["A", "B"]
    schedule.complete("A")
    assert start_all(schedule) == []
    assert schedule.waits_for("C") == ["B"]
    schedule.complete("B")
    assert start_all(schedule) == ["C"]
    assert not schedule.is_over
    schedule.complete("C")
    assert schedule.is_over


def test_whoever_waits_for_less_has_changed() -> None:
    """What a task waits for is shown, so a dependency's end concerns it though another one is left."""
    schedule = Schedule(cascade(("A", ""), ("B", ""), ("C", "A B"), ("D", "B")), max_workers=9)
    start_all(schedule)
    schedule.changed.clear()
    schedule.complete("A")
    assert schedule.changed == {"A", "C"}


def test_those_that_are_blocked_are_named_in_the_order_of_the_file() -> None:
    """However far they are from the task that failed."""
    schedule = Schedule(cascade(("A", ""), ("B", "A"), ("C", "B"), ("D", "A")), max_workers=9)
    start_all(schedule)
    assert schedule.fail("A") == ["B", "C", "D"]


def test_order_among_ready_tasks() -> None:
    """The lower priority number goes first, then the longer remaining path, then the order of the file."""
    plan = cascade(
        ("A", ""), ("B", ""), ("C", ""), ("D", "B"), ("E", ""), A={"priority": 3}, E={"priority": 0}
    )  # fmt: skip
    assert start_all(Schedule(plan, max_workers=9)) == ["E", "B", "C", "A"]


def test_never_more_than_the_limit() -> None:
    """A place is taken by each running task, and by a larger one as many as it says."""
    schedule = Schedule(cascade(("A", ""), ("B", ""), ("C", ""), B={"slots": 2, "priority": 0}), max_workers=3)
    assert start_all(schedule) == ["B", "A"]
    schedule.complete("A")
    assert start_all(schedule) == ["C"]


def test_a_large_task_is_not_overtaken_for_ever() -> None:
    """Smaller tasks behind it wait while its places become free; larger than everything means everything."""
    schedule = Schedule(
        cascade(("A", ""), ("B", ""), ("C", ""), A={"priority": 0}, B={"slots": 9, "priority": 1}), max_workers=2
    )
    assert start_all(schedule) == ["A"]
    schedule.complete("A")
    assert start_all(schedule) == ["B"]


def test_a_full_class_is_passed_over() -> None:
    """Tasks of a class that has no place left do not hold up others."""
    plan = parse_cascade(
        "+++\nclasses = {tests = 1}\n+++\n| ID | What | Class |\n|---|---|---|\n"
        "| A1 | a | tests |\n| B1 | b | tests |\n| C1 | c | |\n"
    )
    schedule = Schedule(plan, max_workers=3)
    assert start_all(schedule) == ["A1", "C1"]
    schedule.complete("A1")
    assert start_all(schedule) == ["B1"]


def test_a_failure_blocks_whoever_depends_on_it_and_nobody_else() -> None:
    """Dependants of a failed task, also indirect ones, are blocked and say by whom; the rest goes on."""
    schedule = Schedule(cascade(("A", ""), ("B", "A"), ("C", "B"), ("D", ""), ("E", "C D")), max_workers=1)
    assert schedule.start_next() == "A"
    schedule.fail("A")
    assert schedule.with_state("blocked") == ["B", "C", "E"]
    assert schedule.blocked_by("E") == ("A",)
    assert schedule.start_next() == "D"
    schedule.fail("D")
    assert schedule.blocked_by("E") == ("A", "D")
    assert schedule.is_over


def test_many_failures_name_each_blocked_task_a_few_times() -> None:
    """Where many fail before a joint, what is remembered and told grows with the tasks, and not with their square."""
    many = 10 * MOST_BLOCKERS
    failing = [f"A{number}" for number in range(many)]
    behind = [f"C{number}" for number in range(many)]
    plan = cascade(*((name, "") for name in failing), ("B", " ".join(failing)), *((name, "B") for name in behind))
    schedule = Schedule(plan, max_workers=many)
    told = sum(len(schedule.fail(task_id)) for task_id in start_all(schedule))
    assert told == MOST_BLOCKERS * (1 + many)
    assert schedule.with_state("blocked") == ["B", *behind]
    assert set(schedule.blocked_by("B")) == set(failing[:MOST_BLOCKERS])
    assert {schedule.blocked_by(task_id) for task_id in behind} == {schedule.blocked_by("B")}
    assert schedule.is_over


def test_a_pause_before_the_next_attempt() -> None:
    """A task that is to be tried again frees its place, and comes back when its pause is over."""
    schedule = Schedule(cascade(("A", ""), ("B", "")), max_workers=1)
    assert schedule.start_next() == "A"
    schedule.retry_later("A")
    assert schedule.start_next() == "B"
    schedule.complete("B")
    assert not schedule.is_over
    schedule.retry_now("A")
    assert schedule.start_next() == "A"


def test_draining() -> None:
    """Nothing new begins while what runs goes on to its end."""
    schedule = Schedule(cascade(("A", ""), ("B", ""), ("C", "A")), max_workers=1)
    assert schedule.start_next() == "A"
    schedule.drain()
    schedule.complete("A")
    assert schedule.start_next() is None
    assert schedule.is_over


def test_taking_over_from_earlier_runs() -> None:
    """What had completed is done, what had failed blocks, the rest is ready or waits."""
    plan = cascade(("A", ""), ("B", "A"), ("C", ""), ("D", "C"), ("E", "B"))
    schedule = Schedule(plan, max_workers=9, completed=["A"], failed=["C"])
    assert start_all(schedule) == ["B"]
    assert schedule.state("D") == "blocked"
    assert schedule.state("E") == "waiting"


@settings(deadline=None)  # a busy machine is no fault of a plan
@given(st.data())
def test_any_plan_ends_with_every_task_where_it_belongs(data: st.DataObject) -> None:
    """Whatever fails or completes in whatever order: limits hold, order holds, and nothing is forgotten."""
    size = data.draw(st.integers(1, 12))
    tasks = []
    for number in range(size):
        needs = data.draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        tasks.append((f"T{number}", " ".join(f"T{need}" for need in needs)))
    plan = cascade(*tasks)
    workers = data.draw(st.integers(1, 4))
    schedule = Schedule(plan, max_workers=workers)
    running: list[str] = []
    while not schedule.is_over:
        running += start_all(schedule)
        assert 0 < len(running) <= workers
        for task_id in running:
            assert all(schedule.state(need) == "completed" for need in plan.tasks[task_id].depends_on)
        chosen = running.pop(data.draw(st.integers(0, len(running) - 1)))
        (schedule.complete if data.draw(st.booleans()) else schedule.fail)(chosen)
    for task in plan.tasks.values():
        failed_ancestor = any(schedule.state(need) in ("failed", "blocked") for need in task.depends_on)
        assert (schedule.state(task.id) == "blocked") is failed_ancestor
        assert schedule.state(task.id) in ("completed", "failed", "blocked")


@pytest.mark.parametrize("size", [2000])
def test_a_long_chain(size: int) -> None:
    """Thousands of tasks in a row need neither deep recursion nor long thinking."""
    plan = cascade(*((f"T{number}", f"T{number - 1}" if number else "") for number in range(size)))
    schedule = Schedule(plan, max_workers=1)
    for number in range(size - 1):
        assert schedule.start_next() == f"T{number}"
        schedule.complete(f"T{number}")
    assert schedule.start_next() == f"T{size - 1}"
    schedule.fail(f"T{size - 1}")
    assert schedule.is_over


def test_who_is_blocked_in_vain_stays_where_it_is() -> None:
    """A task that has completed in an earlier run is not blocked by what it was built upon."""
    schedule = Schedule(cascade(("A", ""), ("B", "A"), ("C", "B")), max_workers=9, completed=["B"], failed=["A"])
    assert schedule.completed == {"B"}
    assert schedule.blocked_by("B") == ()
    assert start_all(schedule) == ["C"]
