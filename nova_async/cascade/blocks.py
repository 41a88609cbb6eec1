"""The Markdown of a plan as a row of top-level blocks, each with its lines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["Block", "Row", "break_lines", "read_rows", "split_blocks", "split_row"]

BARE_PIPE = re.compile(r"(?<!\\)\|")
CODE_OR_BREAK = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)|^ {0,3}~~~.*?^ {0,3}~~~)"
    r"|(?<![ \t])[ \t]*<br\s*/?>[ \t]*\n?",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)


@final
@dataclass(frozen=True, slots=True)
class Block:
    """One heading, paragraph, table, list … that stands in no other block. Lines are counted from 0."""

    kind: str
    """markdown-it's name: ``heading``, ``paragraph``, ``table``, ``bullet_list``, ``fence``, ``html_block`` …"""
    start: int
    end: int
    """The first line that is no longer part of it."""
    tokens: "tuple[Token, ...]"

    @property
    def text(self) -> str:
        """The inline source of its first paragraph or heading."""
        return next((token.content for token in self.tokens if token.type == "inline"), "")

    @property
    def rank(self) -> int:
        """1 to 6 for a ``#`` heading, 0 for all else.

        Underlined headings are none here: a paragraph with ``---`` below it is far more often meant as a rule.
        """
        opening = self.tokens[0]
        return int(opening.tag[1]) if self.kind == "heading" and opening.markup.startswith("#") else 0


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table; ``line`` is counted from 0."""

    line: int
    cells: tuple[str, ...]


def split_blocks(text: str) -> list[Block]:
    r"""Read Markdown whose line ends are ``\n``; inline markup is left as it is."""
    # Imported here because it takes 43 ms: commands that read no plan must not pay for it.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])
    blocks: list[Block] = []
    gathered: list[Token] = []
    for token in parser.parse(text):
        gathered.append(token)
        if token.level == 0 and token.nesting <= 0:
            opening = gathered[0]
            start, end = opening.map or (0, 0)
            blocks.append(Block(opening.type.removesuffix("_open"), start, end, tuple(gathered)))
            gathered = []
    return blocks


def read_rows(block: Block) -> Iterator[Row]:
    """Give the rows of a table, the header first."""
    line, cells = 0, list[str]()
    for token in block.tokens:
        if token.type == "tr_open":
            line, cells = (token.map or (0, 0))[0], []
        elif token.type == "inline":
            cells.append(token.content)
        elif token.type == "tr_close":
            yield Row(line, tuple(cells))


def split_row(line: str) -> list[str]:
    r"""Split a source line into cells by the rule of GitHub's tables: every ``|`` counts unless ``\`` is before it."""
    cells = [cell.replace("\\|", "|") for cell in BARE_PIPE.split(line.strip())]
    if cells[0] == "":
        del cells[0]
    if cells and cells[-1] == "":
        del cells[-1]
    return [cell.strip() for cell in cells]


def break_lines(text: str) -> str:
    """Turn ``<br>`` into a line break, except in code."""
    return CODE_OR_BREAK.sub(lambda found: found[0] if found["code"] else "\n", text) if "<br" in text.lower() else text
