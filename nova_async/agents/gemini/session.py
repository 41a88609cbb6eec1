"""Read Gemini CLI's session files: one for each session, and one for each of its sub-agents.

Formats are those of version 0.61.0 (docs/agents.md). An answer has a line of its own, which is written again when the
tools that it has called are done.
"""

from typing import Any, final

import msgspec

from nova_async.agents.event_reader import decode
from nova_async.agents.ledger import Counts, count
from nova_async.agents.session import SessionFile, SessionReader

__all__ = ["GeminiSession"]


class _Line(msgspec.Struct):
    sessionId: Any = None
    type: Any = None
    id: Any = None
    timestamp: Any = None
    tokens: Any = None
    model: Any = None


_LINE = msgspec.json.Decoder(_Line)


def _counts_of(tokens: Any) -> Counts:
    used = tokens if isinstance(tokens, dict) else {}
    cached = count(used.get("cached"))
    fresh = max(0, count(used.get("input")) - cached + count(used.get("tool")))
    return fresh, count(used.get("output")) + count(used.get("thoughts")), cached, 0


@final
class GeminiSession(SessionReader):
    """Reads Gemini CLI's session files."""

    MARKS = (b'"tokens"', b'"sessionId"')

    def read_line(self, line: bytes, file: SessionFile) -> None:
        """Take one whole line."""
        event = decode(_LINE, line)
        if event is None:
            return
        if event.type is None:  # the first line; a file's name has only the beginning of its session's id
            file.is_foreign = file.is_own and isinstance(event.sessionId, str) and event.sessionId != self.session_id
        elif event.type == "gemini" and isinstance(event.id, str) and self.is_new(event.timestamp, file):
            model = event.model if isinstance(event.model, str) else ""
            self.ledger_of(file).raise_to(event.id, _counts_of(event.tokens), model)
