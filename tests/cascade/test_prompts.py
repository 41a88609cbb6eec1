"""Placeholders in prompts: which are ours, what they ask for, and what they are filled with."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.cascade import Cascade, CascadeError, Task, parse_cascade
from nova_async.cascade.prompts import fill_prompt, result_problems, results_wanted, wants_error
from nova_async.cascade.reading import read_plan

ANSWERS = {"F1": "four {{F2.result}} {error}", "1.2": "dotted"}


@pytest.mark.parametrize(
    ("prompt", "filled"),
    [
        ("Use {{F1.result}}!", "Use four {{F2.result}} {error}!"),  # what it brings in is not looked at again
        ("{{ 1.2.result }}", "dotted"),
        ("last: {error}.", "last: boom."),
        ("${{ F1.result }} ${error} {{error}} {errors} {{F1.results}}", None),
        ("{{page.result}} {F1.result} {{F1.result}", None),
        ("{", None),
    ],
)
def test_filling(prompt: str, filled: str | None) -> None:
    """What is ours is filled in one pass; a shell's, GitHub's and a template's own braces stay."""
    assert fill_prompt(prompt, ANSWERS.get, "boom") == (prompt if filled is None else filled)


@settings(deadline=None)  # a busy machine is no fault of a decision
@given(st.text(alphabet="{}F1. result-error$", max_size=60))
def test_any_prompt_can_be_filled(prompt: str) -> None:
    """With nothing to bring in, only the places of the error vanish; and what asks for nothing stays as it is."""
    assert fill_prompt(prompt, lambda task_id: None, "{error}") == prompt
    if not wants_error(prompt) and not list(results_wanted(prompt)):
        assert fill_prompt(prompt, lambda task_id: "x", "x") == prompt


CHAIN = "| ID | What | After |\n|---|---|---|\n| F1 | a | |\n| F2 | b | F1 |\n| F3 | {} | F2 |\n| F4 | d | |\n"


def problems(prompt: str) -> list[str]:
    """Return what is said of a plan whose third task has this prompt, and comes after the first two."""
    return [str(found) for found in read_plan(CHAIN.format(prompt)).diagnostics]


@pytest.mark.parametrize(
    "prompt", ["{{F1.result}} and {{F2.result}}", "{{ F1.result }}", "${{ F4.result }}", "{error}"]
)
def test_results_of_tasks_before_this_one_may_be_used(prompt: str) -> None:
    """Of those that it depends on, directly or through others."""
    assert problems(prompt) == []


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("{{F4.result}}", "the prompt of F3 asks for the result of F4, which it does not depend on"),
        ("{{ F4.result }}", "the prompt of F3 asks for the result of F4, which it does not depend on"),
        ("{{F3.result}}", "the prompt of F3 asks for the result of F3, which it does not depend on"),
        ("{{f1.result}}", "the prompt of F3 asks for the result of unknown task 'f1'; did you mean 'F1'?"),
    ],
)
def test_results_that_cannot_be_there(prompt: str, told: str) -> None:
    """Of a task that does not come before, or that does not exist: E205."""
    assert problems(prompt) == [f"CASCADE.md:5: E205 {told}"]


def test_spaces_keep_the_text_of_a_template() -> None:
    """``{{ page.result }}`` is left to whatever the agent is to write, as long as it names no task."""
    assert problems("{{ page.result }}") == []


def test_a_circle_is_told_once() -> None:
    """A task in a circle comes before and after itself: only the circle is said."""
    text = "| ID | What | After |\n|---|---|---|\n| F1 | {{F2.result}} | F2 |\n| F2 | b | F1 |\n"
    assert [found.code for found in read_plan(text).diagnostics] == ["E203"]


def test_a_plan_that_no_file_holds_is_checked_too() -> None:
    """``Cascade.of`` refuses what the parser refuses."""
    with pytest.raises(CascadeError, match="E205"):
        Cascade.of([Task("A", description="{{B.result}}"), Task("B")])
    Cascade.of([Task("A", description="{{B.result}}", depends_on=("B",)), Task("B")])


def test_long_chains_are_quick() -> None:
    """Each of 5,000 tasks may ask for the first one's result."""
    rows = "".join(f"| T{n} | {{{{T0.result}}}} | T{n - 1} |\n" for n in range(1, 5000))
    cascade = parse_cascade(f"| ID | What | After |\n|---|---|---|\n| T0 | a | |\n{rows}")
    assert result_problems(cascade.tasks, "") == []


@pytest.mark.parametrize("piece", ["1.", "{{", " ", "{{a ", "-a", "{error}", "{{  "])
def test_hostile_prompts_take_linear_time(piece: str) -> None:
    """Whatever is repeated a hundred thousand times behind an opening: the test would time out if time grew faster."""
    prompt = "{{" + piece * 100_000
    assert list(results_wanted(prompt)) == []
    assert len(fill_prompt(prompt, lambda task_id: None, "")) <= len(prompt)
