"""What to do about tools that an agent was denied. Pure."""

from collections.abc import Sequence

__all__ = ["cure_of"]


def cure_of(denied: Sequence[str], again: str) -> str:
    """Say how an agent gets the tools that it was denied; ``again`` is the command that runs its plan."""
    them = "it" if len(denied) == 1 else "them"
    how = f"`permissions: full` below it, or `{again} --permissions full`"
    return f"allow {them} in the agent's own settings, or give the task wider permissions ({how})"
