"""Show what opencode prints. Formats are those of version 1.18.33 (docs/agents.md)."""

from typing import Any, final

import msgspec

from nova_async.agents.event_reader import decode
from nova_async.agents.event_renderer import EventRenderer
from nova_async.agents.opencode.reader import GOES_ON
from nova_async.agents.reader import AgentReader
from nova_async.agents.rendering import PieceKind
from nova_async.agents.wording import telling, tool_call

__all__ = ["OpencodeRenderer"]


class State(msgspec.Struct):
    """``state`` of a tool call."""

    input: Any = None
    output: Any = None
    error: Any = None
    title: Any = None
    status: Any = None


class Part(msgspec.Struct):
    """``part`` of a line."""

    callID: Any = None
    text: Any = None
    tool: Any = None
    reason: Any = None
    state: State | None = None


class Line(msgspec.Struct):
    """A line of any type."""

    type: Any = None
    sessionID: Any = None
    part: Part | None = None


_LINE = msgspec.json.Decoder(Line)


@final
class OpencodeRenderer(EventRenderer):
    """Shows opencode."""

    def __init__(self, reader: AgentReader) -> None:
        super().__init__(reader)
        self._session: Any = None

    def take_event(self, line: bytes) -> bool:
        """Show one event, a JSON object in one line; say whether it is of a known shape."""
        event = decode(_LINE, line)
        if event is None:
            return False
        part = event.part or Part()
        if isinstance(event.sessionID, str) and event.sessionID != self._session:
            self._session = event.sessionID
            self.note(PieceKind.NOTE, f"started · session {event.sessionID}")
        match event.type:
            case "text":
                self.show(PieceKind.TEXT, part.text)
            case "reasoning":
                self.show(PieceKind.THINKING, part.text)
            case "tool_use":
                self._take_tool(part)
            case "step_finish" if part.reason in GOES_ON:
                pass
            case "step_finish" | "error":
                self.give_verdict()
            case "step_start":
                pass
            case _:
                return False
        return True

    def _take_tool(self, part: Part) -> None:
        state = part.state or State()
        title = state.title if isinstance(state.title, str) else None
        self.call(part.callID, tool_call(part.tool, telling(state.input) or title))
        failed = state.status == "error"
        self.give(part.callID, state.error if failed else state.output, failed=failed)
