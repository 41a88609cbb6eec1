"""Read Codex's session files, ``rollout-*.jsonl``: one for each thread, sub-agents' included.

Formats are those of Codex 0.169.0 (docs/agents.md). A ``token_usage_record`` is written after each answer; older
versions write only the total of the thread, in ``token_count``, after the tools that an answer has called.
"""

import re
from datetime import datetime
from typing import Any, final

import msgspec

from nova_async.agents.codex.gauges import gauges_of
from nova_async.agents.event_reader import decode
from nova_async.agents.ledger import MAX_NAME, NOTHING, Counts, count, less
from nova_async.agents.session import SessionFile, SessionReader
from nova_async.usage import TokenUsage

__all__ = ["CodexSession", "counts_of", "is_related"]

MOST_GAUGES = 16  # kinds; an account has two, and a model two of its own


class _Info(msgspec.Struct):
    total_token_usage: Any = None


class _Payload(msgspec.Struct):
    type: Any = None
    thread_id: Any = None
    session_id: Any = None
    response_id: Any = None
    usage: Any = None
    thread_token_usage: Any = None
    info: _Info | None = None
    model: Any = None
    rate_limits: Any = None


class _Line(msgspec.Struct):
    type: Any = None
    timestamp: Any = None
    payload: _Payload | None = None


_LINE = msgspec.json.Decoder(_Line)


def is_related(head: bytes, session_id: str) -> bool:
    """Tell whether the file of a thread that begins like this belongs to a session."""
    return re.search(rb'"session_id"\s*:\s*"%b"' % re.escape(session_id.encode()), head) is not None


def counts_of(usage: Any) -> Counts:
    """Return the four counts of any usage of Codex, whose input contains what was read from or written to the cache."""
    used = usage if isinstance(usage, dict) else {}
    read, created = count(used.get("cached_input_tokens")), count(used.get("cache_write_input_tokens"))
    return max(0, count(used.get("input_tokens")) - read - created), count(used.get("output_tokens")), read, created


@final
class CodexSession(SessionReader):
    """Reads Codex's session files."""

    MARKS = (b'"token_usage_record"', b'"token_count"', b'"turn_context"')

    def __init__(self, session_id: str, since: datetime | None = None) -> None:
        super().__init__(session_id, since)
        self._recorded: set[int] = set()  # files with a record of each answer
        self._before: dict[int, Counts] = {}  # what threads had used before this process, by their files

    def read_line(self, line: bytes, file: SessionFile) -> None:
        """Take one whole line."""
        event = decode(_LINE, line)
        payload = event.payload if event else None
        if event is None or payload is None:
            return
        if event.type == "turn_context":
            file.model = payload.model if isinstance(payload.model, str) else file.model
        elif event.type == "token_usage_record" and payload.session_id == self.session_id:
            self._read_record(payload, file, is_new=self.is_new(event.timestamp, file))
        elif event.type == "event_msg" and payload.type == "token_count":
            is_new = self.is_new(event.timestamp, file)
            self._read_total(payload.info.total_token_usage if payload.info else None, file, is_new=is_new)
            if is_new:
                self._read_gauges(payload.rate_limits, event.timestamp)

    def _read_gauges(self, rate_limits: Any, timestamp: Any) -> None:
        for gauge in gauges_of(rate_limits, timestamp):
            if gauge.kind in self.gauges or len(self.gauges) < MOST_GAUGES:
                self.gauges[gauge.kind] = gauge

    def _read_record(self, payload: _Payload, file: SessionFile, *, is_new: bool) -> None:
        if id(file) not in self._recorded:
            self._recorded.add(id(file))
            self.ledger_of(file).put(self._total_of(file), NOTHING)
        if not is_new:
            if file.is_own and id(file) not in self._before:
                self.before = TokenUsage(*counts_of(payload.thread_token_usage))
            return
        # The total of its thread grows with each, so it tells one from another even where a server names none.
        sum_of_thread = counts_of(payload.thread_token_usage)
        key = f"{payload.thread_id}/{payload.response_id}"[: MAX_NAME // 2] + str(sum_of_thread)
        ledger = self.own if payload.thread_id == self.session_id else self.others
        ledger.put(key[:MAX_NAME], counts_of(payload.usage), file.model)

    def _read_total(self, total: Any, file: SessionFile, *, is_new: bool) -> None:
        if not isinstance(total, dict):
            return
        counts = counts_of(total)
        if not is_new:
            self._before[id(file)] = counts
            if file.is_own:  # it is this that a resumed thread begins with, even where a record says more (G85)
                self.before = TokenUsage(*counts)
            return
        if id(file) in self._recorded:
            return
        before = self._before.get(id(file), NOTHING)
        self.ledger_of(file).put(self._total_of(file), less(counts, before), file.model)

    def _total_of(self, file: SessionFile) -> str:
        return f"total of {id(file)}"
