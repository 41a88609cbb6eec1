"""The lines that Claude Code and Qwen Code both print: their shapes, and what they say about what goes on.

The shapes are those of Claude Code 2.1.197 and Qwen Code 0.15.10 (docs/agents.md). What the numbers in them mean
differs, so each agent's own reader counts them.
"""

import re
from typing import Any, ClassVar

import msgspec

from nova_async._core.text import one_line
from nova_async.agents.event_reader import EventReader, decode
from nova_async.agents.ledger import MAX_NAME
from nova_async.agents.newest import forget_oldest
from nova_async.agents.wording import plain_id, tool_call

__all__ = [
    "AssistantLine",
    "Block",
    "EventLine",
    "Message",
    "MessageReader",
    "SubAgentResult",
    "ToolResults",
    "Usage",
    "UserLine",
    "silent_line",
]

MAX_TOOLS = 64  # calls under way at once; more are forgotten, oldest first
SUB_AGENT = "sub-agent: "
TOOLS = ("tool_use", "server_tool_use")
CALL_OFF = ("TaskStop", "task_stop")  # with which an agent ends a sub-agent of its own
SPOKEN = ("text", "thinking", "redacted_thinking", *TOOLS)


class Usage(msgspec.Struct, gc=False):
    """``usage`` of a message."""

    input_tokens: Any = 0
    output_tokens: Any = 0
    cache_read_input_tokens: Any = 0
    cache_creation_input_tokens: Any = 0
    cache_creation: Any = None
    """Of Claude: how long it is kept."""


class ToolInput(msgspec.Struct, gc=False):
    """The arguments that say what a tool call is about, best first; the others may be megabytes."""

    command: Any = None
    file_path: Any = None
    notebook_path: Any = None
    path: Any = None
    pattern: Any = None
    query: Any = None
    url: Any = None
    description: Any = None
    prompt: Any = None
    skill: Any = None
    task_id: Any = None


class Block(msgspec.Struct, gc=False):
    """One element of ``content``."""

    type: Any = None
    id: Any = None
    name: Any = None
    input: ToolInput | None = None


class Message(msgspec.Struct, gc=False):
    """``message`` of an assistant line, and of ``message_start``."""

    id: Any = None
    model: Any = None
    usage: Usage | None = None
    content: list[Block] | str | None = None


class AssistantLine(msgspec.Struct, gc=False, tag="assistant"):
    """``assistant``: one content block of an answer, or several."""

    message: Message | None = None
    parent_tool_use_id: Any = None
    session_id: Any = None
    error: Any = None
    """Of Claude: the kind of failure, where these are its own words in place of the model's."""


class SubAgentResult(msgspec.Struct, gc=False):
    """``tool_use_result`` where the tool was a sub-agent of Claude; other tools put all sorts of things there."""

    agentId: Any = None
    isAsync: Any = None
    resolvedModel: Any = None
    usage: Any = None


class ToolResult(msgspec.Struct, gc=False):
    """One element of ``content`` of a user line; what the tool gave may be megabytes and is mostly not looked at."""

    type: Any = None
    tool_use_id: Any = None
    is_error: Any = None
    content: msgspec.Raw = msgspec.Raw()


class ToolResults(msgspec.Struct, gc=False):
    """``message`` of a user line."""

    content: list[ToolResult] | str | None = None


class UserLine(msgspec.Struct, gc=False, tag="user"):
    """``user``: tool results."""

    message: ToolResults | None = None
    tool_use_result: SubAgentResult | list[msgspec.Raw] | str | float | bool | None = None


class Event(msgspec.Struct, gc=False):
    """``event`` of a ``stream_event``."""

    type: Any = None
    message: Message | None = None
    usage: Usage | None = None
    content_block: Block | None = None


class EventLine(msgspec.Struct, gc=False, tag="stream_event"):
    """``stream_event``: one raw event of the model's stream."""

    event: Event | None = None
    parent_tool_use_id: Any = None


class _SilentMessage(msgspec.Struct):
    id: Any = None
    model: Any = None
    usage: Usage | None = None


class _SilentLine(msgspec.Struct, tag="assistant"):
    message: _SilentMessage | None = None
    parent_tool_use_id: Any = None
    session_id: Any = None


_SILENT = msgspec.json.Decoder(_SilentLine)


def silent_line(line: bytes) -> AssistantLine | None:
    """Decode an ``assistant`` line whose content is of a shape not known yet: its tokens count all the same."""
    silent = decode(_SILENT, line) if b'"assistant"' in line else None
    if silent is None or silent.message is None:
        return None
    message = Message(silent.message.id, silent.message.model, silent.message.usage)
    return AssistantLine(message, silent.parent_tool_use_id, silent.session_id)


class MessageReader(EventReader):
    """What is known of the messages of any agent that prints them: who speaks, and which tools are under way."""

    OPENINGS = frozenset({"system", "assistant", "user", "stream_event", "result", "rate_limit_event"})
    REFUSAL: ClassVar[re.Pattern[bytes]]
    """How the JSON of a failed tool's result begins where the agent itself refused the tool: nothing ran that could
    have said so."""

    def __init__(self, mode: str | None = None) -> None:
        super().__init__(mode)
        self._tools: dict[str, tuple[Block, Any]] = {}  # calls under way, by id
        self._block: tuple[Block, Any] | None = None  # what it does now, put into words only when asked for

    def name_session(self, session_id: Any) -> None:
        """Take the session's id from a line that carries one."""
        if self.session_id is None:
            self.session_id = plain_id(session_id)

    def end_session(self, session_id: Any) -> None:
        """Take the session's id from a line that sums a run up; json modes print no other."""
        if self.ledger.is_settled:
            self.begin_process(session_id)
        else:
            self.session_id = plain_id(session_id) or self.session_id

    def begin_turn(self) -> None:
        """Take note that a turn begins; after a verdict it is another one, such as about what ran in the background."""
        self.background.begin_turn()
        self.goes_on = self.is_error is not None

    def begin_answer(self) -> None:
        """Take note that the main agent's model answers: a verdict on an earlier turn is none on this one."""
        if self.is_error is not None:
            self.is_error, self.goes_on = None, False

    def name_model(self, model: Any) -> None:
        """Take the main agent's model from a line that names it."""
        if model != self.model and isinstance(model, str) and model:
            self.model = one_line(model)

    def show(self, activity: str | None) -> None:
        """Say what it does in so many words."""
        self._block, self.activity = None, activity

    def show_answer(self, message: Message, parent: Any) -> None:
        """Remember what an answer does, and the tools it calls."""
        if isinstance(message.content, list):
            for block in message.content:
                if block.type in SPOKEN:
                    self._block = block, parent
                if block.name in CALL_OFF and block.input is not None:
                    self.background.remove(block.input.task_id)
                if block.type == "tool_use" and isinstance(block.id, str) and len(block.id) <= MAX_NAME:
                    self._tools[block.id] = block, parent
                    forget_oldest(self._tools, MAX_TOOLS)

    def show_results(self, message: ToolResults | None) -> None:
        """Take tools that have ended off the list; what still runs is what it does, or else it thinks."""
        ended = False
        for block in message.content if message and isinstance(message.content, list) else ():
            if block.type == "tool_result":
                ended = True
                called = self._tools.pop(block.tool_use_id, None) if isinstance(block.tool_use_id, str) else None
                if block.is_error is True and called is not None and self.REFUSAL.match(block.content):
                    self.refuse(called[0].name)
        if ended:
            self.show("thinking")
            if self._tools:
                self._block = next(reversed(self._tools.values()))

    def read_denials(self, denials: Any) -> None:
        """Take the agent's own list of what it refused; it leaves out tools that it does not offer at all."""
        for denial in denials if isinstance(denials, list) else ():
            self.refuse(denial.get("tool_name") if isinstance(denial, dict) else None)

    def forget_tools(self) -> None:
        """Take note that a turn is over: nothing runs."""
        self._tools.clear()
        self.show(None)

    def doing(self) -> str | None:
        """Say what the agent is doing; asked only when somebody reads the report."""
        if self._block is not None:
            self.show(_in_words(*self._block))
        return self.activity


def _in_words(block: Block, parent: Any) -> str:
    who = SUB_AGENT if isinstance(parent, str) else ""
    if block.type == "text":
        return f"{who}writing the answer"
    if block.type not in TOOLS:
        return f"{who}thinking"
    given = block.input or ToolInput()
    if block.name in ("Agent", "Task") and isinstance(given.description, str):
        return one_line(SUB_AGENT + given.description)
    told = (getattr(given, name) for name in ToolInput.__struct_fields__)
    argument = next((text for text in told if isinstance(text, str) and text), None)
    return one_line(who + tool_call(block.name, argument))
