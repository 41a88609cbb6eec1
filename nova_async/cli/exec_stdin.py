"""What the command of ``nova exec`` reads: our own standard input where that can end, a file, or nothing."""

import os
import select
import stat
import sys
from subprocess import DEVNULL

from nova_async.agents.agent import Agent
from nova_async.cli.say import say

__all__ = ["input_of"]

PATIENCE = 1.0  # seconds for the first byte, or the end, of a pipe that an agent is to read


def input_of(source: str | None, agent: Agent) -> int:
    """Return the descriptor that the command shall read by itself: nothing is read here, and nothing waits in memory.

    ``source`` is a file, ``-`` for our own input whatever it is, or None: our own if it is a file or a pipe. A terminal
    is not given on, for the command runs in a session of its own. Nor is a pipe in which nothing happens given to an
    agent: some wait for ever for its end, and in CI and under cron such a pipe is what one gets.

    Raises ``OSError`` for a file that cannot be read.
    """
    if source not in (None, "-"):
        return os.open(str(source), os.O_RDONLY)
    if sys.stdin is None:  # closed by our parent
        return DEVNULL
    ours = sys.stdin.fileno()
    if source == "-":
        return ours
    if os.isatty(ours):
        return DEVNULL
    if agent.program and is_silent_pipe(ours):
        say(
            f"nova: no input within {PATIENCE:g} s, so {agent.name} gets none; "
            "use --stdin - to pass it on anyway, or --no-stdin to skip this wait",
            err=True,
        )
        return DEVNULL
    return ours


def is_silent_pipe(descriptor: int) -> bool:
    """Tell whether it is a pipe that is open at its other end, and stays without a byte for a moment."""
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return False
    return not select.select([descriptor], [], [], PATIENCE)[0]
