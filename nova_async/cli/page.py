"""Where the command writes for people."""

from rich.console import Console

__all__ = ["page"]

ENDLESS = 10_000  # columns


def page() -> Console:
    """Return the console for our output; into a pipe or a file, lines are as long as they are."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=ENDLESS)
