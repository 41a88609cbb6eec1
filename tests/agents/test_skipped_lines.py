"""What is not decoded because of how it begins: a report is the same as if every line had been."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.agents import AGENTS, AgentReport
from nova_async.agents.claude import reader as claude
from nova_async.agents.qwen import reader as qwen
from tests.agents.recordings import KEPT_RECORDINGS, read

STREAMS = [
    (recording.agent, recording.output.splitlines())
    for recording in KEPT_RECORDINGS
    if recording.agent in ("claude", "qwen") and recording.mode_of_reader == "stream-json"
]
USAGE = {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 11, "cache_creation_input_tokens": 13}
# Lines that nearly are what is skipped, and what is skipped with words in it that would be counted elsewhere.
QUOTED = json.dumps({"type": "assistant", "message": {"id": "m", "usage": USAGE}})
KINDS = ("content_block_start", "content_block_delta", "content_block_stop", "message_start", "message_delta")
ODD: list[dict[str, Any]] = [
    {"type": "stream_event", "event": {"type": kind, "index": 0, **more}, "parent_tool_use_id": None, "session_id": "s"}
    for kind in (*KINDS, "message_stop")
    for more in (
        {"usage": USAGE, "message": {"id": "m", "model": "x", "usage": USAGE}},
        {"content_block": {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": QUOTED}}},
        {"delta": {"type": "text_delta", "text": '"event":{"type":"content_block_start"\n' + QUOTED}},
    )
]
ODD += [
    {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t", "content": QUOTED * 3}]}},
    {"event": {"usage": USAGE, "type": "message_delta"}, "type": "stream_event"},
    {"type": "assistant", "message": {"content": [{"type": "text", "text": QUOTED}], "usage": USAGE, "id": "n"}},
]


def reports(agent: str, lines: list[bytes], at_once: int) -> list[AgentReport]:
    """Read lines, so many at a time, and return every report."""
    found: list[AgentReport] = []
    chunks = [b"".join(line + b"\n" for line in lines[at : at + at_once]) for at in range(0, len(lines), at_once)]
    read(AGENTS[agent].reader("stream-json"), chunks, found.append)
    return found


def check(agent: str, lines: list[bytes], at_once: int) -> None:
    """Compare the reports with those of a reader that skips no line."""
    skipping = reports(agent, lines, at_once)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claude, "SKIPPED", ())
        patch.setattr(qwen, "_STREAMED", b"\n")  # no line has one
        assert reports(agent, lines, at_once) == skipping


def as_printed(event: dict[str, Any], *, spaced: bool, turned: bool, escaped: bool) -> bytes:
    """Write an event as JSON may also be written."""
    if turned:
        event = dict(reversed(event.items()))
    line = json.dumps(event, separators=None if spaced else (",", ":")).encode()
    if escaped:
        line = line.replace(b"stream_event", b"\\u0073tream_event").replace(b"content_", b"conten\\u0074_")
    return line


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_report_of_a_recording_is_that_of_every_line(at_once: int) -> None:
    """After each of its lines, and after several at a time."""
    for agent, lines in STREAMS:
        check(agent, lines, at_once)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_report_is_that_of_every_line(data: st.DataObject) -> None:
    """However lines are written, ordered and gathered, nothing that is told by one that is skipped is missing."""
    agent, recorded = data.draw(st.sampled_from(STREAMS))
    odd = st.builds(as_printed, st.sampled_from(ODD), spaced=st.booleans(), turned=st.booleans(), escaped=st.booleans())
    lines = list(recorded[: data.draw(st.integers(0, len(recorded)))])
    for line in data.draw(st.lists(odd, max_size=10)):
        lines.insert(data.draw(st.integers(0, len(lines))), line)
    check(agent, lines, data.draw(st.integers(1, 8)))


def test_what_is_skipped_is_most_of_a_stream() -> None:
    """Nearly all lines of an answer that comes word by word begin in a way that is skipped."""
    partial = [line for _, lines in STREAMS for line in lines if b'"event":{"type":"content_block_delta"' in line]
    assert any(line.startswith(claude.SKIPPED) for line in partial)
    assert all(line.startswith((*claude.SKIPPED, qwen._STREAMED)) for line in partial)
