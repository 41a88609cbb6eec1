"""Read opencode's ``run --format json``.

Formats and rules are those of version 1.18.33 (docs/agents.md). The usage is the sum of the main agent's steps; the
call that names a new session and all calls of sub-agents are printed nowhere, and there is no final line: the run
ends with a step whose reason is ``stop``, and the end of the output.
"""

import re
from dataclasses import replace
from typing import Any, final

import msgspec

from nova_async._core.text import one_line
from nova_async.agents.event_reader import MAX_ERROR, EventReader, decode, http_status
from nova_async.agents.ledger import MAX_MESSAGES, MAX_NAME, count, money
from nova_async.agents.newest import forget_oldest
from nova_async.agents.reader import MAX_RESULT
from nova_async.agents.wording import acts, plain_id, plain_text, telling, tool_call
from nova_async.words import Outcome

__all__ = ["GOES_ON", "OpencodeReader"]

GOES_ON = ("tool-calls", "unknown")  # reasons after which opencode takes another step
ASKED = "The user rejected permission"  # there was nobody to ask: opencode takes no further step
RULED = "The user has specified a rule which prevents"
BUSY = "database is locked"  # several that start at once on a new machine, where each sets up its database
UNAVAILABLE = "Model tried to call unavailable tool"


# A line of its log (``--print-logs``): what the provider answered, before it tries again in silence. The small model is
# asked for the session's name only.
_REFUSED = re.compile(rb'timestamp=\S+ level=ERROR .{0,300}message="stream error" .{0,300}\bsmall=false .{0,300}'
                      rb'error\.error="((?:[^"\\]|\\.){1,1200})')  # fmt: skip


class _State(msgspec.Struct):
    input: Any = None
    title: Any = None
    status: Any = None
    error: Any = None


class _Part(msgspec.Struct):
    id: Any = None
    messageID: Any = None
    reason: Any = None
    tokens: Any = None
    cost: Any = None
    text: Any = None
    tool: Any = None
    state: _State | None = None


class _Line(msgspec.Struct):
    type: Any = None
    sessionID: Any = None
    part: _Part | None = None
    error: Any = None


_LINE = msgspec.json.Decoder(_Line)


@final
class OpencodeReader(EventReader):
    """Reads opencode."""

    OPENINGS = frozenset({"step_start", "step_finish", "text", "tool_use", "reasoning", "error"})
    CANNOT_BEGIN = re.compile(BUSY.encode())
    UNKNOWN_SESSION = re.compile(rb"(?:\x1b\[\d+m)*Error: (?:\x1b\[0m)?Session not found")

    def __init__(self, mode: str | None = None) -> None:
        super().__init__(mode)
        self._costs: dict[str, float] = {}
        self._costs_before = 0.0  # of steps no longer remembered one by one
        self._answering: Any = None
        self._answer = ""
        self._failed = False
        self._stopped_by: str | None = None  # the tool whose refusal ends the run

    def read_event(self, line: bytes) -> bool:
        """Take one event, a JSON object in one line; say whether it changed anything."""
        event = decode(_LINE, line)
        if event is None:
            return False
        named = self.session_id
        self.session_id = plain_id(event.sessionID) or named
        part = event.part or _Part()
        match event.type:
            case "step_start":
                self.activity, self._stopped_by = "thinking", None
                if not self._failed:  # the step before was not the last, whatever its reason said
                    self.is_error = None
                    self.forget_failure()
            case "text":
                self._say(part)
            case "reasoning":
                self.activity = "thinking"
            case "tool_use":  # printed when it is over
                title = part.state.title if part.state else None
                given = telling(part.state.input if part.state else None)
                self.activity = tool_call(part.tool, given or (title if isinstance(title, str) else None))
                self._look_for_refusal(part.tool, part.state or _State())
            case "step_finish":
                self._finish(part)
            case "error":
                self._fail(event.error)
            case _:
                return self.session_id != named
        return True

    def read_note(self, line: bytes) -> bool:
        """Take a line of standard error, which tells what it tries again."""
        refused = _REFUSED.match(line)
        if refused is None:
            return super().read_note(line)
        why = one_line(refused[1].decode("utf-8", "replace"), MAX_ERROR)
        self._last_note = why
        self.activity = one_line(f"retrying: {why}")
        if b"mode=primary" in refused[0]:  # a sub-agent's may be another model's
            self.wait_for(why)
        return True

    def read_end(self) -> None:
        """Take the end of the output: it may have come because nobody was there to ask."""
        if self._stopped_by is not None and self.is_error is None:
            self.is_error, self.activity, self._changed = True, None, True
            self.error = one_line(f"it stopped because it was denied the tool {self._stopped_by}", MAX_ERROR)

    def _look_for_refusal(self, tool: Any, state: _State) -> None:
        told = state.error if isinstance(state.error, str) else ""
        if state.status == "error" and told.startswith((ASKED, RULED)):
            self.refuse(tool)
            self._stopped_by = str(tool) if told.startswith(ASKED) else None
        elif tool == "invalid" and isinstance(state.input, dict):  # what a rule denies outright, the model never sees
            called, why = state.input.get("tool"), state.input.get("error")
            if acts(called) and isinstance(why, str) and why.startswith(UNAVAILABLE):
                self.refuse(called)

    def _say(self, part: _Part) -> None:
        if part.messageID != self._answering:
            self._answering, self._answer = part.messageID, ""
        text = plain_text(part.text, MAX_RESULT) or ""
        self._answer = (self._answer + text)[:MAX_RESULT]
        self.activity = "writing the answer"

    def _finish(self, part: _Part) -> None:
        tokens = part.tokens if isinstance(part.tokens, dict) else {}
        cache = tokens.get("cache")
        cache = cache if isinstance(cache, dict) else {}
        if isinstance(part.id, str):
            output = count(tokens.get("output")) + count(tokens.get("reasoning"))
            counts = count(tokens.get("input")), output, count(cache.get("read")), count(cache.get("write"))
            self._pay(part.id[:MAX_NAME], money(part.cost))
            self.ledger.put(part.id, counts)
        if self._failed or part.reason in GOES_ON:
            return
        self.activity = None
        self.has_answered = True
        self.is_error = part.reason != "stop"
        if self.is_error:
            reason = part.reason if isinstance(part.reason, str) else "no reason given"
            self.error = one_line(f"the answer ended early ({reason})", MAX_ERROR)
        else:
            self.result = self._answer if self._answering == part.messageID else ""

    def _pay(self, step: str, cost: float | None) -> None:
        if step not in self._costs:
            self.turns = (self.turns or 0) + 1
        self._costs[step] = cost or 0.0
        self._costs_before += forget_oldest(self._costs, MAX_MESSAGES) or 0.0
        if cost is not None:
            self.cost_usd = self._costs_before + sum(self._costs.values())

    def fail(self, words: str, status: int | None) -> None:
        """Take note of what went wrong; that another opencode was at its database is over a moment later."""
        super().fail(words, status)
        if self.failure is None and words.startswith(BUSY):
            self.failure = Outcome.OVERLOAD

    def _fail(self, error: Any) -> None:
        told = error if isinstance(error, dict) else {}
        data = told.get("data")
        data = data if isinstance(data, dict) else {}
        words = data.get("message") or told.get("name")
        status = http_status(data.get("statusCode"))
        self.fail(words if isinstance(words, str) else "it failed without an error message", status)
        if isinstance(body := data.get("responseBody"), str):
            self._read_body(body, status)
        if told.get("name") == "ProviderAuthError":
            self.failure = Outcome.AUTH
        elif self.failure is None and data.get("isRetryable") is True:
            self.failure = Outcome.NETWORK if status is None else Outcome.OVERLOAD
        if self.limit is None and self.failure is Outcome.OVERLOAD:
            self.retry_after = _seconds_in(data.get("responseHeaders")) or self.retry_after
        self.is_error, self.activity, self._failed = True, None, True

    def _read_body(self, body: str, status: int | None) -> None:
        """Take the provider's whole answer, where a vague message has more below it: a code, or a moment."""
        told = self.limit_in(body, status)
        if self.limit is None:
            self.limit = told
        elif told is not None and self.limit.resets_told is None:
            self.limit = replace(self.limit, resets_at=told.resets_at, resets_told=told.resets_told)


def _seconds_in(headers: Any) -> float | None:
    """Return for how long a provider asks to be left alone."""
    after = headers.get("retry-after") if isinstance(headers, dict) else None
    return float(after) if isinstance(after, str) and re.fullmatch(r"\d{1,6}", after) else None
