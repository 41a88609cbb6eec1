"""Choosing tasks: by id, by an expression, with all that they need, and what would be missing then."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.cascade import Cascade, parse_cascade
from nova_async.cascade.selection import unmet_needs

CASCADE = parse_cascade("""
## App
### Base layer
| ID | What | After | Tags |
|---|---|---|---|
| F1 | a | | api, slow |
| F2 | a | F1 | api |
### Top, or so
| ID | What | After | Tags |
|---|---|---|---|
| T1 | a | F2 | ui |
## Docs
| ID | What | After | Tags |
|---|---|---|---|
| D.1 | a | | |
""")
ALL = ["F1", "F2", "T1", "D.1"]


def chosen(expression: str, cascade: Cascade = CASCADE) -> list[str]:
    """Return what an expression means, in file order."""
    meant = cascade.select(only=expression)
    return [task_id for task_id in cascade.tasks if task_id in meant]


@pytest.mark.parametrize(
    ("expression", "meant"),
    [
        ("F1", ["F1"]),
        ("f1, t1", ["F1", "T1"]),
        ("F*", ["F1", "F2"]),
        ("?[12]", ["F1", "F2", "T1"]),
        ("tag:api", ["F1", "F2"]),
        ("tag:api,!tag:slow", ["F2"]),
        ("!F1", ["F2", "T1", "D.1"]),
        ("!F*,!D.1", ["T1"]),
        ("! tag : api", ["T1", "D.1"]),
        ("group:base layer", ["F1", "F2"]),
        ("group:Top?*", ["T1"]),
        ("branch:docs,F2", ["F2", "D.1"]),
        ("*", ALL),
    ],
)
def test_expressions(expression: str, meant: list[str]) -> None:
    """Words add up, words behind ``!`` take away; case and space do not matter."""
    assert chosen(expression) == meant


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("F3", "no task is called 'F3'; there are F1, F2, T1, D.1"),
        ("D1", "no task is called 'D1'; did you mean 'D.1'?"),
        ("tag:apis", "no task has the tag 'apis'; did you mean 'api'?"),
        ("group:Base", "no task has the group 'Base'; there are Base layer, Top, or so"),
        ("tags:api", "'tags' is not one of tag, group, branch; did you mean 'tag'?"),
        ("F1,,F2", "an empty word selects no task"),
        ("", "an empty word selects no task"),
        ("!", "an empty word selects no task"),
        ("F1,!F*", "'F1,!F*' selects no task"),
        ("!*", "'!*' selects no task"),
        ("x\x1b[2J", "no task is called 'x�[2J'"),
    ],
)
def test_what_names_nothing_is_an_error(expression: str, told: str) -> None:
    """A slip of the hand must not run the rest of a plan, or nothing."""
    with pytest.raises(ValueError, match=r".") as caught:
        CASCADE.select(only=expression)
    assert str(caught.value).startswith(told)


WORDS = st.sampled_from(["F1", "T1", "D.1", "F*", "tag:api", "tag:ui", "group:*layer", "branch:App"])


@settings(deadline=None)  # a busy machine is no fault of a decision
@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, max_size=3), st.randoms())
def test_an_expression_is_what_its_words_name(wanted: list[str], unwanted: list[str], chance: object) -> None:
    """The union of the words, without the union of those behind ``!``, in whatever order they stand."""
    words = [*wanted, *(f"!{word}" for word in unwanted)]
    chance.shuffle(words)  # type: ignore[attr-defined]
    meant = {task_id for word in wanted for task_id in chosen(word)}
    meant -= {task_id for word in unwanted for task_id in chosen(word)}
    if meant:
        assert CASCADE.select(only=",".join(words)) == meant
    else:
        with pytest.raises(ValueError, match="selects no task"):
            CASCADE.select(only=",".join(words))


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    """Whatever somebody writes, tasks of the plan come out, or a sentence."""
    with suppress(ValueError):
        assert CASCADE.select(only=text) <= CASCADE.tasks.keys()


def test_ids_and_all_that_they_need() -> None:
    """Named tasks are these alone; ``until`` brings along what they need; ``only`` takes some of both."""
    assert CASCADE.select(["T1"]) == {"T1"}
    assert CASCADE.select(until=["T1"]) == {"F1", "F2", "T1"}
    assert CASCADE.select(["D.1"], until=["F2"]) == {"D.1", "F1", "F2"}
    assert CASCADE.select(until=["T1"], only="!F1") == {"F2", "T1"}
    assert CASCADE.select() == set(ALL)
    with pytest.raises(ValueError, match="no task is called 'T2'; there are F1,"):
        CASCADE.select(["T2"])
    with pytest.raises(ValueError, match="matches none of the given tasks"):
        CASCADE.select(["T1"], only="F1")


@pytest.mark.parametrize(
    ("selected", "settled", "unmet"),
    [
        ({"T1"}, {}, {"T1": ["F2"]}),
        ({"T1"}, {"F2"}, {}),
        ({"T1", "F2"}, {}, {"F2": ["F1"]}),
        ({"T1", "F2"}, {"F2"}, {}),
        ({"D.1"}, {}, {}),
    ],
)
def test_what_is_missing(selected: set[str], settled: set[str], unmet: dict[str, list[str]]) -> None:
    """What a selected task needs is selected too, or has completed; a completed task needs nothing."""
    assert unmet_needs(CASCADE.tasks, selected, settled) == unmet


def test_hostile_expressions_take_no_time() -> None:
    """Many stars against a long name are no riddle."""
    cascade = parse_cascade(f"- [ ] T1 x\n  - tags: {'a' * 200}\n")
    with pytest.raises(ValueError, match="no task has the tag"):
        cascade.select(only="tag:" + "*a" * 60 + "b")
