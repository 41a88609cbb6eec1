"""Read Claude Code's ``--output-format json`` and ``stream-json``, with and without partial messages.

Formats and rules are those of version 2.1.197 (docs/agents.md). In short: live, the fields of a message are raised to
the largest seen under its id, because its line is repeated once per content block with a stale ``output_tokens``;
every ``result`` replaces all of it by ``modelUsage``, which is the total of the process, or since 2.1.332 of all
processes of a resumed session: what earlier ones have used is taken off. ``result.usage`` is not: it leaves out
sub-agents, compaction and all turns but the last (G32, G41).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

import msgspec

from nova_async._core.text import one_line
from nova_async.agents.background import TaskFields
from nova_async.agents.claude.verdict import (
    NO_SESSION,
    REJECTIONS,
    RateLimitLine,
    ResultLine,
    error_of,
    failure_in,
    for_all_models,
    gauges_told,
    knows_no_session,
    limit_of,
    limit_told,
    words_of_provider,
)
from nova_async.agents.event_reader import UNREADABLE, decode, http_status
from nova_async.agents.ledger import MAX_COUNT, MAX_MESSAGES, NOTHING, Counts, count, less, money
from nova_async.agents.message_lines import (
    SUB_AGENT,
    AssistantLine,
    EventLine,
    MessageReader,
    SubAgentResult,
    Usage,
    UserLine,
    silent_line,
)
from nova_async.agents.newest import forget_oldest
from nova_async.agents.reader import MAX_RESULT
from nova_async.agents.wording import plain_text
from nova_async.words import Outcome

__all__ = ["ClaudeReader", "counts_of", "kept_an_hour"]

# Nine lines of ten with partial messages. A line that begins like this can be nothing else, and has nothing to count.
SKIPPED = (
    b'{"type":"stream_event","event":{"type":"content_block_delta",',
    b'{"type":"stream_event","event":{"type":"content_block_stop",',
    b'{"type":"stream_event","event":{"type":"message_stop"}',
)
# How it words a refusal. Output of a command that ran and failed begins with its exit code.
REFUSAL = re.compile(
    rb'"(?:<tool_use_error>)?(?:Error: )?(?:'
    rb"Claude requested permissions to |Permission to (?:use|edit|read) |Permission denied by "
    rb"|Agent type '[^']{1,200}' has been denied|(?:This|sed) command requires approval|Classifier '"
    rb"|Output redirection to '|[\w.-]{1,200} (?:targeting|in) '.{0,4000}' was blocked\. For security"
    rb"|Cannot write to .{0,4000} in plan mode"
    rb"|No such tool available: ([\w.-]{1,200})\. \1 (?:exists but is not enabled|is disabled))"
)
# A login is renewed after the first refusal, and a key made anew by a helper; who is refused once more has none. Each
# of several calls at once may be refused, so it must also be the third try of one of them.
HOPELESS = 3
MAX_SPEAKERS = 256  # sub-agents with an answer under way at once


class _SystemLine(TaskFields, tag="system"):
    subtype: Any = None
    session_id: Any = None
    model: Any = None
    attempt: Any = None
    max_retries: Any = None
    error_status: Any = None
    error: Any = None
    fallback_model: Any = None


_Line = AssistantLine | EventLine | UserLine | _SystemLine | ResultLine | RateLimitLine
_LINE: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)


def _counts(fresh: Any, output: Any, read: Any, created: Any) -> Counts:
    # The usual case in one step: the bits of all four together are those of a sensible number only if each is one.
    whole = type(fresh) is type(output) is type(read) is type(created) is int
    if whole and 0 <= fresh | output | read | created <= MAX_COUNT:
        return fresh, output, read, created
    return count(fresh), count(output), count(read), count(created)


def _kept_an_hour(usage: Usage) -> Counts | None:
    told = usage.cache_creation
    return (0, 0, 0, count(told.get("ephemeral_1h_input_tokens"))) if isinstance(told, dict) else None


def counts_of(used: Any) -> Counts:
    """Return the four counts of a message's ``usage``, as it stands on a line or in a session file."""
    told = _usage_of(used)
    return _counts(
        told.input_tokens, told.output_tokens, told.cache_read_input_tokens, told.cache_creation_input_tokens
    )


def kept_an_hour(used: Any) -> Counts | None:
    """Return what of it is kept in a cache for an hour, as a count of cache creation; None where that is not told."""
    return _kept_an_hour(_usage_of(used))


def _usage_of(used: Any) -> Usage:
    fields = Usage.__struct_fields__
    return Usage(**{field: used[field] for field in fields if field in used}) if isinstance(used, dict) else Usage()


@final
class ClaudeReader(MessageReader):
    """Reads Claude Code; in text mode, and before the first event, the documented usage line counts too."""

    COUNTS_TEXT = COSTS_IN_TOTALS = True
    CANNOT_BEGIN = re.compile(rb"(?:Not logged in|Invalid API key|Credit balance is too low)\b")
    REFUSAL = REFUSAL
    UNKNOWN_SESSION = re.compile(NO_SESSION.encode())

    def __init__(self, mode: str | None = None) -> None:
        super().__init__(mode)
        self._speaking: dict[str, str] = {}  # parent tool call ("" for the main agent) -> id of the open message
        self._sub_agent_calls: dict[tuple[int, int, int], str] = {}  # input and cache counts -> message id
        self._restored: Restored | None = None  # of this session, once its first result has told
        self._tells_steps = False  # not in json mode, where the result is its only line
        self._refusals = 0  # of the key, one after another
        self._failure_kind: Any = None  # of its last own words
        self._refused = False  # a 429 was answered by a retry: the API is busy, the account is not used up

    def read_events(self, lines: list[bytes]) -> None:
        """Take the finished lines of an output that is known to consist of events."""
        kept = [line for line in lines if not line.startswith(SKIPPED)]
        # All at once is twice as fast as one by one. Where each line begins and ends an object, it is also the same.
        if kept and all([line[:1] == b"{" and line[-1:] == b"}" for line in kept]):  # noqa: C419 - half the time
            try:
                events = _LINE.decode_lines(b"\n".join(kept))
            except UNREADABLE:
                events = []
            if len(events) == len(kept):
                self._changed = self._events_seen = True
                for event in events:
                    _TAKE[type(event)](self, event)
                return
        super().read_events(kept)

    def read_event(self, line: bytes) -> bool:
        """Take one event, a JSON object in one line; say whether it changed anything."""
        event = decode(_LINE, line) or silent_line(line)
        if event is not None:
            _TAKE[type(event)](self, event)
        return event is not None

    def _read_gauges(self, told: RateLimitLine) -> None:
        info = told.rate_limit_info or {}
        for kind, gauge in gauges_told(info).items():
            self.note_gauge(kind, gauge)
        self.limit = limit_told(info)
        if self.limit is not None:
            self.show(f"over the usage limit ({self.limit.kind})")

    def _read_assistant(self, answer: AssistantLine) -> None:
        message = answer.message
        if message is None:
            return
        parent = answer.parent_tool_use_id
        if self.session_id is None:
            self.name_session(answer.session_id)
        if message.model == "<synthetic>":  # Claude's own words, such as an error; nothing was served
            self._failure_kind = answer.error
            return
        self.has_answered, self._failure_kind = True, None
        # It is served: what was refused before ends nothing that comes later.
        self._refusals, self.is_hopeless, self._refused = 0, False, False
        if parent is None:
            self.begin_answer()
            self.name_model(message.model)
        if self.is_error is None:
            self.forget_failure()
        if message.usage is not None and isinstance(message.id, str):
            self._raise(message.id, message.usage, message.model, parent)
        self.show_answer(message, parent)

    def _read_stream_event(self, line: EventLine) -> None:
        event, parent = line.event, line.parent_tool_use_id
        if event is None:
            return
        speaker = parent if isinstance(parent, str) else ""
        if event.type == "content_block_start":
            if event.content_block is not None:
                self._block = event.content_block, parent
        elif event.type == "message_start":
            message = event.message
            if parent is None:
                self.begin_answer()
            if message is not None and isinstance(message.id, str):
                self._speaking[speaker] = message.id
                forget_oldest(self._speaking, MAX_SPEAKERS)
                if message.usage is not None:
                    self._raise(message.id, message.usage, message.model, parent)
        elif event.type == "message_delta" and event.usage is not None and speaker in self._speaking:
            self._raise(self._speaking[speaker], event.usage, None, parent)  # this brings the exact output

    def _raise(self, message: str, usage: Usage, model: Any, parent: Any) -> None:
        name = model if isinstance(model, str) else ""
        fresh, output = usage.input_tokens, usage.output_tokens
        counts = _counts(fresh, output, usage.cache_read_input_tokens, usage.cache_creation_input_tokens)
        self.ledger.raise_to(message, counts, name)
        if (kept := _kept_an_hour(usage)) is not None:
            self.an_hour.raise_to(message, kept, name)
        if parent is not None and (known := self.ledger.of(message)) is not None:
            self._sub_agent_calls[known[0], known[2], known[3]] = message
            if len(self._sub_agent_calls) > 2 * MAX_MESSAGES:
                self._sub_agent_calls = dict(list(self._sub_agent_calls.items())[-MAX_MESSAGES:])

    def _read_user(self, said: UserLine) -> None:
        self.show_results(said.message)
        ended = said.tool_use_result
        if isinstance(ended, SubAgentResult) and ended.isAsync is not True:
            self.background.remove(ended.agentId)
        if isinstance(ended, SubAgentResult) and isinstance(ended.agentId, str) and isinstance(ended.usage, dict):
            # The last call of a foreground sub-agent is printed nowhere else.
            counts = counts_of(ended.usage)
            printed = self._sub_agent_calls.get((counts[0], counts[2], counts[3]))
            known = self.ledger.of(printed) if printed is not None else None
            if printed is not None and known is not None and (known[0], *known[2:]) == (counts[0], *counts[2:]):
                self.ledger.raise_to(printed, counts)
            else:
                model = ended.resolvedModel if isinstance(ended.resolvedModel, str) else ""
                self.ledger.put(f"agent:{ended.agentId}", counts, model)
                if (kept := kept_an_hour(ended.usage)) is not None:
                    self.an_hour.put(f"agent:{ended.agentId}", kept, model)

    def _read_system(self, said: _SystemLine) -> None:
        self._tells_steps = True
        self.name_session(said.session_id)
        match said.subtype:
            case "init":
                self.begin_process(said.session_id)
                self.begin_turn()
                self.name_model(said.model)
                self.show("starting")
            case "status" if said.status == "requesting":
                self.show("waiting for the model")
            case "status" if isinstance(said.status, str):
                self.show(one_line(said.status))
            case "api_retry":
                self._read_retry(said)
            case "thinking_tokens":
                self.show("thinking")
            case "task_started" | "task_updated" | "task_notification":
                self.background.read(said.subtype, said)
                if said.subtype == "task_started" and isinstance(said.description, str):
                    what = "background: " if said.task_type == "local_bash" else SUB_AGENT
                    self.show(one_line(what + said.description))
            case "task_progress" if isinstance(said.description, str):
                self.show(one_line(SUB_AGENT + said.description))
            case "model_fallback" if isinstance(said.fallback_model, str):
                self.show(one_line(f"falling back to {said.fallback_model}"))

    def _read_retry(self, said: _SystemLine) -> None:
        status = http_status(said.error_status)
        why = f"{status or ''} {said.error if isinstance(said.error, str) else ''}".strip() or "connection error"
        self.show(one_line(f"retrying ({why}), {count(said.attempt)}/{count(said.max_retries)}"))
        self._refused |= status == 429
        if isinstance(said.error, str) and said.error in REJECTIONS:  # tried ten times more, for three minutes (G42)
            what = "key" if said.error == "authentication_failed" else "account"
            self.error, self.error_status = f"the API rejected the {what} ({said.error})", status
            self.failure = Outcome.AUTH
            self._refusals += 1
            self.is_hopeless = min(self._refusals, count(said.attempt)) >= HOPELESS

    def _read_result(self, ended: ResultLine) -> None:
        self.end_session(ended.session_id)
        restored = self._settle(ended)
        self.turns = count(ended.num_turns) if type(ended.num_turns) is int else self.turns
        cost = money(ended.total_cost_usd)
        self.cost_usd = self.cost_usd if cost is None else self.cost_before + max(0.0, cost - restored)
        self.result = plain_text(ended.result, MAX_RESULT)
        # Never by the subtype alone: an API error says "success", too (docs/agents.md).
        self.is_error = ended.is_error if isinstance(ended.is_error, bool) else ended.subtype != "success"
        self.goes_on = False
        if self.is_error:
            self._read_failure(ended)
        else:
            self.has_answered |= not self._tells_steps and bool(self.turns and self.result)
            self.succeed()
        self.read_denials(ended.permission_denials)
        self.forget_tools()
        self._failure_kind = None

    def _read_failure(self, ended: ResultLine) -> None:
        self.session_refused = knows_no_session(ended)
        limit = self.limit  # as an event before has announced it, with its reset
        self.fail(error_of(ended), http_status(ended.api_error_status))
        self.failure = failure_in(ended, self._failure_kind, self.failure)
        if limit is not None:
            self.limit = for_all_models(limit, self.error or "")
        elif self._refused:
            self.limit = self.limit if words_of_provider(ended) else None
        else:
            self.limit = limit_of(ended, self._failure_kind) or self.limit

    def _settle(self, ended: ResultLine) -> float:
        """Take the tokens of a result; return the dollars that its total has from earlier processes of the session."""
        self._sub_agent_calls.clear()
        if not isinstance(ended.modelUsage, dict):  # very old versions: the usage of this turn
            self.ledger.settle({self.model or "": counts_of(ended.usage)}, add=True)
            return 0.0
        by_model, _ = _by_model(ended.modelUsage)
        if self._restored is None or self._restored.session_id != self.session_id:
            self._restored = Restored.of(ended, self.session_id)
        if before := self._restored.by_model:
            mine = {name: less(counts, before.get(name, NOTHING)) for name, counts in by_model.items()}
            self.ledger.settle({name: counts for name, counts in mine.items() if any(counts) or name not in before})
        else:
            self.ledger.settle(by_model)
        if self.model is None and len(by_model) == 1:  # json mode names it nowhere else
            self.name_model(next(iter(by_model)))
        return self._restored.cost_usd


# By the event's type, which takes half as long as asking for one type after another.
_TAKE: Mapping[type, Callable[[ClaudeReader, Any], None]] = {
    EventLine: ClaudeReader._read_stream_event,
    AssistantLine: ClaudeReader._read_assistant,
    UserLine: ClaudeReader._read_user,
    _SystemLine: ClaudeReader._read_system,
    ResultLine: ClaudeReader._read_result,
    RateLimitLine: ClaudeReader._read_gauges,
}


class Restored(NamedTuple):
    """What the totals of a resumed session have from earlier processes: 2.1.332 restores them, 2.1.197 does not."""

    session_id: str | None
    by_model: Mapping[str, Counts]
    cost_usd: float

    @classmethod
    def of(cls, ended: ResultLine, session_id: str | None) -> "Restored":
        """Return it as the first result of a process tells: the totals, without what this process has used."""
        used = ended.model_usage_since_last_result
        if not isinstance(used, dict) or ended.result_index not in (0, None):
            return cls(session_id, {}, 0.0)
        total, _ = _by_model(ended.modelUsage)
        mine, cost = _by_model(used)
        restored = {name: less(counts, mine.get(name, NOTHING)) for name, counts in total.items()}
        return cls(session_id, restored, max(0.0, (money(ended.total_cost_usd) or 0.0) - cost))


def _by_model(usage: dict[str, Any]) -> tuple[dict[str, Counts], float]:
    """Return the tokens of each model, and what all have cost."""
    by_model, cost = {}, 0.0
    for name, used in usage.items():
        if isinstance(used, dict):
            told = used.get
            fresh, output = told("inputTokens"), told("outputTokens")
            by_model[name] = _counts(fresh, output, told("cacheReadInputTokens"), told("cacheCreationInputTokens"))
            cost += money(told("costUSD")) or 0.0
    return by_model, cost
