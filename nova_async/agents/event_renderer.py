"""The trunk of every renderer of JSON events: lines in, events to the agent's own renderer, pieces out.

The agent's reader reads along, so that the verdict at the end says what the run itself goes by.
"""

from abc import ABC, abstractmethod
from collections import deque
from typing import Any, NamedTuple

import msgspec

from nova_async._core.money import dollars
from nova_async._core.text import one_line
from nova_async.agents.event_reader import MAX_ERROR, decode, events_in
from nova_async.agents.ledger import MAX_NAME
from nova_async.agents.newest import forget_oldest
from nova_async.agents.reader import AgentReader, AgentReport, LineSplitter
from nova_async.agents.rendering import Piece, PieceKind, left_out, lines_of, shortened
from nova_async.agents.streaming import Stream

__all__ = ["EventRenderer"]

MAX_CALLS = 256  # of tools, known at once by their ids; more are forgotten, oldest first
MAX_STREAMS = 8  # texts that came bit by bit and have not come as a whole yet
MOST_SAID = 64  # texts by which a final answer is known to have been said; a newer Claude repeats several at its end


class Called(NamedTuple):
    """A call of a tool that was shown."""

    label: str
    depth: int
    is_over: bool = False


class _Typed(msgspec.Struct):
    type: Any = None


_TYPED = msgspec.json.Decoder(_Typed)
_ANY = msgspec.json.Decoder(msgspec.Raw)


class EventRenderer(ABC):
    """What the renderers of the five agents share; a subclass takes the events and says what they show."""

    def __init__(self, reader: AgentReader) -> None:
        self._reader = reader
        self._lines = LineSplitter()
        self._pieces: list[Piece] = []
        self._calls: dict[str, Called] = {}  # by their ids
        self._last_call: str | None = None  # the call that was shown last, if neither text nor a call was shown since
        self._streams: list[Stream] = []
        self._speaking: Stream | None = None  # the stream whose text stands at the end of what was shown
        self._scene: Any = None  # the call of the sub-agent that was shown last; None is the agent itself
        self._said: deque[int] = deque(maxlen=MOST_SAID)  # hashes of texts of the agent itself
        self._held: Piece | None = None  # trouble that the verdict may be about
        self._told: AgentReport | None = None  # the verdict

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next bytes of the output, cut anywhere, and return what they show; it never raises."""
        for line in self._lines.feed(chunk):
            self._take(line)
        return self._shown()

    def close(self) -> list[Piece]:
        """Say that nothing more will come, and return what was held back; harmless to repeat."""
        rest = self._lines.close()
        if rest is not None and _is_torn(rest):
            self._put(Piece(PieceKind.WARNING, "the output ends in the middle of an event"))
        elif rest is not None:
            self._take(rest)
        self.take_end()
        self._reader.close()
        report = self._reader.report
        if report.is_error is not None and (self._told is None or _verdict(report) != _verdict(self._told)):
            self.give_verdict()
        self._show_held()
        for piece in left_out(self._lines):
            self._put(piece)
        return self._shown()

    # What a subclass fills in.

    @abstractmethod
    def take_event(self, line: bytes) -> bool:
        """Show one event, a JSON object in one line; say whether it is of a known shape."""

    def take_line(self, line: bytes) -> bool:
        """Take a line that is part of something longer; say whether it is."""
        return False

    def take_end(self) -> None:  # noqa: B027 - most agents hold nothing back
        """Show what is held back."""

    # What it says with.

    def show(self, kind: PieceKind, text: Any, depth: int = 0) -> None:
        """Show a text of several lines, if it is one; a thought only as far as thoughts are shown."""
        if isinstance(text, str) and (shown := Stream(kind).add(text)):
            self._put(Piece(kind, shown, depth))
            if kind is PieceKind.TEXT and depth == 0:
                self._said.append(hash(text.strip()))

    def note(self, kind: PieceKind, text: Any, depth: int = 0) -> None:
        """Show a text in one line, if it is one."""
        if isinstance(text, str) and (shown := one_line(text, MAX_ERROR)):
            self._put(Piece(kind, shown, depth))

    def warn(self, text: Any) -> None:
        """Show trouble in one line with the next event, unless that is a verdict for this very reason."""
        if isinstance(text, str) and (shown := one_line(text, MAX_ERROR)):
            self._show_held()
            self._held = Piece(PieceKind.WARNING, shown)

    def show_lines(self, *lines: bytes) -> None:
        """Show lines that are no events."""
        for piece in lines_of(lines):
            self._put(piece)

    def call(self, call_id: Any, label: str, depth: int = 0) -> None:
        """Show that a tool is called."""
        self._put(Piece(PieceKind.TOOL, label, depth))
        if isinstance(call_id, str) and len(call_id) <= MAX_NAME:
            self._calls[call_id] = Called(label, depth)
            forget_oldest(self._calls, MAX_CALLS)
            self._last_call = call_id

    def called(self, call_id: Any) -> Called | None:
        """Return the call with this id; None if none was shown, or only long ago."""
        return self._calls.get(call_id) if isinstance(call_id, str) else None

    def enter(self, call_id: Any) -> int:
        """Return how deep what follows is, of the sub-agent that was called so or, with None, of the agent itself.

        Where several work at the same time, a line says whose turn it is.
        """
        called = self.called(call_id)
        if call_id != self._scene:
            self._scene = call_id
            if called is not None and self._last_call != call_id:
                self._put(Piece(PieceKind.TOOL, f"{called.label} (continued)", called.depth))
        return called.depth + 1 if called is not None else int(isinstance(call_id, str))

    def give(self, call_id: Any, output: Any, *, failed: bool = False, depth: int = 0) -> None:
        """Show what a tool gave; where something else was shown since it was called, with what it was."""
        text = shortened(output) if isinstance(output, str) else ""
        called = self.called(call_id)
        if called is not None:
            self._calls[call_id] = called._replace(is_over=True)
            depth = called.depth
        if not text.strip() and not failed:
            return
        if called is not None and self._last_call != call_id:
            self._put(Piece(PieceKind.TOOL, f"{called.label} (ended)", depth))
        self._put(Piece(PieceKind.FAILED if failed else PieceKind.OUTPUT, text if text.strip() else "failed", depth))

    def stream(self, kind: PieceKind) -> None:
        """Begin a text of the agent itself that comes bit by bit."""
        self._streams.append(Stream(kind))
        del self._streams[:-MAX_STREAMS]

    def stream_on(self, kind: PieceKind, text: Any) -> None:
        """Show the next bit of it."""
        if not isinstance(text, str):
            return
        if not self._streams or self._streams[-1].kind is not kind:
            self.stream(kind)
        self._add_to(self._streams[-1], text)

    def stream_whole(self, kind: PieceKind, text: str) -> None:
        """Show a whole text of the agent itself, as far as it was not shown bit by bit."""
        for stream in self._streams:
            rest = stream.rest_of(text) if stream.kind is kind else None
            if rest is not None:
                self._add_to(stream, rest)
                self._streams.remove(stream)
                self._end_line()
                if kind is PieceKind.TEXT:
                    self._said.append(hash(text.strip()))
                return
        self.show(kind, text)

    def forget_streams(self) -> None:
        """Take note that another answer begins: what came of an earlier one bit by bit will not come as a whole."""
        self._streams.clear()
        self._end_line()

    def answer(self, text: Any) -> None:
        """Show the final answer, unless it was said before, or says why the agent failed."""
        if isinstance(text, str) and hash(text.strip()) not in self._said and not self._reader.report.is_error:
            self.show(PieceKind.TEXT, text)

    def give_verdict(self) -> None:
        """Show what the reader has made of the events up to here, if it is a verdict."""
        report = self._reader.report
        if report.is_error is None or report == self._told:
            return
        self._told = report
        if self._held is not None and self._held.text == report.error:
            self._held = None
        self._put(Piece(PieceKind.ERROR if report.is_error else PieceKind.END, _in_words(report)))

    # Below the surface.

    def _take(self, line: bytes) -> None:
        self._reader.feed(line + b"\n")
        if self.take_line(line):
            return
        if line[:1] == b"{":
            if not self.take_event(line) and not _is_event(line):
                self.show_lines(line)
        elif line[:1] == b"[" and (events := events_in(line)) and all(_is_event(bytes(event)) for event in events):
            for event in events:
                self.take_event(bytes(event))
        elif line.strip():
            self.show_lines(line)

    def _add_to(self, stream: Stream, text: str) -> None:
        goes_on = stream.begun and self._speaking is stream
        shown = stream.add(text)
        if shown and not goes_on:  # something else was shown in between
            shown = shown.lstrip()
        if shown:
            self._put(stream.piece(shown, continues=goes_on))
            self._speaking = stream

    def _end_line(self) -> None:
        if self._speaking is not None:
            self._put(Piece(self._speaking.kind, "", continues=True))

    def _put(self, piece: Piece) -> None:
        self._show_held()
        self._pieces.append(piece)
        self._speaking = None
        if piece.kind in (PieceKind.TOOL, PieceKind.TEXT):
            self._last_call = None

    def _show_held(self) -> None:
        if self._held is not None:
            self._pieces.append(self._held)
            self._held = None

    def _shown(self) -> list[Piece]:
        pieces, self._pieces = self._pieces, []
        return pieces


def _is_torn(line: bytes) -> bool:
    """Tell whether a last line without an end is the beginning of an event; it may be megabytes long."""
    return line.startswith((b'{"', b'[{"')) and decode(_ANY, line) is None


def _is_event(text: bytes) -> bool:
    """Tell whether JSON has the shape of an event: newer versions print some that we do not know."""
    told = decode(_TYPED, text) if text[:1] == b"{" else None
    return told is not None and isinstance(told.type, str)


def _verdict(report: AgentReport) -> tuple[bool | None, str | None]:
    return report.is_error, report.error


def _in_words(report: AgentReport) -> str:
    parts = ["completed"]
    if report.is_error:
        parts = [f"failed: {one_line(report.error, MAX_ERROR)}" if report.error else "failed"]
    if report.denied:
        parts.append(f"denied: {', '.join(report.denied)}")
    if report.unfinished:
        parts.append(f"unfinished: {', '.join(report.unfinished)}")
    if report.turns:
        parts.append(f"{report.turns} turn{'s' if report.turns > 1 else ''}")
    if report.usage.total:
        parts.append(f"{'' if report.usage_is_final else '≥ '}{report.usage.total:,} tokens")
    if report.cost_usd or (report.cost_usd is not None and report.usage.total):
        parts.append(dollars(report.cost_usd))
    return " · ".join(parts)
