"""Sub-agents in the background: whoever is at work when the agent ends was cut off, and the success is none."""

import json
from typing import Any

import pytest

from nova_async.agents import AGENTS, AgentReport
from nova_async.agents.layout import as_text
from nova_async.attempt.outcome import outcome_of, sentence_for
from nova_async.words import Outcome, WorkerEnd

Line = dict[str, Any]


def system(subtype: str, **more: Any) -> Line:
    """Return a system line of Claude."""
    return {"type": "system", "subtype": subtype, "session_id": "s", **more}


def started(task: str = "a1", kind: str = "local_agent") -> Line:
    """Begin a sub-agent, or a command, in the background."""
    return system("task_started", task_id=task, tool_use_id="t", description=f"check {task}", task_type=kind)


def told(status: str, task: str = "a1") -> Line:
    """Tell how it stands with one."""
    return system("task_notification", task_id=task, tool_use_id="t", status=status, summary="check")


def killed(task: str = "a1") -> Line:
    """End one, as Claude does at its exit."""
    return system("task_updated", task_id=task, patch={"status": "killed", "end_time": 1})


def user(result: Line) -> Line:
    """Give a tool's result."""
    content = [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]
    return {"type": "user", "message": {"content": content}, "tool_use_result": result, "session_id": "s"}


def stop_call(task: str = "a1") -> Line:
    """Call a sub-agent off."""
    block = {"type": "tool_use", "id": "t2", "name": "TaskStop", "input": {"task_id": task}}
    return {"type": "assistant", "message": {"id": "m", "model": "x", "content": [block]}, "session_id": "s"}


INIT = system("init", model="x")
ENDED: Line = {
    "type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "Done.", "session_id": "s",
    "modelUsage": {"x": {"inputTokens": 1, "outputTokens": 2}},
}  # fmt: skip
LAUNCHED = user({"isAsync": True, "status": "async_launched", "agentId": "a1"})
RETURNED = user({"status": "completed", "agentId": "a1", "usage": {"input_tokens": 1}})

CUT_OFF = {
    "stopped after the result": [INIT, started(), LAUNCHED, ENDED, killed(), told("stopped")],
    "stopped before the result": [INIT, started(), LAUNCHED, killed(), told("stopped"), ENDED],
    "told in one line only": [INIT, started(), LAUNCHED, ENDED, told("killed")],
    "never told": [INIT, started(), LAUNCHED, ENDED],
    "one of two": [INIT, started("b"), started(), told("completed", "b"), ENDED, told("stopped")],
}
WHOLE = {
    "completed": [INIT, started(), LAUNCHED, told("completed"), ENDED],
    "completed and a second turn": [INIT, started(), LAUNCHED, ENDED, told("completed"), INIT, ENDED],
    "failed, and the agent was told": [INIT, started(), LAUNCHED, told("failed"), INIT, ENDED],
    "in the foreground": [INIT, started(), RETURNED, ENDED],
    "called off": [INIT, started(), LAUNCHED, stop_call(), told("stopped"), ENDED],
    "known in a later turn": [INIT, started(), LAUNCHED, told("stopped"), INIT, ENDED],
    "a command": [INIT, started(kind="local_bash"), ENDED, killed(), told("stopped")],
}


def read(agent: str, lines: list[Line]) -> AgentReport:
    """Read lines of an agent."""
    reader = AGENTS[agent].reader()
    for line in lines:
        reader.feed(json.dumps(line).encode() + b"\n")
    reader.close()
    return reader.report


@pytest.mark.parametrize("name", CUT_OFF)
def test_a_sub_agent_that_was_cut_off_is_no_success(name: str) -> None:
    """However it is told: the task is tried again, and the sentence names who was at work."""
    report = read("claude", CUT_OFF[name])
    outcome = outcome_of(WorkerEnd.EXITED, 0, report)
    assert outcome == Outcome.LOST_TAIL
    assert sentence_for(outcome, None, report) == "ended while sub-agents were still running: check a1"


@pytest.mark.parametrize("name", WHOLE)
def test_what_came_to_its_end_was_not_cut_off(name: str) -> None:
    """Who is done, was called off or is no sub-agent takes nothing from a success."""
    report = read("claude", WHOLE[name])
    assert report.unfinished == ()
    assert outcome_of(WorkerEnd.EXITED, 0, report) == Outcome.OK


def test_an_interrupted_agent_is_not_said_to_have_left_work() -> None:
    """Without a success of its own there is nothing to be doubted."""
    assert read("claude", [INIT, started(), LAUNCHED, told("stopped")]).unfinished == ()


@pytest.mark.parametrize(("status", "unfinished"), [("completed", ()), ("cancelled", ("check",)), (None, ("check",))])
def test_sub_agents_of_qwen(status: str | None, unfinished: tuple[str, ...]) -> None:
    """Qwen Code 0.24.4 runs them in the background, too, and tells of them in other places."""
    data = {"task_id": "a1", "tool_use_id": "t", "description": "check", "subagent_type": "general-purpose"}
    ended = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "session_id": "s",
             "result": "Done.", "usage": {"input_tokens": 5, "output_tokens": 1}}  # fmt: skip
    notice = [] if status is None else [system("task_notification", data={**data, "status": status})]
    assert read("qwen", [INIT, system("task_started", data=data), *notice, ended]).unfinished == unfinished


@pytest.mark.parametrize(
    ("states", "unfinished"),
    [
        (["pending_init"], ()),  # the state at its start, and mostly the last that is told
        (["pending_init", "running"], ("check it",)),
        (["running", "completed"], ()),
        (["running", "errored"], ()),
        (["running", "shutdown"], ()),
    ],
)
def test_sub_agents_of_codex(states: list[str], unfinished: tuple[str, ...]) -> None:
    """Who was running when Codex last looked, and was not heard of again, was cut off."""
    items = [
        {"type": "item.completed", "item": {"type": "collab_tool_call", "tool": "wait", "prompt": "check it",
         "agents_states": {"a1": {"status": status, "message": None}}}}
        for status in states
    ]  # fmt: skip
    lines = [{"type": "thread.started", "thread_id": "s"}, *items,
             {"type": "turn.completed", "usage": {"input_tokens": 5, "output_tokens": 1}}]  # fmt: skip
    assert read("codex", lines).unfinished == unfinished


def test_any_number_of_sub_agents_is_remembered_in_bounded_memory() -> None:
    """Names are cut, and only the first of very many are kept."""
    report = read("claude", [INIT, *(started(f"{n}" + "x" * 99) for n in range(500)), ENDED])
    assert 0 < len(report.unfinished) <= 64
    assert all(len(name) <= 60 for name in report.unfinished)


PROCESSES: dict[str, tuple[list[Line], list[Line]]] = {
    "claude": (
        [system("init"), {**ENDED, "total_cost_usd": 0.25}],
        [{**system("init"), "session_id": "s2"}, {**ENDED, "session_id": "s2", "total_cost_usd": 0.5}],
    ),
    "codex": (
        [{"type": "thread.started", "thread_id": "s"},
         {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 2}}],
        [{"type": "thread.started", "thread_id": "s2"},
         {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 2}}],
    ),
    "gemini": (
        [{"type": "init", "session_id": "s"},
         {"type": "result", "status": "success", "stats": {"total_tokens": 3, "input_tokens": 1}}],
        [{"type": "init", "session_id": "s2"},
         {"type": "result", "status": "success", "stats": {"total_tokens": 3, "input_tokens": 1}}],
    ),
    "qwen": (
        [system("init"), {**ENDED, "usage": {"input_tokens": 1, "output_tokens": 2}}],
        [{**system("init"), "session_id": "s2"},
         {**ENDED, "session_id": "s2", "usage": {"input_tokens": 1, "output_tokens": 2}}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("agent", PROCESSES)
def test_a_second_process_in_one_output_comes_on_top(agent: str) -> None:
    """A script that calls an agent twice has used what both have, and the last one's end decides."""
    first, second = PROCESSES[agent]
    one, both = read(agent, first), read(agent, first + second)
    assert (one.usage.total, both.usage.total) == (3, 6)
    assert both.session_id == "s2"
    assert (both.is_error, both.usage_is_final) == (False, True)
    if agent == "claude":
        assert (one.cost_usd, both.cost_usd) == (0.25, 0.75)
    cut = read(agent, first + second[:1])
    assert (cut.is_error, cut.usage.total) == (None, 3)
    # The same process prints its totals again: they replace.
    assert read(agent, first + first).usage.total == 3
    # What the first one would still have told is lost with it.
    assert read(agent, first[:1] + second).usage_is_final is False


def test_two_results_of_json_mode_are_two_processes() -> None:
    """Claude's json mode prints nothing else that would tell them apart."""
    assert read("claude", [ENDED, {**ENDED, "session_id": "s2"}]).usage.total == 6


def test_what_was_cut_off_is_shown_with_the_verdict() -> None:
    """Who reads the stream sees it as well as who reads the outcome."""
    output = b"".join(json.dumps(line).encode() + b"\n" for line in (INIT, started(), LAUNCHED, killed(), ENDED))
    assert "unfinished: check a1" in as_text(AGENTS["claude"].render(output))
