"""Turn what agents print into one clean line for a person."""

import re
from typing import Any

from nova_async._core.text import LOOK_AT, one_line

__all__ = ["acts", "plain_id", "plain_text", "telling", "tool_call", "why_silent"]

# Ids go back onto command lines: nothing that could be an option, a path or a second word.
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")

# What says most about a tool call, best first, in the words of all five agents.
_TELLING = (
    *("command", "file_path", "filePath", "notebook_path", "path", "pattern", "query", "url"),
    *("description", "prompt", "skill", "title"),
)

# What changes files or runs commands, as the five agents call it. Where such a tool is hidden from a model, it may ask
# for it by the name that another agent gave it.
_ACTING = frozenset(
    {
        *("bash", "shell", "run_shell_command", "execute_command", "exec_command"),
        *("write", "write_file", "edit", "edit_file", "multiedit", "replace", "patch", "apply_patch", "notebookedit"),
    }
)


# What an agent is doing while its model's provider has to answer.
_ASKING = frozenset({None, "starting", "thinking", "writing the answer"})


def why_silent(activity: str | None) -> str:
    """Say what an agent that prints nothing may be waiting for, to follow a sentence; empty while a tool runs."""
    if activity is not None and activity.startswith("retrying"):
        return f" while {activity}"
    return "; the agent may be waiting for its provider" if activity in _ASKING else ""


def acts(tool: Any) -> bool:
    """Tell whether a tool changes files or runs commands, whichever agent's name for it this is."""
    return isinstance(tool, str) and tool.lower() in _ACTING


def tool_call(name: Any, argument: str | None) -> str:
    """Say which tool an agent called with what, such as ``Bash: pytest -q``."""
    named = one_line(name, 60) if isinstance(name, str) and name else "tool"
    return one_line(f"{named}: {argument[:LOOK_AT]}") if argument and argument.strip() else named


def telling(arguments: Any) -> str | None:
    """Return the one argument of a tool call that says most about it, if it has such a one."""
    if isinstance(arguments, dict):
        for key in _TELLING:
            value = arguments.get(key)
            if isinstance(value, str) and value.strip():
                return value
    return None


def plain_id(value: Any) -> str | None:
    """Return a session id that is safe to hand to a command line, or None."""
    return value if isinstance(value, str) and _PLAIN_ID.fullmatch(value) else None


def plain_text(value: Any, limit: int) -> str | None:
    """Return a string that can be encoded, cut at ``limit`` characters; None for anything else."""
    if not isinstance(value, str):
        return None
    return value[:limit].encode("utf-8", "replace").decode("utf-8")
