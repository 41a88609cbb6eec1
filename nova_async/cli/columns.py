"""A table for a quick look: rich draws better ones, but takes longer to load than the whole answer."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import click
from rich.cells import cell_len, chop_cells

from nova_async.cli.say import say

__all__ = ["Cell", "bold", "columns_of_terminal", "painted", "show", "table_lines"]

COLOURS = {"failed": "red", "in_progress": "yellow", "completed": "green", "pending": "bright_black"}
"""Those of the person's own theme."""
GAP = 2  # columns between two cells
NARROWEST = 8  # columns; below that the widest cell is unreadable, and the terminal may wrap lines as it likes


class Cell(NamedTuple):
    """What stands at one place of a table, and how it looks."""

    text: str = ""
    colour: str | None = None
    is_bold: bool = False


def painted(word: str, status: str) -> Cell:
    """Return a word in the colour of a status."""
    return Cell(word, COLOURS[status])


def bold(text: str) -> Cell:
    """Return a text that stands out."""
    return Cell(text, is_bold=True)


def columns_of_terminal() -> int | None:
    """Return how wide the terminal is; None where nobody looks at one, and lines are as long as they are."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show(text: str) -> None:
    """Write text to our output, in colours if it is a terminal and the person has nothing against them."""
    wanted = not os.environ.get("NO_COLOR") and (sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR")))
    say(text, color=wanted)


def table_lines(
    rows: Sequence[Sequence[Cell]], *, right: frozenset[int], folding: int, width: int | None
) -> Iterator[str]:
    """Give the lines of a table: columns as wide as their cells, those in ``right`` set to the right.

    The column ``folding`` is folded into as many lines as its cell needs where the table is wider than ``width``.
    """
    widths = [max(cell_len(cell.text) for cell in column) for column in zip(*rows, strict=True)]
    if width is not None:
        others = sum(widths) - widths[folding] + GAP * (len(widths) - 1)
        widths[folding] = min(widths[folding], max(width - others, NARROWEST))
    for row in rows:
        pieces = chop_cells(row[folding].text, max(widths[folding], 1)) or [""]
        for number, piece in enumerate(pieces):
            cells = [Cell() if number and place != folding else cell for place, cell in enumerate(row)]
            cells[folding] = row[folding]._replace(text=piece)
            yield line_of(cells, widths, right).rstrip()


def line_of(cells: Sequence[Cell], widths: Sequence[int], right: frozenset[int]) -> str:
    """Set cells beside one another."""
    parts = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        room = " " * max(width - cell_len(cell.text), 0)
        is_plain = not cell.text or (cell.colour is None and not cell.is_bold)
        text = cell.text if is_plain else click.style(cell.text, fg=cell.colour, bold=cell.is_bold or None)
        parts.append(room + text if place in right else text + room)
    return (" " * GAP).join(parts)
