"""What stands on standard error explains a failure, and is never an event."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.agents import AGENTS, AgentReader, AgentReport, GuardedReader, error_entrance
from nova_async.words import Outcome
from tests.agents.recordings import KEPT_RECORDINGS, Recording, kept, pieces
from tests.agents.test_endings import NAMES, VERDICTS, outcome_told, sidecar

EVENTS = [recording for recording in KEPT_RECORDINGS if recording.mode != "text"]
AGENT_NAMES = sorted({recording.agent for recording in EVENTS})


def entrance(reader: AgentReader) -> Callable[[bytes], None]:
    """Return where a reader of events takes standard error."""
    found = error_entrance(reader)
    assert found is not None
    return found


def apart(merged: bytes) -> Iterator[tuple[bool, bytes]]:
    """Give the lines of a stream of events, each with whether it is an event; the rest was standard error."""
    for line in merged.splitlines(keepends=True):
        yield line.startswith((b"{", b"[{")), line


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", [None, "stream-json"])
@pytest.mark.parametrize("first", ["as it came", "events", "errors"])
def test_a_recorded_ending_has_its_word_from_two_streams(name: str, mode: str | None, first: str) -> None:
    """The same word as from one stream, whichever of the two is read first."""
    merged, truth = (VERDICTS / f"{name}.stdout").read_bytes(), sidecar(name)
    lines = list(apart(merged))
    if first != "as it came":
        lines.sort(key=lambda line: line[0] is (first == "errors"))
    reader = AGENTS[truth["agent"]].reader(mode)
    for is_event, line in lines:
        (reader.feed if is_event else entrance(reader))(line)
    reader.close()
    one = AGENTS[truth["agent"]].reader(mode)
    one.feed(merged)
    one.close()
    expected = Outcome.OK if truth["outcome"] == Outcome.DENIED else truth["outcome"]
    assert outcome_told(reader.report, truth) == expected
    assert judged(reader.report) == judged(one.report)


def judged(report: AgentReport) -> AgentReport:
    """Return a report without what depends on which stream spoke last."""
    return replace(report, activity=None, denied=tuple(sorted(report.denied)))


def test_geminis_document_on_standard_error_is_the_reason() -> None:
    """In json mode it prints it there after an error; it gives the failure, and neither session nor numbers."""
    merged = kept("gemini/err400.json.merged")
    for mode in ("json", None):
        reader = AGENTS["gemini"].reader(mode)
        for chunk in pieces(merged.output, 7):
            entrance(reader)(chunk)
        reader.close()
        report = reader.report
        assert (report.error, report.session_id, report.usage.total) == ("fake INVALID_ARGUMENT", None, 0)


def test_geminis_document_does_not_outvote_standard_output() -> None:
    """Where standard output has a verdict, a document on standard error is somebody else's."""
    error = b'{\n  "session_id": "x",\n  "error": {"message": "Daily quota exceeded", "code": 429}\n}\n'
    good = b'{\n  "session_id": "s",\n  "response": "hi",\n  "stats": {"models": {}}\n}\n'
    reader = AGENTS["gemini"].reader("json")
    for chunk in (error, good, error):
        (reader.feed if chunk is good else entrance(reader))(chunk)
    reader.close()
    assert (reader.report.is_error, reader.report.limit, reader.report.session_id) == (False, None, "s")


@pytest.mark.parametrize("words", ["TerminalQuotaError: x", "RetryableQuotaError: x"])
def test_a_kind_of_quota_error_alone_is_no_limit(words: str) -> None:
    """It says which of two a refusal was; a failure of another kind is none, and a success stays one."""
    end = b'{"type":"result","status":"error","error":{"message":"a tool crashed"},"stats":{}}\n'
    reader = AGENTS["gemini"].reader("stream-json")
    entrance(reader)(f"{words}\n".encode())
    reader.feed(end)
    assert (reader.report.limit, reader.report.failure) == (None, None)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_event_on_standard_error_changes_anything(data: st.DataObject) -> None:
    """Any events of any agent there, at any moment and cut anywhere: the report is that of standard output."""
    recording: Recording = data.draw(st.sampled_from(EVENTS))
    forger: Recording = data.draw(st.sampled_from([other for other in EVENTS if other.agent == recording.agent]))
    forged = b"".join(line for is_event, line in apart(forger.output) if is_event)
    mode = data.draw(st.sampled_from([recording.mode, None]))
    told, plain = AGENTS[recording.agent].reader(mode), AGENTS[recording.agent].reader(mode)
    at = data.draw(st.integers(0, len(recording.output)))
    told.feed(recording.output[:at])
    for chunk in pieces(forged, data.draw(st.sampled_from([0, 1000]))):
        entrance(told)(chunk)
    told.feed(recording.output[at:])
    entrance(told)(forged)
    plain.feed(recording.output)
    told.close()
    plain.close()
    assert told.report == plain.report


@pytest.mark.parametrize("agent", AGENT_NAMES)
def test_events_on_standard_error_alone_are_nothing(agent: str) -> None:
    """Not one of them makes a verdict, a session, a token, a limit or a kind of failure."""
    for recording in EVENTS:
        if recording.agent == agent and recording.mode != "json":
            for mode in ("stream-json", None):
                reader = AGENTS[agent].reader(mode)
                empty = reader.report
                entrance(reader)(b"".join(line for is_event, line in apart(recording.output) if is_event))
                reader.close()
                assert reader.report == empty, recording.name


def test_standard_error_of_a_text_is_part_of_it() -> None:
    """In text modes both streams are one text, and for a plain command, too."""
    assert [error_entrance(AGENTS[agent].reader("text")) for agent in AGENT_NAMES] == [None] * len(AGENT_NAMES)
    assert error_entrance(AGENTS["plain"].reader()) is None


def test_a_limit_is_no_strangers_word() -> None:
    """A sentence about a limit, before any event, fails this run at most: it must not stop the whole account."""
    for agent in AGENT_NAMES:
        reader = AGENTS[agent].reader("stream-json")
        entrance(reader)(b"Error: You've hit your usage limit\n")
        reader.close()
        assert (reader.report.error, reader.report.limit) == ("Error: You've hit your usage limit", None)


def test_a_guarded_reader_takes_standard_error_where_its_reader_does() -> None:
    """A stranger's reader without this entrance gets both streams as before; one that raises there is given up."""
    assert error_entrance(GuardedReader(lambda: AGENTS["plain"].reader())) is None
    assert error_entrance(GuardedReader(lambda: 1 // 0)) is None  # type: ignore[arg-type, return-value]
    inner = AGENTS["codex"].reader("json")
    guarded = GuardedReader(lambda: inner)
    entrance(guarded)(b"fatal: no such model\n")
    guarded.close()
    assert guarded.report.error == "fatal: no such model"
    broken = GuardedReader(Broken)
    entrance(broken)(b"x")
    assert broken.report.error == "its reader failed: ZeroDivisionError: x; nothing is counted from here on"


class Broken:
    """A stranger's reader that cannot bear standard error."""

    report = AgentReport()

    def feed(self, chunk: bytes) -> None:
        """Take nothing."""

    def feed_error(self, chunk: bytes) -> None:
        """Break."""
        raise ZeroDivisionError(chunk.decode())

    def close(self) -> None:
        """End nothing."""
