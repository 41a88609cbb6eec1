"""The filter: bytes in, bytes out, with a mark in place of each secret, however the bytes are cut."""

import re
from collections.abc import Iterator, Sequence
from typing import Protocol, final

__all__ = ["MARK", "Needle", "Redactor"]

MARK = b"[redacted]"
LEAST_BEGINNING = 8  # bytes of a secret at the very end, cut off there, that are redacted all the same


class Needle(Protocol):
    """A text to look for, or a kind of texts."""

    @property
    def goes_on(self) -> "re.Pattern[bytes] | None":
        """Takes what still belongs to a match, where that may go on for any length."""

    def find(self, text: bytes, begin: int) -> Iterator[tuple[int, int]]:
        """Yield where it stands, from left to right, without overlaps."""
        ...

    def undecided(self, text: bytes, begin: int) -> int:
        """Return the first place that may be the beginning of one that is not complete, or the text's length."""
        ...


class Search:
    """How far one needle has been looked for."""

    def __init__(self, needle: Needle) -> None:
        self._needle = needle
        self._at = 0  # the first byte that has not been decided, counted from what the filter holds back
        self._goes_on = False  # whether a match reaches up to there, and may go on

    def look(self, text: bytes, found: list[tuple[int, int]]) -> int:
        """Add where it stands, and return from where on it may stand once more text is there."""
        needle = self._needle
        if self._goes_on and needle.goes_on is not None:
            end = end_of(needle.goes_on, text, self._at)
            found.append((self._at, end))
            self._at = end
        matched = self._goes_on
        for begin, end in needle.find(text, self._at):
            found.append((begin, end))
            self._at, matched = end, True
        self._goes_on = matched and needle.goes_on is not None and self._at == len(text)
        self._at = needle.undecided(text, self._at)
        return self._at

    def forget(self, size: int) -> None:
        """Count from so many bytes later on."""
        self._at -= size


@final
class Redactor:
    """Filters one stream. It holds back only what may be the beginning of a secret, and never more than the longest.

    Every byte of every secret is dropped; what is dropped in one piece becomes one mark.
    """

    def __init__(self, needles: Sequence[Needle]) -> None:
        self._searches = [Search(needle) for needle in needles]
        self._held = b""
        self._found: list[tuple[int, int]] = []  # secrets that lie in what is held back
        self._marked = False  # whether the last that was given out is a mark

    def feed(self, chunk: bytes) -> bytes:
        """Take more of the stream, and return what can be given out."""
        text = self._held + chunk if self._held else chunk
        keep = len(text)
        for search in self._searches:
            keep = min(keep, search.look(text, self._found))
        return self._give_out(text, keep)

    def close(self) -> bytes:
        """Return what is left at the end of the stream; most of a secret that is cut off there is one as well."""
        if len(self._held) >= LEAST_BEGINNING:
            self._found.append((0, len(self._held)))
        return self._give_out(self._held, len(self._held))

    def _give_out(self, text: bytes, keep: int) -> bytes:
        """Return the text up to there, redacted, and hold back the rest."""
        for search in self._searches:
            search.forget(keep)
        self._held = text[keep:]
        if not self._found:
            self._marked = self._marked and not keep
            return text if keep == len(text) else text[:keep]
        pieces: list[bytes] = []
        at, later = 0, []
        for begin, end in joined(self._found):
            if end > keep:
                later.append((max(begin, keep) - keep, end - keep))
            if begin >= keep:
                continue
            if begin > at:
                pieces.append(text[at:begin])
                self._marked = False
            if not self._marked:
                pieces.append(MARK)
            at, self._marked = min(end, keep), True
        if at < keep:
            pieces.append(text[at:keep])
            self._marked = False
        self._found = later
        return b"".join(pieces)


def end_of(expression: "re.Pattern[bytes]", text: bytes, at: int) -> int:
    """Return where that ends what goes on from there."""
    found = expression.match(text, at)
    return at if found is None else found.end()


def joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans from left to right, with those that touch as one."""
    result: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if result and begin <= result[-1][1]:
            result[-1] = result[-1][0], max(end, result[-1][1])
        elif end > begin:
            result.append((begin, end))
    return result
