"""Reading a report changes nothing, whatever is read and whenever; and no number in it is beyond use."""

import json
import math
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.agents import AGENTS, MODES, AgentReader, AgentReport
from nova_async.words import UsageSource
from tests.agents.recordings import FULL, KEPT_RECORDINGS, Recording, kept, read, recordings_in

DOCUMENTED = b"Token usage: input=1, output=2, cache_read=3, cache_creation=4"
LARGEST = 2**53 - 1  # what JSON holds exactly, and SQLite easily
READERS = [(agent, mode) for agent in AGENTS for mode in (*MODES, None)]
SNIPPETS = [line for recording in KEPT_RECORDINGS for line in recording.output.splitlines(keepends=True)]


def looked_at(reader: AgentReader, chunks: list[bytes]) -> AgentReport:
    """Read chunks with a look at the report after each of them."""
    return read(reader, chunks, lambda report: None)


def cut(output: bytes, cuts: list[int]) -> list[bytes]:
    """Cut an output at these places."""
    edges = [0, *sorted(min(at, len(output)) for at in cuts), len(output)]
    return [output[a:b] for a, b in pairwise(edges)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_looking_at_a_report_changes_nothing(data: st.DataObject) -> None:
    """Asked for after every chunk or never, the last report is the same; recordings, also cut off and end to end."""
    parts = data.draw(st.lists(st.sampled_from(KEPT_RECORDINGS), min_size=1, max_size=2))
    output = b"".join(part.output for part in parts)[: data.draw(st.integers(1, 200_000))]
    chunks = cut(output, data.draw(st.lists(st.integers(0, len(output)), max_size=30)))
    agent, mode = data.draw(st.sampled_from([(parts[0].agent, parts[0].mode), *READERS]))
    assert looked_at(AGENTS[agent].reader(mode), chunks) == read(AGENTS[agent].reader(mode), chunks)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_looking_at_odd_output_changes_nothing(data: st.DataObject) -> None:
    """The same for single lines of all agents in any order, half lines and plain text."""
    odd = [DOCUMENTED, DOCUMENTED + b"\n", b"working", b"\n", b"Error: no", b'{"type":"new","sessionID":"s"}\n']
    lines = data.draw(st.lists(st.sampled_from(odd) | st.sampled_from(SNIPPETS), max_size=12))
    for agent, mode in READERS:
        assert looked_at(AGENTS[agent].reader(mode), lines) == read(AGENTS[agent].reader(mode), lines), (agent, mode)


@pytest.mark.parametrize("recording", KEPT_RECORDINGS, ids=lambda recording: recording.name)
def test_looking_at_any_part_of_a_recording_changes_nothing(recording: Recording) -> None:
    """The same for every recording that ends after any of its lines, or of the last sixty."""
    lines = recording.output.splitlines(keepends=True)
    for end in range(max(0, len(lines) - 60), len(lines) + 1):
        assert looked_at(recording.reader(), lines[:end]) == read(recording.reader(), lines[:end])


@pytest.mark.parametrize(("agent", "mode"), READERS)
def test_looking_at_an_unknown_event_changes_nothing(agent: str, mode: str | None) -> None:
    """After any known one, an event of a kind that a later version may bring tells the same, looked at or not."""
    new = b'{"type":"new","sessionID":"s","session_id":"s","thread_id":"s"}\n'
    for known in SNIPPETS:
        assert looked_at(AGENTS[agent].reader(mode), [known, new]) == read(AGENTS[agent].reader(mode), [known, new])


@pytest.mark.skipif(not FULL.is_dir(), reason="full capture set not present: ../shared/agents/captures")
def test_looking_at_all_recordings_changes_nothing() -> None:
    """The same for the full set of recordings."""
    for recording in recordings_in(FULL):
        if recording.mode != "raw":
            chunks = cut(recording.output, list(range(0, len(recording.output), 5000)))
            assert looked_at(recording.reader(), chunks) == recording.read(), recording.name


@pytest.mark.parametrize("agent", ["plain", "claude"])
def test_what_the_end_brings_is_told_after_a_look(agent: str) -> None:
    """A usage line without its newline counts when the output ends, also for who has looked before."""
    reader = AGENTS[agent].reader()
    reader.feed(DOCUMENTED)
    assert reader.report.usage.total == 0
    reader.close()
    assert (reader.report.usage.total, reader.report.usage_source) == (10, UsageSource.LIVE)


# Readers that add up what stands in many lines, each with such a line.
HUGE = 2**53 - 1
ADDED_UP: dict[str, Any] = {
    "plain": lambda n: b"Token usage: input=%d, output=%d, cache_read=%d, cache_creation=%d\n" % ((10**15 - 1,) * 4),
    "claude": lambda n: claude_message(f"m{n}", f"model-{n % 3}"),
    "claude-old": lambda n: event(
        type="result", session_id="s", is_error=False, total_cost_usd=9e15, usage=claude_usage(), num_turns=HUGE
    ),
    "opencode": lambda n: event(
        type="step_finish",
        sessionID="s",
        part={
            "id": f"p{n}",
            "reason": "stop",
            "cost": 9e15,
            "tokens": {"input": HUGE, "output": HUGE, "reasoning": HUGE, "cache": {"read": HUGE, "write": HUGE}},
        },
    ),
    "qwen": lambda n: claude_message(f"m{n}", "m"),
    "gemini": lambda n: event(
        type="result",
        status="success",
        stats={"total_tokens": HUGE, "input_tokens": HUGE, "cached": HUGE, "tool_calls": HUGE},
    ),
    "codex": lambda n: event(type="turn.completed", usage={"input_tokens": HUGE, "output_tokens": HUGE}),
}


def event(**fields: Any) -> bytes:
    """Return one event as a line."""
    return json.dumps(fields).encode() + b"\n"


def claude_usage() -> dict[str, int]:
    """Return the usage of a message that handled as many tokens as a number can say."""
    kinds = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return dict.fromkeys(kinds, HUGE)


def claude_message(message_id: str, model: str) -> bytes:
    """Return an ``assistant`` line with such a usage."""
    message = {"id": message_id, "model": model, "content": [], "usage": claude_usage()}
    return event(type="assistant", session_id="s", message=message)


@pytest.mark.parametrize("name", ADDED_UP)
def test_no_sum_grows_beyond_what_can_be_written_down(name: str) -> None:
    """However much a line says and however many come, every number fits JSON and SQLite, and none falls."""
    agent = name.split("-")[0]
    reader = AGENTS[agent].reader(None if agent == "plain" else "stream-json")
    before = 0
    for n in range(40):
        reader.feed(ADDED_UP[name](n))
        report = reader.report
        for usage in (report.usage, *report.usage_by_model.values()):
            assert all(0 <= tokens <= LARGEST for tokens in (usage.total, *usage.as_dict().values()))
        assert before <= report.usage.total
        before = report.usage.total
        assert report.cost_usd is None or math.isfinite(report.cost_usd)
        assert report.turns is None or report.turns <= LARGEST
        assert msgspec.json.decode(msgspec.json.encode(report))["usage"] == report.usage.as_dict()
    assert before > 2**50


@given(st.lists(st.integers(0, 10**15 - 1), max_size=60))
def test_plain_sums_are_exact_or_at_their_bound(counts: list[int]) -> None:
    """A sum is the true one as long as it can be written down."""
    line = b"Token usage: input=%d, output=0, cache_read=0, cache_creation=0\n"
    report = read(AGENTS["plain"].reader(), [line % count for count in counts])
    assert report.usage.input_tokens == min(sum(counts), LARGEST // 4)


def test_where_the_counts_come_from_is_told() -> None:
    """Nothing, then what it printed at work, then its own total."""
    recording = kept("claude/tools.sj.stdout")
    told = []
    read(
        recording.reader(), recording.output.splitlines(keepends=True), lambda report: told.append(report.usage_source)
    )
    assert [source for before, source in pairwise([None, *told]) if source is not before] == [
        UsageSource.NONE,
        UsageSource.LIVE,
        UsageSource.FINAL,
    ]
    assert kept("opencode/tools.json.stdout").read().usage_source is UsageSource.LIVE
    assert kept("claude/single.text.stdout").read().usage_source is UsageSource.NONE
