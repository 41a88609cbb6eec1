"""Twenty-eight files that the original parser got wrong or passed over in silence, and a few like them."""

import pytest

from nova_async.cascade.reading import read_plan

HEADER = "| Task ID | Task Name | What Changes | Depends On |"
DASHES = "|---|---|---|---|"
HEADINGS = "# P\n## L1: App\n### L2: Base\n"


def plan(*rows: str, header: str = HEADER, dashes: str = DASHES, above: str = HEADINGS) -> str:
    """Write a plan with one table."""
    return above + "\n".join((header, dashes, *rows)) + "\n"


def tasks_of(text: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Read a plan in which nothing is wrong: prompt and dependencies by id."""
    reading = read_plan(text)
    assert [str(problem) for problem in reading.diagnostics] == []
    return {task.id: (task.description, task.depends_on) for task in reading.tasks.values()}


def problems_of(text: str) -> list[str]:
    """Read a plan in which something is wrong, and give the messages without the file's name."""
    return [str(problem).removeprefix("CASCADE.md:") for problem in read_plan(text).diagnostics]


ROW = "| F1 | Types | Define types | - |"
ONE = {"F1": ("Define types", ())}
TWO_THREE = ("| F2 | n | two | - |", "| F3 | n | three | - |")
ONE_TASK = {
    "separator with spaces": plan(ROW, dashes="| --- | --- | --- | --- |"),
    "separator with colons": plan(ROW, dashes="|:---|:---:|---:|:---|"),
    "dependency em dash": plan(ROW.replace("| - |", "| — |")),
    "dependency en dash": plan(ROW.replace("| - |", "| \u2013 |")),
    "dependency none": plan(ROW.replace("| - |", "| none |")),
    "dependency n/a": plan(ROW.replace("| - |", "| N/A |")),
    "empty dependency cell": plan(ROW.replace("| - |", "| |")),
    "no headings": plan(ROW, above=""),
    "no L1 and L2": plan(ROW, above="# P\n"),
    "L1 only": plan(ROW, above="# P\n## L1: App\n"),
    "lower-case header": plan(ROW, header=HEADER.lower()),
    "emphasised header": plan(ROW, header="| **Task ID** | `Task Name` | _What Changes_ | DEPENDS_ON |"),
    "no outer pipes": plan(ROW.strip("| "), header=HEADER.strip("| "), dashes="---|---|---|---"),
    "indented": plan(f"  {ROW}", header=f"   {HEADER}", dashes=f" {DASHES}"),
    "cell with nothing in it": plan("| F1 || Define types | - |"),
    "three columns": plan("| F1 | Types | Define types |", header="| Task ID | Name | Prompt |", dashes="|-|-|-|"),
    "reordered columns": plan("| Define types | - | F1 | x |", header="| What | After | # | Title |"),
    "fewer cells than columns": plan("| F1 | Types | Define types |"),
    "empty cell too many": plan(f"{ROW} |"),
    "table in a comment": plan(ROW) + f"\n<!--\n{HEADER}\n{DASHES}\n| F9 | n | d | - |\n-->\n",
    "unrelated second table": plan(ROW) + "\n| Risk | Owner |\n|---|---|\n| fire | Ann |\n",
    "table in a fence below": plan(ROW) + f"\n~~~\n{HEADER}\n{DASHES}\n| F9 | n | d | - |\n~~~\n",
    "row with nothing in it": plan(ROW, "| | | | |"),
    "id in backticks": plan(ROW.replace("F1", "`F1`")),
    "id with a number sign": plan(ROW.replace("F1", "#F1")),
    "id in bold": plan(ROW.replace("F1", "**F1**")),
}


@pytest.mark.parametrize("text", ONE_TASK.values(), ids=ONE_TASK.keys())
def test_one_plain_task(text: str) -> None:
    """However a table is written, its row is one task."""
    assert tasks_of(text) == ONE


DEPENDENCIES = {
    "F1, F2": ("F1", "F2"),
    "F1; F2": ("F1", "F2"),
    "F1 F2": ("F1", "F2"),
    "F1 and F2": ("F1", "F2"),
    "F1, F2 and F3": ("F1", "F2", "F3"),
    "F1 + F2": ("F1", "F2"),
    "F1 & F2": ("F1", "F2"),
    "F1<br>F2": ("F1", "F2"),
    "#F1, `F2`": ("F1", "F2"),
    "**F1**, F2.": ("F1", "F2"),
    "F1-F3": ("F1", "F2", "F3"),
    "F1 - F3": ("F1", "F2", "F3"),
    "F1\u2013F3": ("F1", "F2", "F3"),
    "F1..F3": ("F1", "F2", "F3"),
    "F1-3": ("F1", "F2", "F3"),
    "F2, F1-F3, F2": ("F2", "F1", "F3"),
    "F1, -": ("F1",),
}


@pytest.mark.parametrize(("cell", "expected"), DEPENDENCIES.items(), ids=DEPENDENCIES.keys())
def test_dependency_cells(cell: str, expected: tuple[str, ...]) -> None:
    """Lists and ranges of dependencies may be written as people write them."""
    assert tasks_of(plan(ROW, *TWO_THREE, f"| F4 | n | four | {cell} |"))["F4"] == ("four", expected)


WRONG = {
    "unknown dependency": (plan(ROW.replace("| - |", "| G7 |")), ["6: E201 task F1 depends on unknown task 'G7'"]),
    "near miss": (
        plan("| T001 | n | d | - |", "| F2 | n | d | T01 |"),
        ["7: E201 task F2 depends on unknown task 'T01'; did you mean 'T001'?"],
    ),
    "wrong case": (
        plan(ROW, "| G2 | n | d | f1 |"),
        ["7: E201 task G2 depends on unknown task 'f1'; did you mean 'F1'?"],
    ),
    "range with a gap": (
        plan(ROW, "| F3 | n | d | - |", "| G1 | n | d | F1-F3 |"),
        ["8: E201 task G1 depends on unknown task 'F2'"],
    ),
    "range of nothing": (plan(ROW, "| G1 | n | d | X1-X900 |"), ["7: E201 task G1 depends on unknown task 'X1-X900'"]),
    "self dependency": (plan(ROW.replace("| - |", "| F1 |")), ["6: E202 task F1 depends on itself"]),
    "cycle": (
        plan(ROW.replace("| - |", "| F2 |"), "| F2 | n | d | F1 |"),
        ["6: E203 dependency cycle: F1 -> F2 -> F1"],
    ),
    "duplicate id": (plan(ROW, ROW), ["7: E102 duplicate task id 'F1', first at line 6"]),
    "pipe in backticks": (
        plan("| F1 | n | use `a | b` | - |"),
        ["6: E106 a | inside `code` splits the cell; write \\|"],
    ),
    "bare pipe": (
        plan("| F1 | n | a | b | - |"),
        ["6: E103 5 cells in a table of 4 columns; write a literal pipe as \\|"],
    ),
    "id with a space": (
        plan(ROW, "| F 1 | n | d | - |"),
        ["7: E101 bad task id 'F 1' (letters and digits, joined by . _ or -)"],
    ),
    "empty file": ("", ["1: E100 no tasks found: the file is empty; `nova init` writes a first plan"]),
    "yaml front matter": (
        "---\nmax_workers: 9\n---\n" + plan(ROW),
        ["1: E003 YAML front matter is not read, but this one sets max_workers; write TOML between two +++ lines"],
    ),
}


@pytest.mark.parametrize(("text", "messages"), WRONG.values(), ids=WRONG.keys())
def test_mistakes_are_named_with_their_line(text: str, messages: list[str]) -> None:
    """What the original accepted in silence, or blamed on something else, is said plainly."""
    assert problems_of(text) == messages


def test_an_escaped_pipe_is_text() -> None:
    """A pipe after a backslash belongs to the prompt, also inside code."""
    assert tasks_of(plan("| F1 | n | a \\| `b \\| c` | - |"))["F1"] == ("a | `b | c`", ())


def test_a_fifth_column_is_an_option() -> None:
    """A ``Model`` column sets the model of its row."""
    reading = read_plan(
        plan("| F1 | n | d | - | opus |", header=f"{HEADER} Model |", dashes=f"{DASHES}---|"),
    )
    assert reading.tasks["F1"].options.model == "opus"


def test_a_stray_backtick_is_harmless() -> None:
    """One backtick without a partner is text; only a pair across a pipe is a mistake."""
    assert tasks_of(plan("| F1 | n | the ` key | - |"))["F1"] == ("the ` key", ())


def test_an_id_that_looks_like_a_range_wins() -> None:
    """``F1-F3`` means the task of that name, if there is one."""
    assert tasks_of(plan("| F1-F3 | n | d | - |", "| F4 | n | d | F1-F3 |"))["F4"] == ("d", ("F1-F3",))


def test_zero_padding_of_a_range_is_kept() -> None:
    """``T009-T011`` crosses the ten with its zeros."""
    rows = [f"| T0{n} | n | d | - |" for n in ("09", "10", "11")]
    assert tasks_of(plan(*rows, "| G | n | d | T009-T011 |"))["G"] == ("d", ("T009", "T010", "T011"))


def test_dependencies_on_a_broken_row_are_not_one_more_mistake() -> None:
    """Whoever depends on a row that cannot be read gets no message of its own."""
    text = plan("| F1 | n | a | b | - |", "| F2 | n | d | F1 |")
    assert problems_of(text) == ["6: E103 5 cells in a table of 4 columns; write a literal pipe as \\|"]


def test_a_line_break_in_a_cell() -> None:
    """``<br>`` breaks the line of a prompt, but not inside code, where it is what the author talks about."""
    assert tasks_of(plan("| F1 | n | One.<br/>Two `<br>` three. | - |"))["F1"][0] == "One.\nTwo `<br>` three."


def test_a_task_without_a_prompt_uses_its_name() -> None:
    """An empty prompt, or a dash for one, is replaced by the name."""
    found = tasks_of(plan("| F1 | Write it | | - |", "| F2 | Test it | - | F1 |"))
    assert found == {"F1": ("Write it", ()), "F2": ("Test it", ("F1",))}


def test_invisible_characters_around_an_id() -> None:
    """Spaces that do not break and those without width, as browsers copy them, are no part of an id."""
    assert tasks_of(plan(ROW.replace("F1", "\u00a0F1\u200b"))) == ONE


def test_code_in_an_option_is_its_value() -> None:
    """Backticks around a command are how Markdown shows it, and no part of it."""
    rows = ("| F1 | n | d | - | `pytest -q` |", "| F2 | n | d | - | sh -c 'echo `a`' |")
    tasks = read_plan(plan(*rows, header=f"{HEADER} Verify |", dashes=f"{DASHES}---|")).tasks
    assert [task.options.verify for task in tasks.values()] == [("pytest", "-q"), ("sh", "-c", "echo `a`")]
