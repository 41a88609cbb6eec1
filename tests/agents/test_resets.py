"""When a limit ends: every wording of the agents means one moment, and nonsense means none."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.agents.resets import FURTHEST, instant_of, more_exactly, reset_moment, seconds_of, told_in, utc_of

if not available_timezones():
    pytest.skip("this machine knows no time zones: install tzdata", allow_module_level=True)

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)  # a Thursday, 9:00 in New York
HERE = ZoneInfo("America/New_York")


def zone_of(name: str) -> tzinfo | None:
    """Return a time zone, as callers look it up."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return None


def meant(words: str, now: datetime = NOW, zone: tzinfo = HERE) -> str | None:
    """Return the moment that an agent's words mean, or None."""
    told = told_in(words)
    moment = reset_moment(told, now, zone, zone_of) if told is not None else None
    return moment.strftime("%m-%d %H:%M:%S") if moment is not None else None


WORDS = [
    # Claude Code, newest first
    ("You've hit your session limit · resets 3:45pm (Europe/London)", "11-26 15:45:59"),
    ("You've hit your weekly limit · resets Nov 28 at 5pm (Europe/London)", "11-28 17:00:00"),
    ("You've hit your weekly limit · resets Nov 28, 5pm (Europe/Berlin) · progress saved", "11-28 16:00:00"),
    ("You've hit your limit · resets 11pm (America/Anchorage)", "11-27 08:00:00"),
    ("Weekly limit reached · resets 10am (Asia/Seoul) · /upgrade to Max or turn on /extra-usage", "11-27 01:00:00"),
    ("5-hour limit reached ∙ resets 3pm", "11-26 20:00:00"),
    ("Opus weekly limit reached ∙ resets Dec 6, 1pm", "12-06 18:00:00"),
    ("Claude usage limit reached. Your limit will reset at 1pm (America/New_York).", "11-26 18:00:00"),
    ("Claude AI usage limit reached|1795710000", "11-26 16:20:00"),
    ("You will regain access on 2026-12-01 at 00:00 UTC.", "12-01 00:00:00"),
    # Codex
    ("visit https://chatgpt.com/settings/usage to purchase more credits or try again at 8:59 PM.", "11-27 01:59:59"),
    ("or try again at 8:59\u202fPM.", "11-27 01:59:59"),
    ("Switch to another model now, or try again at Nov 28th, 2026 8:59 PM.", "11-29 01:59:59"),
    ("or try again in 3 days 4 hours 12 minutes.", "11-29 18:12:00"),
    ("Try again in 1 day 1 minute.", "11-27 14:01:00"),
    ("Try again in less than a minute.", "11-26 14:01:00"),
    ("Please try again in 7m12s. Visit https://platform.openai.com", "11-26 14:07:12"),
    ('{"type":"usage_limit_reached","plan_type":"plus","resets_at":1795710000}', "11-26 16:20:00"),
    ('{\\"resets_in_seconds\\": 1234}', "11-26 14:20:34"),
    # Gemini CLI and Google
    ("Usage limit reached for gemini-3-flash-preview. Access resets at 10:57 PM GMT-3.", "11-27 01:57:59"),
    ("Access resets at 10:57 PM PST.", "11-27 06:57:59"),
    ("Access resets at 9:30 AM GMT+5:30.", "11-27 04:00:59"),
    ("You have exhausted your capacity on this model. Your quota will reset after 2h14m3s.", "11-26 16:14:03"),
    ("Please retry in 34.5s.", "11-26 14:00:34"),
    ('"retryDelay": "34s"', "11-26 14:00:34"),
    # others
    ('"X-RateLimit-Reset":"1795710000000"', "11-26 16:20:00"),
    ("resets in 2 days and 3 hours", "11-28 17:00:00"),
    ("resets in an hour", "11-26 15:00:00"),
    ("resets in 1w", "12-03 14:00:00"),
    ("resets 2026-11-26T18:00:00+02:00", "11-26 16:00:00"),
    ("resets 2026-11-26 16:00:00.5Z", "11-26 16:00:00"),
    ("resets tomorrow at 3pm (PST)", "11-27 23:00:00"),
    ("resets today at 3 p.m.", "11-26 20:00:00"),
    ("resets Monday 9:00 AM", "11-30 14:00:59"),
    ("resets Mon, Nov 30 at 9am EST", "11-30 14:00:00"),
    ("resets Thu 8am", "12-03 13:00:00"),
    ("resets Sunday", "11-29 05:00:00"),
    ("resets at noon", "11-26 17:00:00"),
    ("resets at midnight (UTC)", "11-27 00:00:00"),
    ("resets 12am (GMT)", "11-27 00:00:00"),
    ("resets 15:45", "11-26 20:45:59"),
    ("resets 5pm on Nov 28", "11-28 22:00:00"),
    ("resets 1pm (UTC-5)", "11-26 18:00:00"),
]
NONSENSE = [
    "try again later", "resets soon", "resets at 25:00", "resets 13pm", "resets 0am", "resets 12:60", "resets Feb 30",
    "resets Nov 31 at 5pm", "resets 3pm (Foo/Bar)", "resets 3pm (UTC+99)", "resets Oct 6, 1pm", "resets Feb 2, 9am",
    "resets Nov 28th, 2031 8:59 PM", "resets Nov 20th, 2026 8:59 PM", "try again in 36 days",
    "try again in 999999999 weeks", "regain access on 2026-13-41 at 00:00 UTC", "limit reached|9999999999999",
    "limit reached|1795000000", "limit reached|99999999999", "resets today at 8am", "resets 0000-00-00T00:00Z",
]  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), WORDS, ids=[words for words, _ in WORDS])
def test_each_wording_means_one_moment(words: str, expected: str) -> None:
    """Time of day, date, weekday, length of time or moment; in the zone that is named, else in the agent's own."""
    assert meant(words) == expected


@pytest.mark.parametrize("words", NONSENSE)
def test_nonsense_means_no_moment(words: str) -> None:
    """Nor does what is long over, or further ahead than any limit: to wait for it would be wrong."""
    assert meant(words) is None


@pytest.mark.parametrize(
    ("now", "words", "expected"),
    [
        ("2026-11-26T20:00:30+00:00", "resets 3pm", "11-26 20:00:00"),  # the minute that has just begun
        ("2026-11-26T20:01:30+00:00", "resets 3pm", "11-27 20:00:00"),
        ("2026-11-27T05:00:30+00:00", "resets 11:59pm", "11-27 04:59:59"),  # its end, a moment ago
        ("2026-11-27T05:01:30+00:00", "resets 11:59pm", "11-28 04:59:59"),
        ("2026-11-27T04:59:59+00:00", "resets 12am", "11-27 05:00:00"),
        ("2026-12-31T23:00:00+00:00", "resets Jan 2, 9am", "01-02 14:00:00"),
        ("2027-02-27T23:00:00+00:00", "resets Feb 29, 9am", None),
        ("2028-02-27T23:00:00+00:00", "resets Feb 29, 9am", "02-29 14:00:00"),
        # The clocks of New York go back on 2026-11-01 at 2:00: 1:30 comes twice, 5:30 and 6:30 in UTC.
        ("2026-11-01T05:00:00+00:00", "resets 1:30am", "11-01 05:30:59"),
        ("2026-11-01T06:00:00+00:00", "resets 1:30am", "11-01 06:30:59"),
        ("2026-10-31T14:00:00+00:00", "resets 9am", "11-01 14:00:00"),
        # And forward on 2026-03-08 at 2:00: there is no 2:30; it is an hour after 1:30.
        ("2026-03-08T06:00:00+00:00", "resets 2:30am", "03-08 07:30:59"),
    ],
)
def test_clocks_and_calendars(now: str, words: str, expected: str | None) -> None:
    """A time of day that has passed is tomorrow's, over the turn of a year and through a change of the clocks."""
    assert meant(words, datetime.fromisoformat(now)) == expected


def test_a_moment_needs_no_clock_where_it_is_one() -> None:
    """What is told in UTC or in seconds since 1970 means the same wherever it is read."""
    assert instant_of("1795710000") == datetime(2026, 11, 26, 16, 20, tzinfo=UTC)
    assert instant_of("2026-12-01 at 00:00 UTC") == datetime(2026, 12, 1, tzinfo=UTC)
    assert instant_of("3pm") is None
    assert (seconds_of("1h30m"), seconds_of("3pm")) == (5400.0, None)
    assert (utc_of(True), utc_of("5"), utc_of(-1), utc_of(10**30)) == (None, None, None, None)


def test_without_a_finder_of_zones_only_offsets_are_known() -> None:
    """A name that cannot be looked up means no moment: a wrong one would be worse."""
    assert reset_moment("3pm (Europe/London)", NOW, UTC) is None
    assert reset_moment("3pm (GMT+1)", NOW, UTC) == NOW


TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from(
        ["resets ", "try again in ", "at ", "Nov ", "28", "th", ", ", "2026 ", "3", ":45", "pm", " (Europe/London)",
         "GMT", "-3", "Mon ", "tomorrow ", " days", "h", "m ", "limit reached|", "1795710000", "Z", "T", "-",
         "midnight", "."]
    ),
    max_size=14,
).map("".join)  # fmt: skip
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.sampled_from([UTC, HERE]))


@given(TEXTS, MOMENTS, st.sampled_from([UTC, HERE, ZoneInfo("Asia/Kolkata"), timezone(timedelta(hours=-11))]))
def test_no_words_break_the_reckoning(words: str, now: datetime, zone: tzinfo) -> None:
    """Whatever is told: a moment of the near future, in UTC, or none."""
    for told in (words, told_in(words) or ""):
        moment = reset_moment(told, now, zone, zone_of)
        if moment is not None:
            assert moment.tzinfo is UTC
            assert timedelta(minutes=-1) <= moment - now <= FURTHEST


@given(st.integers(0, 34 * 86_400), MOMENTS)
def test_a_length_of_time_counts_from_when_it_was_said(seconds: int, now: datetime) -> None:
    """To the second, however it is written."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    for told in (
        f"{days} days, {hours} hours, {minutes} minutes and {left} seconds",
        f"{days}d{hours}h{minutes}m{left}s",
        f"{days} d {hours} hr {minutes} min {left} sec",
    ):
        assert reset_moment(told, now, UTC) == now.astimezone(UTC) + timedelta(seconds=seconds)


def test_long_words_take_no_long_time() -> None:
    """The patterns have bounds: hostile text costs about as much per character as any other."""
    for piece in ("resets 1 ", "9 days ", "an hour and ", "1" * 9, "limit reached|", "resets Mon, Nov 3 "):
        assert meant(piece * 2000) in (None, meant(piece * 20))


def test_a_minute_that_was_told_is_the_moment_that_is_known() -> None:
    """Of the moments that an agent has told exactly, only the one within that minute is meant."""
    told, exact, another = NOW, NOW + timedelta(seconds=30), NOW + timedelta(hours=3)
    assert more_exactly(told, [another, exact]) == exact
    assert more_exactly(told, [another]) == told
    assert more_exactly(None, [exact, another]) == another, "where none was told, the account waits for all of them"
    assert more_exactly(None, []) is None
