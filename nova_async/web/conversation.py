"""What an agent said and did, for people: its log in entries, a part at a time, as ``nova logs`` renders it.

A part begins and ends between two lines, so any part can be shown by itself: the end of a long log first, say. Who goes
on where a part ended gets what he would have got in one go: what the renderer knew then is kept for a while.
"""

import copy
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from io import FileIO
from typing import Any, NamedTuple, final

from nova_async.agents import Piece, Renderer
from nova_async.agents.unknown import renderer_of
from nova_async.web.logs import Log

__all__ = ["Conversations", "document"]

PART = 256 * 1024  # bytes of the log in one answer, at least one line: some hundred entries
LONGEST_PART = 16 * 1024 * 1024  # bytes looked through for the end of a line that is longer than a part
MOST_KEPT = 64  # renderers, each some kilobytes: as many pages may follow a conversation at once
MOST_TEXT = 64 * 1024  # characters of one entry; no person reads on, and a page must lay it all out
CHUNK = 256 * 1024  # bytes


class Shown(NamedTuple):
    """A part of a conversation."""

    pieces: Sequence[Piece]
    begin: int
    """The byte of the log at which it begins."""
    next: int | None
    """The byte at which what follows begins; None if nothing will follow."""
    size: int
    """How many bytes the log had."""


@final
class Conversations:
    """Renders parts of logs; used in one thread at a time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[tuple[int, int], str, int], Renderer] = OrderedDict()

    def part(self, log: Log, begin: int, most: int = PART, until: int | None = None) -> Shown:
        """Render a part of a log that begins at a byte, or, if that is negative, so many bytes before its end.

        With ``until`` it ends there at the latest: where another part begins, before which this one is to stand.
        """
        size = log.size
        most = min(max(most, 1), PART)
        begin = max(size + begin, 0) if begin < 0 else min(begin, size)
        renderer = self._renderer_at(log, begin)
        if renderer is None:
            renderer = renderer_of(log.agent or None)
            begin = line_from(log.file, begin, size)
        if until is not None and begin >= until:
            return Shown([], until, until, size)
        end = end_of_part(log.file, begin, size, most, is_over=log.is_over)
        end = end if until is None else min(end, until)
        pieces = feed(renderer, log.file, begin, end)
        if log.is_over and end >= size:
            return Shown([*pieces, *renderer.close()], begin, None, size)
        self._keep(log, end, renderer)
        return Shown(pieces, begin, end, size)

    def _renderer_at(self, log: Log, begin: int) -> Renderer | None:
        key = (log.key, log.agent, begin)
        kept = self._kept.get(key)
        if kept is None:
            return None if begin else renderer_of(log.agent or None)
        self._kept.move_to_end(key)
        return copy.deepcopy(kept)  # others may go on from here, too

    def _keep(self, log: Log, end: int, renderer: Renderer) -> None:
        self._kept[log.key, log.agent, end] = renderer
        self._kept.move_to_end((log.key, log.agent, end))
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def feed(renderer: Renderer, file: FileIO, begin: int, end: int) -> list[Piece]:
    """Render these bytes of a file."""
    pieces: list[Piece] = []
    while begin < end and (chunk := os.pread(file.fileno(), min(CHUNK, end - begin), begin)):
        pieces += renderer.feed(chunk)
        begin += len(chunk)
    return pieces


def line_from(file: FileIO, begin: int, size: int) -> int:
    """Return where the first line begins that begins at a byte or after it."""
    if begin == 0 or os.pread(file.fileno(), 1, begin - 1) == b"\n":
        return begin
    end = line_end(file, begin, min(size, begin + LONGEST_PART))
    return size if end is None else end


def end_of_part(file: FileIO, begin: int, size: int, most: int, *, is_over: bool) -> int:
    """Return where a part ends: after its last whole line, or after the one line that is longer.

    An unfinished line at the end of a log that still grows is left for the next part.
    """
    end = min(begin + most, size)
    if end == size and is_over:
        return size
    last = os.pread(file.fileno(), end - begin, begin).rfind(b"\n")
    if last >= 0:
        return begin + last + 1
    found = line_end(file, end, min(size, begin + LONGEST_PART))
    if found is not None:
        return found
    return begin + LONGEST_PART if size > begin + LONGEST_PART else (size if is_over else begin)


def line_end(file: FileIO, begin: int, end: int) -> int | None:
    """Return where the line ends that these bytes begin in, its line end included; None if not in them."""
    while begin < end and (chunk := os.pread(file.fileno(), min(CHUNK, end - begin), begin)):
        found = chunk.find(b"\n")
        if found >= 0:
            return begin + found + 1
        begin += len(chunk)
    return None


def document(log: Log, shown: Shown) -> Mapping[str, Any]:
    """Return a part of a conversation as a JSON object."""
    return {
        "task": log.task_id,
        "attempt": log.number,
        "agent": log.agent or None,
        "is_over": log.is_over,
        "from": shown.begin,
        "next": shown.next,
        "size": shown.size,
        "entries": [entry(piece) for piece in shown.pieces],
    }


def entry(piece: Piece) -> Mapping[str, Any]:
    """Return a piece as a JSON object; of a very long one the beginning, for the whole of it is in the log."""
    return {
        "kind": piece.kind,
        "text": piece.text[:MOST_TEXT],
        "is_cut": len(piece.text) > MOST_TEXT,
        "depth": piece.depth,
        "continues": piece.continues,
        "is_open": piece.is_open,
    }
