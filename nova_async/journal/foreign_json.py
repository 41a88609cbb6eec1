"""Values from a JSON file that anybody may have written: each has the right type, or is None or empty."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

__all__ = ["SURROGATES", "as_count", "as_flag", "as_list", "as_moment", "as_number", "as_pid", "as_table", "as_text",
           "as_texts", "as_word", "spelled", "written_moment"]  # fmt: skip

Word = TypeVar("Word", bound=StrEnum)
SURROGATES = re.compile("[\ud800-\udfff]")
LARGEST_PID = 2**31 - 1  # what system calls accept
LARGEST_COUNT = 2**63 - 1  # what SQLite and other readers of JSON accept


def spelled(half: re.Match[str]) -> str:
    r"""Spell out half of a surrogate pair: ``\xff`` if it stands for a byte that is not UTF-8, else ``\ud800``."""
    code = ord(half[0])
    return rf"\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else rf"\u{code:04x}"


def as_table(value: Any) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a JSON array, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str | None:
    """Return text that can be written anywhere, or None."""
    if not isinstance(value, str):
        return None
    return value if value.isascii() else SURROGATES.sub(spelled, value)


def as_texts(value: Any) -> tuple[str, ...]:
    """Return the strings of a list."""
    return tuple(text for item in as_list(value) if (text := as_text(item)) is not None)


def as_number(value: Any) -> float | None:
    """Return a finite number that is not negative, or None."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def as_count(value: Any) -> int:
    """Return an integer, exactly, or 0; absurd ones are bounded to 0 and what 64 bits hold."""
    whole = value if isinstance(value, int) and not isinstance(value, bool) else int(as_number(value) or 0)
    return min(max(whole, 0), LARGEST_COUNT)


def as_pid(value: Any) -> int | None:
    """Return a possible pid, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_PID else None


def as_flag(value: Any, otherwise: bool) -> bool:
    """Return a boolean, or ``otherwise`` for anything else."""
    return value if isinstance(value, bool) else otherwise


def as_word(words: type[Word], value: Any) -> Word | None:
    """Return one of these words, or None."""
    try:
        return words(value)
    except ValueError:
        return None


def as_moment(value: Any) -> datetime | None:
    """Return a moment given in ISO 8601, in UTC, or None; one without a time zone is taken to be UTC."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def written_moment(moment: datetime | None) -> str | None:
    """Write a moment in ISO 8601, in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds")
