"""Read Claude Code's session files: one for each session, and one for each of its sub-agents.

Formats are those of version 2.1.197 (docs/agents.md). A line is written for each content block of a finished answer,
each with the whole usage. The last answer of a sub-agent may have a stale count of its output; the result that the
main agent was given of it has the right one.
"""

from datetime import datetime
from typing import Any, final

import msgspec

from nova_async.agents.claude.reader import counts_of, kept_an_hour
from nova_async.agents.event_reader import decode
from nova_async.agents.ledger import MAX_MESSAGES, Counts
from nova_async.agents.newest import forget_oldest
from nova_async.agents.session import SessionFile, SessionReader

__all__ = ["ClaudeSession"]

Call = tuple[int, int, int]  # input, cache read, cache creation: what tells calls apart that have no id in common


class _Message(msgspec.Struct):
    id: Any = None
    model: Any = None
    usage: Any = None


class _Result(msgspec.Struct):
    agentId: Any = None
    usage: Any = None


class _Line(msgspec.Struct):
    type: Any = None
    timestamp: Any = None
    message: _Message | None = None
    toolUseResult: _Result | list[msgspec.Raw] | str | float | bool | None = None


_LINE = msgspec.json.Decoder(_Line)


@final
class ClaudeSession(SessionReader):
    """Reads Claude Code's session files."""

    MARKS = (b'"usage"',)

    def __init__(self, session_id: str, since: datetime | None = None) -> None:
        super().__init__(session_id, since)
        self._calls: dict[Call, str] = {}  # of sub-agents: the ids of their messages
        self._ended: dict[Call, Counts] = {}  # the last calls of sub-agents, as the main agent was told

    def read_line(self, line: bytes, file: SessionFile) -> None:
        """Take one whole line."""
        event = decode(_LINE, line)
        if event is None or not self.is_new(event.timestamp, file):
            return
        message, result = event.message, event.toolUseResult
        if event.type == "assistant" and message is not None and message.usage is not None:
            if message.model != "<synthetic>" and isinstance(message.id, str):
                self._read_answer(message.id, message, file)
        elif event.type == "user" and isinstance(result, _Result) and isinstance(result.agentId, str):
            self._read_end(counts_of(result.usage))

    def _read_answer(self, name: str, message: _Message, file: SessionFile) -> None:
        counts = counts_of(message.usage)
        model = message.model if isinstance(message.model, str) else ""
        self.ledger_of(file).raise_to(name, counts, model)
        if (kept := kept_an_hour(message.usage)) is not None:
            self.an_hour.raise_to(name, kept, model)
        if not file.is_own:
            call = counts[0], counts[2], counts[3]
            self._calls[call] = name
            forget_oldest(self._calls, MAX_MESSAGES)
            if (ended := self._ended.pop(call, None)) is not None:
                self.others.raise_to(name, ended)

    def _read_end(self, counts: Counts) -> None:
        call = counts[0], counts[2], counts[3]
        if (name := self._calls.get(call)) is not None and self.others.of(name) is not None:
            self.others.raise_to(name, counts)
        elif counts[1]:
            self._ended[call] = counts  # its file is read later
            forget_oldest(self._ended, MAX_MESSAGES)
