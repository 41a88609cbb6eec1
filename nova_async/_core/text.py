"""Text from anywhere, made fit to be shown to a person."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

__all__ = ["LOOK_AT", "MAX_LINE_SHOWN", "UNSEEN", "clean", "clusters", "listed", "one_line"]

MAX_LINE_SHOWN = 200  # characters; one line of a wide terminal

LOOK_AT = 4 * MAX_LINE_SHOWN  # characters of a long text that may become that line, escapes and blanks included

LONGEST_CLUSTER = 32  # characters that are kept together; the longest emoji have about ten

# `re` compiles the patterns when a text first needs them, which few do: it takes as long as two of our largest modules.

# What ECMA-48 calls control sequences (colours, movements), control strings (titles, links) with their end, and the
# short escapes. No part can run across what begins another one, so the search is linear on any text.
_ESCAPES = (
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x7f-\x9f]*+(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*+[0-~]?"
)
_LINE_ENDS = "\r\n?|[\x0b\x0c\x85\u2028\u2029]"
# C0, C1, and what nobody sees but for its effect on other characters: directions, blanks without a width, tags.
UNSEEN = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u070f\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Emoji and several scripts need joiners; between other characters they only make two equal words different.
_JOINED = "[\u0300-\u200b\u200e-\U0010ffff]"
_JOINERS = f"(?<!{_JOINED})[\u200c\u200d]|[\u200c\u200d](?!{_JOINED})"
_HALVES = "[\ud800-\udfff]"  # of surrogate pairs: bytes of a path that are no UTF-8


def clean(text: str) -> str:
    r"""Return the text with nothing in it that could act on a terminal, or that is there without being seen.

    Lines and tabs stay; every line end becomes ``"\n"``. The result is the same when it is cleaned again.
    """
    if text.replace("\n", " ").replace("\t", " ").isprintable():  # nearly every text, and ten times quicker
        return text
    if not text.isascii():
        text = re.sub(_HALVES, "\ufffd", text)
    text = re.sub(UNSEEN, "", re.sub(_LINE_ENDS, "\n", re.sub(_ESCAPES, "", text)))
    return text if text.isascii() else re.sub(_JOINERS, "", text)


def one_line(text: str, limit: int = MAX_LINE_SHOWN) -> str:
    """Return the text as one clean line of at most ``limit`` characters."""
    line = " ".join(clean(text[: 4 * limit].replace("\0", " ")).split())  # as find -print0 parts its names
    if len(line) > limit or (len(text) > len(line) == limit):
        return _beginning(line, limit - 1).rstrip() + "…"
    return line


def listed(names: Sequence[str], most: int) -> str:
    """Write names as ``T1, T2, T3 and 4 more``: at most so many of them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def clusters(text: str) -> Iterator[str]:
    """Give the text in pieces that must not be torn: an emoji of several characters, a letter with its accents."""
    begin = 0
    for place in range(1, len(text)):
        if place - begin >= LONGEST_CLUSTER or not _belongs_to(text[begin:place], text[place]):
            yield text[begin:place]
            begin = place
    if text:
        yield text[begin:]


def _belongs_to(cluster: str, char: str) -> bool:
    if "\U0001f1e6" <= char <= "\U0001f1ff":  # half a flag
        return len(cluster) == 1 and "\U0001f1e6" <= cluster <= "\U0001f1ff"
    is_mark = unicodedata.category(char) in ("Mn", "Me", "Mc") or "\U0001f3fb" <= char <= "\U0001f3ff"  # a skin tone
    return is_mark or "\u200d" in (char, cluster[-1])


def _beginning(line: str, limit: int) -> str:
    """Return at most so many characters, without tearing what belongs together."""
    length = 0
    for cluster in clusters(line[: limit + LONGEST_CLUSTER]):
        if length + len(cluster) > limit:
            break
        length += len(cluster)
    return line[:length]
