"""How an attempt's end is called, whether it is repeated, and how a command is made: pure functions."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async import AgentReport, WorkerEnd
from nova_async.agents import UsageLimit
from nova_async.cascade import parse_cascade
from nova_async.orchestrator.commands import READ_STDIN, Spent, fill, make_job
from nova_async.orchestrator.executor import Job
from nova_async.orchestrator.outcome import outcome_of
from nova_async.orchestrator.retry import retry_delay

EXITED = WorkerEnd.EXITED
DONE = AgentReport(is_error=False, result="Done.")


@pytest.mark.parametrize(
    ("end", "exit_code", "report", "has_result", "outcome"),
    [
        (EXITED, 0, AgentReport(), False, "ok"),
        (EXITED, 0, DONE, True, "ok"),
        (EXITED, 0, AgentReport(), True, "lost_tail"),
        (EXITED, 1, AgentReport(), False, "exit"),
        (EXITED, 1, DONE, True, "exit"),
        (EXITED, 1, AgentReport(is_error=True, error="no"), True, "agent_error"),
        (EXITED, 0, AgentReport(is_error=True, error="[API Error: 400"), True, "agent_error"),
        (EXITED, 1, AgentReport(is_error=True, error_status=529), True, "overload"),
        (EXITED, 145, AgentReport(is_error=True, error_status=401), True, "auth"),
        (EXITED, 1, AgentReport(error_status=401), True, "auth"),
        (EXITED, 1, AgentReport(is_error=True, limit=UsageLimit("five_hour", datetime.now(UTC))), True, "limit"),
        (WorkerEnd.SIGNALED, -9, DONE, True, "signal"),
        (WorkerEnd.TIMED_OUT, -15, DONE, True, "timeout"),
        (WorkerEnd.STALLED, -15, AgentReport(), True, "stalled"),
        (WorkerEnd.OVER_BUDGET, 0, DONE, True, "budget"),
        (WorkerEnd.TERMINATED, 0, DONE, True, "cancelled"),
        (WorkerEnd.LINGERED, -15, DONE, True, "ok"),
        (WorkerEnd.LINGERED, -15, AgentReport(is_error=True), True, "agent_error"),
        (WorkerEnd.NOT_STARTED, None, AgentReport(), True, "spawn_error"),
    ],
)
def test_the_outcome(
    end: WorkerEnd, exit_code: int | None, report: AgentReport, has_result: bool, outcome: str
) -> None:
    """Each way to end has its one word; an exit code alone is no success for an agent that reports (G33, G40)."""
    assert outcome_of(end, exit_code, report, has_result=has_result) == outcome


def delay(outcomes: list[str], retries: int = 2) -> float | None:
    """Ask for the pause under usual settings."""
    return retry_delay(
        outcomes, retries=retries, retry_on=("signal", "overload"), backoff=(30, 100), chance=random.Random(1)
    )


def test_only_what_a_retry_can_cure_is_retried() -> None:
    """A plain failure is not tried again; one of the named kinds is, so many times."""
    assert delay(["exit"]) is None
    assert delay(["signal"], retries=0) is None
    assert delay(["overload"]) is not None
    assert delay(["overload", "signal"]) is not None
    assert delay(["overload", "signal", "signal"]) is None


def test_our_own_death_costs_no_retry() -> None:
    """An attempt that was lost with its supervisor, or stopped by the user, is simply made again, at once."""
    assert delay([]) == 0
    assert delay(["lost"]) == 0
    assert delay(["lost"] * 50) == 0
    assert delay(["cancelled"], retries=0) == 0
    assert delay(["signal", "lost", "lost", "signal"]) is not None


@given(st.integers(1, 2000), st.integers(0, 2**32))
def test_the_pause_grows_with_jitter_to_its_cap(failures: int, seed: int) -> None:
    """The pause doubles from the first to the longest, less a random half."""
    pause = retry_delay(
        ["signal"] * failures, retries=failures, retry_on=("signal",), backoff=(30, 600), chance=random.Random(seed)
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


@given(st.text(alphabet="{}ab ", max_size=30))
def test_filling_never_fails(word: str) -> None:
    """Any word can be filled, and one without placeholders stays the same."""
    assert fill(word, {"prompt": "x"}) == word
    assert "{a}" not in fill(word, {"a": "", "b": ""})


def job(plan: str, task: str = "F1", **spent: int) -> Job:
    """Make the job of a task's first attempt."""
    cascade = parse_cascade(plan)
    return make_job(
        cascade, cascade.tasks[task], attempt=1, session_id=None, spent=Spent(**spent), log_dir=Path("logs"),
        root=Path("/plan"), command_for=None, environment={"PATH": "/bin", "HOME": "/h", "SECRET": "s"},
    )  # fmt: skip


def test_an_agents_own_command() -> None:
    """Without a template the agent is called as it should be, with the task's model, folder and limits."""
    made = job(
        "+++\nlinger = '10s'\nprompt_prefix = 'Hello. '\n+++\n| ID | What | Model | Timeout | Cwd | Max Turns |\n"
        "|---|---|---|---|---|---|\n| F1 | do it | opus | 1h | sub | 7 |\n"
    )
    assert made.command[:3] == ("claude", "-p", "Hello. do it")
    assert made.command[-2:] == ("--max-turns", "7")
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
    assert made.agent is None
    chosen = job("+++\nagent = 'codex'\ncommand = 'x {prompt}'\n+++\n| ID | What |\n|---|---|\n| F1 | a |\n")
    assert chosen.agent == "codex"


@pytest.mark.parametrize(("size", "on_stdin"), [(100 * 1024, False), (100 * 1024 + 1, True), (5_000_000, True)])
def test_long_prompts_go_by_standard_input(size: int, on_stdin: bool) -> None:
    """A prompt that the kernel would refuse as an argument is given on standard input (G46)."""
    made = job(f"### F1: x\n\n{'p' * size}\n")
    assert (made.stdin == "p" * size) is on_stdin
    assert (READ_STDIN in made.command) is on_stdin


def test_a_template_without_a_prompt_gets_it_on_standard_input() -> None:
    """A command that names no prompt can read it."""
    assert job("+++\ncommand = 'my-agent'\n+++\n| ID | What |\n|---|---|\n| F1 | hi |\n").stdin == "hi"


def test_the_environment_of_a_task() -> None:
    """All variables pass, or those named; the plan's own and the attempt's number come on top."""
    plan = "+++\nenv = {{MINE = 'yes'}}\n{}\n+++\n| ID | What |\n|---|---|\n| F1 | a |\n"
    assert job(plan.format("")).env == {
        "PATH": "/bin", "HOME": "/h", "SECRET": "s", "MINE": "yes", "NOVA_ATTEMPT": "1",
    }  # fmt: skip
    assert "SECRET" not in job(plan.format("pass_env = ['LANG']")).env
    assert job(plan.format("pass_env = 'none'")).env["PATH"] == "/bin"


def test_a_budget_is_for_all_attempts_together() -> None:
    """What earlier attempts have used is taken off."""
    plan = "| ID | What | Budget | Tokens |\n|---|---|---|---|\n| F1 | a | 4.50 | 1000 |\n"
    limits = job(plan, tokens=400, cost_usd=1).limits
    assert (limits.max_tokens, limits.max_cost_usd) == (600, 3.5)
    assert job(plan, tokens=4000).limits.max_tokens == 1


def test_a_custom_agent_needs_a_command() -> None:
    """A task that nobody can call is a clear error."""
    with pytest.raises(ValueError, match="agent 'custom' needs a command"):
        job("| ID | What | Agent |\n|---|---|---|\n| F1 | a | custom |\n")
