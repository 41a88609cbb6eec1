"""Read Codex's ``exec --json``.

Formats and rules are those of Codex 0.169.0 (docs/agents.md). Nothing is counted live: the one ``turn.completed``
brings the total of the whole *thread*, so a resumed one repeats what earlier processes used (G32). A failed or killed
run prints no usage at all, and what sub-agents use is printed by nobody.
"""

import json
import re
from dataclasses import replace
from typing import Any, final

import msgspec

from nova_async._core.text import one_line
from nova_async.agents.codex.session import counts_of
from nova_async.agents.event_reader import MAX_ERROR, EventReader, decode, http_status
from nova_async.agents.ledger import less
from nova_async.agents.reader import MAX_RESULT, UsageLimit
from nova_async.agents.wording import plain_text, tool_call
from nova_async.usage import TokenUsage

__all__ = ["RECONNECTING", "CodexReader", "inner_message", "shell_command"]

_STATUS = re.compile(r"(?:unexpected status|last status:) (\d{3})\b")
_SHELL = re.compile(r"(?:/usr)?(?:/bin/)?(?:ba|z)?sh -l?c ")
# What its sandbox or its rules refuse is no event: some of it stands on standard error, the rest nowhere.
_REJECTED = re.compile(rb"\S+\s+ERROR codex_core::tools::router: error=(patch rejected: |.{0,500} rejected: )")
RECONNECTING = "Reconnecting..."
WAITING = f"{RECONNECTING} waiting for network"
PATIENCE = 7  # of these notices in a row; they come at growing intervals, the seventh after some minutes
RUNNING = "running"  # of a sub-agent
TOOLS = {"command_execution": "shell", "file_change": "apply_patch"}  # types of items that are calls of a tool
MAX_KIND = 60  # characters of a limit's name
MAX_MODEL_ERROR = 64 * 1024  # characters of an error that may be a JSON document of the model's server


class _Item(msgspec.Struct):
    type: Any = None
    text: Any = None
    command: Any = None
    prompt: Any = None
    tool: Any = None
    query: Any = None
    status: Any = None
    agents_states: Any = None


class _Line(msgspec.Struct):
    type: Any = None
    thread_id: Any = None
    message: Any = None
    error: Any = None
    item: _Item | None = None
    usage: Any = None


_LINE = msgspec.json.Decoder(_Line)


@final
class CodexReader(EventReader):
    """Reads Codex; ``resumed_from`` is what its thread had used before this process."""

    OPENINGS = frozenset({"thread.started"})
    UNKNOWN_SESSION = re.compile(rb"Error: .{0,100}no rollout found for (?:thread|conversation) id ")

    def __init__(self, mode: str | None = None, resumed_from: TokenUsage | None = None) -> None:
        super().__init__(mode)
        self._before = resumed_from or TokenUsage()
        self._last_message: str | None = None
        self._waits = 0
        self._broke_off = False  # an answer, perhaps in its middle: nobody knows what was served

    def read_event(self, line: bytes) -> bool:
        """Take one event, a JSON object in one line; say whether it changed anything."""
        event = decode(_LINE, line)
        match event.type if event else None:
            case "thread.started" if event:
                self._begin(event.thread_id)
                self.activity = "starting"
            case "turn.started":
                self.activity = "thinking"
                self.is_error = None
            case "item.started" if event and event.item:
                self._show(event.item)
            case "item.completed" if event and event.item:
                self._complete(event.item)
            case "error" if event and isinstance(event.message, str):
                self._complain(event.message)
            case "turn.completed" if event:
                self._succeed(event.usage)
            case "turn.failed" if event:
                told = event.error.get("message") if isinstance(event.error, dict) else event.error
                self._complain(told if isinstance(told, str) else "the turn failed")
                self.is_error, self.activity = True, None
                if self._was_refused_at_once():
                    self.ledger.settle({})
            case _:
                return False
        return True

    def _begin(self, thread: Any) -> None:
        if self.is_another(thread):
            self._before = TokenUsage()  # that was another thread's
        self.begin_process(thread)

    def _show(self, item: _Item) -> None:
        match item.type:
            case "command_execution" if isinstance(item.command, str):
                self.activity = one_line(f"shell: {shell_command(item.command)}")
            case "collab_tool_call":
                self.misses_calls = True
                self.activity = one_line(f"sub-agent: {item.prompt if isinstance(item.prompt, str) else ''}")
            case "reasoning":
                self.activity = "thinking"
            case "agent_message":
                self.activity = "writing the answer"
            case str(kind):
                named = item.tool if isinstance(item.tool, str) else kind.replace("_", " ")
                self.activity = tool_call(named, item.query if isinstance(item.query, str) else None)

    def read_note(self, line: bytes) -> bool:
        """Take a line of standard error, which tells of refused patches."""
        rejected = _REJECTED.match(line)
        if rejected:
            self.refuse("apply_patch" if rejected[1].startswith(b"patch") else "shell")
            return True
        return super().read_note(line)

    def _complete(self, item: _Item) -> None:
        if item.type == "error":  # a warning, whatever its name says
            return
        if isinstance(item.agents_states, dict):
            self._note_agents(item.agents_states, item.prompt)
        if item.status == "declined":
            self.refuse(TOOLS.get(item.type, item.tool) if isinstance(item.type, str) else None)
        self.has_answered, self._waits = True, 0
        if item.type == "agent_message":
            self._last_message = plain_text(item.text, MAX_RESULT)
            self.activity = "writing the answer"
        else:
            self.activity = "thinking"

    def _note_agents(self, states: dict[Any, Any], prompt: Any) -> None:
        for thread, state in states.items():
            # One that has just been spawned is told of as pending, and mostly never again.
            if isinstance(state, dict) and state.get("status") == RUNNING:
                self.background.add(thread, prompt)
            else:
                self.background.remove(thread)

    def _complain(self, message: str) -> None:
        status = _STATUS.search(message[:MAX_MODEL_ERROR])
        if message.startswith(RECONNECTING):
            self.activity = one_line(f"retrying: {message[len(RECONNECTING) :]}")
            self._wait(message)
            self._broke_off |= status is None
            return
        self.fail(inner_message(message), http_status(int(status[1])) if status else None)

    def _was_refused_at_once(self) -> bool:
        """Tell whether no call has ever been answered: nothing was used, and it prints no total that would say so."""
        is_refusal = self.error_status is not None or self.limit is not None
        return is_refusal and not (self.has_answered or self.misses_calls or self._broke_off or self.ledger.is_settled)

    def _wait(self, message: str) -> None:
        """Take note of a notice that it waits for the network: it would for ever."""
        self._waits = self._waits + 1 if message.startswith(WAITING) else 0
        if self._waits >= PATIENCE:
            self.fail(message[len(RECONNECTING) :].strip(), None)
            self.is_hopeless = True

    def limit_in(self, words: str, status: int | None) -> UsageLimit | None:
        """Return the limit that its words tell of; one model's has that name in its kind, too: others go on."""
        limit = super().limit_in(words, status)
        if limit is not None and limit.model is not None:
            return replace(limit, kind=one_line(f"{limit.kind}:{limit.model}", MAX_KIND))
        return limit

    def _succeed(self, usage: Any) -> None:
        self.ledger.settle({"": less(counts_of(usage), self._before.as_dict().values())})
        self.turns = (self.turns or 0) + 1
        self.result = self._last_message
        self.activity = None
        self.succeed()


def shell_command(command: str) -> str:
    """Take a command out of what every one comes in: ``/bin/bash -lc 'echo hi'``."""
    return _SHELL.sub("", command[: 4 * MAX_ERROR], count=1).strip("'")


def inner_message(message: str) -> str:
    """Return what the model's server said; it is passed on as it came, JSON and all."""
    if message.startswith("{") and len(message) <= MAX_MODEL_ERROR:
        try:
            answer = json.loads(message)
        except (ValueError, RecursionError):
            return message
        inner = answer.get("error") if isinstance(answer, dict) else None
        told = inner.get("message") if isinstance(inner, dict) else None
        return told if isinstance(told, str) and told else message
    return message
