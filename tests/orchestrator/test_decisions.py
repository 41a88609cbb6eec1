"""How an attempt's end is called, whether it is repeated, and how a command is made: pure functions."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async import AgentReport, Outcome, Permissions, WorkerEnd
from nova_async.agents import AGENTS, UsageLimit
from nova_async.attempt.job import Job
from nova_async.attempt.outcome import outcome_of, sentence_for
from nova_async.cascade import parse_cascade
from nova_async.orchestrator.budget import NOTHING, Spending
from nova_async.orchestrator.commands import READ_STDIN, fill, make_job
from nova_async.orchestrator.retry import retry_delay
from nova_async.orchestrator.run_state import task_budgets
from nova_async.records import AttemptId

EXITED = WorkerEnd.EXITED
SEEN = AgentReport(expects_result=True)
DONE = replace(SEEN, is_error=False, result="Done.")
WRONG = replace(SEEN, is_error=True, error="no")


@pytest.mark.parametrize(
    ("end", "exit_code", "report", "outcome"),
    [
        (EXITED, 0, AgentReport(), Outcome.OK),
        (EXITED, 0, DONE, Outcome.OK),
        (EXITED, 0, SEEN, Outcome.LOST_TAIL),
        (EXITED, 1, AgentReport(), Outcome.EXIT),
        (EXITED, 1, DONE, Outcome.EXIT),
        (EXITED, 1, WRONG, Outcome.AGENT_ERROR),
        (EXITED, 0, replace(WRONG, error="[API Error: 400"), Outcome.AGENT_ERROR),
        (EXITED, 1, replace(WRONG, error_status=529), Outcome.OVERLOAD),
        (EXITED, 145, replace(WRONG, error_status=401), Outcome.AUTH),
        (EXITED, 1, AgentReport(error_status=401), Outcome.AUTH),
        (EXITED, 1, replace(WRONG, error_status=403), Outcome.AUTH),
        (EXITED, 1, AgentReport(error_status=529), Outcome.OVERLOAD),
        (EXITED, 1, replace(WRONG, limit=UsageLimit("five_hour", datetime.now(UTC))), Outcome.LIMIT),
        (WorkerEnd.SIGNALED, -9, DONE, Outcome.SIGNAL),
        (WorkerEnd.TIMED_OUT, -15, DONE, Outcome.TIMEOUT),
        (WorkerEnd.STALLED, -15, SEEN, Outcome.STALLED),
        (WorkerEnd.OVER_BUDGET, 0, DONE, Outcome.BUDGET),
        (WorkerEnd.OUT_OF_MEMORY, -9, SEEN, Outcome.OUT_OF_MEMORY),
        (WorkerEnd.TERMINATED, 0, DONE, Outcome.CANCELLED),
        (WorkerEnd.LINGERED, -15, DONE, Outcome.OK),
        (WorkerEnd.LINGERED, -15, WRONG, Outcome.AGENT_ERROR),
        (WorkerEnd.LINGERED, -15, SEEN, Outcome.STALLED),
        (WorkerEnd.EXIT_UNKNOWN, 255, AgentReport(), Outcome.EXIT_UNKNOWN),
        (WorkerEnd.EXIT_UNKNOWN, 255, SEEN, Outcome.EXIT_UNKNOWN),
        (WorkerEnd.EXIT_UNKNOWN, 255, DONE, Outcome.OK),
        (WorkerEnd.EXIT_UNKNOWN, 255, WRONG, Outcome.AGENT_ERROR),
        (WorkerEnd.NOT_STARTED, None, SEEN, Outcome.SPAWN_ERROR),
    ],
)
def test_the_outcome(end: WorkerEnd, exit_code: int | None, report: AgentReport, outcome: Outcome) -> None:
    """Each way to end has its one word; an exit code alone is no success for an agent that reports (G33, G40)."""
    assert outcome_of(end, exit_code, report) is outcome
    assert (sentence_for(outcome, None, report) is None) is (outcome is Outcome.OK)


def delay(words: Sequence[str], retries: int = 2) -> float | None:
    """Ask for the pause under usual settings."""
    return retry_delay(
        [Outcome(word) for word in words], retries=retries, retry_on=("signal", "overload"), backoff=(30, 100),
        chance=random.Random(1),
    )  # fmt: skip


def test_only_what_a_retry_can_cure_is_retried() -> None:
    """A plain failure is not tried again; one of the named kinds is, so many times."""
    assert delay(["exit"]) is None
    assert delay(["signal"], retries=0) is None
    assert delay(["signal"]) is not None
    assert delay(["overload", "signal"]) is not None
    assert delay(["signal", "overload", "signal", "signal"]) is None


def test_our_own_death_costs_no_retry() -> None:
    """What was lost with its supervisor, stopped by the user or found no room is simply made again, at once."""
    assert delay([]) == 0
    assert delay(["signal", "lost"]) == 0
    assert delay(["lost"]) == 0
    assert delay(["lost"] * 50) == 0
    assert delay(["cancelled"], retries=0) == 0
    assert delay(["no_resources"] * 3, retries=0) == 0
    assert delay(["signal", "lost", "lost", "signal"]) is not None


@settings(deadline=None)  # a busy machine is no fault of a decision
@given(st.integers(1, 2000), st.integers(0, 2**32))
def test_the_pause_grows_with_jitter_to_its_cap(failures: int, seed: int) -> None:
    """The pause doubles from the first to the longest, less a random half."""
    pause = retry_delay(
        [Outcome.SIGNAL] * failures,
        retries=failures,
        retry_on=("signal",),
        backoff=(30, 600),
        chance=random.Random(seed),
    )
    full = min(600, 30 * 2 ** min(failures - 1, 30))
    assert pause is not None
    assert full / 2 <= pause <= full


def test_filling_a_template() -> None:
    """Placeholders are filled word by word in one pass; other braces, and what a prompt brings in, stay."""
    values = {"prompt": "say {model} and {x}", "model": "opus"}
    assert fill("{prompt}", values) == "say {model} and {x}"
    assert fill("--m={model}!", values) == "--m=opus!"
    assert fill("{a} {} {{model}} {model", values) == "{a} {} {opus} {model"


@settings(deadline=None)  # a busy machine is no fault of a decision
@given(st.text(alphabet="{}ab ", max_size=30))
def test_filling_never_fails(word: str) -> None:
    """Any word can be filled; one without placeholders stays the same, and what is brought in is not looked at."""
    assert fill(word, {"prompt": "x"}) == word
    assert fill(word, {"a": "{a}"}) == word
    assert fill(word, {"a": "-"}) == word.replace("{a}", "-")


def job(plan: str, task: str = "F1", spent: Spending = NOTHING, **more: Any) -> Job:
    """Make the job of a task's first attempt."""
    cascade = parse_cascade(plan)
    return make_job(
        cascade, cascade.tasks[task], AttemptId("run", task, 1), session=None, root=Path("/plan"),
        budget=task_budgets(cascade, {task: spent}).get(task), **more,
    )  # fmt: skip


def test_an_agents_own_command() -> None:
    """Without a template the agent is called as it should be, with the task's model, folder and limits."""
    made = job(
        "+++\nlinger = '10s'\nprompt_prefix = 'Hello. '\n+++\n| ID | What | Model | Timeout | Cwd | Max Turns |\n"
        "|---|---|---|---|---|---|\n| F1 | do it | opus | 1h | sub | 7 |\n"
    )
    assert made.command[:3] == ("claude", "-p", "Hello. do it")
    assert made.command[made.command.index("--max-turns") + 1] == "7"
    assert "opus" in made.command
    assert (made.agent, made.cwd, made.stdin) == ("claude", "/plan/sub", None)
    assert (made.limits.timeout, made.limits.linger) == (3600, 10)


def test_a_template() -> None:
    """A template is filled after it was split: a prompt is one argument, whatever is in it."""
    made = job(
        "+++\ncommand = ['run', '--id={task_id}', '{prompt}', '{attempt}']\n+++\n"
        "| ID | What |\n|---|---|\n| F1 | a 'b' $(c); {task_id} |\n"
    )
    assert made.command == ("run", "--id=F1", "a 'b' $(c); {task_id}", "1")
    assert made.agent == "plain"
    chosen = job("+++\nagent = 'codex'\ncommand = 'x {prompt}'\n+++\n| ID | What |\n|---|---|\n| F1 | a |\n")
    assert chosen.agent == "codex"


@pytest.mark.parametrize(("size", "on_stdin"), [(100 * 1024, False), (100 * 1024 + 1, True), (5_000_000, True)])
def test_long_prompts_go_by_standard_input(size: int, on_stdin: bool) -> None:
    """A prompt that the kernel would refuse as an argument is given on standard input (G46)."""
    made = job(f"| ID | What |\n|---|---|\n| F1 | {'p' * size} |\n")
    assert (made.stdin == "p" * size) is on_stdin
    assert (READ_STDIN in made.command) is on_stdin


def test_a_template_without_a_prompt_gets_it_on_standard_input() -> None:
    """A command that names no prompt can read it."""
    assert job("+++\ncommand = 'my-agent'\n+++\n| ID | What |\n|---|---|\n| F1 | hi |\n").stdin == "hi"


@pytest.mark.parametrize(
    ("head", "agent"),
    [("", "claude"), ("agent = 'codex'", "codex"), ("command = 'sh -c true'", "plain"),
     ("command = 'npx @openai/codex exec {prompt}'", "codex"), ("command = './w.sh {prompt}'\nagent = 'qwen'", "qwen")],
)  # fmt: skip
def test_whose_output_an_attempt_has(head: str, agent: str) -> None:
    """It is the agent by whose reader it is read: as somebody said, or as the command's program tells."""
    assert job(f"+++\n{head}\n+++\n| ID | What |\n|---|---|\n| F1 | hi |\n").agent_name == agent


def test_a_script_gets_its_prompt_as_a_variable() -> None:
    """``$NOVA_PROMPT`` is set where a command mentions it, and then nothing is written to standard input as well."""
    plan = "+++\ncommand = ['sh', '-c', 'agent \"{}\"']\n+++\n| ID | What |\n|---|---|\n| F1 | {} |\n"
    made = job(plan.format("$NOVA_PROMPT", "$(rm x)"))
    assert (made.env["NOVA_PROMPT"], made.stdin) == ("$(rm x)", None)
    assert "NOVA_PROMPT" not in job(plan.format("$(cat)", "hi")).env
    with pytest.raises(ValueError, match=r"task F1: its prompt of 102,401 bytes is too long for \$NOVA_PROMPT"):
        job(plan.format("$NOVA_PROMPT", "p" * 102_401))


def test_the_environment_of_a_task() -> None:
    """All variables pass, or those named; the plan's own and the attempt's number come on top."""
    plan = "+++\nenv = {{MINE = 'yes'}}\n{}\n+++\n| ID | What |\n|---|---|\n| F1 | a |\n"
    here = {"PATH": "/bin", "HOME": "/h", "SECRET": "s"}
    more = {name: value for name, value in job(plan.format("")).environment(here).items() if name not in here}
    assert (more["MINE"], more["NOVA_ATTEMPT"]) == ("yes", "1")
    assert job(plan.format("")).environment(here).items() >= here.items()
    assert "SECRET" not in job(plan.format("pass_env = ['LANG']")).environment(here)
    assert job(plan.format("pass_env = 'none'")).environment(here)["PATH"] == "/bin"
    assert "SECRET" not in job(plan.format("")).env, "what travels is the plan's own"


def test_a_budget_is_for_all_attempts_together() -> None:
    """What earlier attempts have used is taken off, to the last nano-dollar."""
    plan = "| ID | What | Budget | Tokens |\n|---|---|---|---|\n| F1 | a | 4.50 | 1000 |\n"
    limits = job(plan, spent=Spending(400, 1_000_000_001)).limits
    assert (limits.max_tokens, limits.max_cost_usd) == (600, 3.499999999)


def test_an_agent_with_a_cap_of_its_own_is_given_it() -> None:
    """What the agent can hold by itself it is told, less what earlier attempts have used."""
    plan = "| ID | What | Agent | Budget |\n|---|---|---|---|\n| F1 | a | claude | 4.50 |\n| F2 | a | codex | 4.50 |\n"
    command = job(plan, spent=Spending(0, 1_000_000_000)).command
    assert command[command.index("--max-budget-usd") + 1] == "3.5"
    assert "--max-budget-usd" not in job(plan, "F2").command


@pytest.mark.parametrize(
    ("of_the_task", "of_the_run", "cap"), [("", 2.0, "2"), ("4.50", 2.0, "2"), ("1.50", 2.0, "1.5")]
)
def test_an_agent_with_a_cap_of_its_own_holds_the_runs_budget(of_the_task: str, of_the_run: float, cap: str) -> None:
    """Its share of what is left of the run's budget caps it, too: its cost is known at its end alone."""
    made = job(f"| ID | What | Budget |\n|---|---|---|\n| F1 | a | {of_the_task} |\n", share_usd=of_the_run)
    assert made.command[made.command.index("--max-budget-usd") + 1] == cap
    assert made.limits.max_cost_usd == (float(of_the_task) if of_the_task else None)


@pytest.mark.parametrize("permissions", Permissions)
def test_permissions_and_further_arguments(permissions: Permissions) -> None:
    """What a plan lets an agent do reaches its command line or its variables, and so do further options."""
    for agent in ("claude", "codex", "gemini", "opencode", "qwen"):
        plan = f"+++\nagent = '{agent}'\npermissions = '{permissions}'\nagent_args = '--extra \"a b\"'\n+++\n# P\n"
        made = job(plan + "| ID | What |\n|---|---|\n| F1 | a |\n")
        assert made.command == tuple(AGENTS[agent].command("a", permissions=permissions, extra=["--extra", "a b"]))
        assert made.env.items() >= AGENTS[agent].environment_for(permissions).items()
        assert made.reads_only == (permissions == "read")


def test_whose_output_it_is_can_be_said_for_a_command_of_ones_own() -> None:
    """An agent named by the caller is believed, also where somebody else makes the command."""
    made = job("| ID | What |\n|---|---|\n| F1 | a |\n", agent="qwen", command_for=lambda task: ["w.sh", task.id])
    assert (made.command, made.agent) == (("w.sh", "F1"), "qwen")


def test_a_custom_agent_needs_a_command() -> None:
    """A task that nobody can call is a clear error."""
    with pytest.raises(ValueError, match="agent 'custom' needs a command"):
        job("| ID | What | Agent |\n|---|---|---|\n| F1 | a | custom |\n")
