"""A cost stands for what had been used when it was told; and where nothing was used, nothing is unknown."""

import json
from typing import Any

import pytest

from nova_async.agents import AGENTS
from nova_async.usage import Totals

INIT = {"type": "system", "subtype": "init", "session_id": "s", "model": "x"}
USAGE = {"input_tokens": 10, "output_tokens": 5}
ANSWER = {"type": "assistant", "session_id": "s", "message": {"id": "m", "model": "x", "content": [], "usage": USAGE}}
MORE = {"type": "assistant", "session_id": "s", "message": {"id": "n", "model": "x", "content": [], "usage": USAGE}}


def result(tokens: int, cost: float) -> dict[str, Any]:
    """End a turn of Claude with the totals of its process."""
    used = {"x": {"inputTokens": tokens, "outputTokens": 1}}
    ended = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "Done."}
    return {**ended, "session_id": "s", "total_cost_usd": cost, "modelUsage": used}


def test_a_cost_is_behind_while_a_later_turn_uses_tokens() -> None:
    """It is told with a total, and stands for that alone: what follows costs more, until the next one tells."""
    reader, behind = AGENTS["claude"].reader(), []
    for event in (INIT, ANSWER, result(10, 0.1), INIT, MORE, result(20, 0.2)):
        reader.feed(json.dumps(event).encode() + b"\n")
        behind.append((reader.report.cost_usd, reader.report.cost_is_behind))
    assert behind == [(None, False), (None, False), (0.1, False), (0.1, False), (0.1, True), (0.2, False)]


def test_a_cost_that_is_told_with_each_step_is_never_behind() -> None:
    """What opencode prints of a step is all that is known of it, its cost included."""
    reader = AGENTS["opencode"].reader()
    for number in range(3):
        part = {"id": f"p{number}", "reason": "tool-calls", "tokens": {"input": 5, "output": 1}, "cost": 0.1}
        reader.feed(json.dumps({"type": "step_finish", "sessionID": "s", "part": part}).encode() + b"\n")
        assert not reader.report.cost_is_behind


BEGUN = [{"type": "thread.started", "thread_id": "t"}, {"type": "turn.started"}]
BUSY = {"type": "error", "message": "Reconnecting... 1/5 (unexpected status 503 Service Unavailable: busy)"}
BROKEN = {"type": "error", "message": "Reconnecting... 1/5 (stream disconnected before completion)"}
ITEM = {"type": "item.completed", "item": {"id": "i", "type": "agent_message", "text": "I will"}}
NO_KEY = "unexpected status 401 Unauthorized: Incorrect API key provided"
FULL = "You've hit your usage limit. Try again in 3 days 2 hours."


def failed(words: str) -> dict[str, Any]:
    """End a turn of Codex that has failed."""
    return {"type": "turn.failed", "error": {"message": words}}


@pytest.mark.parametrize(
    ("events", "is_known"),
    [
        ([failed(NO_KEY)], True),
        ([failed(FULL)], True),
        ([BUSY, failed("exceeded retry limit, last status: 503 Service Unavailable")], True),
        ([BROKEN, failed(NO_KEY)], False),
        ([failed("stream disconnected before completion")], False),
        ([ITEM, failed(NO_KEY)], False),
        ([], False),
    ],
)
def test_who_was_refused_at_once_has_used_nothing(events: list[dict[str, Any]], is_known: bool) -> None:
    """No usage is printed then; only where an answer may have begun does nobody know what it cost."""
    reader, total = AGENTS["codex"].reader(), Totals()
    for event in (*BEGUN, *events):
        reader.feed(json.dumps(event).encode() + b"\n")
    reader.close()
    report = reader.report
    total.add(report.usage, usage_is_final=report.usage_is_final, cost_usd=report.cost_usd)
    assert (report.usage.total, report.usage_is_final, total.cost_is_complete) == (0, is_known, is_known)
