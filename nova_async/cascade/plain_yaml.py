"""As much of YAML as people write in a list of milestones: blocks of keys and items, texts, numbers, short lists.

What is more than that (anchors, tags, folded texts, several documents) is refused with its line, and never guessed at.
"""

import re
from typing import Any, NamedTuple

__all__ = ["UnreadError", "read_plain_yaml"]

DEEPEST = 8  # blocks inside blocks; those of the original are three

DOUBLE, SINGLE = re.compile(r'"((?:[^"\\]|\\.)*+)"'), re.compile(r"'((?:[^']|'')*+)'")
BLANKS = re.compile(r"\s*+")
COMMENT = re.compile(r"(?:^|\s)#.*$")
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "/": "/"}
SPECIAL = tuple("&*!|>%@`[]{},?")


class UnreadError(ValueError):
    """A line is more than what is read here."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


class Line(NamedTuple):
    """A line that says something."""

    number: int
    indent: int
    text: str


def read_plain_yaml(text: str) -> Any:
    """Return what the document says, in dicts, lists, texts and numbers. Raises ``UnreadError``."""
    lines: list[Line] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.rstrip()
        said = line.lstrip(" ")
        if not said or said.startswith("#") or (line == "---" and not lines):
            continue
        if said.startswith("\t") or line in ("---", "..."):
            raise UnreadError(number, "a tab" if said.startswith("\t") else "a second document")
        lines.append(Line(number, len(line) - len(said), said))
    value, rest = read_block(lines, 0, 0) if lines else (None, 0)
    if rest < len(lines):
        raise UnreadError(lines[rest].number, "an indentation that matches no level")
    return value


def read_block(lines: list[Line], at: int, depth: int) -> tuple[Any, int]:
    """Read the items or keys that begin at a line and stand in its column; return them and where the next line is."""
    if depth > DEEPEST:
        raise UnreadError(lines[at].number, "too many levels")
    if lines[at].text.startswith("- ") or lines[at].text == "-":
        return read_items(lines, at, depth)
    return read_keys(lines, at, depth)


def read_items(lines: list[Line], at: int, depth: int) -> tuple[list[Any], int]:
    """Read the items of a list."""
    items: list[Any] = []
    indent = lines[at].indent
    while at < len(lines) and lines[at].indent == indent and lines[at].text.startswith("-"):
        number, _, text = lines[at]
        rest = text[1:].lstrip(" ")
        if rest and key_and_value(rest) is not None:
            # The first key of an item stands behind its hyphen; the others stand below it.
            lines[at] = Line(number, indent + len(text) - len(rest), rest)
            value, at = read_keys(lines, at, depth + 1)
        else:
            value, at = (read_scalar(rest, number), at + 1) if rest else read_below(lines, at, indent, depth)
        items.append(value)
    return items, at


def read_keys(lines: list[Line], at: int, depth: int) -> tuple[dict[str, Any], int]:
    """Read keys with their values."""
    table: dict[str, Any] = {}
    indent = lines[at].indent
    while at < len(lines) and lines[at].indent == indent and not lines[at].text.startswith("- "):
        number, _, text = lines[at]
        found = key_and_value(text)
        if found is None:
            raise UnreadError(number, "neither a key nor an item")
        key, said = str(read_scalar(found[0], number)), found[1]
        if key in table:
            raise UnreadError(number, f"the key {key!r} a second time")
        table[key], at = (read_scalar(said, number), at + 1) if said else read_below(lines, at, indent - 1, depth)
    return table, at


def key_and_value(text: str) -> tuple[str, str] | None:
    """Part a key from what stands behind its colon; None where there is no key."""
    quoted = DOUBLE.match(text) or SINGLE.match(text)
    end = quoted.end() if quoted is not None else 0
    if text.startswith(SPECIAL):
        return None
    colon = text.find(": ", end)
    if colon < 0:
        colon = len(text) - 1 if text.endswith(":") else -1
    if colon < 0 or (quoted is not None and text[end:colon].strip()):
        return None
    value = text[colon + 1 :].strip()
    return text[:colon], "" if value.startswith("#") else value


def read_below(lines: list[Line], at: int, indent: int, depth: int) -> tuple[Any, int]:
    """Read the block below a line, which stands further to the right than ``indent``; None where there is none."""
    below = at + 1
    inside = below < len(lines) and lines[below].indent > indent
    # A list may stand right below its key; other keys there are its neighbours.
    if inside and (lines[below].indent > lines[at].indent or lines[below].text.startswith("-")):
        return read_block(lines, below, depth + 1)
    return None, below


def read_scalar(text: str, line: int) -> Any:
    """Read a text, a number, or a list of them on one line."""
    text = text.strip()
    for quoted in (DOUBLE, SINGLE):
        if (found := quoted.match(text)) is not None:
            if COMMENT.sub("", text[found.end() :]).strip():
                raise UnreadError(line, "text after the closing quote")
            return unescaped(found[1], line) if quoted is DOUBLE else found[1].replace("''", "'")
    text = COMMENT.sub("", text).strip()
    if text.startswith("[") and text.endswith("]"):
        return read_list(text[1:-1], line)
    if text.startswith((*SPECIAL, '"', "'", "- ")) or ": " in text:
        raise UnreadError(line, f"{text[:20]!r}")
    for number in (int, float):
        if re.fullmatch(r"[-+]?\d{1,15}(?:\.\d{1,15})?", text, re.ASCII) and (number is float or "." not in text):
            return number(text)
    return text


def read_list(text: str, line: int) -> list[Any]:
    """Read what stands between two brackets."""
    items: list[Any] = []
    at = 0
    while at < len(text):
        blanks = BLANKS.match(text, at)
        begin = blanks.end() if blanks is not None else at
        quoted = DOUBLE.match(text, begin) or SINGLE.match(text, begin)
        comma = text.find(",", quoted.end() if quoted is not None else begin)
        end = comma if comma >= 0 else len(text)
        if item := text[begin:end].strip():
            if item.startswith("["):
                raise UnreadError(line, "a list in a list")
            items.append(read_scalar(item, line))
        at = end + 1
    return items


def unescaped(text: str, line: int) -> str:
    """Return a text between double quotes without its escapes."""

    def one(found: re.Match[str]) -> str:
        if found[1] not in ESCAPES:
            raise UnreadError(line, f"the escape \\{found[1]}")
        return ESCAPES[found[1]]

    return re.sub(r"\\(.)", one, text)
