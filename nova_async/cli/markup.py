"""HTML and SVG, made so that no text can become markup: whatever is not markup already is cleaned and escaped. Pure."""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias, final

from nova_async._core.text import clean

__all__ = ["Child", "Markup", "element", "joined", "text"]

EMPTY = frozenset({"br", "hr", "meta", "rect", "line", "path", "circle"})  # elements that have no end tag, or no inside


@final
class Markup(str):
    """What is markup: made here, and by nobody out of a text that came from elsewhere."""

    __slots__ = ()


Child: TypeAlias = "str | Markup | Iterable[Child] | None"


def text(given: str) -> Markup:
    """Return a text from anywhere as a page may have it: none of it acts on a terminal, and none is markup."""
    return Markup(escape(clean(given)))


def joined(*children: Child) -> Markup:
    """Return parts one after the other: texts, markup, lists of both; None is nothing."""
    return Markup("".join(_parts(children)))


def element(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """Return an element: attributes that are None or false are left out, and those that are true have no value.

    A trailing underscore of a name is dropped (``class_``), and other underscores become hyphens (``aria_label``).
    """
    about = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    inside = joined(*children)
    if name in EMPTY and not inside:
        return Markup(f"<{name}{about}>" if name in ("br", "hr", "meta") else f"<{name}{about}/>")
    return Markup(f"<{name}{about}>{inside}</{name}>")


def _attribute(name: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{text(str(value))}"'


def _parts(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, str):
            yield text(child)
        elif child is not None:
            yield from _parts(child)
