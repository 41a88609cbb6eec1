"""What to do about tools that an agent was denied."""

from collections.abc import Sequence

__all__ = ["cure"]


def cure(denied: Sequence[str]) -> str:
    """Say how an agent gets the tools that it was denied."""
    them = "it" if len(denied) == 1 else "them"
    how = "`permissions: full` below it, or `nova run --permissions full`"
    return f"allow {them} in the agent's own settings, or give the task wider permissions ({how})"
