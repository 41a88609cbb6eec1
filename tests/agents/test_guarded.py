"""A reader of somebody else's may do anything: it loses its counting, and nobody else loses anything."""

import json
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async import TokenUsage
from nova_async.agents import AGENTS, AgentReader, AgentReport, Gauge, GuardedReader, Piece, PieceKind, UsageLimit
from nova_async.agents.guarded import GuardedRenderer
from tests.agents.recordings import KEPT_RECORDINGS, read

GOOD = AgentReport(usage=TokenUsage(1, 2, 3, 4), usage_is_final=True, cost_usd=0.5, session_id="s1", result="done")


class Unspeakable(Exception):
    """An error that cannot even be printed."""

    def __str__(self) -> str:
        raise RuntimeError


ERRORS = [ValueError("boom"), Unspeakable(), RecursionError(), SystemExit(3), KeyError("k"), StopIteration()]


class Scripted:
    """A reader that does what it is told at each call: raises an exception, or goes on and reports something."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.calls = 0

    def do(self) -> Any:
        """Take the next step; after the last one it is repeated."""
        self.calls += 1
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, BaseException):
            raise step
        return step

    def feed(self, chunk: bytes) -> None:
        """Take a step."""
        self.do()

    def close(self) -> None:
        """Take a step."""
        self.do()

    @property
    def report(self) -> AgentReport:
        """What the step says."""
        made: AgentReport = self.do()
        return made


def use(reader: AgentReader) -> list[AgentReport]:
    """Use a reader as a worker does, and return what it reported."""
    seen = [reader.report]
    for _ in range(3):
        reader.feed(b"x\n")
        seen.append(reader.report)
    reader.close()
    return [*seen, reader.report, reader.report]


@given(st.lists(st.sampled_from([GOOD, AgentReport(), None, *ERRORS]), min_size=1, max_size=9))
def test_whatever_a_reader_does_nothing_is_raised(steps: list[Any]) -> None:
    """After the first fault the last good report stays, with a note, no longer final; the reader is left alone."""
    scripted = Scripted(*steps)
    reader = GuardedReader(lambda: scripted)
    seen = use(reader)
    failed = [report for report in seen if report.error is not None]
    assert all(report.usage_is_final is False for report in failed)
    assert all(report is failed[0] for report in failed)
    assert failed == seen[len(seen) - len(failed) :]
    if failed:
        assert str(failed[0].error).startswith("its reader failed: ")
        assert str(failed[0].error).endswith("; nothing is counted from here on")
        calls = scripted.calls
        use(reader)
        assert scripted.calls == calls
    good = [report for report in seen if report.error is None]
    if failed and good:
        assert failed[0].usage == good[-1].usage


def refuse() -> AgentReader:
    """Make no reader."""
    raise OSError("no such model")


def test_a_reader_that_cannot_be_made_counts_nothing() -> None:
    """The note is there from the first moment on."""
    report = use(GuardedReader(refuse))[0]
    assert report.error == "its reader failed: OSError: no such model; nothing is counted from here on"
    assert report.usage == TokenUsage()


def test_an_interrupt_of_the_user_passes() -> None:
    """Ctrl-C is no fault of the reader."""
    reader = GuardedReader(lambda: Scripted(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        reader.feed(b"x")


NONSENSE: list[tuple[str, Any]] = [
    ("usage", None),
    ("usage", TokenUsage(-1)),
    ("usage", TokenUsage(2**53)),
    ("usage", TokenUsage(2**52, 2**52, 2**52, 2**52)),
    ("usage", TokenUsage(True)),
    ("usage", TokenUsage(1.5)),  # type: ignore[arg-type]
    ("usage_by_model", {"m": 5}),
    ("usage_by_model", {5: TokenUsage()}),
    ("usage_by_model", [("m", TokenUsage())]),
    ("kept_an_hour", {"m": -1}),
    ("kept_an_hour", {5: 1}),
    ("kept_an_hour", [("m", 1)]),
    ("usage_is_final", "yes"),
    ("usage_source", "guessed"),
    ("usage_source", []),
    ("cost_usd", float("nan")),
    ("cost_usd", float("inf")),
    ("cost_usd", -0.1),
    ("cost_usd", "1"),
    ("cost_is_behind", 1),
    ("session_id", 7),
    ("model", b"m"),
    ("turns", -1),
    ("activity", 5),
    ("result", b"done"),
    ("is_error", "no"),
    ("goes_on", "yes"),
    ("error", 5),
    ("error_status", "401"),
    ("limit", "weekly"),
    ("limit", UsageLimit(5)),  # type: ignore[arg-type]
    ("limit", UsageLimit("usage", "tomorrow")),  # type: ignore[arg-type]
    ("limit", UsageLimit("usage", datetime(2026, 11, 26))),  # in no time zone
    ("limit", UsageLimit("usage", resets_told=5)),  # type: ignore[arg-type]
    ("limit", UsageLimit("usage", model=5)),  # type: ignore[arg-type]
    ("waits_for", "3pm"),
    ("retry_after", "34s"),
    ("retry_after", -1.0),
    ("gauges", None),
    ("gauges", (0.5,)),
    ("gauges", (Gauge("five_hour", 1.5),)),
    ("gauges", (Gauge("five_hour", float("nan")),)),
    ("gauges", (Gauge("five_hour", None),)),  # type: ignore[arg-type]
    ("gauges", (Gauge(None, 0.5),)),  # type: ignore[arg-type]
    ("gauges", (Gauge("five_hour", 0.5, 1_795_334_065),)),  # type: ignore[arg-type]
    ("session_refused", "yes"),
    ("denied", ["Bash"]),
    ("denied", (1,)),
    ("unfinished", (1,)),
    ("failure", "ok"),
    ("failure", []),
    ("looks_like", 5),
    ("is_hopeless", None),
    ("expects_result", None),
    ("oversize_lines", None),
]


@pytest.mark.parametrize(("field", "value"), NONSENSE, ids=[f"{field}={value}" for field, value in NONSENSE])
def test_a_field_of_nonsense_is_no_report(field: str, value: Any) -> None:
    """A report that could not be shown, encoded or added up counts as a fault; what was good before stays."""
    nonsense = replace(GOOD, **{field: value})
    last = use(GuardedReader(lambda: Scripted(GOOD, GOOD, nonsense)))[-1]
    assert (last.usage, last.session_id, last.result) == (GOOD.usage, GOOD.session_id, GOOD.result)
    assert str(last.error).startswith(f"its reader failed: TypeError: report.{field} has an invalid value")


def test_every_field_is_looked_at() -> None:
    """No field of a report can be filled with anything at all."""
    assert {field for field, _ in NONSENSE} == {field.name for field in fields(AgentReport)}


@pytest.mark.parametrize("made", ["report", {"usage": 1}, TokenUsage(1)], ids=str)
def test_something_else_is_no_report(made: Any) -> None:
    """A reader must report an AgentReport."""
    last = use(GuardedReader(lambda: Scripted(GOOD, GOOD, made)))[-1]
    assert (last.usage, last.usage_is_final) == (GOOD.usage, False)
    assert "not an AgentReport" in str(last.error)


def test_no_report_at_all_is_a_fault() -> None:
    """A reader that reports nothing from the first look on is not taken for one that has seen nothing yet."""
    assert "NoneType" in str(use(GuardedReader(lambda: Scripted(None)))[0].error)


def test_texts_are_made_fit_to_be_shown() -> None:
    """Escapes, lone surrogates, endless lines and ids that look like options do not get through."""
    odd = "\x1b[31m" + "x\n\ud800" * 10_000
    report = AgentReport(
        activity=odd, error="\n", result=odd, model=odd, session_id="--resume", denied=(odd,) * 99,
        usage_by_model={odd: TokenUsage(1), **{f"m{n}": TokenUsage(1) for n in range(999)}},
        kept_an_hour={odd: 1, **{f"m{n}": 1 for n in range(999)}},
    )  # fmt: skip
    shown = use(GuardedReader(lambda: Scripted(report)))[-1]
    assert shown.session_id is None
    assert shown.error is None
    assert len(shown.usage_by_model) == len(shown.kept_an_hour) == len(shown.denied) == 64
    for text in (shown.activity, shown.model, *shown.denied, *shown.usage_by_model, *shown.kept_an_hour):
        assert text is not None
        assert text.isprintable()
        assert len(text) <= 200
    assert json.loads(msgspec.json.encode(shown))["usage"]["input_tokens"] == 0


@pytest.mark.parametrize("recording", KEPT_RECORDINGS, ids=lambda recording: recording.name)
def test_a_reader_that_behaves_is_passed_on_unchanged(recording: Any) -> None:
    """What our own readers report is the same through the guard, and one object as long as nothing changes."""
    guarded = GuardedReader(recording.reader)
    assert read(guarded, [recording.output]) == recording.read()
    assert guarded.report is guarded.report


def test_our_own_readers_are_not_guarded() -> None:
    """They pay nothing for what they do not need."""
    assert not [name for name in ("claude", "codex", "plain") if isinstance(AGENTS[name].reader(), GuardedReader)]


class OddRenderer:
    """Shows one good piece, then whatever it is told to."""

    def __init__(self, then: object) -> None:
        self.then = then

    def feed(self, chunk: bytes) -> Any:
        """Show what is good, and else what it was told to."""
        if chunk == b"good\n":
            return [Piece(PieceKind.TEXT, "\x1b[31mgood", depth=99)]
        if isinstance(self.then, BaseException):
            raise self.then
        return self.then

    def close(self) -> Any:
        """Hold nothing back."""
        return []


@pytest.mark.parametrize("then", [ValueError("broken"), SystemExit(1), None, ["text"], [Piece("odd", "x")], 5])  # type: ignore[arg-type]
def test_a_renderer_that_breaks_is_replaced_by_lines(then: object) -> None:
    """What it gave before is made fit to be shown, and from there on every line is shown as it is."""
    guarded = GuardedRenderer(lambda: OddRenderer(then))
    assert guarded.feed(b"good\n") == [Piece(PieceKind.TEXT, "good", depth=8)]
    warning, line = guarded.feed(b"bad\n")
    assert warning.kind is PieceKind.WARNING
    assert warning.text.startswith("its renderer failed: ")
    assert line == Piece(PieceKind.OTHER, "bad")
    assert guarded.feed(b"good\nno end") == [Piece(PieceKind.OTHER, "good")]
    assert guarded.close() == [Piece(PieceKind.OTHER, "no end")]
    assert guarded.close() == []


def test_a_renderer_that_cannot_be_made() -> None:
    """That is told once, and the lines are shown."""

    def make() -> OddRenderer:
        raise KeyError("mode")

    guarded = GuardedRenderer(make)
    assert [piece.kind for piece in guarded.feed(b"a\n")] == [PieceKind.WARNING, PieceKind.OTHER]
    assert [piece.kind for piece in guarded.feed(b"b\n")] == [PieceKind.OTHER]


def test_ctrl_c_within_a_renderer_is_not_swallowed() -> None:
    """Somebody wants to leave."""
    with pytest.raises(KeyboardInterrupt):
        GuardedRenderer(lambda: OddRenderer(KeyboardInterrupt())).feed(b"x\n")


def test_a_reader_whose_end_raises_keeps_what_it_has_told() -> None:
    """What was counted up to there stays, and says that it is not the whole."""

    class Ending(Scripted):
        def close(self) -> None:
            raise ValueError("at the end")

    reader = GuardedReader(lambda: Ending(GOOD))
    reader.feed(b"x")
    assert reader.report == GOOD
    reader.close()
    reader.close()
    assert reader.report.usage == GOOD.usage
    assert "at the end" in (reader.report.error or "")


def test_a_reader_that_was_given_up_takes_no_more_of_standard_error() -> None:
    """Nor does it raise."""

    class Listening(Scripted):
        def feed_error(self, chunk: bytes) -> None:
            raise ValueError("no")

    reader = GuardedReader(lambda: Listening(GOOD))
    assert reader.feed_error is not None
    for _ in range(2):
        reader.feed_error(b"x")
    assert reader.report.error is not None
