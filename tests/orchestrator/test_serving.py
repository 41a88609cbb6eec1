"""Several agents in order: who serves a task while others are on hold, and what is told of it."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nova_async import Orchestrator, RunReport, parse_cascade
from nova_async.orchestrator.holding import Account
from nova_async.orchestrator.serving import choose
from nova_async.views import Hold
from nova_async.words import Outcome, TaskState
from tests.orchestrator.test_agents_on_hold import LIMIT, UNAUTHORISED

A, B, C = (Account(name, name, (), "") for name in ("a", "b", "c"))


def hold(outcome: Outcome = Outcome.LIMIT, hours: int | None = None) -> Hold:
    """Return a hold, and when it ends by itself."""
    until = None if hours is None else datetime(2030, 1, 1, hours, tzinfo=UTC)
    return Hold(agent="x", program="x", model=None, outcome=outcome, error="", cure="", until=until)


@pytest.mark.parametrize(
    ("holds", "chosen"),
    [
        ({}, ("a", None)),
        ({A: hold()}, ("b", None)),
        ({B: hold()}, ("a", None)),
        ({A: hold(Outcome.AUTH), B: hold(Outcome.SPAWN_ERROR)}, ("c", None)),
        ({A: hold(), B: hold(), C: hold()}, ("a", A)),
        ({A: hold(hours=3), B: hold(hours=1), C: hold(hours=2)}, ("b", B)),
        ({A: hold(Outcome.AUTH), B: hold(Outcome.SPAWN_ERROR), C: hold(hours=5)}, ("c", C)),
        ({A: hold(Outcome.OVERLOAD)}, ("a", A)),
        ({A: hold(), B: hold(Outcome.NETWORK)}, ("b", B)),
    ],
)
def test_the_first_that_is_not_on_hold_serves(
    holds: Mapping[Account, Hold], chosen: tuple[str, Account | None]
) -> None:
    """Else the task waits; a moment of overload is no reason to pay somebody else."""
    candidates = [("a", A), ("b", B), ("c", C)]
    assert choose(candidates, lambda account: account if account in holds else None, holds) == chosen


def test_nobody_is_asked_behind_the_one_that_serves() -> None:
    """Making a command may be costly: the others of the order are not even looked at."""

    def candidates() -> object:
        yield "a", A
        raise AssertionError

    assert choose(candidates(), lambda account: None, {}) == ("a", None)  # type: ignore[arg-type]


def test_an_attempt_without_an_account_begins() -> None:
    """Its command could not be made, and it is to say so."""
    assert choose([("a", None)], lambda account: account, {}) == ("a", None)


CODEX = [
    {"type": "thread.started", "thread_id": "0199a213-81c0-7800-8aa1-bbab2a035a53"},
    {"type": "turn.started"},
    {"type": "item.completed", "item": {"id": "item_0", "type": "agent_message", "text": "Done."}},
    {"type": "turn.completed", "usage": {"input_tokens": 100, "cached_input_tokens": 0, "output_tokens": 7}},
]


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a Claude whose account has reached its limit and a Codex that works on PATH."""
    (tmp_path / "limit").write_text(LIMIT.replace("1795622063", str(int(time.time()) + 3600)))
    (tmp_path / "unauthorised").write_bytes(UNAUTHORISED.read_bytes())
    (tmp_path / "done").write_text("".join(f"{json.dumps(event)}\n" for event in CODEX))
    scripts = {
        "claude": 'echo "claude ${CLAUDE_CONFIG_DIR##*/} $NOVA_TASK_ID" >> starts; cat "${SAYS:-limit}"; exit 1',
        "codex": 'echo "codex $NOVA_TASK_ID" >> starts; for last; do :; done; echo "$last" >> prompts; cat done',
    }
    (tmp_path / "bin").mkdir()
    for name, script in scripts.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def run(front: str, tasks: int = 3) -> RunReport:
    """Run a plan of some tasks, one at a time."""
    rows = "".join(f"- [ ] T{number} Do it\n" for number in range(1, tasks + 1))
    return await Orchestrator(parse_cascade(f"+++\nmax_workers = 1\n{front}\n+++\n{rows}")).run()


def served(report: RunReport) -> list[list[tuple[str, str]]]:
    """Return who served each attempt of each task, and how it ended."""
    return [
        [(attempt.start.served_by, str(attempt.end and attempt.end.outcome)) for attempt in task.attempts]
        for task in report.tasks.values()
    ]


async def test_the_next_agent_takes_over_at_a_usage_limit(agents: Path) -> None:
    """The first one is asked once; the task goes on with the next, which is told of it, and the others begin there."""
    report = await run('agent = ["claude", "codex"]\nmodel = {claude = "opus"}')
    assert report.ok
    assert served(report) == [[("claude", "limit"), ("codex", "ok")], [("codex", "ok")], [("codex", "ok")]]
    assert (agents / "starts").read_text().splitlines() == ["claude  T1", "codex T1", "codex T2", "codex T3"]
    told = (agents / "prompts").read_text()
    assert told.count("claude stopped at its usage limit. Its changes may still be there.") == 1
    assert report.tasks["T1"].usage.total == 107


async def test_the_next_agent_takes_over_at_a_limit_of_another_run(
    agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit that one run has met is met by no other: its task begins with the next agent at once."""
    monkeypatch.setenv("XDG_STATE_HOME", str(agents / "states"))
    await run('agent = ["claude", "codex"]', tasks=1)
    other = agents / "other"
    other.mkdir()
    for name in ("limit", "done"):
        (other / name).write_bytes((agents / name).read_bytes())
    monkeypatch.chdir(other)
    report = await run('agent = ["claude", "codex"]', tasks=2)
    assert served(report) == [[("codex", "ok")], [("codex", "ok")]]
    assert (other / "starts").read_text().splitlines() == ["codex T1", "codex T2"]


async def test_the_next_account_takes_over(agents: Path) -> None:
    """Two accounts of one agent are two: the second one is tried under its own configuration."""
    accounts = "".join(f'\n[accounts.{name}]\nenv = {{CLAUDE_CONFIG_DIR = "~/{name}"}}' for name in ("work", "home"))
    report = await run(f'agent = ["claude@work", "claude@home", "codex"]{accounts}', tasks=1)
    assert served(report) == [[("claude@work", "limit"), ("claude@home", "limit"), ("codex", "ok")]]
    assert (agents / "starts").read_text().splitlines() == ["claude work T1", "claude home T1", "codex T1"]


@pytest.mark.parametrize("outcome", ["auth", "spawn_error"])
async def test_the_next_agent_takes_over_from_one_that_cannot_work(
    agents: Path, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    """Also without a valid login, and where the program went missing after the run had begun."""
    monkeypatch.setenv("SAYS", "unauthorised")
    if outcome == "spawn_error":
        (agents / "bin" / "claude").write_text("#!/no/such/interpreter\n")
        (agents / "bin" / "claude").chmod(0o644)
    front = 'agent = ["codex", "claude"]' if outcome == "spawn_error" else 'agent = ["claude", "codex"]'
    report = await run(front, tasks=2)
    assert report.ok
    assert [each[-1] for each in served(report)] == [("codex", "ok"), ("codex", "ok")]


async def test_nobody_takes_over_where_the_plan_says_so(agents: Path) -> None:
    """Whoever writes "fail" does not want to pay for another agent."""
    report = await run('agent = ["claude", "codex"]\non_usage_limit = "fail"', tasks=1)
    assert not report.ok
    assert {name for name, _ in served(report)[0]} == {"claude"}


async def test_all_are_on_hold(agents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the tasks wait, and say for whom."""
    monkeypatch.setenv("SAYS", "unauthorised")
    report = await run('agent = ["claude", "claude@b"]\n[accounts.b]\nenv = {CLAUDE_CONFIG_DIR = "~/b"}', tasks=2)
    assert not report.ok
    assert [task.state for task in report.tasks.values()] == [TaskState.WAITING, TaskState.WAITING]
    assert (agents / "starts").read_text().splitlines() == ["claude  T1", "claude b T1"]
