"""Dependencies in words: which ways of writing one are read, and what is said of those that are not."""

import pytest

from nova_async.cascade.reading import read_plan

ABOVE = "+++\norder = 'deps'\n+++\n- [ ] T001 Schema\n- [ ] T002 Store\n- [ ] T003 Page\n"
ITEM_LINE = 7


def last_task(item: str) -> tuple[tuple[str, ...], list[str]]:
    """Read a fourth item: what it depends on, and what is said."""
    reading = read_plan(f"{ABOVE}- [ ] T004 {item}\n")
    return reading.tasks["T004"].depends_on, [f"{found.line} {found.code}" for found in reading.diagnostics]


@pytest.mark.parametrize(
    ("item", "needs"),
    [
        ("Help (depends on T001)", ["T001"]),
        ("Help (Depends on: T001, T002)", ["T001", "T002"]),
        ("Help (depends on T001-T003)", ["T001", "T002", "T003"]),
        ("Help (depends on T001 for the tables, T003 for the page)", ["T001", "T003"]),
        ("Help (depends\n  on T002)", ["T002"]),
        ("Help (after T001)", ["T001"]),
        ("Help (after T001 and T002)", ["T001", "T002"]),
        ("Help [depends: T002]", ["T002"]),
        ("Help [deps: T002, T003]", ["T002", "T003"]),
        ("Help (requires T002)", ["T002"]),
        ("Help (needs T002 + T003)", ["T002", "T003"]),
        ("Help (blocked by T001)", ["T001"]),
        ("Help depends on T001", ["T001"]),
        ("Help, after tasks T001 and T002.", ["T001", "T002"]),
        ("Help after T001, then rest", ["T001"]),
        ("Help\n  Depends on: T001", ["T001"]),
        ("Help\n  - Depends on: T001-T002", ["T001", "T002"]),
        ("Help\n  - **Blocked by:** T003", ["T003"]),
        ("Help\n  - one line\n  - Requires: T003", ["T003"]),
        ("Help\n\n  Dependencies: T001, T002", ["T001", "T002"]),
        ("Help\n  - _Depends: T001_", ["T001"]),
        ("Help\n  - Depends on:\n    - T001\n    - T002", ["T001", "T002"]),
        ("Help (depends on nothing)", []),
        ("Help\n  - Depends on: none", []),
        ("Help after the meeting", []),
        ("Help (see T001)", []),
        ("Help (like T001, but smaller)", []),
        ("Help (T004)", []),
        ("Help (does not depend on T001)", []),
        ("Help that is not blocked by T001", []),
        ("Help, requires 3 columns", []),
        ("Help with the aftermath of T001", []),
        ("Help\n  - Needs: a login page", []),
    ],
)
def test_ways_to_write_a_dependency(item: str, needs: list[str]) -> None:
    """Where tasks of the plan are named, they are dependencies; everything else is text, and nothing is said."""
    assert last_task(item) == (tuple(needs), [])


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("Help (depends on the schema)", "7 W117"),
        ("Help (after T001 and the party)", "7 W117"),
        ("Help (requires T009)", "7 W117"),
        ("Help, blocked by T009", "7 W117"),
        ("Help\n  - Depends on: US1", "8 W117"),
        ("Help\n  - one line\n  - more, but after T001 only", "9 W117"),
        ("Help (hängt ab von T001)", "7 W117"),
        ("Help\uff08\u4f9d\u8d56 T002\uff09", "7 W117"),
        ("Help [nach: T003]", "7 W117"),
        ("Help (depends on T009)", "7 E201"),
        ("Help\n  - Depends on: T001, T009", "7 E201"),
    ],
)
def test_what_cannot_be_read_is_said_at_its_line(item: str, said: str) -> None:
    """A slip in a declared dependency is an error; other words that name a task, or seem to, are a warning."""
    assert last_task(item)[1] == [said]


def test_what_is_read_is_not_said_to_the_agent() -> None:
    """Brackets and lines that hold dependencies alone are taken out; what is part of a sentence stays."""
    text = "- [ ] T2 Write (after T1) it (see T1)\n  Depends on: T1\n  - a note\n  - Depends on: T1\n"
    tasks = read_plan(f"{text}- [ ] T1 a, after T3\n- [ ] T3 b\n").tasks
    assert tasks["T2"].description == "Write it (see T1)\n- a note"
    assert tasks["T1"].description == "a, after T3"


def test_below_a_heading() -> None:
    """In the title, on a line of the body, and as a bullet; code in a fence says nothing."""
    reading = read_plan(
        "### Task 1: a\nx\n### Task 2: b (after Task 1)\nx\n### Task 3: c\n**Dependencies:** Task 1, Task 2\n\nx\n"
        "### Task 4: d\n- **Depends on:** Tasks 1-3\n\n```\nDepends on: 2\n```\n"
        "### Task 5: e\n**Dependencies:** None\n\nx\n"
    )
    assert {task.id: task.depends_on for task in reading.tasks.values()} == {
        "1": (), "2": ("1",), "3": ("1", "2"), "4": ("1", "2", "3"), "5": (),
    }  # fmt: skip
    assert reading.diagnostics == ()
    assert "Dependencies" not in reading.tasks["3"].description
    assert "Depends on: 2" in reading.tasks["4"].description


def test_to_depend_on_a_group_is_to_depend_on_its_tasks() -> None:
    """The id of a parent stands for its parts, and what a parent waits for, its parts wait for."""
    reading = read_plan(
        "+++\norder = 'deps'\n+++\n- [ ] 1. a\n  - [ ] 1.1 b\n  - [ ] 1.2 c\n- [ ] 2. d (depends on 1)\n  - [ ] 2.1 e\n"
        "- [ ] 3. f (after 2.1)\n- [ ] 3.1 g\n"
    )
    assert {task.id: task.depends_on for task in reading.tasks.values()} == {
        "1.1": (), "1.2": (), "2.1": ("1.1", "1.2"), "3.1": ("2.1",),
    }  # fmt: skip


@pytest.mark.parametrize(("order", "said"), [("deps", ["4 W117", "5 W117"]), ("phase", ["4 W117"])])
def test_what_the_order_of_the_file_sees_to_is_not_said(order: str, said: list[str]) -> None:
    """Words in another language that name a task matter only where nothing else makes it go first."""
    text = f"+++\norder = '{order}'\n+++\n- [ ] T1 a (nach T2)\n- [ ] T2 b (nach T1)\n"
    assert [f"{problem.line} {problem.code}" for problem in read_plan(text).diagnostics] == said
