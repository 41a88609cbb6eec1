"""The trunk of every reader of JSON events: lines in, events to the agent's own reader, one report out.

Which lines are events is decided once, by the mode that was asked for on the command line, or by the first line that
only this agent can have printed; never again by what a later line looks like, which a model could forge (G44).
"""

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import msgspec

from nova_async._core.money import without_dust
from nova_async._core.text import one_line
from nova_async.agents.background import Background
from nova_async.agents.failures import MOST_WORDS, THIS_MODEL, failure_of, limit_of_words, retry_after_of
from nova_async.agents.json_weight import WEIGHED_FROM, is_too_heavy
from nova_async.agents.ledger import UsageLedger
from nova_async.agents.plain import PlainReader
from nova_async.agents.reader import MAX_ERROR_LINE, AgentReport, Gauge, LineSplitter, UsageLimit
from nova_async.agents.wording import plain_id
from nova_async.usage import TokenUsage
from nova_async.words import Outcome, UsageSource

__all__ = ["MAX_ERROR", "MODES", "NEVER_ASKED", "UNREADABLE", "EventReader", "decode", "events_in", "http_status"]

MAX_DENIED = 64  # tools named as refused; nobody reads more names, and MCP servers may bring hundreds
MAX_GAUGES = 16  # kinds of limits; an account has a handful
MAX_TOOL_NAME = 100  # characters; those of MCP servers are long
MODES = ("text", "json", "stream-json")
MAX_REPAIRED = 2 * 1024 * 1024  # bytes; the longest real line has 1.5 MB, and Python's texts take four times as much
MAX_EVENTS = 20_000  # in one line, where an agent prints all of them at its end; a run of a day has a few thousand
MAX_ERROR = 300  # characters; a sentence, not a stack trace

UNREADABLE = (ValueError, msgspec.MsgspecError, RecursionError)  # msgspec's errors are ValueErrors since 0.21 only

Shape = TypeVar("Shape")


class _Opening(msgspec.Struct):
    type: Any = None
    session_id: Any = None  # Claude, Gemini, Qwen
    thread_id: Any = None  # Codex
    sessionID: Any = None


_OPENING = msgspec.json.Decoder(_Opening)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_COMPLAINT = re.compile(rb"\s*(?:fatal|error)\b", re.IGNORECASE)
_CURABLE = re.compile(r"utf-8|surrogate|truncated|invalid character|out of range")  # of what msgspec complains about
_NEVER = re.compile(rb"(?!)")
FIRST_LINES = 50  # in which a program says why it does not begin; a wrapper may speak before it
NEVER_ASKED = "the agent reported success, but never called its model (0 tokens)"


def decode(decoder: msgspec.json.Decoder[Shape], text: bytes | msgspec.Raw) -> Shape | None:
    """Decode JSON into a shape, or return None for anything that does not fit it or is too heavy; never raises."""
    if len(memoryview(text)) > WEIGHED_FROM and is_too_heavy(bytes(text)):
        return None
    try:
        return decoder.decode(text)
    except RecursionError:
        return None
    except UNREADABLE as error:
        line = bytes(text).rstrip()
        if not line.endswith((b"}", b"]")) or len(line) > MAX_REPAIRED or not _CURABLE.search(str(error)):
            return None
    try:
        return decoder.decode(_repaired(line))
    except UNREADABLE:
        return None


def events_in(line: bytes) -> list[msgspec.Raw] | None:
    """Return the events of a run that stand in one line; None for any other line, and for more than any run has."""
    events = decode(_ARRAY, line)
    return None if events is None or len(events) > MAX_EVENTS else events


def _repaired(text: bytes) -> bytes:
    # JavaScript prints half of a surrogate pair where it cut a text in two; msgspec refuses the whole line for it,
    # as it does for raw bytes that are no UTF-8 and for numbers out of range.
    loaded = json.loads(
        text.decode("utf-8", "replace"),
        strict=False,
        parse_int=lambda digits: int(digits) if len(digits) < 18 else None,
        parse_float=lambda digits: number if math.isfinite(number := float(digits)) else None,
        parse_constant=lambda _: None,
    )
    return json.dumps(loaded, ensure_ascii=False).encode("utf-8", "replace")


def http_status(value: Any) -> int | None:
    """Return an HTTP error status, or None for anything else."""
    return value if type(value) is int and 400 <= value <= 599 else None


class EventReader(ABC):
    """What the readers of the five agents share; a subclass reads the events and sets the facts.

    Raises ``ValueError`` for a mode that is none of ``MODES`` and not None.
    """

    OPENINGS: ClassVar[frozenset[str]] = frozenset()
    """Types of events with which this agent's output can begin."""
    COUNTS_TEXT: ClassVar[bool] = False
    """Whether the documented usage line counts as long as no event was seen."""
    COSTS_IN_TOTALS: ClassVar[bool] = False
    """Whether it tells its cost with its totals only, so that what it uses after them is in no figure yet."""
    CANNOT_BEGIN: ClassVar[re.Pattern[bytes]] = _NEVER
    """The lines, as the program words them, with which it gives up before its first event."""

    UNKNOWN_SESSION: ClassVar[re.Pattern[bytes]] = _NEVER
    """Those, as it words them, that say that it does not know the session which it was told to resume."""

    def __init__(self, mode: str | None = None) -> None:
        if mode is not None and mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)} or None, not {mode!r}")
        self.session_id: str | None = None
        self.resumes: str | None = None
        """The session that the command resumes, where that is known."""
        self.model: str | None = None
        self.turns: int | None = None
        self.activity: str | None = None
        self.result: str | None = None
        self.is_error: bool | None = None
        self.goes_on = False
        self.error: str | None = None
        self.error_status: int | None = None
        self.failure: Outcome | None = None
        self.retry_after: float | None = None
        self.is_hopeless = False
        self.waits_for: UsageLimit | None = None
        self.limit: UsageLimit | None = None
        self.cost_usd: float | None = None
        self.cost_before = 0.0
        """Of processes whose output came before this one's."""
        self.misses_calls = False
        """Whether calls are known to have been made that are counted nowhere."""
        self.has_answered = False
        """Whether its model has said or called anything; some servers do not tell what they have used."""
        self.gauges: dict[str, Gauge] = {}  # by kind
        self.session_refused = False
        self.denied: dict[str, None] = {}  # in order, each once
        self.background = Background()
        self.ledger = UsageLedger()
        self.an_hour = UsageLedger()
        """Of what is written into caches, what is kept there for an hour; totals do not tell, so none replaces it."""
        self._mode = mode
        self._text = None if mode in ("json", "stream-json") else PlainReader(counts_usage=self.COUNTS_TEXT)
        self._lines = LineSplitter()
        self._error_lines = LineSplitter(MAX_ERROR_LINE)
        self._complaint: str | None = None  # why it did not begin
        self._gave_up = False  # whether that is what this program says when it gives up
        self._last_note: str | None = None
        self._knows_no_session = False
        self._first_lines = FIRST_LINES
        self._events_seen = False
        self._changed = False
        self._report = AgentReport(expects_result=self._text is None)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the output, cut anywhere; it never raises and never waits."""
        lines = self._lines.feed(chunk)
        if lines:
            self._read(lines)

    @property
    def feed_error(self) -> Callable[[bytes], None] | None:
        """Takes the next bytes of standard error, cut anywhere; None in text mode, where both streams are one text."""
        return None if self._mode == "text" else self._feed_error

    def close(self) -> None:
        """Say that nothing more will come, so that a last line without its end counts; harmless to repeat."""
        rest, error = self._lines.close(), self._error_lines.close()
        if rest is not None:
            self._read([rest])
        if error is not None:
            self._changed |= self.read_error(error)
        self.read_end()
        if not self._events_seen:
            # Once it has begun, it had its session: such a line is a hook's.
            self.session_refused |= self._knows_no_session
            self._changed |= self.session_refused
            if self.error is None:
                self._explain_silence()

    def _explain_silence(self) -> None:
        """Say why there was no event at all; in a text, only where it is certain that the program says so itself."""
        why = self._complaint or (self._last_note if self._text is None else None)
        if why and (self._gave_up or self._text is None):
            self._changed = True
            self.fail(why, None)
            if not self._gave_up:
                self.limit = None  # whoever said that, it must not stop all that the account runs

    @property
    def report(self) -> AgentReport:
        """What is known now; the same object as long as nothing changed."""
        oversize = self._lines.oversize_lines
        if self._text is not None:
            text = self._text.report
            if oversize == 0 and self.error is None:
                return text
            report = replace(
                text, oversize_lines=oversize, error=self.error, failure=self.failure, limit=self.limit,
                session_refused=self.session_refused,
            )  # fmt: skip
            if report != self._report:
                self._report = report
        elif self._changed or oversize != self._report.oversize_lines:
            self._changed = False
            report = self._compose(oversize)
            if report != self._report:
                self._report = report
        return self._report

    def _compose(self, oversize: int) -> AgentReport:
        usage, by_model = self.ledger.read()
        source = UsageSource.LIVE if usage.total else UsageSource.NONE
        return AgentReport(
            usage=usage, usage_by_model=by_model, kept_an_hour=self.an_hour.read_kept(),
            cost_usd=None if self.cost_usd is None else without_dust(self.cost_usd),
            cost_is_behind=self.COSTS_IN_TOTALS and self.cost_usd is not None and not self.ledger.is_settled,
            usage_source=UsageSource.FINAL if self.ledger.is_settled else source,
            usage_is_final=self.ledger.is_settled and not self.misses_calls,
            denied=tuple(self.denied), expects_result=True,
            gauges=tuple(self.gauges.values()), session_refused=self.session_refused,
            unfinished=self.background.names if self.is_error is False else (),
            session_id=self.session_id, model=self.model, turns=self.turns, activity=self.doing(),
            result=self.result, limit=self.limit, waits_for=self.waits_for, is_hopeless=self.is_hopeless,
            oversize_lines=oversize, goes_on=self.goes_on, **self._verdict(usage),
        )  # fmt: skip

    def _verdict(self, usage: TokenUsage) -> dict[str, Any]:
        """Say how it ended; a success without its model (a prompt taken for a command of its own, a hook) is none."""
        if self.is_error is False and not usage.total and not self.has_answered:
            told = one_line(self.result or "", MAX_ERROR // 2)
            return {"is_error": True, "error": f"{NEVER_ASKED}: {told}" if told else NEVER_ASKED}
        return {
            "is_error": self.is_error, "error": self.error, "error_status": self.error_status, "failure": self.failure,
            "retry_after": self.retry_after,
        }  # fmt: skip

    def fail(self, words: str, status: int | None) -> None:
        """Take note of what the agent itself says went wrong, and of the HTTP status that it names."""
        self.error, self.error_status = one_line(words, MAX_ERROR), status
        self.limit = self.limit_in(words, status)
        self.failure = failure_of(words, status)
        is_busy = self.failure is Outcome.OVERLOAD and self.limit is None
        self.retry_after = retry_after_of(words) if is_busy else None

    def wait_for(self, words: str) -> None:
        """Take note that it says on standard error why it waits; a limit that is over in a moment is none."""
        self.waits_for = self.limit_in(words, None)

    def limit_in(self, words: str, status: int | None) -> UsageLimit | None:
        """Return the limit that the agent's own words tell of, with the name of the model that they are about."""
        limit = limit_of_words(words, status)
        if limit is not None and limit.model == THIS_MODEL and self.model is not None:
            return replace(limit, model=self.model)
        return limit

    def succeed(self) -> None:
        """Take note that it has succeeded, whatever went wrong on the way."""
        self.is_error, self.limit = False, None
        self.forget_failure()

    def forget_failure(self) -> None:
        """Take note that it goes on after what went wrong."""
        self.error = self.error_status = self.failure = self.retry_after = None

    def begin_process(self, session_id: Any) -> None:
        """Take a session's id from an event that begins one.

        Another id than before is another process in the same output (a script that calls the agent twice): what it
        uses comes on top, and its own end decides.
        """
        name = plain_id(session_id)
        if name is None or name == self.session_id:
            return
        if self.session_id is not None:
            self.misses_calls |= not self.ledger.is_settled
            self.ledger.close_book()
            self.cost_before = self.cost_usd or 0.0
            self.is_error = self.limit = None
            self.goes_on = False
            self.forget_failure()
            self.background.clear()
        self.session_id = name

    def is_another(self, session_id: Any) -> bool:
        """Tell whether an event begins another session than was under way, or than was to be resumed."""
        known = self.session_id or self.resumes
        return known is not None and plain_id(session_id) != known

    def refuse(self, tool: Any) -> None:
        """Take note that the agent was refused a tool."""
        name = one_line(tool, MAX_TOOL_NAME) if isinstance(tool, str) else ""
        if name and len(self.denied) < MAX_DENIED:
            self.denied.setdefault(name)

    def note_gauge(self, kind: str, gauge: Gauge | None) -> None:
        """Take note of how full a limit of the account is; None where it holds nobody up any more."""
        if gauge is None:
            self.gauges.pop(kind, None)
        elif kind in self.gauges or len(self.gauges) < MAX_GAUGES:
            self.gauges[kind] = gauge

    # What a subclass fills in.

    @abstractmethod
    def read_event(self, line: bytes) -> bool:
        """Take one event, a JSON object in one line; say whether it changed anything."""

    def read_events(self, lines: list[bytes]) -> None:
        """Take the finished lines of an output that is known to consist of events."""
        for line in lines:
            first = line[:1]
            if first == b"{":
                if self.waits_for is not None:  # it goes on, or somebody else said that
                    self.waits_for, self._changed = None, True
                is_read = self.read_event(line)
                self._changed |= is_read
                self._lines.oversize_lines += not is_read and len(line) > MAX_REPAIRED
                self._events_seen = True
            elif first == b"[":  # one line with all the events (Qwen's json, Claude's json with --verbose)
                events = events_in(line)
                self._lines.oversize_lines += events is None and len(line) > MAX_REPAIRED
                for event in events or ():
                    self._changed |= self.read_event(bytes(event))
                    self._events_seen = True
            elif line:
                self._changed |= self.read_note(line)

    def read_note(self, line: bytes) -> bool:
        """Take a line that is no event, mostly of standard error; say whether it changed anything."""
        said = line[: 4 * MAX_ERROR].decode("utf-8", "replace")
        self._last_note = one_line(said, MAX_ERROR) or self._last_note
        knows_no_session = self.UNKNOWN_SESSION.match(line) is not None
        self._knows_no_session |= knows_no_session
        gave_up = knows_no_session or self.CANNOT_BEGIN.match(line) is not None
        if self._complaint is None and (gave_up or _COMPLAINT.match(line)):
            self._complaint, self._gave_up = self._last_note, gave_up
        return False

    def read_error(self, line: bytes) -> bool:
        """Take a line of standard error; say whether it changed anything. An event there is not the agent's."""
        return bool(line) and not line.startswith((b"{", b"[")) and self.read_note(line)

    def read_end(self) -> None:  # noqa: B027 - to most agents the end says nothing
        """Take the end of the output."""

    def doing(self) -> str | None:
        """Say what the agent is doing; asked only when somebody reads the report."""
        return self.activity

    def opens(self, line: bytes) -> bool:
        """Tell whether a line is an event that only this agent, and not a model in its text, would begin with."""
        if line[:1] == b"[":
            return any(self.opens(bytes(event)) for event in (events_in(line) or [])[:1])
        event = decode(_OPENING, line) if line[:1] == b"{" else None
        if event is None or not isinstance(event.type, str) or event.type not in self.OPENINGS:
            return False
        return any(isinstance(known, str) for known in (event.session_id, event.thread_id, event.sessionID))

    def _feed_error(self, chunk: bytes) -> None:
        for line in self._error_lines.feed(chunk):
            self._changed |= self.read_error(line)

    def _look_for_refusal_to_begin(self, line: bytes) -> None:
        self.session_refused = self.UNKNOWN_SESSION.match(line) is not None
        if self.session_refused or self.CANNOT_BEGIN.match(line):
            self.fail(line[:MOST_WORDS].decode("utf-8", "replace"), None)

    def _read(self, lines: list[bytes]) -> None:
        if self._text is not None:
            for number, line in enumerate(lines):
                if line[:1] in (b"{", b"[") and self.opens(line):
                    if self._mode is None:
                        self._text, self._changed = None, True
                        lines = lines[number:]
                        break
                    self._text.stop_counting()
                elif self._first_lines > 0 and self.error is None:
                    self._look_for_refusal_to_begin(line)
                self._first_lines -= 1
                self._text.feed(line + b"\n")
            else:
                return
        self.read_events(lines)
