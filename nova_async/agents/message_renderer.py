"""Show the lines that Claude Code and Qwen Code both print: answers, tool calls and what they gave, sub-agents."""

from typing import Any

import msgspec

from nova_async.agents.event_reader import decode
from nova_async.agents.event_renderer import EventRenderer
from nova_async.agents.message_lines import TOOLS, ToolInput
from nova_async.agents.reader import AgentReader
from nova_async.agents.rendering import PieceKind
from nova_async.agents.wording import tool_call

__all__ = ["Line", "MessageRenderer"]


class Block(msgspec.Struct, gc=False):
    """One element of ``content``: something said, a call, or what a call gave."""

    type: Any = None
    id: Any = None
    name: Any = None
    input: ToolInput | None = None
    text: Any = None
    thinking: Any = None
    tool_use_id: Any = None
    is_error: Any = None
    content: Any = None


class Message(msgspec.Struct, gc=False):
    """``message`` of a line."""

    model: Any = None
    content: list[Block] | str | None = None


class Delta(msgspec.Struct, gc=False):
    """``delta`` of a streamed event."""

    type: Any = None
    text: Any = None
    thinking: Any = None


class Event(msgspec.Struct, gc=False):
    """``event`` of a ``stream_event``."""

    type: Any = None
    delta: Delta | None = None
    content_block: Block | None = None


class Line(msgspec.Struct, gc=False):
    """A line of any type."""

    type: Any = None
    subtype: Any = None
    message: Message | None = None
    event: Event | None = None
    parent_tool_use_id: Any = None
    session_id: Any = None
    model: Any = None
    result: Any = None
    # Of Claude's system lines.
    status: Any = None
    attempt: Any = None
    max_retries: Any = None
    retry_delay_ms: Any = None
    error_status: Any = None
    error: Any = None
    description: Any = None
    summary: Any = None
    tool_use_id: Any = None
    fallback_model: Any = None
    rate_limit_info: dict[str, Any] | None = None


_LINE = msgspec.json.Decoder(Line)
STREAMED = {"text": PieceKind.TEXT, "thinking": PieceKind.THINKING}


class MessageRenderer(EventRenderer):
    """Shows the messages of any agent that prints them."""

    def __init__(self, reader: AgentReader) -> None:
        super().__init__(reader)
        self._session: Any = None

    def take_event(self, line: bytes) -> bool:
        """Show one event, a JSON object in one line; say whether it is of a known shape."""
        event = decode(_LINE, line)
        match event.type if event else None:
            case "stream_event" if event:
                # Sub-agents may work at the same time: their words are shown when each is complete.
                if event.event is not None and event.parent_tool_use_id is None:
                    self._take_streamed(event.event)
            case "assistant" if event and event.message:
                self._take_answer(event.message, self.enter(event.parent_tool_use_id))
            case "user" if event and event.message:
                self._take_results(event.message, self.enter(event.parent_tool_use_id))
            case "system" if event:
                self.take_system(event)
            case "result" if event:
                self.answer(event.result)
                self.give_verdict()
            case _:
                return event is not None and self.take_other(event)
        return True

    def take_system(self, event: Line) -> None:
        """Show a line in which the program tells of itself."""
        if event.subtype == "init" and event.session_id != self._session:
            self._session = event.session_id
            told = (event.model, f"session {event.session_id}" if isinstance(event.session_id, str) else None)
            self.note(PieceKind.NOTE, " · ".join(["started", *(text for text in told if isinstance(text, str))]))

    def take_other(self, event: Line) -> bool:
        """Show a line of another type; say whether it is known."""
        return False

    def _take_streamed(self, event: Event) -> None:
        if event.type == "message_start":
            self.forget_streams()
        elif (
            event.type == "content_block_start"
            and event.content_block
            and (kind := _streamed(event.content_block.type))
        ):
            self.stream(kind)
        elif event.type == "content_block_delta" and event.delta:
            if event.delta.type == "text_delta":
                self.stream_on(PieceKind.TEXT, event.delta.text)
            elif event.delta.type == "thinking_delta":
                self.stream_on(PieceKind.THINKING, event.delta.thinking)

    def _take_answer(self, message: Message, depth: int) -> None:
        blocks = message.content if isinstance(message.content, list) else [Block(type="text", text=message.content)]
        for block in blocks:
            if message.model == "<synthetic>":  # the program's own words, such as an error: the result says them again
                continue
            if kind := _streamed(block.type):
                text = block.text if block.type == "text" else block.thinking
                if depth == 0 and isinstance(text, str):
                    self.stream_whole(kind, text)
                else:
                    self.show(kind, text, depth)
            elif block.type in TOOLS:
                self.call(block.id, _label(block), depth)

    def _take_results(self, message: Message, depth: int) -> None:
        for block in message.content if isinstance(message.content, list) else [Block("text", text=message.content)]:
            if block.type == "tool_result":
                self.give(block.tool_use_id, _text_of(block.content), failed=block.is_error is True, depth=depth)
            elif block.type == "text":
                self.note(PieceKind.PROMPT, block.text, depth)


def _label(block: Block) -> str:
    given = block.input or ToolInput()
    told = [getattr(given, name) for name in ToolInput.__struct_fields__]
    if block.name in ("Agent", "Task", "agent", "task"):  # its description says more than the prompt it was given
        told = [given.description, given.prompt]
    return tool_call(block.name, next((text for text in told if isinstance(text, str) and text), None))


def _text_of(content: Any) -> str:
    """Return what a tool gave as text; pictures and the like in a word."""
    if isinstance(content, str):
        return _without_tags(content)
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    # What the program adds for the model: how to talk to that sub-agent again, and what it used.
    if len(parts) > 1 and str(parts[-1].get("text")).startswith("agentId: "):
        del parts[-1]
    texts = (part.get("text") if part.get("type") == "text" else f"[{part.get('type')}]" for part in parts)
    return _without_tags("\n".join(text for text in texts if isinstance(text, str)))


def _without_tags(text: str) -> str:
    if text.startswith("Async agent launched successfully"):  # and what the model must know about that
        return "in the background"
    return text.removeprefix("<tool_use_error>").removesuffix("</tool_use_error>")


def _streamed(block_type: Any) -> PieceKind | None:
    return STREAMED.get(block_type) if isinstance(block_type, str) else None
