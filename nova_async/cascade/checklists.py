"""Check-lists as spec-kit writes them: ``- [ ] T002 [P] [US1] Lint (depends on T001)``."""

import re
from typing import TYPE_CHECKING

from nova_async.cascade.blocks import Block
from nova_async.cascade.diagnostics import Findings
from nova_async.cascade.drafts import Section, TaskDraft
from nova_async.cascade.ids import ID, clean_id, split_dependencies
from nova_async.cascade.option_lists import read_option_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

__all__ = ["is_task_item", "read_checklist"]

ITEM = re.compile(
    rf"\[(?P<mark>[ xX])\]\s+(?P<id>[`*]{{0,3}}\#?{ID}[:.]?[`*]{{0,3}})[:.]?(?=\s|$)(?P<rest>.*)", re.ASCII | re.DOTALL
)
TAGS = re.compile(r"\s*\[([A-Za-z0-9._-]{1,40})\](?!\()")
DEPENDS = re.compile(r"\s*\(\s*depends\s+on:?\s+([^()]*)\)", re.IGNORECASE)


def is_task_item(text: str) -> bool:
    """Tell whether the text of a list item begins a task: a box and an id with a digit."""
    found = ITEM.match(text)
    return found is not None and any(char.isdigit() for char in found["id"])


def read_checklist(
    block: Block, lines: list[str], section: Section, findings: Findings
) -> "Iterator[TaskDraft | Block]":
    """Give the tasks of a top-level list, and its other items as blocks of their own."""
    for tokens in _items(block):
        start, end = tokens[0].map or (0, 0)
        text = tokens[2].content if len(tokens) > 2 and tokens[1].type == "paragraph_open" else ""
        if is_task_item(text):
            yield _read_item(tokens, lines, section, findings)
        else:
            yield Block("list_item", start, end, tuple(tokens))


def _read_item(tokens: "Sequence[Token]", lines: list[str], section: Section, findings: Findings) -> TaskDraft:
    start, end = tokens[0].map or (0, 0)
    found = ITEM.match(tokens[2].content)
    if found is None:
        raise ValueError("not a task item")
    tags, rest = _leading_tags(found["rest"])
    draft = TaskDraft(clean_id(found["id"].rstrip("`*:.")), start + 1, section, done=found["mark"] != " ")
    draft.parallel = "P" in tags
    own_tags = tuple(tag for tag in tags if tag != "P")
    if own_tags:
        draft.written["tags"] = own_tags
    draft.depends_on = tuple(dict.fromkeys(word for part in DEPENDS.findall(rest) for word in split_dependencies(part)))
    text = DEPENDS.sub("", rest).strip()
    draft.name = text.split("\n", 1)[0]
    body = (tokens[1].map or (0, start + 1))[1]
    if len(tokens) > 4 and tokens[4].type == "bullet_list_open":
        inner = [token for token in tokens[4:] if token.level >= tokens[4].level]
        closing = next(
            i for i, token in enumerate(inner) if token.type == "bullet_list_close" and token.level == inner[0].level
        )
        body = read_option_list(inner[: closing + 1], draft, findings) or body
    more = _without_margin(lines[body:end])
    draft.prompt = "\n".join(filter(None, (text, draft.prompt, more)))
    return draft


def _without_margin(lines: list[str]) -> str:
    """Join lines without the indentation that they share because they stand in a list item."""
    margin = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines).strip("\n").rstrip()


def _leading_tags(text: str) -> tuple[list[str], str]:
    tags = []
    while found := TAGS.match(text):
        tags.append(found[1])
        text = text[found.end() :]
    return tags, text


def _items(block: Block) -> "Iterator[list[Token]]":
    item: list[Token] = []
    for token in block.tokens[1:-1]:
        item.append(token)
        if token.type == "list_item_close" and token.level == 1:
            yield item
            item = []
