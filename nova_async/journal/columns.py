"""How single values are written to a journal's columns and read back.

Anything that an agent may report is accepted: numbers too large for SQLite are bounded, NaN and infinity are left
out, and text that is not valid Unicode, as in some paths, is stored as bytes. What is read back has the right type, or
``TypeError`` or ``ValueError`` shows that another program wrote it.
"""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

__all__ = ["MOST_TEXT", "as_flag", "as_json", "as_moment", "as_real", "as_text", "as_texts", "as_whole",
           "cut", "either", "from_word", "to_json", "to_moment", "to_real", "to_seconds", "to_text", "to_whole",
           "to_word"]  # fmt: skip

T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)

MOST_TEXT = 64 * 1024  # bytes of a text that an agent or a program wrote; the whole of it is in the log
LARGEST = 2**63 - 1  # SQLite's integers have 64 bits, with a sign
ENCODER = json.JSONEncoder(default=str, separators=(",", ":"), allow_nan=False)  # `dumps` would make one for each value


def to_moment(moment: datetime) -> str:
    """Write a moment as text in UTC, so that moments sort and people can read them."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def as_moment(value: object) -> datetime:
    """Read what ``to_moment`` gave."""
    moment = datetime.fromisoformat(as_text(value))
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} is not a UTC timestamp")
    return moment


def to_text(text: str | None) -> str | bytes | None:
    """Return text in a form that SQLite accepts."""
    if text is None or text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def as_text(value: object) -> str:
    """Read what ``to_text`` gave."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogatepass")
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def cut(text: str | None, most: int = MOST_TEXT) -> str | None:
    """Return the beginning of a text: at most so many bytes of UTF-8, and whole characters only."""
    if text is None or len(text) * 4 <= most:
        return text
    encoded = text[:most].encode("utf-8", "surrogatepass")
    if len(encoded) <= most:
        return text[:most]
    while encoded[most] & 0xC0 == 0x80:  # the middle of a character
        most -= 1
    return encoded[:most].decode("utf-8", "surrogatepass")


def to_whole(number: int | None, largest: int = LARGEST) -> int | None:
    """Return an integer that is bounded by ``largest``; by default it fits into SQLite."""
    return None if number is None else max(-largest - 1, min(int(number), largest))


def as_whole(value: object) -> int:
    """Read a whole number."""
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not an integer")
    return value


def to_real(number: float | None) -> float | None:
    """Return a finite number; infinity and NaN become None."""
    if number is None:
        return None
    try:
        real = float(number)
    except OverflowError:  # a whole number with hundreds of digits
        return None
    return real if math.isfinite(real) else None


def to_seconds(number: float) -> float:
    """Return a time that must not be None: zero if it is not a finite number."""
    return to_real(number) or 0.0


def as_real(value: object) -> float:
    """Read a finite number."""
    if not isinstance(value, float | int) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def as_flag(value: object) -> bool:
    """Read a boolean."""
    return bool(as_whole(value))


def either(read: Callable[[object], T]) -> Callable[[object], T | None]:
    """Make a reader of values that also accepts None."""
    return lambda value: None if value is None else read(value)


def to_word(vocabulary: type[StrEnum]) -> Callable[[Any], str]:
    """Make a writer that rejects words outside the vocabulary, which could not be read back."""
    return lambda value: vocabulary(value).value


def from_word(vocabulary: type[Word]) -> Callable[[object], Word]:
    """Make a reader of words of the vocabulary."""
    return lambda value: vocabulary(as_text(value))


def to_json(value: object) -> str:
    """Write a small structure as JSON; types that JSON lacks become their ``str()``, NaN and infinity ``null``."""
    try:
        return ENCODER.encode(value)
    except ValueError:
        return ENCODER.encode(finite(value))


def finite(value: Any, largest: int = LARGEST) -> Any:
    """Copy a structure with NaN and infinity as None, and huge integers bounded by ``largest``."""
    if isinstance(value, float):
        return to_real(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return to_whole(value, largest)
    if isinstance(value, dict):
        return {key: finite(item, largest) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item, largest) for item in value]
    return value


def as_json(value: object, kind: type[T]) -> T:
    """Read a small structure that must be of that type."""
    found = json.loads(as_text(value))
    if not isinstance(found, kind):
        raise TypeError(f"{value!r} is not a {kind.__name__}")
    return found


def as_texts(value: object) -> tuple[str, ...]:
    """Read a list of texts."""
    return tuple(as_text(item) for item in as_json(value, list))
