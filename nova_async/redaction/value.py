"""One secret value, in all the ways in which programs print it: as it is, inside JSON, and inside JSON in JSON."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import groupby
from typing import NamedTuple, final

__all__ = ["Value", "values_of"]

ESCAPED_LETTER = b"\\u00"  # how JSON may write a letter, though hardly any program does
OPEN_ESCAPE = re.compile(rb"\\{1,3}(?:u[0-9a-fA-F]{0,4}(?:\\{1,2}(?:u[0-9a-fA-F]{0,3})?)?)?")
LONGEST_OPEN = 14  # bytes: `\\ud83d\\ude0`
SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
RAW, JSON, JSON_IN_JSON = range(3)

Spellings = tuple[bytes, ...]


@final
class Value:
    """A text, each character of which may be spelled in several ways, none of which begins another one.

    So there is only one way to read a text, and an attempt to match takes no longer than the text that it looks at.
    """

    goes_on = None

    def __init__(self, characters: Sequence[Spellings]) -> None:
        self._characters = characters
        self._longest = sum(max(map(len, spellings)) for spellings in characters)

    @cached_property
    def _plain(self) -> "Search":
        """All that is needed where no letter is escaped, which is nearly everywhere, and many times faster."""
        plain = [tuple(each for each in spellings if ESCAPED_LETTER not in each) for spellings in self._characters]
        return Search.of(plain) if all(plain) else self._complete

    @cached_property
    def _complete(self) -> "Search":
        return Search.of(self._characters)

    def find(self, text: bytes, begin: int) -> Iterator[tuple[int, int]]:
        """Yield where it stands, from left to right, one after the other."""
        search = self._complete if ESCAPED_LETTER in text else self._plain
        if text.find(search.fixed, begin) < 0:
            return iter(())
        return (found.span() for found in search.whole.finditer(text, begin))

    def undecided(self, text: bytes, begin: int) -> int:
        """Return the first place at which the value may have begun, or the length of the text."""
        begin = max(begin, len(text) - self._longest + 1)
        search = self._complete if text.find(ESCAPED_LETTER, begin) >= 0 else self._plain
        places = [search.begins_at(text, begin, len(text))]
        at = text.find(b"\\", max(begin, len(text) - LONGEST_OPEN))
        while at >= 0:
            if OPEN_ESCAPE.fullmatch(text, at):  # whichever character that will be
                places.append(search.begins_at(text, begin, at))
            at = text.find(b"\\", at + 1)
        return min(places)


class Search(NamedTuple):
    """What a text is searched with."""

    fixed: bytes
    """Stands in every match; to look for it alone is many times faster."""
    whole: "re.Pattern[bytes]"
    beginning: "re.Pattern[bytes]"
    """Matches from where the value may begin to the end of a text, if that end is not inside an escape."""

    @classmethod
    def of(cls, characters: Sequence[Spellings]) -> "Search":
        """Make them for a text whose characters have these spellings."""
        groups = groupby(characters, lambda spellings: len(spellings) == 1)
        fixed = [b"".join(each[0] for each in run) for is_fixed, run in groups if is_fixed]
        whole = [b"|".join(map(re.escape, spellings)) for spellings in characters]
        first, *rest = [
            b"|".join([each, *(rb"%s\Z" % cut for cut in beginnings_of(spellings))])
            for each, spellings in zip(whole, characters, strict=True)
        ]
        return cls(
            max(fixed, key=len, default=b""),
            re.compile(b"".join(b"(?:%s)" % each for each in whole)),
            re.compile(b"(?:%s)" % first + b"".join(rb"(?:%s|\Z)" % each for each in rest)),
        )

    def begins_at(self, text: bytes, begin: int, end: int) -> int:
        """Return where in a part of the text the value may begin, or the end of that part."""
        found = self.beginning.search(text, begin, end)
        return end if found is None else found.start()


def beginnings_of(spellings: Spellings) -> list[bytes]:
    """Return the expressions of all beginnings of a character of several bytes, but for those of escapes."""
    several = (each for each in spellings if len(each) > 1 and not each.startswith(b"\\"))
    return [re.escape(each[:size]) for each in several for size in range(1, len(each))]


@lru_cache(maxsize=256)  # many workers have the same environment
def values_of(text: str) -> tuple[Value, ...]:
    """Return what to look for so that a text is found however it is spelled."""
    if "\\" not in text:
        return (Value([spellings(char, (RAW, JSON, JSON_IN_JSON)) for char in text]),)
    # One backslash could be the beginning of two: here, each way of writing has to be looked for by itself.
    return tuple(Value([spellings(char, (depth,)) for char in text]) for depth in (RAW, JSON, JSON_IN_JSON))


def spellings(char: str, depths: Sequence[int]) -> Spellings:
    """Return all ways to spell a character so deep inside JSON."""
    found: list[str] = []
    for depth in depths:
        if depth == RAW:
            found += [char, "\r\n"] if char == "\n" else [char]  # a terminal prints its line ends so
        else:
            in_json = spelled_in_json(char)
            found += in_json if depth == JSON else [inner for each in in_json for inner in spelled_inside(each)]
    return tuple(dict.fromkeys(each.encode("utf-8", "surrogateescape") for each in found))


def spelled_in_json(char: str) -> list[str]:
    """Return the ways to spell a character inside a JSON string."""
    code = json.dumps(char)[1:-1] if ord(char) > 0xFFFF else f"\\u{ord(char):04x}"
    found = [code, code.upper().replace("\\U", "\\u")]
    if char in SHORT_ESCAPES:
        found.append(SHORT_ESCAPES[char])
    if char not in '"\\' and char >= " ":
        found.append(char)
    return found


def spelled_inside(spelling: str) -> list[str]:
    """Return how a spelling of JSON is spelled when it is put into a JSON string itself."""
    if len(spelling) == 1:
        return spelled_in_json(spelling)
    return [spelling.replace("\\", "\\\\").replace('"', '\\"')]
