"""The original's ``milestones.yaml``: read beside a plan, and what is left out of it is said with its reason."""

import itertools
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.cascade import load_cascade
from nova_async.cascade.original_milestones import milestone_of, read_original_milestones
from nova_async.cascade.plain_yaml import UnreadError, read_plain_yaml

AS_PUBLISHED = """\
# Milestone definitions for Program Nova
# Triggered when specific conditions are met during task execution

milestones:
  - id: foundation_complete
    name: Foundation Complete
    trigger:
      type: all_tasks_completed
      tasks: ["F1", "F2"]
    message: "Foundation layer is complete! All core types, error handling: ready."

  - id: quarter_complete
    name: 25% Complete
    trigger:
      type: percentage_complete
      threshold: 25
    message: "Quarter milestone reached! 25% of tasks completed."

  - id: first_failure
    name: First Failure
    trigger:
      type: any_task_failed
    message: "A task has failed."
"""
PLAN = '+++\n[[milestone]]\nid = "quarter_complete"\nmessage = "Mine."\npercent = 25\n+++\n- [ ] F1 a\n- [ ] F2 b\n'


def read(text: str) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Return the milestones, and what is said about the others."""
    found, warnings = read_original_milestones(text, "milestones.yaml", {"F1", "F2"})
    told = [(milestone.id, milestone.tasks or milestone.percent or milestone.on) for milestone in found]
    return told, [str(warning) for warning in warnings]


ALL = [("foundation_complete", ("F1", "F2")), ("quarter_complete", 25.0), ("first_failure", "first_failure")]


def test_as_it_was_published() -> None:
    """The file of the original's own repository, in its own form."""
    assert read(AS_PUBLISHED) == (ALL, [])
    found, _ = read_original_milestones(AS_PUBLISHED, "m", {"F1", "F2"})
    assert found[0].message == "Foundation layer is complete! All core types, error handling: ready."
    assert found[0].name == "Foundation Complete"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('["F1", "F2"]', "[F1, 'F2']  # both"),
        lambda text: text.replace('tasks: ["F1", "F2"]', "tasks:\n        - F1\n        - F2"),
        lambda text: text.replace('tasks: ["F1", "F2"]', "tasks:\n      - F1\n      - F2"),
        lambda text: text.replace("\n  - ", "\n- ").replace("\n    ", "\n  "),
        lambda text: text.replace("milestones:\n", "").replace("\n  - ", "\n- ").replace("\n    ", "\n  "),
        lambda text: "---\n" + text.replace("  - id", "  -   id").replace("\n    ", "\n      "),
        lambda text: "\ufeff" + text + "\n# the end",
        lambda text: text.replace("threshold: 25", "threshold: 25.0   # percent"),
        lambda text: text.replace("id: foundation_complete", '"id" : "foundation_complete"'),
        lambda text: text.replace("  - id: first", "  -\n    id: first"),
    ],
    ids=itertools.count(),
)
def test_other_ways_to_write_it(change: Any) -> None:
    """The forms in which people and models write the same list."""
    assert change(AS_PUBLISHED) != AS_PUBLISHED
    assert read(change(AS_PUBLISHED)) == (ALL, [])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('["F1", "F2"]', '["F1", "F9"]', "milestone 'foundation_complete' is left out: there is no task 'F9'"),
        ('["F1", "F2"]', "[]", "milestone 'foundation_complete' is left out: it names no tasks"),
        ("threshold: 25", "threshold: 250", "is left out: threshold '250' is not a number above 0 and up to 100"),
        ("any_task_failed", "cost_reached", "is left out: unknown trigger 'cost_reached'"),
        ("id: first_failure", "id: quarter_complete", "is left out: its id is defined twice"),
        ("  - id: first_failure\n    name", "  - name", "milestone number 3 is left out: it has no id"),
    ],
)
def test_what_is_left_out(old: str, new: str, says: str) -> None:
    """The others are read, and the reason is said."""
    found, (warning,) = read(AS_PUBLISHED.replace(old, new))
    assert len(found) == 2
    assert warning.startswith("milestones.yaml:1: W130 ")
    assert says in warning


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (AS_PUBLISHED.replace('"Quarter', "|\n      "), 17),
        (AS_PUBLISHED.replace("  - id: first", "  - &x id: first"), 19),
        (AS_PUBLISHED.replace("trigger:\n      type: any_task_failed", "trigger: {type: any_task_failed}"), 21),
        (AS_PUBLISHED + "---\na: b\n", 24),
        (AS_PUBLISHED.replace("    name: First", "\tname: First"), 20),
        (AS_PUBLISHED.replace("    name: First Failure", "    name: First: Failure"), 20),
        (AS_PUBLISHED.replace("    name: First Failure", "    name: First\n      Failure"), 21),
        ("milestones:\n  - id: a\n    id: b\n", 3),
        ("- " * 20 + "a", 1),
        ("milestones: [[1]]", 1),
    ],
)
def test_more_than_is_read(text: str, line: int) -> None:
    """What is beyond the simple form is refused with its line, and nothing is guessed."""
    found, (warning,) = read(text)
    assert found == []
    assert warning.startswith(f"milestones.yaml:{line}: W130 not read, because of ")


@pytest.mark.parametrize("text", ["", "a: b", "milestones: 5", "just words", "x" * 2_000_000])
def test_no_list_of_milestones(text: str) -> None:
    """Another file of that name is told, and read no further."""
    found, (warning,) = read(text)
    assert found == []
    assert "W130 not read" in warning


def test_beside_a_plan(tmp_path: Path) -> None:
    """The plan's own milestones stand above it; a plan without such a file has no word about it."""
    plan = tmp_path / "CASCADE.md"
    plan.write_text(PLAN)
    assert load_cascade(plan).warnings == ()
    (tmp_path / "milestones.yaml").write_text(AS_PUBLISHED.replace("any_task_failed", "never"))
    cascade = load_cascade(plan)
    assert [(milestone.id, milestone.message[:5]) for milestone in cascade.milestones] == [
        ("quarter_complete", "Mine."), ("foundation_complete", "Found"),
    ]  # fmt: skip
    (warning,) = cascade.warnings
    assert warning.code == "W130"
    assert warning.file == str(tmp_path / "milestones.yaml")
    assert not warning.is_error


WORDS = st.sampled_from(
    ["a", "- ", ": ", ":", "\n", "  ", "'", '"', "[", "]", ",", "#", "\t", "\\", "1", "milestones", "é"]
)


@given(st.lists(WORDS, max_size=40).map("".join))
def test_it_never_fails(text: str) -> None:
    """Any text is read or refused."""
    read(text)
    line = line_refused(text)
    assert line is None or 1 <= line <= text.count("\n") + 1


def line_refused(text: str) -> int | None:
    """Return the line that is refused, if one is."""
    try:
        read_plain_yaml(text)
    except UnreadError as error:
        return error.line
    return None


@pytest.mark.parametrize(
    "unit",
    ["- a\n", "a: [" + "1, " * 100 + "]\n", " ", "- - ", "'", "''", '"\\"', "[", "a, ", "#", " #", ": ", "a:\n", "\\"],
)
def test_linear_time(unit: str) -> None:
    """However the text is made, twice as much takes about twice as long."""
    for prefix in ("", "a: [", "a: '", 'a: "', "- "):
        began = time.process_time()
        read((prefix + unit * 1_000_000)[:1_000_000])
        assert time.process_time() - began < 5.0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 40)), 10),
        ('a: "x" y', 1),
        ('a: "\\q"', 1),
        ("a: [[1]]", 1),
    ],
)
def test_yaml_that_is_more_than_plain(text: str, line: int) -> None:
    """It is refused where it stands."""
    with pytest.raises(UnreadError) as refused:
        read_plain_yaml(text)
    assert refused.value.line >= line


def test_yaml_that_is_plain() -> None:
    """Quotes of both kinds, escapes, and lists of one line, with empty places."""
    assert read_plain_yaml('a: "x\\ty"\nb: \'it\'\'s\'\nc: [1, , "x, y"]\nd:\n') == {
        "a": "x\ty", "b": "it's", "c": [1, "x, y"], "d": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("told", "why"),
    [({}, "it has no trigger"), ({"trigger": 1}, "it has no trigger"), ({"trigger": {"type": "x"}}, "it has no id")],
)
def test_half_a_milestone_is_none(told: dict[str, object], why: str) -> None:
    """Nobody could reach it, or ask for it."""
    with pytest.raises(ValueError, match=why):
        milestone_of(told, ())
