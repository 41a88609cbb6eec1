"""Lines that would become something enormous: neither memory nor the event loop is theirs."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.agents import AGENTS, AgentReport, json_weight
from nova_async.agents.json_weight import MAX_VALUES, is_too_heavy
from nova_async.attempt.outcome import outcome_of, sentence_for
from nova_async.words import Outcome, WorkerEnd
from tests.agents.recordings import pieces, read
from tests.agents.test_forgeries import JSON

SIZE = 4 * 1024 * 1024  # bytes; before, each of these took 100 MB and more
MODES = {"claude": "stream-json", "codex": "json", "gemini": "stream-json", "opencode": "json", "qwen": "stream-json"}


def filled(begin: str, unit: str, end: str) -> bytes:
    """Return a line of so many units."""
    return (begin + unit * (SIZE // len(unit)) + end + "\n").encode()


BOMBS = {
    "blocks of an answer": filled('{"type":"assistant","message":{"id":"m","content":[', "{},", "{}]}}"),
    "lists as usage": filled('{"type":"result","usage":[', "[],", "[]]}"),
    "models": filled('{"type":"result","modelUsage":{', '"a":{},', '"b":{}}}'),
    "objects": filled('{"type":"turn.completed","usage":[', '{"":0},', "0]}"),
    "a field that nobody reads": filled('{"type":"result","zz":[', "0,", "0]}"),
    "texts": filled('{"type":"result","errors":[', '"",', '""]}'),
    "half a character at the end": filled('{"type":"result","errors":[', "{},", '"\\ud800"]}'),
    "all events in one line": filled("[", "{},", "{}]"),
    "a document in a text": filled('{"type":"error","message":["\\"",', '"\\\\",', "0]}"),
    "lists in lists": filled('{"type":"result","errors":', "[", ""),
    "objects in objects": filled('{"type":"result","errors":', '{"a":', ""),
}


@pytest.mark.parametrize("agent", list(MODES))
@pytest.mark.parametrize("name", BOMBS)
def test_a_line_with_a_million_values_is_not_decoded(agent: str, name: str) -> None:
    """It is counted as not read, and costs no more memory than its bytes, a few times over; what follows is read."""
    bomb = BOMBS[name]
    reader = AGENTS[agent].reader(MODES[agent])
    tracemalloc.start()
    try:
        for chunk in pieces(bomb, 1 << 20):
            reader.feed(chunk)
        assert tracemalloc.get_traced_memory()[1] < 5 * SIZE
    finally:
        tracemalloc.stop()
    report = reader.report
    assert (report.oversize_lines, report.usage.total, report.is_error) == (1, 0, None)


def test_a_document_of_many_lines_is_weighed_as_well() -> None:
    """Gemini's json mode prints one over many lines."""
    row = b"  {}" + b", {}" * 30 + b",\n"
    lines = b'{\n  "session_id": "s",\n  "stats": [\n' + row * (SIZE // len(row)) + b"  0]\n}\n"
    report = read(AGENTS["gemini"].reader("json"), pieces(lines, 1 << 20))
    assert (report.oversize_lines, report.session_id) == (1, None)


def test_a_last_line_without_an_end_is_weighed_as_well() -> None:
    """The end of the output ends it."""
    bomb = BOMBS["objects"].rstrip(b"\n")
    assert read(AGENTS["codex"].reader("json"), pieces(bomb, 1 << 20)).oversize_lines == 1


@pytest.mark.parametrize("text", ["a,b;", "[{(", '\\"', '\\\\",', "\n\t", "é,"])
def test_a_long_text_is_no_weight(text: str) -> None:
    """A megabyte of a table, of code, or of JSON in a text is read."""
    said = text * (1_500_000 // len(text))
    line = json.dumps({"type": "result", "is_error": False, "session_id": "s", "result": said, "modelUsage": {}})
    report = read(AGENTS["claude"].reader("stream-json"), [line.encode() + b"\n"])
    assert (report.oversize_lines, report.session_id) == (0, "s")
    assert report.result == said[: 1024 * 1024]


def test_a_run_in_one_line_may_be_long() -> None:
    """A mode that prints all events at its end prints thousands of them in one line."""
    events: list[Any] = [{"type": "system", "subtype": "init", "session_id": "s"}]
    fields = {"field": list(range(60))}
    events += [{"type": "user", "message": {"content": [{"type": "tool_result", "x": fields}]}}] * 5000
    events += [{"type": "result", "is_error": False, "session_id": "s", "result": "done", "num_turns": 2,
                "modelUsage": {"m": {"inputTokens": 1}}}]  # fmt: skip
    report = read(AGENTS["claude"].reader("json"), [json.dumps(events).encode() + b"\n"])
    assert (report.is_error, report.usage.total, report.oversize_lines) == (False, 1, 0)


def test_a_long_line_that_nobody_can_read_is_counted() -> None:
    """One that would have to be repaired first is not, beyond two megabytes."""
    told = b'{"type":"result","is_error":true,"result":"\\ud800' + b"x" * 3_000_000 + b'"}\n'
    assert read(AGENTS["claude"].reader("stream-json"), [told]).oversize_lines == 1
    assert read(AGENTS["claude"].reader("stream-json"), [told[:50] + told[-1_000_000:]]).error is not None


def test_it_is_said_that_lines_were_left_out() -> None:
    """Where the verdict may have been among them."""
    for left_out, told in ((1, " (1 line was too large to read)"), (2, " (2 lines were too large to read)"), (0, "")):
        report = AgentReport(expects_result=True, oversize_lines=left_out)
        outcome = outcome_of(WorkerEnd.EXITED, 0, report)
        assert outcome is Outcome.LOST_TAIL
        assert sentence_for(outcome, None, report) == f"exited with code 0, but without a final result{told}"


def values_in(document: Any) -> Iterator[Any]:
    """Give every value of a document."""
    yield document
    inner = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    for value in inner:
        yield from values_in(value)


@given(st.lists(JSON | st.text('\\"{[,')), st.integers(1, 30))
def test_what_is_counted_are_values(document: list[Any], most: int) -> None:
    """Whatever stands in its texts, a document is too heavy if and only if it has so many values."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_weight, "WEIGHED_FROM", 0)
        patch.setattr(json_weight, "MAX_VALUES", most)
        event = {"a": document}
        values = sum(1 for _ in values_in(event)) - 1  # the event itself is none
        heavy = is_too_heavy(json.dumps(event).encode())
        # Brackets and commas: as many as values, but for a container that is empty or begins another.
        assert heavy or values <= 2 * most
        assert not heavy or 2 * values + 2 > most


def test_short_lines_are_not_weighed() -> None:
    """They cannot hold as much, so nothing is spent on them."""
    assert not is_too_heavy(b"[" + b"0," * (MAX_VALUES - 10) + b"0]")
