"""Bullet lists that set options: the one right after a task heading, and the one below a check-list item."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from nova_async.cascade.columns import field_of, guess_option
from nova_async.cascade.diagnostics import Findings, shown
from nova_async.cascade.drafts import TaskDraft
from nova_async.cascade.ids import split_dependencies
from nova_async.cascade.options import find_option
from nova_async.cascade.values import parse_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

__all__ = ["read_option_list"]

KEY_AND_VALUE = re.compile(
    r"(?P<mark>\*\*|__|[*_`]?)(?P<key>[A-Za-z][\w \\-]{0,40}?)\s*(?P<close>[*_`]{0,2}):(?P<rest>.*)", re.S
)


@final
@dataclass(frozen=True, slots=True)
class Bullet:
    """One item: its first paragraph and, where it has sub-items, theirs. Lines are counted from 0."""

    start: int
    end: int
    text: str
    parts: tuple[str, ...]

    def key_and_value(self) -> tuple[str, str] | None:
        """Split ``Timeout: 45m``, ``**Timeout:** 45m`` or ``**Timeout**: 45m``; None for prose."""
        found = KEY_AND_VALUE.match(self.text)
        if found is None:
            return None
        rest = found["rest"]
        if found["mark"] and not found["close"]:
            if not rest.startswith(found["mark"]):
                return None  # emphasis that spans more than the key
            rest = rest.removeprefix(found["mark"])
        if rest and not rest[0].isspace():
            return None  # C:\path, http://…
        return found["key"], " ".join(rest.split())


def read_option_list(tokens: "Sequence[Token]", draft: TaskDraft, findings: Findings) -> int | None:
    """Read the options of a task from the tokens of one bullet list.

    ``tokens`` go from ``bullet_list_open`` to its end. ``draft`` gets the options, dependencies, and a ``Prompt:`` if
    there is one; ``findings`` takes E104 and W111.

    Returns the line, from 0, from which on the text belongs to the prompt again; None if the list sets no options,
    because its first item is not a known key with a value.
    """
    bullets = _bullets(tokens)
    first = bullets[0].key_and_value() if bullets else None
    if first is None or not _is_known(first[0]):
        return None
    for bullet in bullets:
        setting = bullet.key_and_value()
        if setting is None:
            return bullet.start  # prose: what follows is said to the agent
        key, value = setting
        field, option = field_of(key), find_option(key)
        words = ", ".join(filter(None, (value, *bullet.parts)))
        if field == "deps":
            draft.depends_on = tuple(dict.fromkeys((*draft.depends_on, *split_dependencies(words))))
        elif field == "prompt":
            draft.prompt = "\n".join(filter(None, (value, *bullet.parts)))
        elif option is None:
            text = f"option {shown(key)} is not known: ignored{guess_option(key, findings)}"
            findings.add(bullet.start + 1, "W111", text)
        elif option.read is parse_list:
            own = draft.written.get(option.attribute, ())
            draft.set_option(
                option, " ".join((*(own if isinstance(own, tuple) else ()), words)), findings, bullet.start + 1
            )
        else:
            draft.set_option(option, words, findings, bullet.start + 1)
    return bullets[-1].end


def _is_known(key: str) -> bool:
    return find_option(key) is not None or field_of(key) in ("deps", "prompt")


def _bullets(tokens: "Sequence[Token]") -> list[Bullet]:
    """Gather the items of a list; sub-items and further paragraphs become parts of theirs."""
    level = tokens[0].level + 1
    bullets: list[Bullet] = []
    lines, texts = (0, 0), list[str]()
    for token in tokens:
        if token.type == "list_item_open" and token.level == level:
            start, end = token.map or (0, 0)
            lines, texts = (start, end), []
        elif token.type == "list_item_close" and token.level == level:
            bullets.append(Bullet(*lines, texts[0] if texts else "", tuple(texts[1:])))
        elif token.type == "inline":
            texts.append(token.content)
    return bullets
