"""The values that can be written in a plan, from text: durations, money, numbers, yes and no, lists, commands.

Every reader raises ``ValueError`` with a message that says what was written and what could be written instead.
"""

import math
import re
import shlex
from collections.abc import Callable

from nova_async.cascade.diagnostics import did_you_mean, shown
from nova_async.cascade.shell_words import needs_a_shell

__all__ = [
    "NotAnOption",
    "is_nothing",
    "is_sentence",
    "one_of",
    "parse_check",
    "parse_command",
    "parse_duration",
    "parse_duration_range",
    "parse_limit_duration",
    "parse_list",
    "parse_money",
    "parse_pace",
    "parse_priority",
    "parse_size",
    "parse_text",
    "parse_yes_no",
    "unless_off",
    "whole_number",
]

NOTHING = frozenset({"", "-", "\u2013", "\u2014", "none", "n/a"})
UNIT_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
LONGEST = 100 * 365 * UNIT_SECONDS["d"]
LEAST_BARE = 1 << 20  # bytes; no program of use takes less, and who means to write so few can write ``4B``
NUMBER = r"\d{1,15}(?:\.\d{1,15})?"  # bounded, so that no number can overflow or take long to convert
SECONDS = re.compile(NUMBER, re.ASCII)
PARTS = re.compile(
    "".join(rf"(?:({NUMBER})\s*{unit}\s*)?" for unit in ("d", "h", "m(?!s)", "s", "ms")), re.ASCII | re.IGNORECASE
)
MONEY = re.compile(rf"\$?\s*({NUMBER})(?:\s*USD)?", re.ASCII | re.IGNORECASE)
SIZE = re.compile(rf"({NUMBER})\s*(?:([KMGT])(I?B)?|B)?", re.ASCII | re.IGNORECASE)
SHARE = re.compile(rf"({NUMBER})\s*(%)?", re.ASCII)
WHOLE = re.compile(r"\d{1,15}", re.ASCII)
PRIORITY = re.compile(r"[Pp](\d)", re.ASCII)
YES_NO = {"yes": True, "true": True, "no": False, "false": False}


# Bare words that a sentence has and a command has not: "the page opens", "all tests pass".
PROSE = frozenset({
    "the", "an", "is", "are", "was", "were", "that", "should", "must", "when", "still", "and", "correctly",
    "successfully", "manually", "without",
})  # fmt: skip
PROSE_ENDS = frozenset(["pass", "passes", "fail", "fails", "works", "work", "opens", "open", "shows", "appears", "ok"])


class NotAnOption(ValueError):
    """A value that must not be passed over, whatever plan it stands in."""


def is_nothing(text: str) -> bool:
    """Tell whether a cell says "nothing here": empty, a dash of any length, ``none`` or ``n/a``."""
    return text.strip().casefold() in NOTHING


def parse_duration(text: str) -> float:
    """Read ``90``, ``90s``, ``0.5s``, ``250ms``, ``30m``, ``2h``, ``1h30m`` or ``1d`` as seconds.

    Raises ``ValueError`` for anything else.
    """
    text = text.strip()
    if SECONDS.fullmatch(text):
        return bounded(text, float(text))
    parts = PARTS.fullmatch(text)
    if not text or parts is None:
        raise ValueError(f"{shown(text)} is not a duration (write 90s, 30m, 2h, 1h30m)")
    values = zip(parts.groups(), UNIT_SECONDS.values(), strict=True)
    return bounded(text, math.fsum(float(number) * seconds for number, seconds in values if number))


def bounded(text: str, seconds: float) -> float:
    """Return a duration; raises ``ValueError`` for one that no calendar can add to today."""
    if seconds > LONGEST:
        raise ValueError(f"{shown(text)} is longer than 100 years")
    return seconds


def parse_limit_duration(text: str) -> float:
    """Read a duration that limits something, in seconds; a limit of nothing would end everything at once.

    Raises ``ValueError`` for what is no duration, or not above 0.
    """
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError(f"{shown(text)}: a limit must be above 0 (or off)")
    return seconds


def parse_duration_range(text: str) -> tuple[float, float]:
    """Read ``30s..10m`` as the first and the longest of a growing series, in seconds.

    Raises ``ValueError`` where it is not two durations with ``..`` between them, or the second is shorter.
    """
    first, dots, longest = text.partition("..")
    complaint = f"{shown(text)} is not a range of durations (write 30s..10m)"
    try:
        low, high = parse_duration(first), parse_duration(longest)
    except ValueError:
        raise ValueError(complaint) from None
    if not dots or low > high:
        raise ValueError(complaint)
    return low, high


def parse_money(text: str) -> float:
    """Read ``4.50`` or ``$4.50`` as US dollars above 0.

    Raises ``ValueError`` for what is no amount, or not above 0.
    """
    amount = MONEY.fullmatch(text.strip())
    if amount is None:
        raise ValueError(f"{shown(text)} is not an amount in US dollars (write 4.50)")
    if float(amount[1]) <= 0:
        raise ValueError(f"{shown(text)}: a budget must be above 0")
    return float(amount[1])


def parse_size(text: str) -> int:
    """Read ``4GiB``, ``1.5G``, ``500MB`` or ``1073741824`` as bytes above 0.

    As for Docker and systemd, ``G`` is ``GiB``; only ``GB`` counts by thousands. Raises ``ValueError`` for anything
    else, and for a few bytes without a unit: nobody means 4 bytes by 4.
    """
    amount = SIZE.fullmatch(text.strip())
    if amount is None:
        raise ValueError(f"{shown(text)} is not a size (write 4GiB, 1.5G or 500MB)")
    number, unit, ending = amount.groups()
    step = 1000 if ending and ending.upper() == "B" else 1024
    size = int(float(number) * step ** ("KMGT".index(unit.upper()) + 1 if unit else 0))
    if size <= 0:
        raise ValueError(f"{shown(text)}: a limit must be above 0 (or off)")
    if text.strip() == number and size < LEAST_BARE:
        meant = f"{number}GB" if size < 100 else f"{number}MB" if size < 100_000 else "4GB or 500MB"
        raise ValueError(f"{shown(text)} without a unit means bytes: write {meant}")
    return size


def whole_number(lowest: int = 0, complaint: str = "must be at least {lowest}") -> Callable[[str], int]:
    """Make a reader of whole numbers from ``lowest`` up; ``complaint`` is said of those below."""

    def parse_whole_number(text: str) -> int:
        digits = text.strip().replace("_", "")
        if not WHOLE.fullmatch(digits):
            raise ValueError(f"{shown(text)} is not a whole number (write 3 or 150_000)")
        if int(digits) < lowest:
            raise ValueError(f"{shown(text)}: {complaint.format(lowest=lowest)}")
        return int(digits)

    return parse_whole_number


def parse_priority(text: str) -> int:
    """Read ``0``, ``1`` … or ``P0`` to ``P9``; the lower number goes first.

    Raises ``ValueError`` for anything else.
    """
    named = PRIORITY.fullmatch(text.strip())
    if named:
        return int(named[1])
    if not WHOLE.fullmatch(text.strip()):
        raise ValueError(f"{shown(text)} is not a priority (write 0, 1, 2 … or P0 to P9)")
    return int(text)


def parse_yes_no(text: str) -> bool:
    """Read ``yes`` or ``no`` (also ``true`` or ``false``).

    Raises ``ValueError`` for anything else.
    """
    answer = YES_NO.get(text.strip().casefold())
    if answer is None:
        raise ValueError(f"{shown(text)} is neither yes nor no")
    return answer


def parse_text(text: str) -> str:
    """Take the text as it is, without the space around it."""
    return text.strip()


def parse_list(text: str) -> tuple[str, ...]:
    """Read words with commas, semicolons or spaces between them; each once, a ``#`` before a word is dropped."""
    words = (word.removeprefix("#") for word in re.split(r"[,;\s]+", text))
    return tuple(dict.fromkeys(word for word in words if word))


def parse_command(text: str) -> tuple[str, ...]:
    """Split a command as a shell would, without running one.

    Raises ``ValueError`` for a quote that is left open, and for a text without a program.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"{shown(text)} cannot be split into words: {error}") from None
    if not words or not words[0]:
        raise ValueError(f"{shown(text)} names no program")
    return words


def parse_check(text: str) -> tuple[str, ...]:
    """Split the command of a check.

    Raises ``ValueError`` as ``parse_command`` does, and for a sentence; and ``NotAnOption`` for what only a shell
    reads: as mere words, ``true && false`` succeeds.
    """
    bare = text.strip()
    if complaint := needs_a_shell(bare):
        raise NotAnOption(complaint)
    if is_sentence(bare):
        raise ValueError(f"{shown(bare)} is a sentence, not a command")
    return parse_command(bare)


def is_sentence(text: str) -> bool:
    """Tell whether a check is said and not written as a command: ``the page opens``, ``All tests pass``."""
    words = text.split()
    if len(words) < 2 or any(word.startswith(("-", "'", '"')) for word in words):
        return False
    plain = [word.strip(".,!").casefold() for word in words]
    if PROSE.intersection(plain[1:]) or plain[0] in ("the", "all", "a", "an") or plain[-1] in PROSE_ENDS:
        return True
    return words[0].isalpha() and words[0].istitle() and not any(re.search(r"[./=_]\w", word) for word in words)


def parse_pace(text: str) -> str | float:
    """Read ``on``, ``off``, or a share between 0 and 1, such as ``0.8`` or ``80%``.

    Raises ``ValueError`` for anything else.
    """
    word = text.strip().casefold()
    if word in ("on", "off"):
        return word
    number = SHARE.fullmatch(word)
    share = 0.0 if number is None else float(number[1]) / (100 if number[2] else 1)
    if not 0 < share < 1:
        raise ValueError(f"{shown(text)} is not a share below 1 (write on, off, 0.8 or 80%)")
    return share


def one_of(*choices: str) -> Callable[[str], str]:
    """Make a reader that accepts these words only, in any case, and returns the one that was meant."""

    def parse_choice(text: str) -> str:
        word = text.strip().casefold()
        if word not in choices:
            raise ValueError(f"{shown(text)} is not one of {', '.join(choices)}{did_you_mean(word, choices)}")
        return choices[choices.index(word)]

    return parse_choice


def unless_off(read: Callable[[str], object]) -> Callable[[str], object]:
    """Make a reader that also takes ``off``, as None: a task may lift a limit that the front matter sets."""

    def parse_unless_off(text: str) -> object:
        return None if text.strip().casefold() == "off" else read(text)

    return parse_unless_off
