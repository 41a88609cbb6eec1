"""Texts of a known shape, such as tokens with a prefix: a small part of the regular expressions, matched in a stream.

Every pattern has a fixed length, but for its end, which may go on. So an attempt to match takes a bounded time at any
place of any text, and it is known of each end of a text whether it may be the beginning of a match.
"""

import re
from collections.abc import Iterator
from typing import final

__all__ = ["Pattern"]

LEAST_FIXED = 4  # characters; a shorter pattern would redact nearly everything
MOST_FIXED = 128  # characters; each may have to be compared at each place of the output

ATOM = re.compile(rb"\[\^?(?:\\.|[^\\\[\]])+\]|\\.|[^\\]", re.DOTALL)
COUNT = re.compile(rb"\{(\d{1,3})(,?)\}|[+*]")
UNKNOWN = b"()|^$?{}+*[]"
SET_OPERATIONS = re.compile(rb"--|&&|~~|\|\||[^\x00-\x7f]")  # in a class: Python may give these a meaning one day
CLASSES = (b"\\d", b"\\w")
LINE_ENDS = frozenset(b"\r\n")  # an end that goes on must not run over them

REFUSAL = (
    "a pattern consists of characters, classes such as [a-z] or \\w, and counts such as {20}; only its end may go on, "
    "with {20,}, + or *"
)


@final
class Pattern:
    """A pattern without its slashes: single characters, each with the set of bytes that it may be.

    Raises ``ValueError`` for one that is written in any other way, or is too short or too long.
    """

    def __init__(self, text: str) -> None:
        self._allowed, last = parsed(text.encode())
        fixed = b"".join(map(class_of, self._allowed))
        self.goes_on = None if last is None else re.compile(class_of(last) + b"*")
        """Takes what still belongs to a match whose end goes on; None where a match has one length."""
        self._whole = re.compile(fixed + (b"" if last is None else class_of(last) + b"*"))
        # One bit for each place of the pattern, by byte: the shift-and search, which compares all places at once.
        self._places = [
            sum(1 << place for place, allowed in enumerate(self._allowed) if byte in allowed) for byte in range(256)
        ]

    def find(self, text: bytes, begin: int) -> Iterator[tuple[int, int]]:
        """Yield where it matches, from left to right, one match after the other."""
        return (found.span() for found in self._whole.finditer(text, begin))

    def undecided(self, text: bytes, begin: int) -> int:
        """Return the first place from which more text could make a match, or the length of the text."""
        alive, length = 0, len(self._allowed)
        for byte in text[max(begin, len(text) - length + 1) :]:
            alive = (alive << 1 | 1) & self._places[byte]
        return len(text) - alive.bit_length()


def parsed(text: bytes) -> tuple[list[frozenset[int]], frozenset[int] | None]:
    """Return which bytes may stand at each place, and which may follow any number of times, if its end goes on."""
    fixed: list[frozenset[int]] = []
    at = 0
    while at < len(text):
        atom = ATOM.match(text, at)
        if atom is None:
            raise ValueError(f"{shown(text)} ends in a single backslash")
        allowed = allowed_by(atom[0])
        if allowed is None:
            raise ValueError(f"{shown(text)}: {REFUSAL}")
        at = atom.end()
        if (count := COUNT.match(text, at)) is not None:
            at = count.end()
            least = int(count[1]) if count[1] else 1 if count[0] == b"+" else 0
            goes_on = count[1] is None or bool(count[2])
            if goes_on and at < len(text):
                raise ValueError(f"{shown(text)}: {REFUSAL}")
            fixed += [allowed] * least
            if goes_on:
                return checked(fixed, text), allowed
        else:
            fixed.append(allowed)
    return checked(fixed, text), None


def checked(fixed: list[frozenset[int]], text: bytes) -> list[frozenset[int]]:
    """Return the fixed part of a pattern, if it is neither too short nor too long."""
    if not LEAST_FIXED <= len(fixed) <= MOST_FIXED:
        raise ValueError(
            f"{shown(text)}: its shortest match has {len(fixed)} characters, not {LEAST_FIXED} to {MOST_FIXED}"
        )
    return fixed


def allowed_by(atom: bytes) -> frozenset[int] | None:
    """Return the bytes that a single character of a pattern stands for; None for what means something else."""
    if len(atom) == 1 and atom in UNKNOWN:
        return None
    if atom[:1] == b"\\" and atom[1:].isalnum() and atom not in CLASSES:
        return None
    if atom[:1] == b"[" and SET_OPERATIONS.search(atom):
        return None
    try:
        expression = re.compile(atom, re.DOTALL)
    except re.error:
        return None
    return frozenset(byte for byte in range(256) if expression.fullmatch(bytes([byte]))) - LINE_ENDS or None


def class_of(allowed: frozenset[int]) -> bytes:
    """Return a set of bytes as a regular expression has it."""
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(allowed)) + b"]"


def shown(text: bytes) -> str:
    """Return a pattern as it is written."""
    return f"/{text.decode()}/"
