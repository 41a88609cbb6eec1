"""Read Qwen Code's session files: one for each session, with the calls of its sub-agents.

Formats are those of version 0.15.10 (docs/agents.md).
"""

from typing import Any, final

import msgspec

from nova_async.agents.event_reader import decode
from nova_async.agents.ledger import count
from nova_async.agents.session import SessionFile, SessionReader

__all__ = ["QwenSession"]


class _Event(msgspec.Struct):
    name: Any = msgspec.field(name="event.name", default=None)
    model: Any = None
    input_token_count: Any = None
    output_token_count: Any = None
    cached_content_token_count: Any = None
    subagent_name: Any = None


class _Payload(msgspec.Struct):
    uiEvent: _Event | None = None


class _Line(msgspec.Struct):
    uuid: Any = None
    sessionId: Any = None
    timestamp: Any = None
    subtype: Any = None
    systemPayload: _Payload | None = None


_LINE = msgspec.json.Decoder(_Line)


@final
class QwenSession(SessionReader):
    """Reads Qwen Code's session files."""

    MARKS = (b'"qwen-code.api_response"',)

    def read_line(self, line: bytes, file: SessionFile) -> None:
        """Take one whole line."""
        event = decode(_LINE, line)
        told = event.systemPayload.uiEvent if event is not None and event.systemPayload is not None else None
        if event is None or told is None or event.subtype != "ui_telemetry" or told.name != "qwen-code.api_response":
            return
        if not isinstance(event.uuid, str) or not self.is_new(event.timestamp, file):
            return
        cached = count(told.cached_content_token_count)
        fresh = max(0, count(told.input_token_count) - cached)
        ledger = self.own if told.subagent_name is None else self.others
        model = told.model if isinstance(told.model, str) else ""
        ledger.put(event.uuid, (fresh, count(told.output_token_count), cached, 0), model)
