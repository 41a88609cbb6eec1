"""Numbers on the command line, with a plain sentence for a word that is none."""

from typing import Any, final

import click

__all__ = ["Whole"]

LONGEST = 40  # characters of a word that is shown


@final
class Whole(click.IntRange):
    """A whole number between two others, or from one up."""

    def __init__(self, least: int, most: int | None = None) -> None:
        super().__init__(least, most)
        self._which = f"from {least} up" if most is None else f"from {least} to {most}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it; raises ``click.BadParameter`` with a sentence."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{str(value)[:LONGEST]!r} is not a whole number {self._which}", param, ctx)
