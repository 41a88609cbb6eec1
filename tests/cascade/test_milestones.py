"""Milestones: how they are written, checked and reached."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import pytest

from nova_async.cascade import Milestone, parse_cascade
from nova_async.cascade.reading import read_plan

TABLE = """# P
## App
### Foundation
| ID | What |
|---|---|
| F1 | a |
| F2 | b |
### Top
| ID | What |
|---|---|
| G1 | c |
"""


def milestones_of(toml: str) -> tuple[Milestone, ...]:
    """Read milestones in which nothing is wrong."""
    return parse_cascade(f"+++\n{toml}\n+++\n{TABLE}").milestones


ONE = '[[milestone]]\nid = "m"\nmessage = "Done."\n'


def test_a_milestone_of_tasks() -> None:
    """It is reached when all its tasks are completed, and keeps its texts."""
    (milestone,) = milestones_of(ONE + 'name = "First"\nhint = "make demo"\ntasks = ["F1", "G1"]')
    assert (milestone.id, milestone.message, milestone.name, milestone.hint) == ("m", "Done.", "First", "make demo")
    assert (milestone.tasks, milestone.line) == (("F1", "G1"), 2)
    assert not milestone.is_reached(completed={"F1", "F2"}, failed=set(), total=3)
    assert milestone.is_reached(completed={"F1", "G1"}, failed={"F2"}, total=3)


def test_a_milestone_of_a_group() -> None:
    """A group stands for its tasks."""
    (milestone,) = milestones_of(ONE + 'group = "Foundation"')
    assert (milestone.group, milestone.tasks) == ("Foundation", ("F1", "F2"))
    assert milestone.is_reached(completed=["F1", "F2"], failed=[], total=3)


class Asked(AbstractSet[str]):
    """The ids of the first tasks of a plan, counting how often somebody asks for one."""

    def __init__(self) -> None:
        self.count = self.times = 0

    def __contains__(self, task: object) -> bool:
        self.times += 1
        return int(str(task)[1:]) < self.count

    def __iter__(self) -> Iterator[str]:
        return (f"T{number}" for number in range(self.count))

    def __len__(self) -> int:
        return self.count


def test_a_milestone_of_many_tasks() -> None:
    """Asked after the end of each task in turn, it looks at a few of them each time, not at all that are completed."""
    many = 1000
    milestone = Milestone("m", "Done.", tasks=tuple(f"T{number}" for number in range(many)))
    completed = Asked()
    reached = []
    for completed.count in range(1, many + 1):
        reached.append(milestone.is_reached(completed=completed, failed=(), total=many))
    assert reached == [False] * (many - 1) + [True]
    assert completed.times <= 3 * many


def test_a_milestone_of_a_percentage() -> None:
    """It counts completed tasks of all."""
    (milestone,) = milestones_of(ONE + "percent = 66.5")
    assert not milestone.is_reached(completed=["F1"], failed=["F2"], total=3)
    assert milestone.is_reached(completed=["F1", "F2"], failed=[], total=3)
    assert not milestone.is_reached(completed=[], failed=[], total=0)
    (milestone,) = milestones_of(ONE + "percent = 100")
    assert not milestone.is_reached(completed=["F1", "F2"], failed=[], total=3)
    assert milestone.is_reached(completed=["F1", "F2", "G1"], failed=[], total=3)


def test_a_milestone_of_the_first_failure() -> None:
    """It is reached as soon as something failed."""
    (milestone,) = milestones_of(ONE + 'on = "first_failure"')
    assert not milestone.is_reached(completed=["F1"], failed=[], total=3)
    assert milestone.is_reached(completed=[], failed=["F1"], total=3)


WRONG = {
    'tasks = ["F9"]': ["2: E204 milestone 'm' names unknown task 'F9'"],
    'group = "Fundation"': ["2: E204 milestone 'm' names unknown group 'Fundation'; did you mean 'Foundation'?"],
    "tasks = []": ["2: E104 milestone: 'm': tasks is not a list of task ids"],
    "percent = 0": ["2: E104 milestone: 'm': percent is not a number above 0 and up to 100"],
    "percent = nan": ["2: E104 milestone: 'm': percent is not a number above 0 and up to 100"],
    'on = "failure"': ["2: E104 milestone: 'm': on can only be 'first_failure'"],
    "group = 3": ["2: E104 milestone: 'm': group is not the name of a group"],
    "": ["2: E104 milestone: 'm' needs exactly one of tasks, group, percent, on"],
    'tasks = ["F1"]\npercent = 5': ["2: E104 milestone: 'm' needs exactly one of tasks, group, percent, on"],
    'percent = 5\nmesage = "x"': ["6: E004 unknown milestone key 'mesage'; did you mean 'message'?"],
    "percent = 5\nname = 7": ["2: E104 milestone: name is not a string"],
    f"percent = 5\n{ONE}percent = 6": ["6: E104 milestone: 'm' is defined twice"],
    'percent = 5\n[[milestone]]\nid = "n"': ["6: E104 milestone: message is missing"],
}


@pytest.mark.parametrize(("toml", "messages"), WRONG.items(), ids=WRONG.keys())
def test_wrong_milestones(toml: str, messages: list[str]) -> None:
    """A milestone that could never be reached, or would be at once, is refused with its line."""
    problems = read_plan(f"+++\n{ONE}{toml}\n+++\n{TABLE}").diagnostics
    assert [str(problem).removeprefix("CASCADE.md:") for problem in problems] == messages
