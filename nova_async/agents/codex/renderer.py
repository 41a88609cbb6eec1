"""Show what Codex prints. Formats are those of version 0.169.0 (docs/agents.md)."""

from typing import Any, final

import msgspec

from nova_async._core.text import listed, one_line
from nova_async.agents.codex.reader import RECONNECTING, inner_message, shell_command
from nova_async.agents.event_reader import decode
from nova_async.agents.event_renderer import EventRenderer
from nova_async.agents.rendering import PieceKind
from nova_async.agents.wording import telling, tool_call

__all__ = ["CodexRenderer"]

MOST_NAMED = 5  # files of one patch


class Item(msgspec.Struct):
    """``item`` of a line."""

    id: Any = None
    type: Any = None
    text: Any = None
    message: Any = None
    command: Any = None
    aggregated_output: Any = None
    exit_code: Any = None
    status: Any = None
    changes: Any = None
    items: Any = None
    query: Any = None
    prompt: Any = None
    server: Any = None
    tool: Any = None
    arguments: Any = None
    result: Any = None
    error: Any = None


class Line(msgspec.Struct):
    """A line of any type."""

    type: Any = None
    thread_id: Any = None
    message: Any = None
    item: Item | None = None


_LINE = msgspec.json.Decoder(Line)


@final
class CodexRenderer(EventRenderer):
    """Shows Codex."""

    def take_event(self, line: bytes) -> bool:
        """Show one event, a JSON object in one line; say whether it is of a known shape."""
        event = decode(_LINE, line)
        match event.type if event else None:
            case "thread.started" if event:
                self.note(PieceKind.NOTE, f"started · session {event.thread_id}")
            case "item.started" if event and event.item:
                self._begin(event.item)
            case "item.updated" | "item.completed" as kind if event and event.item:
                self._complete(event.item, is_over=kind == "item.completed")
            case "error" if event and isinstance(event.message, str):
                self._complain(event.message)
            case "turn.completed" | "turn.failed":
                self.give_verdict()
            case _:
                return False
        return True

    def _complain(self, message: str) -> None:
        if message.startswith(RECONNECTING):
            self.note(PieceKind.WARNING, message)
        else:
            self.warn(inner_message(message))

    def _begin(self, item: Item) -> None:
        label = _label(item)
        if label is not None:
            self.call(item.id, label)

    def _complete(self, item: Item, *, is_over: bool) -> None:
        match item.type:
            case "agent_message" if is_over:
                self.show(PieceKind.TEXT, item.text)
            case "reasoning" if is_over:
                self.show(PieceKind.THINKING, item.text)
            case "error" if is_over:  # a warning, whatever its name says
                self.note(PieceKind.WARNING, item.message)
            case "todo_list":
                self.note(PieceKind.NOTE, _progress(item.items))
            case _ if is_over:
                self._end_call(item)

    def _end_call(self, item: Item) -> None:
        label = _label(item)
        if label is not None and self.called(item.id) is None:
            self.call(item.id, label)
        failed = item.status in ("failed", "declined") or (type(item.exit_code) is int and item.exit_code != 0)
        given = [item.aggregated_output, _told(item.error), _told(item.result)]
        if failed and type(item.exit_code) is int:
            given.append(f"exit code {item.exit_code}")
        elif item.status == "declined":
            given.append("refused")
        self.give(item.id, "\n".join(text.strip("\n") for text in given if isinstance(text, str) and text.strip()),
                  failed=failed)  # fmt: skip


def _label(item: Item) -> str | None:
    """Name a call and what it is about; None for an item that is no call."""
    match item.type:
        case "command_execution" if isinstance(item.command, str):
            return tool_call("shell", shell_command(item.command))
        case "file_change":
            changes = [change for change in item.changes or () if isinstance(change, dict)]
            files = [f"{change.get('kind')} {change.get('path')}" for change in changes]
            return tool_call("apply_patch", listed(files, MOST_NAMED))
        case "mcp_tool_call":
            named = ".".join(word for word in (item.server, item.tool) if isinstance(word, str))
            return tool_call(named or "tool", telling(item.arguments))
        case "collab_tool_call":
            return one_line(f"sub-agent: {item.prompt if isinstance(item.prompt, str) else item.tool or ''}")
        case "agent_message" | "reasoning" | "error" | "todo_list":
            return None
        case str(kind):
            return tool_call(kind.replace("_", " "), item.query if isinstance(item.query, str) else None)
        case _:
            return None


def _told(value: Any) -> str | None:
    """Return what an MCP tool gave, or why it failed."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return None
    parts = value.get("content")
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return "\n".join(text for text in [value.get("message"), *texts] if isinstance(text, str))


def _progress(items: Any) -> str | None:
    steps = [step for step in items if isinstance(step, dict)] if isinstance(items, list) else []
    done = sum(step.get("completed") is True for step in steps)
    following = next((step.get("text") for step in steps if step.get("completed") is not True), None)
    return f"{done} of {len(steps)} steps done" + (f"; next: {following}" if isinstance(following, str) else "")
