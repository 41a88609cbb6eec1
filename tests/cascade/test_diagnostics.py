"""Every diagnostic that the examples and the awkward inputs do not show."""

import pickle

import pytest

from nova_async.cascade import CascadeError, Diagnostic, parse_cascade
from nova_async.cascade.diagnostics import MAX_GUESSES, did_you_mean, shown
from nova_async.cascade.reading import read_plan
from nova_async.cascade.settings import parse_agent_command
from nova_async.errors import NovaError

TABLE = "| ID | What | Deps |\n|---|---|---|\n| F1 | a | - |\n"
HEAD = "| ID | What | Deps |\n"

IGNORED = "1: E100 no tasks found: everything that looks like one is ignored; see the warnings"

CASES = {
    "front matter never closed": (
        f"+++\norder = 'deps'\n{TABLE}",
        ["1: E001 front matter opened by +++ is never closed"],
    ),
    "front matter is no TOML": (
        f"+++\norder = 'deps'\nmax_workers =\n+++\n{TABLE}",
        ["3: E002 front matter: Invalid value"],
    ),
    "front matter ends too early": (f"+++\nnotify = [\n+++\n{TABLE}", ["2: E002 front matter: Invalid value"]),
    "TOML key without end": (
        f"+++\norder = 'deps'\nenv.{'.'.join('a' * 101)} = 1\n+++\n{TABLE}",
        ["3: E002 front matter: a key of more than 100 names"],
    ),
    "TOML number without end": (f"+++\nmax_workers = {'9' * 5000}\n+++\n{TABLE}", None),
    "TOML nested without end": (f"+++\nnotify = {'[' * 5000}\n+++\n{TABLE}", None),
    "id too long": (TABLE.replace("F1", "F" * 65), [f"3: E101 bad task id '{'F' * 65}' (at most 64 characters)"]),
    "id missing": (
        TABLE.replace("F1", ""),
        ["3: E101 bad task id '' (letters and digits, joined by . _ or -)"],
    ),
    "neither name nor prompt": (TABLE.replace("| a |", "| |"), ["3: E105 task F1 has neither a name nor a prompt"]),
    "two columns for the prompt": (
        "| ID | Description | What Changes |\n|---|---|---|\n| F1 | a | b |\n",
        ["1: E108 two columns mean 'prompt': Description, What Changes"],
    ),
    "two columns for an option": (
        "| ID | What | Idle | Idle Timeout |\n|---|---|---|---|\n| F1 | a | 5m | 6m |\n",
        ["1: E108 two columns mean 'idle_timeout': Idle, Idle Timeout"],
    ),
    "no delimiter row": (
        "\n| ID | What | Deps |\n| F1 | a | - |\n",
        ["2: E109 looks like a task table but is not one: the delimiter row |---|---| below the header is missing"],
    ),
    "delimiter row of one rule": (
        f"{HEAD}---\n\n- [ ] T1 x\n",
        ["1: E109 looks like a task table but is not one: header has 3 cells, delimiter row 1"],
    ),
    "delimiter row drawn with =": (
        f"{HEAD}|===|===|===|\n| F1 | a | - |\n",
        ["1: E109 looks like a task table but is not one: the delimiter row below the header may hold only - : and |"],
    ),
    "two lost rows": (
        f"{TABLE}\n| F2 | a | - |\n| F3 | a | F2 |\n",
        [f"{line}: E110 this row is outside its table: an empty line ends a table" for line in (5, 6)],
    ),
    "lost row without outer pipes": (
        "ID | What | Deps\n---|---|---\nF1 | a | -\n\nF2 | b | F1\n",
        ["5: E110 this row is outside its table: an empty line ends a table"],
    ),
    "lost rows that begin like lists and code": (
        "Deps | ID | What\n---|---|---\nF2 | F1 | a\n- | F2 | b\n",
        ["4: E110 this row is outside its table: start its line with a |, not indented"],
    ),
    "lost row that is indented": (
        f"{TABLE}    | F2 | b | F1 |\n",
        ["4: E110 this row is outside its table: start its line with a |, not indented"],
    ),
    "near column": (
        "| ID | What | Modle |\n|---|---|---|\n| F1 | a | b |\n",
        ["1: W111 unknown column 'Modle' ignored; did you mean 'model'?"],
    ),
    "table in a list": (
        "- see\n\n  | ID | What |\n  |---|---|\n  | F1 | a |\n",
        [IGNORED, "3: W113 task table inside a list or quote: ignored"],
    ),
    "table in a quote": (
        "> " + TABLE.replace("\n|", "\n> |"),
        [IGNORED, "1: W113 task table inside a list or quote: ignored"],
    ),
    "table of something else in a quote": (
        f"{TABLE}\n> | Colour | Size |\n> |---|---|\n> | red | 3 |\n",
        [],
    ),
    "task item in a quote": (
        "> - [ ] T001 Begin\n",
        [IGNORED, "1: W113 task item inside a quote: ignored"],
    ),
    "table indented by four": (
        "Text\n\n" + "".join(f"    {line}\n" for line in TABLE.splitlines()),
        [IGNORED, "3: W114 task table indented by four spaces is a code block: ignored"],
    ),
}


@pytest.mark.parametrize(("text", "messages"), CASES.values(), ids=CASES.keys())
def test_diagnostic(text: str, messages: list[str] | None) -> None:
    """A mistake gives its message, its line, and no other message."""
    found = [str(problem).removeprefix("CASCADE.md:") for problem in read_plan(text).diagnostics]
    if messages is None:
        assert len(found) == 1
        assert found[0].startswith("2: E002 front matter: ")
    else:
        assert found == messages


def test_prose_after_a_table_is_no_lost_row() -> None:
    """A paragraph that merely has a pipe in it stays prose."""
    parse_cascade(f"{TABLE}\nuse a | b here\n\nor c | d | e with words\n")


def test_an_error_carries_every_problem() -> None:
    """The exception shows errors and warnings of the whole file, by line, and is both kinds of error."""
    with pytest.raises(CascadeError) as caught:
        parse_cascade(
            "| ID | What | Owner | Timeout |\n|---|---|---|---|\n| F1 | a | Ann | soon |\n| F1 | b | | |\n",
            "my.md",
        )
    error = caught.value
    assert isinstance(error, NovaError)
    assert isinstance(error, ValueError)
    assert [(problem.line, problem.code) for problem in error.diagnostics] == [(1, "W111"), (3, "E104"), (4, "E102")]
    assert [problem.code for problem in error.errors] == ["E104", "E102"]
    assert str(error).splitlines()[0] == "my.md:1: W111 unknown column 'Owner' ignored"
    assert str(error).count("\n") == 2


def test_an_error_survives_pickling() -> None:
    """Problems are not lost on the way to another process."""
    error = CascadeError([Diagnostic(1, "E100", "no tasks found")])
    copy = pickle.loads(pickle.dumps(error))
    assert copy.diagnostics == error.diagnostics
    assert str(copy) == "CASCADE.md:1: E100 no tasks found"


def test_warnings_do_not_stop_a_plan() -> None:
    """A plan with warnings only is a plan, and keeps them."""
    cascade = parse_cascade("| ID | What | Owner |\n|---|---|---|\n| F1 | a | Ann |\n")
    assert [str(warning) for warning in cascade.warnings] == ["CASCADE.md:1: W111 unknown column 'Owner' ignored"]


def test_guesses() -> None:
    """A guess ignores case, gives the word as it is spelled, and stays silent when nothing is near."""
    assert did_you_mean("RETRYS", ["retries", "grace"]) == "; did you mean 'retries'?"
    assert did_you_mean("f1", ["F1", "F2"]) == "; did you mean 'F1'?"
    assert did_you_mean("xyz", ["retries"]) == ""


def test_messages_cannot_move_the_cursor() -> None:
    """The author's words are shown on one line, cut short, without control characters."""
    assert shown("a\x1b[2J\nb") == "'a\ufffd[2J b'"
    assert len(shown("x" * 1000)) == 82


def test_a_file_full_of_typos_is_quick_to_say_so() -> None:
    """Only the first mistakes get a guess: comparing every name with every other would take seconds."""
    rows = "".join(f"| T{n} | a | Tx{n} |\n" for n in range(300))
    problems = read_plan(f"{HEAD}|---|---|---|\n{rows}").diagnostics
    assert len(problems) == 300
    assert sum("did you mean" in problem.text for problem in problems) <= 50


WHY_NONE = {
    "": "the file is empty",
    "\n \n": "the file is empty",
    '{"tasks": []}': "this is JSON",
    "[{}]": "this is JSON",
    "# P\n\n1. Write\n2. Test\n": "the list at line 3 is not a checklist",
    "# P\n\n- T1 Write\n": "the list at line 3 is not a checklist",
    "# P\n\n## 1. Write\n\nx\n": "headings with only a number are not tasks (line 3)",
    "# P\n\n| Risk | Owner |\n|---|---|\n| a | b |\n": "the table at line 3 is not a task table",
    "# P\n\n```\n- [ ] T1 x\n```\n\n```\n- [ ] T2 x\n```\n": "the only tasks are in a code block (line 3)",
    "# P\n\n```python\n- [ ] T1 x\n```\n": "the only tasks are in a code block (line 3)",
    "# P\n\n- [ ] AC1 x\n": "everything that looks like one is ignored; see the warnings",
    "Just prose.\n": "write a checklist",
}


@pytest.mark.parametrize(("text", "reason"), WHY_NONE.items(), ids=[repr(text)[:20] for text in WHY_NONE])
def test_why_there_is_no_task(text: str, reason: str) -> None:
    """A plan without a task is told what is wrong with it, and where."""
    problem = read_plan(text).diagnostics[0]
    assert (problem.line, problem.code) == (1, "E100")
    assert problem.text.startswith(f"no tasks found: {reason}")


@pytest.mark.parametrize("fence", ["```markdown", "```", "~~~md", "````text"])
def test_a_plan_that_is_fenced_as_a_whole(fence: str) -> None:
    """It is read with the lines it has, and what stands around it is left alone; an open fence ends with the file."""
    mark = fence[: fence.count(fence[0])]
    for text in (
        f"Here you are:\n\n{fence}\n# P\n\n- [ ] T1 x\n{mark}\n\nShall I begin?\n",
        f"\n\n{fence}\n# P\n\n- [ ] T1 x\n",
    ):
        reading = read_plan(text)
        assert (reading.project, [task.line for task in reading.tasks.values()]) == ("P", [6])
        assert [(said.line, said.code) for said in reading.diagnostics] == [(3, "W116")]


COLUMNS = "| ID | What | Priority | {} |\n|---|---|---|---|\n| F1 | a | High | {} |\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (COLUMNS.format("Tokens", "~5k"), ["3 W118", "3 W118"]),
        (COLUMNS.format("Agent", "Ann"), ["3 W118", "3 W118"]),
        (COLUMNS.format("Budget", "2 days"), ["3 W118", "3 W118"]),
        (COLUMNS.format("Timeout", "30m"), ["3 E104"]),
        (COLUMNS.format("Timeout", "soon"), ["3 E104", "3 W118"]),
        ("+++\nretries = 1\n+++\n" + COLUMNS.format("Tokens", "~5k"), ["6 E104", "6 W118"]),
        (
            COLUMNS.format("Tokens", "~5k") + "| F2 | b | Low | ~1k |\n| F3 | c | 1 | 500 |\n",
            ["3 E104", "3 W118", "4 E104"],
        ),
    ],
)
def test_values_that_are_no_options(text: str, said: list[str]) -> None:
    """A column of somebody else's is ignored with one word; in a plan that sets options of ours it is a mistake."""
    assert [f"{found.line} {found.code}" for found in read_plan(text).diagnostics] == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[ ] T2 x", "W115"),
        ("\u2022 [ ] T2 x", "W115"),
        ("**Task 2: x**", "W119"),
        ("Task 2: x", "W119"),
        ("Task 2: x\n---", "W119"),
        ("- Task 2: x", "W119"),
        ("- [ ] Buy milk", "W115"),
        ("> - [ ] T2 x", "W113"),
        ("x\n\n    - [ ] T2 x", "W114"),
    ],
)
def test_what_looks_like_a_task_and_is_none(text: str, said: str) -> None:
    """Boxes without a list, tasks without a heading, items without a box: each is named."""
    assert [found.code for found in read_plan(f"- [ ] T1 a\n\nx\n\n{text}\n").diagnostics] == [said]


def test_guesses_are_bounded() -> None:
    """A file full of mistakes gets so many of them, and all the mistakes."""
    rows = "".join(f"| T{number} | a | F{number}x |\n" for number in range(MAX_GUESSES + 5))
    found = read_plan(f"{TABLE}{rows}").diagnostics
    assert len(found) == MAX_GUESSES + 5
    assert not any("did you mean" in str(problem) for problem in found[-5:])


def test_a_plan_is_a_text() -> None:
    """Not its bytes, and not its path."""
    with pytest.raises(TypeError, match=r"load_cascade\(path\) reads a file"):
        parse_cascade(b"# P")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "| What | ID |\n|---|---|\n| a | F1 |\n\n| b |\n",
        "| What | ID |\n|---|---|\n| a | F1 |\n> a | b\n> c\n",
        "| What | ID |\n|---|---|\n| a | F1 |\n- a | b\n- <!-- c | d -->\n",
        "What | ID\nb\nc | F2\n",
        "| What | Deps | ID |\n|---|---|---|\n| a | - | F1 |\n- a | b\n",
        "> - plain\n> - [ ]\n\n- [ ] F1 a\n",
        "- [ ] F1 a\n  - Timout: soon\n",
        "#### Task 1: Base\n\n- [ ] 1.1 a\n\n#### Task 1: Again\n\n- [ ] 1.2 b\n",
        "# Task 3: Pay\n\n### Task 3: Pay\n\n- [ ] 3.1 a\n\n### Task 4: b\n",
    ],
)
def test_odd_plans_are_read(text: str) -> None:
    """Whatever is missing in them: they are read, or the mistake is told with its line."""
    reading = read_plan(text)
    assert reading.tasks or reading.diagnostics


def test_a_misspelled_option_whose_value_does_not_fit_is_a_fact() -> None:
    """``Timout: soon`` tells the agent something; ``Timout: 5m`` was meant for us."""
    read = {value: read_plan(f"- [ ] F1 a\n  - Timout: {value}\n").diagnostics for value in ("soon", "5m")}
    assert [str(problem) for problem in read["soon"]] == []
    assert "did you mean 'timeout'" in str(read["5m"][0])


def test_a_command_without_a_program_is_refused() -> None:
    """An empty text is no command."""
    with pytest.raises(ValueError, match="no program given"):
        parse_agent_command(" ")
