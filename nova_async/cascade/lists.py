"""Markdown lists as trees of items, each with its lines."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from nova_async.cascade.labels import Label, read_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

__all__ = ["Item", "items_of", "lines_without"]


@final
@dataclass(slots=True)
class Item:
    """One item of a list. Lines are counted from 0; Markdown nests at most 20 deep, so recursion is safe."""

    start: int
    end: int
    """The first line that is no longer part of it."""
    number: str
    """What an ordered list calls it; nothing in a bullet list."""
    text: str = ""
    """Its first paragraph."""
    text_end: int = 0
    parts: list[str] = field(default_factory=list)
    """Every other paragraph in it, those of inner items included."""
    children: "list[Item]" = field(default_factory=list)
    first_list: "list[Item]" = field(default_factory=list)
    """The children of the list that stands directly below its text, if one does."""
    label: Label = field(default_factory=Label)
    task_id: str = ""
    """Its id, once it is known to have one."""

    def family(self) -> "Iterator[Item]":
        """Give the item and everything in it, in file order."""
        yield self
        for child in self.children:
            yield from child.family()


def items_of(tokens: "Sequence[Token]") -> list[Item]:
    """Read the tokens of one list, from its opening to its end."""
    top: list[Item] = []
    open_items: list[Item] = []
    lists: list[list[Item]] = []
    previous = ""
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            is_first = bool(open_items) and previous == "paragraph_close" and not open_items[-1].parts
            lists.append(open_items[-1].first_list if is_first else [] if open_items else top)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            closed = lists.pop()
            if open_items:
                open_items[-1].children.extend(closed)
        elif token.type == "list_item_open":
            start, end = token.map or (0, 0)
            item = Item(start, end, token.info, text_end=start + 1)
            lists[-1].append(item)
            open_items.append(item)
        elif token.type == "list_item_close":
            item = open_items.pop()
            item.label = read_label(item.text)
        elif token.type == "inline" and open_items:
            _take_text(open_items, token, is_first=previous == "list_item_open")
        if token.type != "paragraph_open":
            previous = token.type
    return top


def _take_text(open_items: list[Item], token: "Token", *, is_first: bool) -> None:
    inside = open_items[-1]
    if is_first:
        inside.text, inside.text_end = token.content, (token.map or (0, inside.start + 1))[1]
    for item in open_items if not is_first else open_items[:-1]:
        item.parts.append(token.content)


def lines_without(
    lines: list[str], start: int, end: int, left_out: "Sequence[tuple[int, int]]"
) -> list[tuple[int, str]]:
    """Give the lines from ``start`` to ``end`` without some ranges, and without the indentation that they share.

    Lines are counted from 0, but for the numbers in the result: those are counted from 1, as in messages.
    """
    kept: list[tuple[int, str]] = []
    for first, last in [*sorted(left_out), (end, end)]:
        kept.extend((number + 1, lines[number]) for number in range(start, min(first, end)))
        start = max(start, last)
    margin = min((len(line) - len(line.lstrip(" ")) for _, line in kept if line.strip()), default=0)
    return [(number, line[margin:]) for number, line in kept]
