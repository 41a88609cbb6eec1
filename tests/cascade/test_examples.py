"""The twelve examples of the format's documentation: tasks, lines and messages to the letter."""

from dataclasses import dataclass, field

import pytest

from nova_async.cascade.reading import read_plan

HEADER = "| Task ID | Task Name | What Changes | Depends On |\n"
FOUR = "|---|---|---|---|\n"
BAR = "\\|"


@dataclass(frozen=True)
class Expected:
    """What one task of an example should be."""

    id: str
    line: int
    prompt: str
    depends_on: tuple[str, ...] = ()
    options: dict[str, object] = field(default_factory=dict)
    done: bool = False


EXAMPLES = {
    "original form": (
        f"# Shop\n## L1: App\n### L2: Base\n{HEADER}{FOUR}"
        "| F1 | Types | Define base types | - |\n| F2 | Errors | Implement errors | F1 |\n",
        [Expected("F1", 6, "Define base types"), Expected("F2", 7, "Implement errors", ("F1",))],
        [],
    ),
    "alignment, escaped pipes, dashes": (
        f"{HEADER}| :-- | --- | --- | --: |\n| F1 | n | run a {BAR} b | — |\n| F2 | n | use `x {BAR} y` | none |\n",
        [Expected("F1", 3, "run a | b"), Expected("F2", 4, "use `x | y`")],
        [],
    ),
    "no outer pipes": (
        "ID | Prompt | After | Model | Owner\n---|---|---|---|---\n"
        "F1 | write it | | opus | Ann\nF2 | test it | F1 | - | Bob\n",
        [Expected("F1", 3, "write it", options={"model": "opus"}), Expected("F2", 4, "test it", ("F1",))],
        ["CASCADE.md:1: W111 unknown column 'Owner' ignored"],
    ),
    "bare pipes": (
        f"{HEADER}{FOUR}| F1 | n | use `a | b` | - |\n| F2 | n | a | b | F1 |\n",
        [],
        [
            "CASCADE.md:3: E106 a | inside `code` splits the cell; write \\|",
            "CASCADE.md:4: E103 5 cells in a table of 4 columns; write a literal pipe as \\|",
        ],
    ),
    "delimiter row too short": (
        f"{HEADER}|---|---|---|\n| F1 | n | d | - |\n",
        [],
        ["CASCADE.md:1: E109 looks like a task table but is not one: header has 4 cells, delimiter row 3"],
    ),
    "glued text and a lost row": (
        f"{HEADER}{FOUR}| F1 | n | d | - |\nAll of these are urgent.\n\n| F2 | n | d | F1 |\n",
        [Expected("F1", 3, "d")],
        [
            "CASCADE.md:4: E107 text directly below a table belongs to it; put an empty line in between",
            "CASCADE.md:6: E110 this row is outside its table: an empty line ends a table",
        ],
    ),
    "nothing but a fence and another table": (
        f"```\n{HEADER}{FOUR}| F1 | n | d | - |\n```\n\n| Risk | Owner |\n|---|---|\n| fire | Ann |\n",
        [],
        ["CASCADE.md:1: E100 no tasks found: the only tasks are in a code block (line 1); remove the fence"],
    ),
    "dependencies": (
        f"{HEADER}{FOUR}| F1 | a | d | F3 |\n| f1 | b | d | - |\n| F2 | c | d | F1, F9 |\n"
        "| F3 | e | d | F2 |\n| F4 | g | d | F4 |\n",
        [
            Expected("F1", 3, "d", ("F3",)),
            Expected("F2", 5, "d", ("F1",)),
            Expected("F3", 6, "d", ("F2",)),
            Expected("F4", 7, "d", ("F4",)),
        ],
        [
            "CASCADE.md:3: E203 dependency cycle: F1 -> F3 -> F2 -> F1",
            "CASCADE.md:4: E102 task id 'f1' differs from 'F1' only in case; their log files would collide",
            "CASCADE.md:5: E201 task F2 depends on unknown task 'F9'",
            "CASCADE.md:7: E202 task F4 depends on itself",
        ],
    ),
    "ranges and bad values": (
        "| ID | What | Deps | Timeout | Budget USD |\n|---|---|---|---|---|\n| T001 | a | | 1h30m | 4.50 |\n"
        "| T002 | b | | soon | 0 |\n| T003 | c | T001-T002 | - | |\n",
        [
            Expected("T001", 3, "a", options={"timeout": 5400.0, "budget_usd": 4.5}),
            Expected("T002", 4, "b"),
            Expected("T003", 5, "c", ("T001", "T002")),
        ],
        [
            "CASCADE.md:4: E104 budget_usd: '0': a budget must be above 0",
            "CASCADE.md:4: E104 timeout: 'soon' is not a duration (write 90s, 30m, 2h, 1h30m)",
        ],
    ),
    "heading tasks": (
        "### P1: Payment client\n- **Depends on:** F1\n- Timeout: 45m\n- Retrys: 2\n\n"
        "Write it.<br>Then run the tests.\n#### Notes\n- Keep the API\n\n### Task F1 — Types\nDefine them.\n",
        [
            Expected(
                "P1",
                1,
                "Payment client\n\nWrite it.\nThen run the tests.\n#### Notes\n- Keep the API",
                ("F1",),
                {"timeout": 2700.0},
            ),
            Expected("F1", 10, "Types\n\nDefine them."),
        ],
        ["CASCADE.md:4: W111 unknown option 'Retrys' ignored; did you mean 'retries'?"],
    ),
    "checklist": (
        "- [x] T001 Create the project\n- [ ] T002 [P] [US1] Lint (depends on T001)\n  - retries: 0\n"
        "- [ ] Buy milk\n- [ ] T003 Ship (depends on T001-T002)\n",
        [
            Expected("T001", 1, "Create the project", done=True),
            Expected("T002", 2, "Lint", ("T001",), {"retries": 0, "tags": ("US1",)}),
            Expected("T003", 5, "Ship", ("T001", "T002")),
        ],
        ["CASCADE.md:4: W115 1 item without an id ignored (first: 'Buy milk'); to run them, add ids"],
    ),
    "byte order mark, front matter, CRLF": (
        '\ufeff+++\r\nmax_workers = 3\r\nbudget_us = 25.0\r\ntimeout = "45m"\r\n+++\r\n# Shop\r\n\r\n'
        "| ID | What | Deps |\r\n|---|---|---|\r\n| F1 | a | - |\r\n",
        [Expected("F1", 10, "a")],
        ["CASCADE.md:3: E004 unknown front-matter key 'budget_us'; did you mean 'budget_usd'?"],
    ),
}


@pytest.mark.parametrize(("text", "tasks", "messages"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_documented_example(text: str, tasks: list[Expected], messages: list[str]) -> None:
    """A documented example gives the documented tasks and messages."""
    reading = read_plan(text)
    found = [
        Expected(task.id, task.line, task.description, task.depends_on, dict(task.written), task.done)
        for task in reading.tasks.values()
    ]
    assert found == tasks
    assert [str(diagnostic) for diagnostic in reading.diagnostics] == messages


def test_headings_name_project_branch_and_group() -> None:
    """The first example's headings end up where people look for them."""
    reading = read_plan(EXAMPLES["original form"][0])
    assert reading.project == "Shop"
    assert {(task.branch, task.group) for task in reading.tasks.values()} == {("App", "Base")}


def test_a_byte_order_mark_does_not_hide_the_project() -> None:
    """The twelfth example keeps its project's name and the settings that are right."""
    reading = read_plan(EXAMPLES["byte order mark, front matter, CRLF"][0])
    assert reading.project == "Shop"
    assert reading.settings.max_workers == 3
    assert reading.tasks["F1"].options.timeout == 2700.0
