"""Commands that people are advised to run: each works as it stands, when it is pasted. Pure."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

__all__ = ["FILES", "HERE", "NO_FILE", "PLAN", "Place", "in_commands", "run_command"]

PLAN = "CASCADE.md"
"""The plan of a command that names none."""
NO_FILE = "tasks"
"""The name of a plan that stands in no file."""
FILES: Mapping[str, frozenset[str]] = {
    "--journal": frozenset({
        "run", "watch", "show", "result", "logs", "cost", "report", "runs", "serve", "stop", "pause", "resume", "jobs",
        "approve", "retry",
    }),
    "--state": frozenset({"run", "watch", "status", "show", "result", "logs", "report", "serve", "approve", "retry"}),
    "--log-dir": frozenset({"run", "watch", "logs", "report", "serve"}),
    "--cwd": frozenset({"run"}),
}  # fmt: skip
"""The options that say where something of a run is, and which commands have them (held by a test)."""
COMMAND = re.compile(r"`nova ([a-z]+)([^`\n]*)`")


def run_command(plan: str = PLAN) -> str:
    """Return the command that runs a plan, or goes on with it."""
    return "nova run" if plan in ("", PLAN, NO_FILE) else f"nova run {shlex.quote(plan)}"


def in_commands(text: str, change: Callable[[str, str], str]) -> str:
    """Change the commands of ours in a text, which stand in backquotes: ``change`` gets each, and what follows it."""
    return COMMAND.sub(lambda found: change(found[1], found[2]), text) if "`nova " in text else text


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is, as seen from where commands are typed: with this in it, a command finds the run."""

    folder: str = "."
    files: tuple[tuple[str, str], ...] = ()
    """What somebody has named that is not in its usual place, by the option that names it."""

    def command(self, text: str) -> str:
        """Complete a command that is right in the folder of the run, with its files in their usual places."""
        name = text.split(" ")[1]
        words = [f" {option} {shlex.quote(file)}" for option, file in self.files if name in FILES[option]]
        there = "" if self.folder == "." else f"cd {shlex.quote(self.folder)} && "
        return there + text + "".join(words)

    def advice(self, text: str) -> str:
        """Complete all commands in a text."""
        return in_commands(text, lambda name, more: f"`{self.command(f'nova {name}{more}')}`")


HERE = Place()
"""The folder in which we are, with everything in its usual place."""
