"""What holds for every plan, whatever is written and however it is written down."""

import random
import string
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nova_async.cascade import CascadeError, parse_cascade
from nova_async.cascade.graph import find_cycles, longest_path, remaining_lengths, waves_of
from nova_async.cascade.reading import read_plan
from nova_async.cascade.values import is_nothing

HEADERS = {
    "id": ["Task ID", "id", "#", "**ID**", "`task_id`"],
    "name": ["Task Name", "name", "TITLE", "Task"],
    "prompt": ["What Changes", "description", "_Prompt_", "What"],
    "deps": ["Depends On", "deps", "Dependencies", "AFTER", "blocked_by"],
    "model": ["Model", "*model*"],
    "timeout": ["Timeout", "timeout"],
}
SEPARATORS = [", ", ";", " ", " and ", " + ", "&"]
NOTHING = ["", "-", "—", "none"]


@dataclass(frozen=True)
class Planned:
    """One task before it is written down."""

    id: str
    name: str
    prompt: str
    needs: tuple[str, ...] = ()
    options: dict[str, object] = field(default_factory=dict)


WORDS = st.text(string.ascii_letters + string.digits + " .,:;|!?()[]{}<>/=+é漢\u2028\x85\x0b", min_size=1, max_size=30)
TEXT = WORDS.map(str.strip).filter(lambda text: not is_nothing(text))
IDS = st.from_regex(r"[A-Z]{1,3}[0-9]{1,3}", fullmatch=True)


@st.composite
def plans(draw: st.DrawFn) -> list[Planned]:
    """Draw a plan without cycles: tasks depend on earlier ones, then all are shuffled."""
    ids = draw(st.lists(IDS, min_size=1, max_size=8, unique=True))
    tasks = []
    for index, task_id in enumerate(ids):
        needs = tuple(draw(st.lists(st.sampled_from(ids[:index]), max_size=3, unique=True))) if index else ()
        options: dict[str, object] = {}
        if draw(st.booleans()):
            options["model"] = draw(st.sampled_from(["opus", "small-1", "a b"]))
        if draw(st.booleans()):
            options["timeout"] = float(draw(st.integers(1, 10_000)))
        tasks.append(Planned(task_id, draw(TEXT), draw(TEXT), needs, options))
    return draw(st.permutations(tasks))


def write_down(tasks: list[Planned], dice: random.Random) -> str:
    """Write a plan as a table, with columns, headers, pipes, line ends and lines above as the dice fall."""
    columns = dice.sample(sorted(HEADERS), len(HEADERS))
    outer = dice.random() < 0.5

    def line(cells: list[str]) -> str:
        # Without outer pipes an empty cell at either end would be taken for one, and "- " at the start for a list.
        bars = outer or not cells[0][:1].isalpha() or not cells[-1]
        row = dice.choice([" | ", "|", "  |\t"]).join(cells)
        return f"{'  ' if dice.random() < 0.2 else ''}| {row} |" if bars else row

    def cell(task: Planned, column: str) -> str:
        if column == "deps":
            return dice.choice(SEPARATORS).join(task.needs) or dice.choice(NOTHING)
        if column == "timeout" and column in task.options:
            return f"{task.options[column]:.0f}{dice.choice(['', 's', ' s'])}"
        if column in ("model", "timeout"):
            return str(task.options.get(column) or dice.choice(NOTHING))
        if column == "id":
            return dice.choice(["{}", "`{}`", "#{}", "**{}**"]).format(task.id)
        return (task.name if column == "name" else task.prompt).replace("|", "\\|")

    rows = [line([dice.choice(HEADERS[column]) for column in columns])]
    rows.append("|" + "|".join(dice.choice(["---", ":--", " :-: ", "-"]) for _ in columns) + "|")
    rows.extend(line([cell(task, column) for column in columns]) for task in tasks)
    above = dice.choice([[], ["# Title", ""], ["+++", "max_workers = 4", "+++", ""], ["Some prose.", "", ""]])
    text = dice.choice(["\n", "\r\n", "\r"]).join([*above, *rows, ""])
    return dice.choice(["", "\ufeff"]) + text


@given(plans(), st.randoms(use_true_random=False))
def test_a_plan_reads_back_as_it_was_meant(tasks: list[Planned], dice: random.Random) -> None:
    """However a plan is written down, the same tasks come back, in order, with the lines they stand on."""
    text = write_down(tasks, dice)
    cascade = parse_cascade(text)
    found = [
        Planned(task.id, task.name, task.description, task.depends_on, dict(task.written))
        for task in cascade.tasks.values()
    ]
    assert found == tasks
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for task in cascade.tasks.values():
        assert task.id in lines[task.line - 1]


PIECES = st.sampled_from(
    [
        *("| ID | What | Deps |", "|---|---|---|", "| F1 | a | F2 |", "| F2 | `b | c` | F1-F9 |", "+++", "---", "```"),
        *(
            "# P",
            "## L1: A",
            "### L2: B",
            "### T1: x",
            "- Timeout: 5m",
            "- [ ] T2 [P] y (depends on T1)",
            "    | ID | What |",
        ),
        *(
            "> | ID | What |",
            "> |---|---|",
            "order = 'phase'",
            "[[milestone]]",
            "id = 'x'",
            "<!--",
            "-->",
            "  - tags: a",
            "",
        ),
        *("\\", "`", "|", "===", "~~~", "<br>", "a: b", "\t", "\0", "\ud800", "* * *", "1. [x] 7 z", "[a]: b", "T1"),
    ]
)
LINES = st.lists(PIECES | st.text(max_size=12), max_size=25)


@settings(max_examples=400)
@given(LINES, st.sampled_from(["\n", "\r\n", "\r", " ", "\u2028"]))
@example(["+++", "x = 1979-05-27T07:32:00Z", "+++"], "\n")
def test_no_text_breaks_the_parser(lines: list[str], end: str) -> None:
    """Any text is either a plan or a CascadeError, and every problem lies inside the file."""
    text = end.join(lines)
    reading = read_plan(text)
    problems = reading.diagnostics
    if any(problem.is_error for problem in problems):
        with pytest.raises(CascadeError):
            parse_cascade(text)
    else:
        cascade = parse_cascade(text)
        assert cascade.tasks
        assert sorted(task for wave in cascade.waves() for task in wave) == sorted(cascade.tasks)
    last = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    assert all(1 <= problem.line <= last for problem in problems)
    assert list(problems) == sorted(problems)


@given(
    st.lists(st.sampled_from(["x\u2028y", "\x85", "a\x0bb", "\x0c", "", "z\x1c"]), max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_line_numbers_count_what_editors_count(above: list[str], end: str) -> None:
    r"""Only ``\n``, ``\r\n`` and ``\r`` end a line; whatever else Unicode calls a line end shifts nothing."""
    text = end.join([*above, "", "| ID | What\u2028 |", "|---|---|", "| F1 | a\u2028b |", "| F 2 | c |"])
    problems = read_plan(text).diagnostics
    assert [(problem.line, problem.code) for problem in problems] == [(len(above) + 5, "E101")]
    assert read_plan(text).tasks["F1"].line == len(above) + 4


GRAPHS = (
    st.integers(1, 12)
    .flatmap(
        lambda size: st.lists(st.lists(st.integers(0, size - 1).map(str), max_size=4), min_size=size, max_size=size)
    )
    .map(lambda needs: {str(index): needed for index, needed in enumerate(needs)})
)


@given(GRAPHS)
def test_waves_and_cycles_of_any_graph(graph: dict[str, list[str]]) -> None:
    """Waves respect dependencies; what is in no wave waits for a cycle, and every cycle is a real one."""
    waves = waves_of(graph)
    level = {task: index for index, wave in enumerate(waves) for task in wave}
    for task, index in level.items():
        assert index == max((level[needed] + 1 for needed in graph[task]), default=0)
    cycles = find_cycles(graph)
    for cycle in cycles:
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1 > 1
        assert all(needed in graph[task] for task, needed in pairwise(cycle))
        assert not set(cycle) & level.keys()
    on_itself = {task for task, needed in graph.items() if task in needed}
    assert (len(level) == len(graph)) == (not cycles and not on_itself)


@given(GRAPHS)
def test_the_longest_path_is_a_path_and_none_is_longer(graph: dict[str, list[str]]) -> None:
    """It follows dependencies, and is as long as there are waves."""
    graph = {task: [needed for needed in needs if int(needed) < int(task)] for task, needs in graph.items()}
    path = longest_path(graph)
    assert len(path) == len(waves_of(graph)) == max(remaining_lengths(graph).values())
    assert all(before in graph[after] for before, after in pairwise(path))
