"""Which sub-agents still work in the background: what an agent's end would cut off."""

from typing import Any, final

import msgspec

from nova_async._core.text import one_line
from nova_async.agents.ledger import MAX_NAME

__all__ = ["Background", "TaskFields"]

MAX_TASKS = 64  # at once; an agent starts a handful, and further ones go unnamed
MAX_DESCRIPTION = 60  # characters; it becomes part of a sentence
DONE = frozenset({"completed", "failed"})  # the agent has heard how it went
CUT_OFF = frozenset({"stopped", "killed", "cancelled"})
# What runs beside it and is no sub-agent: a server that is left to itself is ended with its agent, and may be.
OTHERS = frozenset({"local_bash", "monitor_mcp", "monitor"})


class TaskFields(msgspec.Struct, gc=False):
    """What lines about background tasks hold, in Claude Code and in Qwen Code."""

    task_id: Any = None
    description: Any = None
    task_type: Any = None
    subagent_type: Any = None
    status: Any = None
    patch: Any = None


@final
class Background:
    """Sub-agents by their ids, each as its agent describes it."""

    __slots__ = ("_cut_off", "_working")

    def __init__(self) -> None:
        self._working: dict[str, str] = {}
        self._cut_off: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are at work or were cut off, in the order in which they began."""
        return (*self._cut_off.values(), *self._working.values())

    def add(self, task_id: Any, description: Any) -> None:
        """Take note that one has begun."""
        if isinstance(task_id, str) and len(task_id) <= MAX_NAME and len(self._working) < MAX_TASKS:
            named = one_line(description, MAX_DESCRIPTION) if isinstance(description, str) else ""
            self._working.setdefault(task_id, named or task_id)

    def remove(self, task_id: Any) -> None:
        """Take note that one has ended, or was called off by its agent."""
        if isinstance(task_id, str):
            self._working.pop(task_id, None)
            self._cut_off.pop(task_id, None)

    def cut_off(self, task_id: Any) -> None:
        """Take note that one was ended in the middle of its work."""
        if isinstance(task_id, str) and task_id in self._working and len(self._cut_off) < MAX_TASKS:
            self._cut_off[task_id] = self._working.pop(task_id)

    def begin_turn(self) -> None:
        """Take note that the agent goes on, and knows by now who was cut off."""
        self._cut_off.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self._working.clear()
        self._cut_off.clear()

    def read(self, subtype: Any, told: TaskFields) -> None:
        """Take a line about a background task."""
        status = told.patch.get("status") if isinstance(told.patch, dict) else told.status
        if subtype == "task_started":
            kind = told.task_type or told.subagent_type
            if isinstance(kind, str) and kind not in OTHERS:
                self.add(told.task_id, told.description)
        elif isinstance(status, str) and status in DONE:
            self.remove(told.task_id)
        elif isinstance(status, str) and status in CUT_OFF:
            self.cut_off(told.task_id)
