"""Whole runs whose agents are interrupted: the next attempt resumes the session, and nothing is paid twice."""

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_async.cascade import Cascade, parse_cascade
from nova_async.control.event_words import describe_event
from nova_async.journal.store import Journal
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.orchestrator.survivors import used_before
from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart, Event, RunStart
from nova_async.usage import TokenUsage
from nova_async.views import RunReport
from nova_async.words import EventKind, Outcome, Phase
from tests.orchestrator.test_running import orchestrator, run
from tests.views import NOON

AGENT = Path(__file__).parent.parent / "programs/claude_with_sessions.py"


@pytest.fixture(autouse=True)
def claude(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a ``claude`` of ours before any other."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "claude").symlink_to(AGENT)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def plan(front: str = "", *options: str) -> Cascade:
    """Make a plan of one task."""
    bullets = "".join(f"  - {option}\n" for option in options)
    return parse_cascade(f"+++\nbackoff = '1ms..1ms'\nagent = 'claude'\n{front}\n+++\n- [ ] F1 Do it.\n{bullets}")


def calls(folder: Path) -> list[dict[str, Any]]:
    """Return what each process of the agent was called with."""
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


async def interrupted(cascade: Cascade, folder: Path, **options: Any) -> None:
    """Run until the agent has answered once, then stop."""
    runner: Orchestrator

    def look(task_id: str | None) -> None:
        if runner.views["F1"].usage.total:
            runner.stop()

    runner = orchestrator(cascade, folder, on_change=look, **options)
    await runner.run()


def outcomes(report: RunReport) -> list[Outcome]:
    """Return how the task's attempts have ended."""
    return [attempt.end.outcome for attempt in report.tasks["F1"].attempts if attempt.end is not None]


def told(events: list[Event], kind: EventKind) -> list[Any]:
    """Return the details of all events of a kind."""
    return [event.data for event in events if event.kind is kind]


async def test_after_a_stop_the_next_run_resumes_the_session(tmp_path: Path) -> None:
    """It is told so in the prompt, and all that was used is counted once; the views and events name the session."""
    (tmp_path / "turns").write_text("hang\n")
    await interrupted(plan(), tmp_path)
    report, events = await run(plan(), tmp_path)
    first, second = calls(tmp_path)
    assert (first["resume"], second["resume"]) == (None, "session-0")
    told_why = "Your previous run of this task was interrupted: it was stopped. Continue where you left off."
    assert second["prompt"] == f"{told_why} The task was:\n\n{first['prompt']}"
    assert report.ok
    assert report.tasks["F1"].result == "done by session-0"
    assert report.usage.total == 22
    starts = [attempt.start.resumes for attempt in report.tasks["F1"].attempts]
    assert starts == [None, "session-0"]
    assert [data.get("resumes") for data in told(events, EventKind.ATTEMPT_STARTED)] == ["session-0"]


async def test_a_retry_goes_on_in_the_session_of_the_attempt_that_failed(tmp_path: Path) -> None:
    """Here after a failed check, of which the agent is told."""
    cascade = plan("retry_on = ['verify']", "verify: sh -c 'test -e ok || (touch ok; exit 7)'")
    report, _ = await run(cascade, tmp_path)
    first, second = calls(tmp_path)
    assert (first["resume"], second["resume"]) == (None, "session-0")
    assert second["prompt"].startswith("Your previous run of this task failed: verify failed: exit code 7 from")
    assert outcomes(report) == [Outcome.VERIFY, Outcome.OK]


@pytest.mark.parametrize(
    ("front", "options"),
    [
        ("resume_session = false", {}),
        ("agent_args = []\ncwd = 'sub'", {}),
        ("", {"fresh": True}),
    ],
)
async def test_a_session_is_not_resumed_against_the_wish_of_the_user(
    tmp_path: Path, front: str, options: dict[str, Any]
) -> None:
    """Nor in another folder than that to which it belongs."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "turns").write_text("hang\n")
    await interrupted(plan(), tmp_path)
    report, _ = await run(plan(front), tmp_path, **options)
    assert report.ok
    assert [attempt.start.resumes for attempt in report.tasks["F1"].attempts] == [None, None]


async def test_tried_again_by_hand_a_task_begins_anew(tmp_path: Path) -> None:
    """Somebody who asks for that wants another try, not more of the same one."""
    (tmp_path / "turns").write_text("break\n")
    report, _ = await run(plan(), tmp_path)
    assert outcomes(report) == [Outcome.AGENT_ERROR]
    report, _ = await run(plan(), tmp_path, retry_failed=True)
    assert outcomes(report) == [Outcome.AGENT_ERROR, Outcome.OK]
    assert [call["resume"] for call in calls(tmp_path)] == [None, None]


async def test_a_session_that_is_gone_costs_no_retry(tmp_path: Path) -> None:
    """The agent refuses it; a new one is begun at once in the same run, with the whole prompt, and it is told."""
    (tmp_path / "turns").write_text("hang\n")
    await interrupted(plan("retries = 0"), tmp_path)
    (tmp_path / "session-0").unlink()
    report, events = await run(plan("retries = 0"), tmp_path)
    assert report.ok
    assert outcomes(report) == [Outcome.CANCELLED, Outcome.SESSION_REFUSED, Outcome.OK]
    assert [call["resume"] for call in calls(tmp_path)] == [None, "session-0", None]
    assert calls(tmp_path)[2]["prompt"] == "Do it."
    (retrying,) = told(events, EventKind.TASK_RETRYING)
    assert retrying["delay_seconds"] == 0
    assert report.tasks["F1"].attempts[1].end is not None
    assert report.tasks["F1"].attempts[1].end.usage_is_final, "it did nothing, which is all that it used"
    assert describe_event(Event(kind=EventKind.TASK_RETRYING, at=NOON, task_id="F1", data=retrying)).startswith(
        "F1 begins a new session (attempt 2: the agent could not resume its session: "
    )
    assert retrying["error"] == (
        "the agent could not resume its session: No conversation found with session ID: session-0"
    )


async def test_a_session_that_leads_nowhere_is_left(tmp_path: Path) -> None:
    """It failed twice in the same way: the third attempt begins a new one."""
    (tmp_path / "turns").write_text("break\nbreak\n")
    report, _ = await run(plan("retries = 2\nretry_on = ['agent_error']"), tmp_path)
    assert outcomes(report) == [Outcome.AGENT_ERROR, Outcome.AGENT_ERROR, Outcome.OK]
    assert [call["resume"] for call in calls(tmp_path)] == [None, "session-0", None]


async def test_a_command_of_the_plans_own_gets_the_session_where_it_asks_for_it(tmp_path: Path) -> None:
    """In place of {session_id}; its prompt stays as it is. Without the placeholder nothing is resumed."""
    template = "command = ['sh', '-c', 'claude -p \"$0\" ${1:+--resume $1}', '{prompt}', '{session_id}']"
    (tmp_path / "turns").write_text("hang\n")
    await interrupted(plan(template), tmp_path)
    report, _ = await run(plan(template), tmp_path)
    assert [call["resume"] for call in calls(tmp_path)] == [None, "session-0"]
    assert calls(tmp_path)[1]["prompt"] == "Do it."
    assert report.tasks["F1"].attempts[1].start.resumes == "session-0"
    (tmp_path / "other").mkdir()
    (tmp_path / "other/turns").write_text("hang\n")
    plain = plan("command = ['claude', '-p', '{prompt}', '--output-format', 'stream-json']")
    await interrupted(plain, tmp_path / "other")
    report, _ = await run(plain, tmp_path / "other")
    assert [attempt.start.resumes for attempt in report.tasks["F1"].attempts] == [None, None]


async def test_a_run_that_resumes_can_be_stopped_and_resumed_again(tmp_path: Path) -> None:
    """Each time in the same session; nothing that was used is forgotten or counted twice."""
    (tmp_path / "turns").write_text("hang\nhang\nhang\n")
    for _ in range(3):
        await asyncio.wait_for(interrupted_once_more(tmp_path), 60)
    report, _ = await run(plan(), tmp_path)
    assert [call["resume"] for call in calls(tmp_path)] == [None, "session-0", "session-0", "session-0"]
    assert report.usage.total == 44


async def interrupted_once_more(folder: Path) -> None:
    """Run until one more answer has come, then stop."""
    runner: Orchestrator
    before: list[int] = []

    def look(task_id: str | None) -> None:
        used = runner.views["F1"].usage.total
        before[:] = before or [used]
        if used > before[0]:
            runner.stop()

    runner = orchestrator(plan(), folder, on_change=look)
    await runner.run()


async def test_what_a_killed_attempt_had_resumed_is_known_from_the_journal(tmp_path: Path) -> None:
    """An agent may have printed the total of its thread before the supervisor was killed."""
    book = await Journal.open(tmp_path / "journal.db")
    began = AttemptStart(id=AttemptId("r", "F1", 1), plan="p", started_at=NOON, agent="codex", prompt_digest="d")
    run_start = RunStart(
        run_id="r", plan="p", project="", started_at=NOON, supervisor="s", pid=1, pid_start_time=1.0
    )  # fmt: skip
    await book.begin_run(run_start)
    await book.begin_attempt(began)
    cut = AttemptEnd(id=began.id, outcome=Outcome.TIMEOUT, phase=Phase.RUN, ended_at=NOON, duration_seconds=1.0)
    await book.end_attempt(replace(cut, session_id="t", usage=TokenUsage(60, 2, 4, 0)))
    second = replace(began, id=AttemptId("r", "F1", 2), resumes="t")
    await book.begin_attempt(second)
    opened = await book.open_attempts()
    used = {second.id: TokenUsage(60, 2, 4, 0), began.id: None}
    assert await used_before(book, [*opened, Attempt(start=began)]) == used
    await book.close()
