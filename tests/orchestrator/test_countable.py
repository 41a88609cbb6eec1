"""Budgets that nothing could ever be counted against are known before a run, from the commands alone."""

from dataclasses import replace

import pytest

from nova_async.agents import Agent, Call
from nova_async.cascade import Cascade, parse_cascade
from nova_async.orchestrator import countable
from nova_async.orchestrator.countable import budget_problems, late_budgets, told

ROWS = "| ID | What |\n|---|---|\n| T1 | x |\n| T2 | x |\n"
STREAMED = "claude -p {prompt} --output-format stream-json --verbose"


def plan(front: str, rows: str = ROWS) -> Cascade:
    """Return a plan with this front matter."""
    return parse_cascade(f"+++\n{front}\n+++\n{rows}")


@pytest.mark.parametrize("agent", ["codex", "gemini", "qwen"])
@pytest.mark.parametrize("key", ["budget_usd", "task_budget_usd"])
def test_dollars_of_an_agent_that_tells_none(agent: str, key: str) -> None:
    """Nobody could ever keep it, and it is said which budget is meant and what to write instead."""
    [(sentence, tasks)] = budget_problems(plan(f"{key} = 5\nagent = '{agent}'")).items()
    assert tasks == ["T1", "T2"]
    assert sentence == (
        f"{key} cannot be enforced: {agent} never reports its cost. "
        "Use budget_tokens instead, `prices`, or an agent that reports it (claude, opencode)"
    )


@pytest.mark.parametrize(
    "front",
    [
        "budget_usd = 5\nagent = 'claude'",
        "budget_usd = 5\nagent = 'opencode'",
        "budget_tokens = 5\nagent = 'codex'",
        "budget_tokens = 5\nagent = 'gemini'",
        "budget_tokens = 5\ncommand = 'make {task_id}'",  # it may print the documented line
        f"budget_usd = 5\nbudget_tokens = 5\ncommand = '{STREAMED}'",
        "budget_usd = 5\nbudget_tokens = 5\nagent = 'claude'\ncommand = './wrapper.sh {prompt}'",
        "budget_usd = 5\nagent = 'claude'\nagent_args = '--output-format text'",  # it is told to stop there by itself
        "agent = 'codex'",
    ],
)
def test_what_may_be_counted_is_no_problem(front: str) -> None:
    """A number that comes late, or may come, is none of these."""
    assert budget_problems(plan(front)) == {}


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("budget_usd = 5\ncommand = 'make {task_id}'", "`make` reports no cost."),
        ("budget_usd = 5\ncommand = 'make {task_id}'", 'for a script around an agent, write agent = "NAME"'),
        ("budget_usd = 5\ncommand = 'claude -p {prompt}'", "`claude` reports no cost in text mode."),
        ("budget_tokens = 5\ncommand = 'claude -p {prompt}'", "`claude` reports no tokens in text mode."),
        ("budget_tokens = 5\ncommand = 'npx @openai/codex exec {prompt}'", "`npx` reports no tokens in text mode."),
        (
            "task_budget_tokens = 5\nagent = 'gemini'\nagent_args = '-o text'",
            "`gemini` reports no tokens in text mode.",
        ),
        ("budget_usd = 5\nagent = 'codex'\ncommand = './w.sh {prompt}'", "codex never reports its cost."),
    ],
)
def test_what_cannot_be_counted_is_a_problem(front: str, said: str) -> None:
    """A command that reports nothing, and an agent in its text mode, hold no budget."""
    [(sentence, tasks)] = budget_problems(plan(front)).items()
    assert tasks == ["T1", "T2"]
    assert said in sentence


def test_only_tasks_that_would_run_matter() -> None:
    """What is completed, or has no budget, needs no counting."""
    rows = "| ID | What | Agent | Budget USD |\n|---|---|---|---|\n| T1 | x | codex | 1 |\n| T2 | x | codex | - |\n"
    cascade = parse_cascade(rows)
    assert list(budget_problems(cascade).values()) == [["T1"]]
    assert budget_problems(cascade, [cascade.tasks["T2"]]) == {}
    assert next(iter(budget_problems(cascade))).startswith("budget_usd cannot be enforced")


def test_a_number_that_comes_late_is_said() -> None:
    """What the agent tells only at its end stops nothing before."""
    in_one_document = "budget_tokens = 5\nagent = 'gemini'\nagent_args = '-o json'"
    assert late_budgets(plan(in_one_document)) == [
        "budget_tokens takes effect late (T1, T2): gemini reports its tokens only when it ends"
    ]
    # The plan's own command line does not tell it where to stop.
    assert late_budgets(plan(f"budget_usd = 5\ncommand = '{STREAMED}'")) == [
        "budget_usd takes effect late (T1, T2): claude reports its cost only when it ends"
    ]
    assert late_budgets(plan("budget_usd = 5\nbudget_tokens = 5")) == []


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen"])
def test_tokens_of_every_agent_are_counted_while_it_works(agent: str) -> None:
    """By what it prints, or by the files of its session, whose id it prints first of all."""
    assert late_budgets(plan(f"budget_tokens = 5\nagent = '{agent}'")) == []


def test_what_no_command_can_be_made_for_is_no_question_of_budgets() -> None:
    """Why it cannot run is said elsewhere."""
    cascade = plan("budget_usd = 5")
    task = cascade.tasks["T1"]
    for agent, arguments in (("nobody", ()), ("plain", ()), ("codex", ("--json=\0",))):
        changed = replace(task, options=replace(task.options, agent=agent, agent_args=arguments))
        of_one = replace(cascade, tasks={"T1": changed})
        problems = budget_problems(of_one)
        assert list(problems) == [] or agent == "codex"
        assert late_budgets(of_one) == []


def test_a_sentence_about_tasks_names_a_few() -> None:
    """And one about all of them names none."""
    assert told(("x", ["A", "B"])) == "A, B: x"
    assert told(("x", [])) == "x"


def test_an_agent_that_can_make_no_command_is_no_question_of_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a stranger may raise; why its tasks cannot run is said elsewhere."""

    def refuse(call: Call) -> list[str]:
        raise ValueError(call.prompt)

    monkeypatch.setattr(countable, "AGENTS", {"odd": Agent(name="odd", program="odd", make_command=refuse)})
    cascade = plan("budget_usd = 5")
    task = replace(cascade.tasks["T1"], options=replace(cascade.tasks["T1"].options, agent="odd"))
    assert budget_problems(replace(cascade, tasks={"T1": task})) == {}
