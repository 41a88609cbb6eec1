"""When a usage limit ends: the moment that an agent tells, in whatever words it tells it.

Some tell a moment. The others tell a time of day or a length of time, which need to be known when they were said, and
in which time zone. The wordings are those of Claude Code 1.0 to 2.1.332, Codex 0.40 to 0.169.0, Gemini CLI 0.61.0 and
the services behind them.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any

__all__ = ["FURTHEST", "ZoneFinder", "instant_of", "more_exactly", "reset_moment", "seconds_of", "told_in", "utc_of"]

FURTHEST = timedelta(days=35)
"""The longest of these limits is that of a month; what is told to lie further ahead is a mistake."""
SLACK = timedelta(minutes=1)  # they leave out the seconds, so the minute that has just begun may be meant
# Codex cuts the seconds off (``%-I:%M %p``): the limit lasts into that minute, at its beginning it is too early (G94).
# A time told by the hour alone is exact: Claude leaves the minutes out where its limit resets on the hour.
REST_OF_MINUTE = timedelta(seconds=59)
LONGEST_TOLD = 100  # characters

ZoneFinder = Callable[[str], tzinfo | None]
"""Returns the time zone with a name such as ``Europe/London``; None if there is none."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# JavaScript writes American zones like this, and all others as GMT+1; in hours from UTC.
AMERICAN = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}

_UNIT = r"(?:ms|w(?:eeks?)?|d(?:ays?)?|h(?:(?:ou)?rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)(?![a-z])"
_PART = rf"(?:an? |\d{{1,9}}(?:\.\d{{1,9}})? ?){_UNIT}"
_LENGTH = rf"(?:(?:less than|about) )?{_PART}(?:,? ?(?:and )?{_PART}){{0,6}}"
_MONTH_DAY = rf"(?:{'|'.join(MONTHS)})[a-z]{{0,6}}\.? \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}}(?![:\d]))?"
_WEEKDAY = rf"(?:{'|'.join(WEEKDAYS)})[a-z]{{0,6}}"
_DAY = rf"(?:today|tomorrow|(?:{_WEEKDAY},? )?{_MONTH_DAY}|{_WEEKDAY})(?![a-z])"
_TIME = r"(?:\d{1,2}(?::\d\d){0,2} ?[ap]\.?m\b|\d{1,2}:\d\d(?::\d\d)?|noon|midnight)"
_ZONE = r" ?\([\w+/:-]{1,40}\)| ?(?:UTC|GMT)(?:[+-]\d{1,2}(?::?\d\d)?)?\b| [ECMP][SD]T\b"
_CLOCK = (
    rf"(?:(?P<day>{_DAY})(?:,? (?:at )?(?P<time>{_TIME}))?|(?P<only_time>{_TIME})(?:,? (?:on )?(?P<then_day>{_DAY}))?)"
    rf"(?P<zone>{_ZONE})?"
)
_INSTANT = r"\d{4}-\d\d-\d\d(?: at |T| )\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?: ?UTC| ?Z| ?[+-]\d\d:\d\d)"
_EPOCH = r"(?:\d{13}|\d{10})(?![\d.])"
# `re` compiles these when it is first told of a limit, which is seldom.
_SAID = (
    r"(?:(?:try again|retry|resets?|regain access|available again|renews?)(?: (?:at|in|on|after))? |limit reached\|"
    r'|\\?"(?:resets_?at|x-ratelimit-reset|retry_?delay)\\?": ?\\?"?)'
    rf"(?P<told>{_INSTANT}|{_EPOCH}|{_LENGTH}|{_CLOCK})"
)
_SECONDS_LEFT = r'\\?"resets_in_seconds\\?": ?(\d{1,9})\b'
_BLANKS = r"[\s\u00a0\u2009\u202f]+"  # Node writes a narrow one before AM and PM
_A_PART = r"(an? |\d+(?:\.\d+)? ?)(ms|[wdhms])"
_OFFSET = r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?"
_ZONE_NAME = r"[A-Za-z_]+(?:/[\w+-]+){0,3}"


def utc_of(seconds: Any) -> datetime | None:
    """Return the moment that so many whole seconds since 1970 are; None for whatever is no such number."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if type(seconds) is int and seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def told_in(words: str) -> str | None:
    """Return the part of an agent's words that tells when a limit ends, such as ``3:45pm (Europe/London)``."""
    words = re.sub(_BLANKS, " ", words)
    if (said := re.search(_SAID, words, re.IGNORECASE)) is not None:
        return said["told"]
    left = re.search(_SECONDS_LEFT, words)
    return f"{left[1]} seconds" if left is not None else None


def instant_of(told: str) -> datetime | None:
    """Return the moment that is told, where it is one wherever and whenever it was said: a date in UTC, an epoch."""
    told = told[:LONGEST_TOLD].strip()
    if told.isascii() and told.isdigit():
        return utc_of(int(told) // (1000 if len(told) > 10 else 1))
    if re.fullmatch(_INSTANT, told, re.IGNORECASE) is None:
        return None
    plain = re.sub(r" ?(?:UTC|Z)$", "+00:00", told.upper().replace(" AT ", "T"))
    try:
        return datetime.fromisoformat(plain.replace(" ", "T", 1).replace(" ", "")).astimezone(UTC)
    except (ValueError, OverflowError):  # no such day
        return None


def reset_moment(told: str, now: datetime, zone: tzinfo, zone_of: ZoneFinder = lambda name: None) -> datetime | None:
    """Return the moment, in UTC, that was meant by what an agent told ``now``, in its time zone ``zone``.

    A time of day that has passed is tomorrow's, a day of the year that has passed is next year's. A minute lasts to its
    end. None for what tells no moment, and for one that lies more than a minute back or more than ``FURTHEST`` ahead.
    """
    told, now = re.sub(_BLANKS, " ", told[:LONGEST_TOLD]).strip(), now.astimezone(UTC)
    for moment in _meanings(told, now, zone, zone_of):
        if -SLACK <= moment - now <= FURTHEST:
            return moment
    return None


def more_exactly(moment: datetime | None, known: Iterable[datetime]) -> datetime | None:
    """Return which of the known moments is the one that was told to the minute; ``moment`` itself if none is.

    Where no moment was told, it is the last of them.
    """
    if moment is None:
        return max(known, default=None)
    return next((each for each in known if abs(each - moment) < SLACK), moment)


def _meanings(told: str, now: datetime, zone: tzinfo, zone_of: ZoneFinder) -> Iterator[datetime]:
    """Give the moments that may be meant, likeliest first."""
    if (instant := instant_of(told)) is not None:
        yield instant
    elif (seconds := seconds_of(told)) is not None:
        yield now + timedelta(seconds=seconds)
    elif (clock := re.fullmatch(_CLOCK, told, re.IGNORECASE)) is not None:
        where = _zone(clock["zone"], zone, zone_of)
        of_day = clock["time"] or clock["only_time"] or "midnight"
        at, rest = _time(of_day), REST_OF_MINUTE if of_day.count(":") == 1 else timedelta()
        if where is None or at is None:
            return
        for day in _days((clock["day"] or clock["then_day"] or "").lower(), now.astimezone(where).date()):
            for fold in (0, 1):  # where clocks are set back, an hour comes twice
                yield datetime.combine(day, at.replace(fold=fold), where).astimezone(UTC) + rest


def seconds_of(told: str) -> float | None:
    """Return how long a told length of time is; None for anything else, and for one of more than ``FURTHEST``."""
    if re.fullmatch(_LENGTH, told[:LONGEST_TOLD], re.IGNORECASE) is None:
        return None
    parts = re.findall(_A_PART, told, re.IGNORECASE)
    seconds = sum((1.0 if number[0] in "aA" else float(number)) * SECONDS[unit.lower()] for number, unit in parts)
    return seconds if seconds <= FURTHEST.total_seconds() else None


def _time(told: str) -> time | None:
    if told.lower() in ("noon", "midnight"):
        return time(12 if told.lower() == "noon" else 0)
    hour, minute, second = (*map(int, re.findall(r"\d+", told)), 0, 0)[:3]
    half = re.search(r"[ap]", told.lower())
    if half is not None:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0] == "p" else 0)
    return time(hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None


def _days(told: str, today: date) -> Iterator[date]:
    """Give the days that may be meant, likeliest first; a day that there is not is left out."""
    month = next((number for number, name in enumerate(MONTHS, 1) if re.search(rf"\b{name}", told)), None)
    if month is not None:
        day, *year = map(int, re.findall(r"\d+", told))
        for candidate in year or (today.year, today.year + 1):
            try:
                yield date(candidate, month, day)
            except ValueError:
                continue
    elif told[:3] in WEEKDAYS:
        yield from (day for day in map(_later(today), range(8)) if day.weekday() == WEEKDAYS.index(told[:3]))
    elif told:
        yield _later(today)(1 if told == "tomorrow" else 0)
    else:  # yesterday's is meant a moment after midnight
        yield from map(_later(today), (-1, 0, 1))


def _later(today: date) -> Callable[[int], date]:
    return lambda days: today + timedelta(days=days)


def _zone(told: str | None, zone: tzinfo, zone_of: ZoneFinder) -> tzinfo | None:
    name = (told or "").strip(" ()")
    if not name:
        return zone
    if name.upper() in ("UTC", "GMT", "Z"):
        return UTC
    if (offset := re.fullmatch(_OFFSET, name, re.IGNORECASE)) is not None:
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(-ahead if offset[1] == "-" else ahead) if ahead < timedelta(days=1) else None
    if name.upper() in AMERICAN:
        return timezone(timedelta(hours=AMERICAN[name.upper()]))
    return zone_of(name) if re.fullmatch(_ZONE_NAME, name) else None
