"""Task ids, and the lists of them that say what a task depends on."""

import re
from collections.abc import Container

from nova_async.cascade.values import is_nothing

__all__ = ["ID", "MAX_ID", "clean_id", "is_task_id", "open_range", "resolve_word", "split_dependencies"]

ID = r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*"
"""The shape of an id, to be built into larger patterns."""
PADDING = "`* \t\u00a0\u200b\ufeff"  # editors and browsers add the last three, and nobody sees them
MAX_ID = 64  # characters: an id becomes part of file and branch names
MAX_RANGE = 1000  # tasks in one range: `F1-F999999999` is a slip of the hand and must not fill the memory

WHOLE_ID = re.compile(ID, re.ASCII)
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
SEPARATORS = re.compile(r"(?:[,;+&\s]|<br\s*/?>)+", re.IGNORECASE)
SPACED_RANGE = re.compile(r"(?<=[A-Za-z0-9])\s+(-|\u2013|\.\.)\s+(?=#?[A-Za-z0-9])")
RANGE_SIGN = re.compile(r"\.\.|-|\u2013")
NUMBERED = re.compile(r"(.*?)(\d{1,15})", re.ASCII)


def is_task_id(text: str) -> bool:
    """Tell whether the text is a well-formed id: ASCII letters and digits, joined by single ``.``, ``_`` or ``-``."""
    return len(text) <= MAX_ID and WHOLE_ID.fullmatch(text) is not None


def clean_id(text: str) -> str:
    """Take off what people and formatters put around an id: backticks, bold, a leading ``#``, backslashes."""
    return ESCAPED.sub(r"\1", text).strip(PADDING).removeprefix("#").strip(PADDING)


def split_dependencies(text: str) -> tuple[str, ...]:
    """Split a dependency cell into words, each an id or a range that ``resolve_word`` opens later."""
    if is_nothing(text):
        return ()
    text = SPACED_RANGE.sub(r"\1", ESCAPED.sub(r"\1", text).replace("`", "").replace("*", ""))
    words = (word.removeprefix("#").rstrip(".") for word in SEPARATORS.split(text))
    return tuple(dict.fromkeys(word for word in words if not is_nothing(word) and word.casefold() != "and"))


def open_range(word: str) -> tuple[str, ...] | None:
    """Give all ids of a range such as ``F1-F3``, ``T001..T003`` or ``1..4``, zero padding kept; None if it is none."""
    for sign in RANGE_SIGN.finditer(word):
        first = NUMBERED.fullmatch(word[: sign.start()])
        last = NUMBERED.fullmatch(word[sign.end() :].removeprefix("#"))
        if first is None or last is None or last[1] not in ("", first[1]):
            continue
        low, high = int(first[2]), int(last[2])
        if low <= high < low + MAX_RANGE:
            return tuple(first[1] + str(number).zfill(len(first[2])) for number in range(low, high + 1))
    return None


def resolve_word(word: str, known: Container[str]) -> tuple[str, ...]:
    """Give the ids that a word of a dependency cell means.

    An existing id wins over a range that is spelled alike; a range of which nothing exists stays one word, so that
    it is one mistake and not a thousand.
    """
    ids = open_range(word) if word not in known else None
    return ids if ids and any(task_id in known for task_id in ids) else (word,)
