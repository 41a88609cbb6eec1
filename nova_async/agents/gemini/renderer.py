"""Show what Gemini CLI prints. Formats are those of version 0.61.0 (docs/agents.md)."""

import re
from typing import Any, final

import msgspec

from nova_async.agents.event_reader import decode
from nova_async.agents.event_renderer import EventRenderer
from nova_async.agents.gemini.document import DocumentLines
from nova_async.agents.gemini.reader import retry_told
from nova_async.agents.reader import AgentReader
from nova_async.agents.rendering import PieceKind
from nova_async.agents.wording import telling, tool_call

__all__ = ["GeminiRenderer"]


class Line(msgspec.Struct):
    """A line of any type."""

    type: Any = None
    session_id: Any = None
    model: Any = None
    role: Any = None
    content: Any = None
    delta: Any = None
    tool_name: Any = None
    tool_id: Any = None
    parameters: Any = None
    status: Any = None
    output: Any = None
    error: Any = None
    message: Any = None


class Document(msgspec.Struct):
    """The document of ``-o json``."""

    session_id: Any = None
    response: Any = None


# Where in its own program a retry came from: a dozen lines on standard error, each time.
FRAME = re.compile(rb"    at .{1,1000}?(?::\d+:\d+|<anonymous>)\)?(?: \{)?")
_LINE = msgspec.json.Decoder(Line)
_DOCUMENT = msgspec.json.Decoder(Document)


@final
class GeminiRenderer(EventRenderer):
    """Shows Gemini CLI."""

    def __init__(self, reader: AgentReader, mode: str | None) -> None:
        super().__init__(reader)
        self._in_error = False  # among the properties of an error, after its stack
        self._document = None if mode == "stream-json" else DocumentLines()

    def take_event(self, line: bytes) -> bool:
        """Show one event, a JSON object in one line; say whether it is of a known shape."""
        event = decode(_LINE, line)
        match event.type if event else None:
            case "init" if event:
                self._document = None
                self._begin(event.session_id, event.model)
            case "message" if event and event.role == "user":
                self.note(PieceKind.PROMPT, event.content)
            case "message" if event and event.delta is True:
                self.stream_on(PieceKind.TEXT, event.content)
            case "message" if event:
                self.show(PieceKind.TEXT, event.content)
            case "tool_use" if event:
                self.forget_streams()
                self.call(event.tool_id, tool_call(event.tool_name, telling(event.parameters)))
            case "tool_result" if event:
                told = event.error.get("message") if isinstance(event.error, dict) else None
                failed = event.status == "error"
                self.give(event.tool_id, told if failed and told else event.output, failed=failed)
            case "error" if event:
                self.warn(event.message)
            case "result":
                self.forget_streams()
                self.give_verdict()
            case _:
                return False
        return True

    def take_line(self, line: bytes) -> bool:
        """Take a line of the document, or of what it tells of a retry; say whether it is one."""
        return self._take_retry(line) or self._take_document(line)

    def _take_retry(self, line: bytes) -> bool:
        if (retry := retry_told(line)) is not None:
            self.note(PieceKind.WARNING, retry)
        elif FRAME.fullmatch(line):
            self._in_error = line.endswith(b"{")
        elif self._in_error and not line.startswith(b"{"):
            self._in_error = not line.startswith(b"}")
        else:
            self._in_error = False
            return False
        return True

    def _take_document(self, line: bytes) -> bool:
        if self._document is None or not (self._document.is_open or line.rstrip() == b"{"):
            return False
        if line.startswith(b"{"):
            self.show_lines(*self._document.left())
        whole = self._document.take(line)
        if whole is None:
            return True
        document = decode(_DOCUMENT, whole)
        if document is None or not isinstance(document.session_id, str):
            self.show_lines(*whole.split(b"\n"))  # something else, printed in the same way
            return True
        self._document = None
        self._begin(document.session_id, None)
        self.show(PieceKind.TEXT, document.response)
        self.give_verdict()
        return True

    def take_end(self) -> None:
        """Show a document that was cut."""
        if self._document is not None:
            self.show_lines(*self._document.left())

    def _begin(self, session_id: Any, model: Any) -> None:
        told = (model, f"session {session_id}")
        self.note(PieceKind.NOTE, " · ".join(["started", *(text for text in told if isinstance(text, str))]))
