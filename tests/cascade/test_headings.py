"""Headings: names of project, branches and groups, and tasks that have a heading of their own."""

import pytest

from nova_async.cascade import Task
from nova_async.cascade.reading import read_plan


def tasks_of(text: str) -> dict[str, Task]:
    """Read a plan in which nothing is wrong."""
    reading = read_plan(text)
    assert [str(problem) for problem in reading.diagnostics] == []
    return reading.tasks


TASK_HEADINGS = {
    "### F1: Types": ("F1", "Types"),
    "### Task F1: Types": ("F1", "Types"),
    "### task f: Types": ("f", "Types"),
    "#### F1 — Types": ("F1", "Types"),
    "### F1 \u2013 Types": ("F1", "Types"),
    "### F1\u2014Types": ("F1", "Types"),
    "###### `F1`: Types": ("F1", "Types"),
    "### **F1:** Types": ("F1", "Types"),
    "### **F1: Types**": ("F1", "Types"),
    "### #F1: Types": ("F1", "Types"),
    "### Task 1 - Types": ("1", "Types"),
    "### 1.2: Types ###": ("1.2", "Types"),
    "### L1: Types": ("L1", "Types"),
    "### T1 Types": ("T1", "Types"),
    "### T1 - Types": ("T1", "Types"),
    "### T1 [ ] Types": ("T1", "Types"),
    "### F1 [-] Types": ("F1", "Types"),
}


@pytest.mark.parametrize(("heading", "expected"), TASK_HEADINGS.items(), ids=TASK_HEADINGS.keys())
def test_a_heading_that_is_a_task(heading: str, expected: tuple[str, str]) -> None:
    """An id with a digit, or the word "Task", and a separator make a heading a task."""
    tasks = tasks_of(f"{heading}\n\nDefine them.\n")
    assert [(task.id, task.name, task.description) for task in tasks.values()] == [
        (*expected, f"{expected[1]}\n\nDefine them.")
    ]


@pytest.mark.parametrize(
    "heading",
    [
        "## F1: Types",
        "### Notes: read this",
        "### L2: Types",
        "## L1: Types",
        "### F1",
        "### 12:30 Stand-up",
        "### Phase 3: User story",
        "### F1\u2013F3: Types",
        "### F1 - Types",
        "Types\n---",
    ],
)
def test_a_heading_that_is_none(heading: str) -> None:
    """Everything else stays a heading."""
    reading = read_plan(f"{heading}\n\nDefine them.\n")
    assert list(reading.tasks) == []
    assert [problem.code for problem in reading.diagnostics] == ["E100"]


def test_sections_of_tasks() -> None:
    """A branch ends the group before it, a second title changes nothing, prefixes are optional."""
    tasks = tasks_of(
        "# First\n### T1: a\nx\n# Second\n## L1: App\n### T2: b\nx\n### L2: Base\n#### T3: c\nx\n"
        "## Web\n### T4: d\nx\n### Pages\n#### T5: e\nx\n"
    )
    assert {task.id: (task.branch, task.group) for task in tasks.values()} == {
        "T1": ("", ""),
        "T2": ("App", ""),
        "T3": ("App", "Base"),
        "T4": ("Web", ""),
        "T5": ("Web", "Pages"),
    }
    assert read_plan("# First\n# Second\n").project == "First"


def test_the_body_is_the_source_itself() -> None:
    """Fences, tables, lists, comments, spacing and headings of lower rank belong to the prompt."""
    body = (
        "Do   this:\n\n```sh\n# not a heading\n\n\necho  `<br>`\n```\n\n~~~\n<br>\n~~~\n\n"
        "| Case | Result |\n|---|---|\n| X1 | y |\n\n- [ ] a step\n\n> | ID | What |\n\n<!-- note -->\n\n"
        "Underlined\n---\n\n#### Details\n\n    four spaces"
    )
    tasks = tasks_of(f"### T1: a\n\n\n{body}\n\n\n### T2: b\nend\n")
    assert tasks["T1"].description == f"a\n\n{body}"
    assert tasks["T2"].description == "b\n\nend"


def test_the_body_ends_at_a_heading_of_the_same_or_a_higher_rank() -> None:
    """What follows such a heading is not said to the agent."""
    tasks = tasks_of("#### T1: a\none\n##### Sub\ntwo\n#### Notes\nthree\n#### T2: b\nfour\n## Branch\nfive\n")
    assert [task.description for task in tasks.values()] == ["a\n\none\n##### Sub\ntwo", "b\n\nfour"]


def test_a_task_without_a_body_uses_its_name() -> None:
    """The name is the prompt where nothing else is."""
    assert tasks_of("### T1: Write it\n- Retries: 0\n### T2: Test it\n")["T1"].description == "Write it"


def test_line_breaks_in_a_body() -> None:
    """``<br>`` is a line break in prose only."""
    text = tasks_of("### T1: a\none<BR />two `<br>`\n```\n<br>\n```\n")["T1"].description
    assert text == "a\n\none\ntwo `<br>`\n```\n<br>\n```"


def test_every_way_to_write_an_option() -> None:
    """Bold, code, colons inside or outside, other words for dependencies, and a list below the key."""
    tasks = tasks_of(
        "### A1: a\n- **Blocked by:** B1\n- **Timeout**: 5m\n- `retries`: 0\n- idle_timeout: 2m\n* * *\n\nText\n"
        "### B1: b\n- Verify: `pytest -q`\n- __Worktree:__ yes\n- tags: a, b\n- Model: -\n\nText\n"
        "### C1: c\n- Depends on:\n  - A1\n  - B1\n- Prompt: First say this.\n\nThen that.\n"
    )
    assert tasks["A1"].depends_on == ("B1",)
    assert tasks["A1"].written == {"timeout": 300.0, "retries": 0, "idle_timeout": 120.0}
    assert tasks["B1"].written == {"verify": ("pytest", "-q"), "worktree": True, "tags": ("a", "b")}
    assert tasks["B1"].options.model is None
    assert tasks["C1"].depends_on == ("A1", "B1")
    assert tasks["C1"].description == "First say this.\nThen that."


def test_a_list_that_does_not_begin_with_an_option_is_prose() -> None:
    """A list is read as options only if its first item is one; prose in such a list ends it."""
    tasks = tasks_of(
        "### A1: a\n- Keep the API: it is public\n- Timeout: 5m\n"
        "### B1: b\n- Timeout: 5m\n- Keep it short\n- Model: x\n"
    )
    assert tasks["A1"].description == "a\n\n- Keep the API: it is public\n- Timeout: 5m"
    assert tasks["A1"].written == {}
    assert tasks["B1"].description == "b\n\n- Keep it short\n- Model: x"
    assert tasks["B1"].written == {"timeout": 300.0}


def test_paths_and_addresses_are_no_options() -> None:
    """A colon needs a space after it."""
    assert tasks_of("### A1: a\n- Model:x\n")["A1"].written == {}


def test_bad_options_are_named_with_the_line_of_their_bullet() -> None:
    """An option list reports like a column."""
    problems = read_plan("### A1: a\n- Retries: 1\n- Timeout: soon\n\ntext\n").diagnostics
    assert [(problem.line, problem.code) for problem in problems] == [(3, "E104")]


def test_a_bad_id_in_a_heading_that_says_task() -> None:
    """``Task`` and a word make a task even without a digit; two of one id are refused."""
    problems = read_plan("### Task one: a\n### Task One: b\n").diagnostics
    assert [str(problem) for problem in problems] == [
        "CASCADE.md:2: E102 task id 'One' differs from 'one' only in case; their log files would collide"
    ]
