"""Values out of a JSON file that anybody may have written: each is what it should be, or nothing."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

__all__ = ["SURROGATES", "as_count", "as_flag", "as_moment", "as_number", "as_pid", "as_table", "as_text", "as_texts",
           "as_word", "spelled"]  # fmt: skip

Word = TypeVar("Word", bound=StrEnum)
SURROGATES = re.compile("[\ud800-\udfff]")
LARGEST_PID = 2**31 - 1  # what the system's calls take
LARGEST_COUNT = 2**63 - 1  # what SQLite and other readers of JSON take


def spelled(half: re.Match[str]) -> str:
    r"""Spell out half of a surrogate pair: ``\xff`` if it stands for a byte that is not UTF-8, else ``\ud800``."""
    code = ord(half[0])
    return rf"\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else rf"\u{code:04x}"


def as_table(value: Any) -> Mapping[str, Any]:
    """Take a JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str | None:
    """Take a text that can be written anywhere, or nothing."""
    if not isinstance(value, str):
        return None
    return value if value.isascii() else SURROGATES.sub(spelled, value)


def as_texts(value: Any) -> tuple[str, ...]:
    """Take the texts of a list."""
    found = value if isinstance(value, list) else []
    return tuple(text for item in found if (text := as_text(item)) is not None)


def as_number(value: Any) -> float | None:
    """Take a finite number that is not negative, or nothing."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def as_count(value: Any) -> int:
    """Take a whole number, exactly, or 0; a nonsense one is cut to what 64 bits hold."""
    whole = value if isinstance(value, int) and not isinstance(value, bool) else int(as_number(value) or 0)
    return min(max(whole, 0), LARGEST_COUNT)


def as_pid(value: Any) -> int | None:
    """Take a number that a process may have, or nothing."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_PID else None


def as_flag(value: Any, otherwise: bool) -> bool:
    """Take a truth, or what is given for when there is none."""
    return value if isinstance(value, bool) else otherwise


def as_word(words: type[Word], value: Any) -> Word | None:
    """Take one of these words, or nothing."""
    try:
        return words(value)
    except ValueError:
        return None


def as_moment(value: Any) -> datetime | None:
    """Take a moment in ISO 8601, in UTC; one without a zone is taken to be so."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None
