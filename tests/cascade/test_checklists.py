"""Checklists, and the order of the file as the order of the run."""

import pytest

from nova_async.cascade import Cascade, parse_cascade
from nova_async.cascade.reading import read_plan

PHASE = '+++\norder = "phase"\n+++\n'


def plan(text: str) -> Cascade:
    """Read a checklist in which nothing is wrong, not even a little."""
    cascade = parse_cascade(text)
    assert [str(warning) for warning in cascade.warnings] == []
    return cascade


@pytest.mark.parametrize(
    "item",
    [
        "- [ ] T001 Lint it",
        "* [ ] T001 Lint it",
        "+ [ ] T001: Lint it",
        "1. [ ] T001 Lint it",
        "- [ ] **T001** Lint it",
        "- [ ] `T001` Lint it",
        "- [ ] **T001:** Lint it",
        "- [ ] #T001 Lint it",
    ],
)
def test_an_item_that_is_a_task(item: str) -> None:
    """A box and an id with a digit make an item a task."""
    task = plan(item).tasks["T001"]
    assert (task.name, task.description, task.done, task.line) == ("Lint it", "Lint it", False, 1)


@pytest.mark.parametrize("item", ["- T001 Lint", "- [T001] x", "- [P] T001 x", "- [1] T001 x", "- [x](a.md) T001"])
def test_an_item_that_is_none(item: str) -> None:
    """Without a box an item stays prose."""
    assert list(read_plan(item).tasks) == []


def test_ticked_items_are_done() -> None:
    """``[x]`` and ``[X]`` mean that the task need not run."""
    assert [task.done for task in plan("- [x] T1 a\n- [X] T2 b\n- [ ] T3 c\n").tasks.values()] == [True, True, False]


def test_tags_and_dependencies() -> None:
    """Tags stand behind the id, dependencies anywhere in the text; neither is said to the agent."""
    tasks = plan(
        "- [ ] T1 [US1] [ui] Draw [the](x.md) page\n- [ ] T2 Test (Depends on: T1) in tests/[name].py\n"
        "- [ ] T3 Ship (depends on T1, T2)\n  - tags: late\n  - depends on: T1\n"
        "- [ ] T4 [US2] End\n  - tags: late\n"
    ).tasks
    assert (tasks["T1"].description, tasks["T1"].options.tags) == ("Draw [the](x.md) page", ("US1", "ui"))
    assert (tasks["T2"].description, tasks["T2"].depends_on) == ("Test in tests/[name].py", ("T1",))
    assert (tasks["T3"].depends_on, tasks["T3"].options.tags) == (("T1", "T2"), ("late",))
    assert tasks["T4"].options.tags == ("US2", "late")


def test_what_stands_below_an_item_belongs_to_its_prompt() -> None:
    """Further lines, paragraphs, lists and fences are for the agent, without the list's indentation."""
    task = plan(
        "- [ ] T1 Write it\n  in one go\n  - Timeout: 5m\n\n  ```\n  code\n    more\n  ```\n\n  End.\n\nOutside.\n"
    ).tasks["T1"]
    assert task.name == "Write it"
    assert task.description == "Write it\nin one go\n```\ncode\n  more\n```\n\nEnd."
    assert task.options.timeout == 300.0


def test_sub_items_without_an_id_are_steps_of_their_task() -> None:
    """Boxes below a task, with plain numbers or none, belong to its prompt: nothing runs twice."""
    cascade = plan("- [ ] T1 Set up\n  - [ ] Install\n  - [ ] 2. Check\n- [ ] T2 Go on\n")
    assert list(cascade.tasks) == ["T1", "T2"]
    assert cascade.tasks["T1"].description == "Set up\n- [ ] Install\n- [ ] 2. Check"


def test_sub_items_with_an_id_are_tasks_and_their_item_is_a_group() -> None:
    """What else the item says is told to each of its tasks; the item itself is not run besides them."""
    cascade = plan("- [ ] T1 Set up\n  - [ ] T1.1 Install\n  - Check\n- [ ] T2 Go on\n")
    assert {task.id: (task.group, task.description, task.depends_on) for task in cascade.tasks.values()} == {
        "T1.1": ("Set up", "Install\n\nPart of Set up:\n- Check", ()),
        "T2": ("", "Go on", ("T1.1",)),
    }


def test_an_item_with_an_id_only() -> None:
    """An id alone says nothing to an agent."""
    assert [str(problem) for problem in read_plan("- [ ] T001\n").diagnostics] == [
        "CASCADE.md:1: E105 task T001 has neither a name nor a prompt"
    ]


def test_the_parallel_mark_is_reported_once() -> None:
    """One warning is enough for a list full of ``[P]`` that mean nothing."""
    problems = read_plan(PHASE.replace("phase", "deps") + "- [ ] T1 a\n- [ ] T2 [P] b\n- [ ] T3 [P] c\n").diagnostics
    assert [(problem.line, problem.code) for problem in problems] == [(5, "W112")]


def test_phase_order() -> None:
    """Neighbours marked ``[P]`` run together; any other task waits for everything above, and all below for it."""
    cascade = plan(PHASE + "- [ ] T1 a\n- [ ] T2 [P] b\n- [ ] T3 [P] c\n- [ ] T4 d\n- [ ] T5 [P] e\n")
    assert {task.id: task.depends_on for task in cascade.tasks.values()} == {
        "T1": (),
        "T2": ("T1",),
        "T3": ("T1",),
        "T4": ("T2", "T3"),
        "T5": ("T4",),
    }
    assert cascade.waves() == [["T1"], ["T2", "T3"], ["T4"], ["T5"]]


def test_phase_order_keeps_phases_apart() -> None:
    """A heading between two ``[P]`` tasks separates them, and declared dependencies still count."""
    cascade = plan(
        PHASE + "## One\n- [ ] T1 [P] a\n- [ ] T2 [P] b (depends on T1)\n## Two\n- [ ] T3 [P] c\n### U1: d\ntext\n"
    )
    assert {task.id: task.depends_on for task in cascade.tasks.values()} == {
        "T1": (),
        "T2": ("T1",),
        "T3": ("T1", "T2"),
        "U1": ("T3",),
    }


def test_phase_order_against_a_declared_dependency_is_a_cycle() -> None:
    """A task cannot depend on one below it if the order of the file counts."""
    problems = read_plan(PHASE + "- [ ] T1 a (depends on T2)\n- [ ] T2 b\n").diagnostics
    assert [str(problem) for problem in problems] == ["CASCADE.md:4: E203 dependency cycle: T1 -> T2 -> T1"]


@pytest.mark.parametrize("mark", ["[o]", "[d]", "[P]", "[W]"])
def test_an_item_with_a_letter_for_a_box_is_named(mark: str) -> None:
    """A sign that no dialect knows is no box, but a task may be meant; a source or a note is not."""
    reading = read_plan(f"- [ ] T1 Write it\n- {mark} T2 Test it\n- [a] a note\n- [1] RFC 2119\n")
    assert list(reading.tasks) == ["T1"]
    said = [str(found) for found in reading.diagnostics if found.code == "W119"]
    assert said == [
        f"CASCADE.md:2: W119 1 item without a box ignored (first: '{mark} T2 Test it'); to run them, add `[ ]`"
    ]


def test_a_table_of_names_alone_is_named_unless_its_tasks_stand_elsewhere() -> None:
    """Rows with an id and a name may be tasks; the same tasks once more, with their owners, are not."""
    table = "| ID | Task | Owner |\n|---|---|---|\n| T1 | Write it | Ann |\n| T2 | Test it | Bob |\n"
    said = [str(found) for found in read_plan(table).diagnostics if found.code == "W119"]
    assert said == [
        "CASCADE.md:3: W119 2 rows are ignored (first: 'T1 Write it'); "
        "to run them, add a column `What Changes` or `Depends On`"
    ]
    assert not read_plan(f"- [ ] T1 Write it\n- [ ] T2 Test it\n\n{table}").diagnostics


def test_a_phase_without_tasks_is_named() -> None:
    """Where one numbered item has boxes below it, its neighbours without any may be phases yet to be planned."""
    reading = read_plan("1. **Setup**\n   - [ ] T1 Write it\n2. **Build**\n3. **Ship**\n")
    assert list(reading.tasks) == ["T1"]
    assert [str(found) for found in reading.diagnostics] == [
        "CASCADE.md:3: W119 2 items without a box ignored (first: '**Build**'); to run them, add `[ ]`"
    ]


@pytest.mark.parametrize("above", ["- [ ] T1 One\n", "", "Some text.\n", "- [ ] T1 One\n  - step\n"])
def test_a_box_without_a_space_before_it_is_reported(above: str) -> None:
    """To Markdown it is text; nobody who wrote it meant that."""
    reading = read_plan(f"- [ ] T0 Nought\n\n{above}-[ ] T2 Two\n")
    line = above.count("\n") + 3
    assert [(found.line, found.code) for found in reading.diagnostics] == [(line, "W115")]
    assert "write `- [ ] T2 Two" in reading.diagnostics[0].text


def test_rows_below_acceptance_criteria_are_named_too() -> None:
    """As items there are: whoever meant them as tasks must hear of it."""
    table = "## Acceptance criteria\n\n| ID | Task | Status |\n|---|---|---|\n| R2 | Sort the list | - |\n"
    reading = read_plan(f"- [ ] T1 One\n\n{table}")
    assert [(found.line, found.code) for found in reading.diagnostics] == [(7, "W119")]


@pytest.mark.parametrize(
    "bullet", ['permissions = "full"', "permissions='full'", '`permissions = "full"`', "permissions: full"]
)
def test_an_option_may_be_written_as_above_the_plan(bullet: str) -> None:
    """What messages and the front matter write in TOML is no word of the prompt."""
    task = plan(f"- [ ] T1 One\n  - {bullet}\n").tasks["T1"]
    assert (task.options.permissions, task.description) == ("full", "One")


@pytest.mark.parametrize("bullet", ["x = 1", "answer = 42 in the test", "timeout == 3 is a bug", "set model = opus"])
def test_an_equation_is_no_option(bullet: str) -> None:
    """Unless it begins with the name of one, it is for the agent."""
    assert plan(f"- [ ] T1 One\n  - {bullet}\n").tasks["T1"].description == f"One\n- {bullet}"
