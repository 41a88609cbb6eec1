"""Tables: what stands below one another in `nova plan`, `nova status` and a run's table is set in the same way."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from rich.cells import cell_len

from nova_async._core.text import clean, clusters
from nova_async.cli.ink import Line, Span, is_terminal, plain

__all__ = ["GAP", "columns_of_terminal", "cut", "fold", "table_lines", "width_of"]

GAP = 2  # columns between two cells
ON_ONE_LINE = {ord("\n"): " ", ord("\t"): " "}
NARROWEST = 8  # columns; a narrower cell is unreadable, and the terminal may wrap lines as it likes


def columns_of_terminal() -> int | None:
    """Return how wide the terminal is; None where nobody looks at one, and lines are as long as they are."""
    if not is_terminal(sys.stdout):
        return None
    from shutil import get_terminal_size  # with all that packs archives

    return get_terminal_size().columns


def width_of(line: Line) -> int:
    """Return how many columns a line takes."""
    return cell_len(plain(line))


def table_lines(
    rows: Sequence[Sequence[Line]],
    *,
    width: int | None,
    right: frozenset[int] = frozenset(),
    folding: Sequence[int] = (),
    cutting: Mapping[int, int] | None = None,
    filling: int | None = None,
) -> Iterator[list[Span]]:
    """Give the lines of a table: columns as wide as their cells, those in ``right`` set to the right.

    Where it is wider than ``width``, the columns ``folding`` are folded into as many lines as their cells need, and
    those in ``cutting`` are cut; before that they get at most so many columns each. The column ``filling`` gets what is
    left, so that a table which is drawn again and again keeps its shape.
    """
    if not rows:
        return
    measured = [[_measured(cell) for cell in row] for row in rows]
    widths = [max(cell.width for cell in column) for column in zip(*measured, strict=True)]
    if width is not None:
        if filling is not None:
            widths[filling] = max(widths[filling], 1)  # it is there, whatever stands in it
        for place, most in (cutting or {}).items():
            widths[place] = min(widths[place], most)
        _narrow(widths, [*(cutting or {}), *folding], width)
        if filling is not None:
            widths[filling] += max(width - _width_of_all(widths), 0)
    for row in measured:
        cells = [
            [cell] if cell.width <= widths[place]
            else [_measured(piece) for piece in fold(cell.spans, widths[place])] if place in folding
            else [_measured(cut(cell.spans, widths[place]))]
            for place, cell in enumerate(row)
        ]  # fmt: skip
        for pieces in zip_longest(*cells, fillvalue=NOTHING):
            yield _side_by_side(pieces, widths, right)


class _Cell(NamedTuple):
    """What stands in one place of a table: made fit for it, and measured, once."""

    spans: Sequence[Span]
    width: int


NOTHING = _Cell((), 0)


def _measured(line: Line) -> _Cell:
    if not line:  # so are most
        return NOTHING
    spans = _spans(line)
    return _Cell(spans, width_of(spans))


def cut(line: Line, width: int) -> list[Span]:
    """Return a line in at most so many columns; one that was cut ends with a mark, and no emoji is torn."""
    spans = _spans(line)
    if width_of(spans) <= width:
        return spans
    if width < 1:
        return []
    room, kept = width - 1, list[Span]()
    for text, ink in spans:
        taken = ""
        for cluster in clusters(text):
            room -= cell_len(cluster)
            if room < 0:
                return [*kept, Span(taken.rstrip() + "…", ink)]
            taken += cluster
        kept.append(Span(taken, ink))
    return kept


def fold(line: Line, width: int) -> list[list[Span]]:
    """Return a line as lines of at most so many columns, parted at blanks where there are any."""
    spans = _spans(line)
    if width_of(spans) <= width:
        return [spans]
    ink, lines, taken = spans[0].ink, list[str](), ""
    for word in plain(spans).split(" "):
        if taken and cell_len(taken) + 1 + cell_len(word) <= width:
            taken += " " + word
            continue
        if taken:
            lines.append(taken)
        *full, taken = _chopped(word, width)
        lines += full
    return [[Span(text, ink)] for text in [*lines, taken]]


def _chopped(word: str, width: int) -> list[str]:
    """Return a word in pieces of at most so many columns; one character may need more."""
    pieces, taken, room = list[str](), "", width
    for cluster in clusters(word):
        size = cell_len(cluster)
        if taken and size > room:
            pieces.append(taken)
            taken, room = "", width
        taken += cluster
        room -= size
    return [*pieces, taken]


def _narrow(widths: list[int], flexible: Sequence[int], width: int) -> None:
    """Take from the widest of these columns until the table fits, or none can be narrower."""
    while (excess := _width_of_all(widths) - width) > 0:
        ordered = sorted(flexible, key=lambda place: widths[place], reverse=True)
        if not ordered or widths[ordered[0]] <= NARROWEST:
            return
        widest = ordered[0]
        others = [widths[place] for place in ordered if widths[place] < widths[widest]]
        as_wide = sum(widths[place] == widths[widest] for place in ordered)
        step = min(-(-excess // as_wide), widths[widest] - max([NARROWEST, *others[:1]]))
        widths[widest] -= max(step, 1)


def _width_of_all(widths: Sequence[int]) -> int:
    """Return how wide the whole table is; a column in which nothing stands takes no place."""
    return sum(widths) + GAP * (sum(map(bool, widths)) - 1)


def _side_by_side(cells: Sequence[_Cell], widths: Sequence[int], right: frozenset[int]) -> list[Span]:
    """Set cells beside one another."""
    line = list[Span]()
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        if not width:
            continue
        room = Span(" " * max(width - cell.width, 0))
        gap = [Span(" " * GAP)] if line else []
        line += [*gap, room, *cell.spans] if place in right else [*gap, *cell.spans, room]
    while line and not line[-1].text.strip():
        line.pop()
    return line


def _spans(line: Line) -> list[Span]:
    pieces = [line] if isinstance(line, str) else line
    spans = (Span(piece) if isinstance(piece, str) else piece for piece in pieces)
    return [Span(clean(text).translate(ON_ONE_LINE), ink) for text, ink in spans]
