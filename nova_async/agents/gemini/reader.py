"""Read Gemini CLI's ``-o stream-json`` and ``-o json``.

Formats and rules are those of version 0.61.0 (docs/agents.md). Both print usage only at the end: stream-json in its
last line, json in one pretty-printed document over many lines, which may follow warnings and be followed by text, and
which on an error stands on standard error and has no numbers (G45).
"""

import re
from dataclasses import replace
from typing import Any, final

import msgspec

from nova_async._core.text import one_line
from nova_async.agents.event_reader import MAX_ERROR, EventReader, decode, http_status
from nova_async.agents.failures import LONGEST_MOMENT, model_in, retry_after_of
from nova_async.agents.gemini.document import DocumentLines
from nova_async.agents.json_weight import is_too_heavy
from nova_async.agents.ledger import MAX_NAME, Counts, count
from nova_async.agents.newest import forget_oldest
from nova_async.agents.reader import MAX_ERROR_LINE, MAX_RESULT, UsageLimit
from nova_async.agents.resets import told_in
from nova_async.agents.wording import acts, plain_id, plain_text, telling, tool_call
from nova_async.words import Outcome

__all__ = ["GeminiReader", "retry_told"]

MAX_CALLS = 64  # tool calls under way at once; more are forgotten, oldest first
MAX_PIECES = 1024  # kept apart; they come a few characters at a time

_CODE = re.compile(r'"code"\s*:\s*(\d{3})\b')
_TOLD = re.compile(r'"message"\s*:\s*"((?:[^"\\]|\\.)*)"')
# Kinds of tool errors that are a refusal by themselves.
REFUSALS = frozenset({"policy_violation", "path_not_in_workspace", "permission_denied"})
_REFUSED = ("Path not in workspace", "Access denied")  # told as invalid parameters
# Which of the two it was stands on standard error alone: "exceeded your current quota" may mean a minute or a day.
_QUOTA = re.compile(rb".{0,400}?\b(Terminal|Retryable)QuotaError: ")
_FULL = re.compile(r"no capacity|capacity exceeded|MODEL_CAPACITY", re.IGNORECASE)  # of the service, not the account
END_OF_GOOGLES_DAY = "midnight (America/Los_Angeles)"  # https://ai.google.dev/gemini-api/docs/rate-limits
# It waits for as long as the service tells it to, in silence, where that is a quota of a model: hours, if need be.
_WAIT = re.compile(rb"Attempt \d{1,6} failed: (.{1,1000}?)\.? Retrying after (\d{1,12})ms\.\.\.")
_RETRY = re.compile(rb"Attempt (\d{1,6}) failed(?: with (?:status )?(\d{3}|5xx)\b|: |\. Retrying )")


class _Line(msgspec.Struct):
    type: Any = None
    session_id: Any = None
    model: Any = None
    role: Any = None
    content: Any = None
    tool_name: Any = None
    tool_id: Any = None
    parameters: Any = None
    severity: Any = None
    message: Any = None
    status: Any = None
    error: Any = None
    stats: Any = None


class _Document(msgspec.Struct):
    session_id: Any = None
    response: Any = None
    error: Any = None
    stats: Any = None


_LINE = msgspec.json.Decoder(_Line)
_DOCUMENT = msgspec.json.Decoder(_Document)


def retry_told(line: bytes) -> str | None:
    """Say which try has failed and why, as a line of standard error tells; None for any other line."""
    retry = _RETRY.match(line)
    if retry is None:
        return None
    why = f" ({retry[2].decode()})" if retry[2] else ""
    return f"retrying{why}, attempt {int(retry[1])}"


@final
class GeminiReader(EventReader):
    """Reads Gemini CLI."""

    OPENINGS = frozenset({"init"})
    CANNOT_BEGIN = re.compile(rb"When using (?:Gemini API|Vertex AI)|Please set an Auth method")
    UNKNOWN_SESSION = re.compile(rb"Error resuming session: (?:Invalid session identifier|No previous sessions found)")

    def __init__(self, mode: str | None = None) -> None:
        super().__init__(mode)
        self._pieces: list[str] = []  # of the answer since the last tool result
        self._pieces_length = 0
        self._calls: dict[str, Any] = {}  # the names of the tools under way, by the ids of their calls
        self._warning: str | None = None
        self._quota: bytes | None = None  # the kind of the last quota error that it told of
        self._document = DocumentLines()
        self._error_document = DocumentLines(MAX_ERROR_LINE)
        self._told: Any = None  # the error in such a document
        self._takes_documents = mode != "stream-json"

    def opens(self, line: bytes) -> bool:
        """Tell whether a line is one with which only this agent's output begins."""
        if self._mode is None and line.rstrip() == b"{":  # the document is pretty-printed, events never are
            return True
        self._takes_documents &= not (opened := super().opens(line))
        return opened

    def read_events(self, lines: list[bytes]) -> None:
        """Take the finished lines of an output that is known to consist of events, or to hold the document."""
        if not self._takes_documents:
            super().read_events(lines)
            return
        for line in lines:
            self._read_document_line(line)

    def read_event(self, line: bytes) -> bool:
        """Take one event, a JSON object in one line; say whether it changed anything."""
        event = decode(_LINE, line)
        match event.type if event else None:
            case "init" if event:
                self.begin_process(event.session_id)
                self.model = one_line(event.model) if isinstance(event.model, str) else None
                self.activity = "starting"
            case "message" if event and event.role == "assistant":
                return self._say(event.content)
            case "tool_use" if event:
                self.has_answered = True
                self.activity = tool_call(event.tool_name, telling(event.parameters))
                if isinstance(event.tool_id, str) and len(event.tool_id) <= MAX_NAME:
                    self._calls[event.tool_id] = event.tool_name
                    forget_oldest(self._calls, MAX_CALLS)
            case "tool_result" if event:
                self._pieces, self._pieces_length = [], 0
                self.activity = "thinking"
                tool = self._calls.pop(event.tool_id, None) if isinstance(event.tool_id, str) else None
                if event.status == "error" and _is_refusal(event.error, tool):
                    self.refuse(tool)
            case "error" if event and isinstance(event.message, str):
                self._warning = one_line(event.message, MAX_ERROR)
                self.activity = one_line(event.message)
            case "result" if event:
                self._end(event)
            case _:
                return False
        return True

    def read_note(self, line: bytes) -> bool:
        """Take a line of standard error, which tells of retries."""
        if (retry := retry_told(line)) is not None:
            self.activity = retry
            # While a tool works the model is not asked: its silence confirms nothing.
            wait = _WAIT.match(line) if not (self._takes_documents or self._calls) else None
            if wait is not None and int(wait[2]) > 1000 * LONGEST_MOMENT:
                self.wait_for(wait[1].decode("utf-8", "replace"))
            return True
        quota = _QUOTA.match(line)
        if quota:
            self._quota = quota[1]
            if self.is_error:  # told before on the other stream
                self._judge_quota()
                return True
        return super().read_note(line)

    def read_error(self, line: bytes) -> bool:
        """Take a line of standard error, where json mode prints its document after an error."""
        if self._takes_documents and (self._error_document.is_open or line.rstrip() == b"{"):
            whole = self._error_document.take(line)
            document = decode(_DOCUMENT, whole) if whole is not None else None
            if document is not None and plain_id(document.session_id) is not None:
                self._told = document.error
            return False
        return super().read_error(line)

    def read_end(self) -> None:
        """Take the end of the output: without a verdict, what stands on standard error is the reason."""
        if self._told is not None and self.is_error is None:
            self._changed, self.activity = True, None
            self._fail(self._told)

    def _say(self, content: Any) -> bool:
        text = plain_text(content, MAX_RESULT - self._pieces_length)
        if text:
            self.has_answered = True
            self._pieces.append(text)
            if len(self._pieces) > MAX_PIECES:
                self._pieces = ["".join(self._pieces)]
            self._pieces_length += len(text)
        before, self.activity = self.activity, "writing the answer"
        return self.activity != before

    def _end(self, event: _Line) -> None:
        stats = event.stats if isinstance(event.stats, dict) else {}
        models = stats.get("models")
        total = _stream_counts(stats)
        parts = {name: _stream_counts(used) for name, used in models.items()} if isinstance(models, dict) else {}
        self._settle(total, parts)
        tools = stats.get("tool_calls")
        self.turns = count(tools + 1) if type(tools) is int else None
        self.activity = None
        if event.status != "success":
            self._fail(event.error)
        else:
            self.succeed()
            self.result = "".join(self._pieces)

    def _settle(self, total: Counts, parts: dict[str, Counts]) -> None:
        if tuple(map(sum, zip(*parts.values(), strict=True))) != total:
            parts = {self.model or "": total}
        self.ledger.settle(parts)

    def _fail(self, error: Any) -> None:
        told = error if isinstance(error, dict) else {}
        words = told.get("message")
        words = words[: 64 * 1024] if isinstance(words, str) else self._warning or "it failed without an error message"
        # What the model's server answered stands inside: [API Error: {"error":{"code":400,"message":"…"}}]
        code = _CODE.search(words)
        inner = _TOLD.search(words) if words.startswith(("[API Error: {", "{")) else None
        self.is_error = True
        status = http_status(told.get("code")) or http_status(int(code[1]) if code else None)
        self.fail(inner[1] if inner else words, status)
        self._judge_quota()

    def _judge_quota(self) -> None:
        """Tell a moment's refusal from a used-up account, by which kind of error it named; never more than that."""
        words = self.error or ""
        if self._quota == b"Terminal":
            if self.limit is None and self.failure is Outcome.OVERLOAD and not _FULL.search(words):
                self.limit, self.retry_after = UsageLimit("quota", None, told_in(words), model_in(words)), None
        elif self.limit is not None and (self._quota is not None or self.limit.kind == "quota"):
            self.limit, self.failure, self.retry_after = None, Outcome.OVERLOAD, retry_after_of(words)
        if self.limit is not None and self.limit.kind == "daily" and self.limit.resets_told is None:
            self.limit = replace(self.limit, resets_told=END_OF_GOOGLES_DAY)

    def _read_document_line(self, line: bytes) -> None:
        if self.is_error is not None:
            return  # the document is there; the model's text may follow it raw
        if line.startswith(b"{") or self._document.is_open:
            whole = self._document.take(line)
            if whole is not None:
                self._lines.oversize_lines += is_too_heavy(whole)
                self._read_document(whole)
        elif line:
            self._changed |= self.read_note(line)

    def _read_document(self, text: bytes) -> None:
        document = decode(_DOCUMENT, text)
        session_id = plain_id(document.session_id) if document else None
        if document is None or session_id is None:
            return
        self._changed = self._events_seen = True
        self.session_id = session_id
        if isinstance(document.stats, dict):
            models = document.stats.get("models")
            parts = {name: _json_counts(used) for name, used in models.items()} if isinstance(models, dict) else {}
            self.ledger.settle(parts)
            self.model = next(iter(parts), None)
            tools = document.stats.get("tools")
            calls = tools.get("totalCalls") if isinstance(tools, dict) else None
            self.turns = count(calls + 1) if type(calls) is int else None
        self.activity = None
        if document.error is not None:
            self._fail(document.error)
        else:
            self.succeed()
            self.has_answered = bool(document.response)
            self.result = plain_text(document.response, MAX_RESULT)


def _stream_counts(stats: Any) -> Counts:
    used = stats if isinstance(stats, dict) else {}
    whole, cached = count(used.get("input_tokens")), count(used.get("cached"))
    # Its own output_tokens leaves the thoughts out.
    return max(0, whole - cached), max(0, count(used.get("total_tokens")) - whole), cached, 0


def _json_counts(model: Any) -> Counts:
    tokens = model.get("tokens") if isinstance(model, dict) else None
    used = tokens if isinstance(tokens, dict) else {}
    cached = count(used.get("cached"))
    fresh = max(0, count(used.get("prompt")) - cached + count(used.get("tool")))
    return fresh, count(used.get("candidates")) + count(used.get("thoughts")), cached, 0


def _is_refusal(error: Any, tool: Any) -> bool:
    kind, words = (error.get("type"), error.get("message")) if isinstance(error, dict) else (None, None)
    if kind == "tool_not_registered":  # what the approval mode forbids is hidden from the model
        return acts(tool)
    return (isinstance(kind, str) and kind in REFUSALS) or (isinstance(words, str) and words.startswith(_REFUSED))
