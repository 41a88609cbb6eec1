"""Says what it sees of its terminal, then each line that is typed, an interruption and a new size; "quit" ends it."""

import os
import signal
import sys
from pathlib import Path


def say(*words: object) -> None:
    """Print at once."""
    print(*words, flush=True)


signal.signal(signal.SIGINT, lambda *_: say("interrupted"))
signal.signal(signal.SIGTSTP, lambda *_: say("asked to stop"))
signal.signal(signal.SIGWINCH, lambda *_: say("size", *os.get_terminal_size()))
with Path("/dev/tty").open() as terminal:
    say("terminal", os.isatty(0), os.isatty(1), os.isatty(2), terminal.isatty(), *os.get_terminal_size())
for line in sys.stdin:
    if line == "quit\n":
        sys.exit(7)
    say("read", repr(line))
say("the end")
