"""Commands that people are advised to run: each works as it stands, when it is pasted."""

import shlex

__all__ = ["NO_FILE", "PLAN", "run_command"]

PLAN = "CASCADE.md"
"""The plan of a command that names none."""
NO_FILE = "tasks"
"""The name of a plan that stands in no file."""


def run_command(plan: str = PLAN) -> str:
    """Return the command that runs a plan, or goes on with it."""
    return "nova run" if plan in ("", PLAN, NO_FILE) else f"nova run {shlex.quote(plan)}"
