"""What is settled between two runs is in the state file of the first one: whoever looks sees it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nova_async.cascade import Cascade, parse_cascade
from nova_async.control.looks import doing, look_of
from nova_async.journal.plan_key import plan_key
from nova_async.journal.state_document import read_state
from nova_async.orchestrator.approve_command import approve_tasks
from nova_async.orchestrator.between_runs import tell_state_file
from nova_async.orchestrator.retry_command import retry_tasks
from tests.orchestrator.test_running import run
from tests.views import NOON

PLAN = """+++
command = ["sh", "-c", "{prompt}"]
retries = 0
+++
| ID | What | Depends | Gate |
|---|---|---|---|
| A1 | exit 3 | | |
| A2 | exit 3 | | |
| B1 | true | A1 | |
| B2 | true | A1, A2 | |
| C1 | true | | true |
| C2 | true | | |
"""


@pytest.fixture
async def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cascade:
    """Run the plan once in this folder."""
    monkeypatch.chdir(tmp_path)
    Path("plan.md").write_text(PLAN)
    cascade = replace(parse_cascade(PLAN), name="plan.md")
    await run(cascade, tmp_path, waits_for_approval=False)
    return cascade


def shown(*task_ids: str) -> list[str]:
    """Return how these tasks are shown, now that the run is over."""
    tasks = read_state(Path("state.json"))[1]
    return [f"{look_of(tasks[name], is_over=True).word}: {doing(tasks[name], NOON, is_over=True)}" for name in task_ids]


async def test_a_retry_is_shown_with_what_it_lets_go_on(ran: Cascade) -> None:
    """The task waits for the next run, what it alone has blocked waits for nobody, and nothing else changes."""
    before = json.loads(Path("state.json").read_bytes())
    assert shown("A1", "B1", "B2") == ["failed: exit code 3", "blocked: blocked by A1", "blocked: blocked by A1, A2"]
    await retry_tasks(Path(".nova/journal.db"), ["A1"], state=Path("state.json"))
    again = "waiting: waits for the next `nova run plan.md`"
    assert shown("A1", "B1", "B2") == [again, "not started: ", "blocked: blocked by A2"]
    after = json.loads(Path("state.json").read_bytes())
    assert {name for name in before["tasks"] if before["tasks"][name] != after["tasks"][name]} == {"A1", "B1", "B2"}
    assert {**before, "tasks": 0} == {**after, "tasks": 0}
    await retry_tasks(Path(".nova/journal.db"), ["C2"], state=Path("state.json"))
    assert shown("C2") == [again]


async def test_an_approval_is_shown(ran: Cascade) -> None:
    """Nobody is asked any more to approve it."""
    assert shown("C1") == ["to approve: waits for approval: `nova approve C1`"]
    await approve_tasks(Path(".nova/journal.db"), ["C1"], ran, state=Path("state.json"))
    assert shown("C1") == ["waiting: waits for the next `nova run plan.md`"]


async def test_a_state_file_of_something_else_is_left_alone(ran: Cascade) -> None:
    """That of another plan or run, of no run at all, or one that is not there; nor is one written then."""
    journal, state = Path(".nova/journal.db"), Path("state.json")
    before = state.read_bytes()
    await tell_state_file(state, journal, "other.md", again=["A1"])
    assert state.read_bytes() == before
    for text in (before.replace(json.loads(before)["nova"]["run_id"].encode(), b"another"), b"{}", b"", None):
        state.unlink() if text is None else state.write_bytes(text)
        await tell_state_file(state, journal, plan_key(Path("plan.md"), journal), again=["A1"])
        assert (state.read_bytes() if state.exists() else None) == text
