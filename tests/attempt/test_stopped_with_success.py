"""A stop that meets a success: what the agent has come to counts, and only that."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_async.agents import AGENTS, AgentReport
from nova_async.attempt.local_attempt import LocalAttempt
from nova_async.attempt.outcome import end_that_counts, outcome_of
from nova_async.records import AttemptEnd, AttemptFacts
from nova_async.words import Outcome, Phase, WorkerEnd
from nova_async.worker.verdict import Stop, had_finished, verdict
from tests.agents.recordings import KEPT
from tests.attempt.conftest import MakeJob
from tests.children import program

WHOLE = {
    "claude": "thinking.sjp.stdout", "codex": "cachewrite.json.stdout", "gemini": "tools.sj.merged",
    "opencode": "tools.json.stdout", "qwen": "tools.sj.stdout",
}  # fmt: skip
INIT = {"type": "system", "subtype": "init", "session_id": "s", "model": "x"}
ANSWER = {"type": "assistant", "session_id": "s", "message": {"id": "m2", "model": "x", "content": []}}
DONE: dict[str, Any] = {
    "type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "Done.", "session_id": "s",
    "modelUsage": {"x": {"inputTokens": 1, "outputTokens": 2}}, "usage": {"input_tokens": 1, "output_tokens": 2},
}  # fmt: skip
INTERRUPTED = {**DONE, "subtype": "error_during_execution", "is_error": True, "result": None}
STARTED = {**INIT, "subtype": "task_started", "task_id": "a", "task_type": "local_agent", "description": "check"}
DENIED = {**DONE, "permission_denials": [{"tool_name": "Bash"}]}


def seen_success(facts: AttemptFacts) -> bool:
    """Tell whether the agent's final result is known."""
    return facts.is_error is False


def seen_session(facts: AttemptFacts) -> bool:
    """Tell whether its first event is known: it can be asked to end by then."""
    return facts.session_id is not None


async def stopped(
    tmp_path: Path, job: MakeJob, agent: str, *words: str | Path, when: Callable[[AttemptFacts], bool], **more: Any
) -> tuple[AttemptEnd, AttemptFacts]:
    """Run the program that answers a stop, stop it at that moment, and return its end and the facts before that."""
    work = replace(job("", agent=agent, **more), command=tuple(map(str, (*program("told_when_stopped"), *words))))
    attempt, met, facts = LocalAttempt(work, tmp_path / "logs"), asyncio.Event(), []

    def look() -> None:
        facts.append(attempt.facts)
        if when(attempt.facts):
            met.set()

    attempt.on_change = look
    running = asyncio.create_task(attempt.run())
    async with asyncio.timeout(20):
        await met.wait()
        attempt.stop(5.0)
        return await running, facts[-1]


def lines(tmp_path: Path, *events: dict[str, Any]) -> Path:
    """Write events into a file."""
    file = tmp_path / "events"
    file.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    return file


@pytest.mark.parametrize("agent", WHOLE)
@pytest.mark.parametrize(
    ("manner", "when"), [("all", seen_success), ("last", seen_session)], ids=["before", "just then"]
)
async def test_what_has_succeeded_is_not_failed_by_a_stop(
    tmp_path: Path, job: MakeJob, agent: str, manner: str, when: Callable[[AttemptFacts], bool]
) -> None:
    """The agent's final event has come before the stop, or comes upon its signal: the attempt is what it says."""
    end, _ = await stopped(tmp_path, job, agent, manner, KEPT / agent / WHOLE[agent], when=when)
    assert (end.outcome, end.error, end.ended_by_us) == (Outcome.OK, None, True)
    assert end.result
    assert end.usage.total


async def test_what_was_stopped_with_success_is_still_to_be_checked(tmp_path: Path, job: MakeJob) -> None:
    """Its check does not begin; that only this is left is known to whoever keeps the journal."""
    verify = ("touch", str(tmp_path / "checked"))
    file = KEPT / "codex" / WHOLE["codex"]
    end, last = await stopped(tmp_path, job, "codex", "last", file, when=seen_session, verify=verify)
    assert (end.outcome, end.phase, end.error) == (Outcome.CANCELLED, Phase.VERIFY, "stopped before verify ran")
    assert last.finished is not None
    assert last.finished.outcome is Outcome.OK
    assert not (tmp_path / "checked").exists()


@pytest.mark.parametrize("agent", ["claude", "qwen"])
@pytest.mark.parametrize(
    ("before", "upon", "outcome"),
    [
        ([INIT, ANSWER, DONE], [], Outcome.OK),
        ([INIT, ANSWER, DONE], [INIT], Outcome.OK),  # to hear of a command in the background, which has been ended
        ([INIT, ANSWER], [DONE], Outcome.OK),
        ([INIT, ANSWER, DONE, INIT], [], Outcome.CANCELLED),
        ([INIT, ANSWER, DONE, INIT, ANSWER], [], Outcome.CANCELLED),
        ([INIT, ANSWER, DONE, ANSWER], [], Outcome.CANCELLED),
        ([INIT, ANSWER, DONE], [INIT, ANSWER], Outcome.CANCELLED),
        ([INIT, ANSWER, DONE, INIT, ANSWER], [DONE], Outcome.OK),
        ([INIT, ANSWER], [INTERRUPTED], Outcome.CANCELLED),
        ([INIT, ANSWER, DONE], [INTERRUPTED], Outcome.CANCELLED),
        ([INIT, ANSWER, DONE, INIT, ANSWER], [INTERRUPTED], Outcome.CANCELLED),
        ([INIT, ANSWER, DENIED], [], Outcome.CANCELLED),
        ([INIT, ANSWER], [], Outcome.CANCELLED),
    ],
)
def test_only_the_end_of_the_last_turn_counts(agent: str, before: list[Any], upon: list[Any], outcome: Outcome) -> None:
    """A turn that was under way when the stop came was cut, whatever an earlier one had come to."""
    reader = AGENTS[agent].reader()
    for event in before:
        reader.feed(json.dumps(event).encode() + b"\n")
    at_stop = reader.report
    for event in upon:
        reader.feed(json.dumps(event).encode() + b"\n")
    done = had_finished(reader.report, at_stop)
    end = end_that_counts(WorkerEnd.TERMINATED, reader.report, had_finished=done)
    assert outcome_of(end, 143, reader.report) is outcome


@pytest.mark.parametrize("end", [WorkerEnd.TIMED_OUT, WorkerEnd.STALLED, WorkerEnd.OVER_BUDGET])
@pytest.mark.parametrize("agent", ["claude", "qwen"])
def test_a_limit_that_cuts_another_turn_is_told(agent: str, end: WorkerEnd) -> None:
    """The success of an earlier turn is none of the one that the limit has met."""
    reader = AGENTS[agent].reader()
    for event in (INIT, ANSWER, DONE, INIT):
        reader.feed(json.dumps(event).encode() + b"\n")
    assert verdict(-15, Stop(end, "too much"), reader.report, reader.report).end is end
    reader.feed(json.dumps(ANSWER).encode() + b"\n")
    assert verdict(-15, Stop(end, "too much"), reader.report, reader.report).end is end
    reader.feed(json.dumps(DONE).encode() + b"\n")
    assert verdict(-15, Stop(end, "too much"), reader.report, reader.report).end is WorkerEnd.LINGERED


async def test_a_turn_that_begins_upon_the_stop_is_none_of_its_own(tmp_path: Path, job: MakeJob) -> None:
    """Claude begins one to hear of its background commands, which the stop has ended, too."""
    file = lines(tmp_path, INIT, ANSWER, DONE)
    end, _ = await stopped(tmp_path, job, "claude", "all", file, json.dumps(INIT), when=seen_success)
    assert end.outcome is Outcome.OK


async def test_sub_agents_that_a_stop_cuts_off_were_at_work(tmp_path: Path, job: MakeJob) -> None:
    """What the main agent says is not the end while they work, and a stop is no fault of the task."""
    file = lines(tmp_path, INIT, STARTED, ANSWER, DONE)
    end, _ = await stopped(tmp_path, job, "claude", "all", file, when=seen_success)
    assert end.outcome is Outcome.CANCELLED


def interrupted() -> list[tuple[str, Path]]:
    """Return the recordings of agents that somebody ended."""
    found = []
    for sidecar in sorted(KEPT.glob("*/*.json")):
        told = json.loads(sidecar.read_bytes())
        if told.get("signals"):
            found.append((sidecar.parent.name, sidecar.with_suffix("")))
    return found


@pytest.mark.parametrize(("agent", "file"), interrupted(), ids=lambda value: getattr(value, "name", value))
def test_no_recorded_interruption_is_a_success(agent: str, file: Path) -> None:
    """None of the real agents that were interrupted at work had finished, wherever they were when the signal came."""
    output = file.read_bytes()
    reader, at_stop = AGENTS[agent].reader(), [AgentReport()]
    for line in output.splitlines(keepends=True):
        reader.feed(line)
        at_stop.append(reader.report)
    reader.close()
    assert not any(had_finished(reader.report, before) for before in at_stop)


def test_there_are_recorded_interruptions_of_all_agents_but_one() -> None:
    """Otherwise the test above would hold nothing; opencode's are cut like any other output."""
    assert {agent for agent, _ in interrupted()} >= {"claude", "codex", "gemini", "qwen"}
