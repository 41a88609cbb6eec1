"""The one way in which the command writes text of its own, but for what rich draws."""

import sys

import click

__all__ = ["say"]


def say(text: str, *, err: bool = False, nl: bool = True, color: bool | None = None) -> None:
    """Write text to our output, or with ``err`` to standard error; to nobody where that is closed.

    The stream is named: left to itself, click takes an output that lacks signs for a mistake and writes UTF-8 to it.
    """
    click.echo(text, file=sys.stderr if err else sys.stdout, nl=nl, color=color)
