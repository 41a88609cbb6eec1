"""Numbers as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from nova_async.control.figures import (
    clock_time,
    cost_of_attempt,
    describe_cost,
    describe_duration,
    describe_kinds,
    describe_tokens,
    short_count,
    stopwatch,
    until,
    write_seconds,
)
from nova_async.usage import TokenUsage

NOON = datetime(2030, 1, 2, 12, 0, 0).astimezone()


def test_figures() -> None:
    """Numbers are short, and never wider than they seem."""
    shorts = [short_count(number) for number in (0, 999, 1_000, 12_345, 99_949, 99_950, 999_499, 999_500, 10**9)]
    assert shorts == ["0", "999", "1.0k", "12.3k", "99.9k", "100k", "999k", "1.0M", "1.0G"]
    assert [describe_cost(usd) for usd in (None, 0.0, 0.0042, 0.5, 1234.5)] == [
        "-",
        "$0.00",
        "$0.0042",
        "$0.50",
        "$1,234.50",
    ]
    assert [stopwatch(seconds) for seconds in (-1.0, 7.9, 723.0, 7500.0)] == ["0:00", "0:07", "12:03", "2:05:00"]
    assert [write_seconds(s) for s in (0.25, 1.5, 90, 1800, 5400, 7200)] == [
        "250ms",
        "1.5s",
        "90s",
        "30m",
        "1h30m",
        "2h",
    ]
    assert [describe_cost(usd, complete=False) for usd in (None, 0.0, 1.2)] == ["-", "-", "≥ $1.20"]
    pairs = [(None, 0.45), (1.23, 0.45), (0.0, 0.45), (1.23, 0.0), (0.0, 0.0), (None, 0.0), (None, 0.0042)]
    assert [describe_cost(*pair) for pair in pairs] == [
        "~$0.45", "$1.23 + ~$0.45", "~$0.45", "$1.23", "$0.00", "~$0.00", "~$0.0042",
    ]  # fmt: skip
    assert [describe_cost(*pair, complete=False) for pair in pairs] == [
        "≥ ~$0.45", "≥ $1.23 + ~$0.45", "≥ ~$0.45", "≥ $1.23", "-", "-", "≥ ~$0.0042",
    ]  # fmt: skip
    assert [describe_tokens(count, complete=False, short=True) for count in (0, 1_200_000)] == ["-", "≥ 1.2M"]
    assert [describe_tokens(count) for count in (0, 1_200_000)] == ["0", "1,200,000"]
    assert short_count(2 * 10**12) == "2.0T"
    assert [write_seconds(seconds) for seconds in (61, 86_400)] == ["61s", "24h"]
    assert describe_kinds(TokenUsage(1_200)) == "1,200 input · 0 output · 0 cache read · 0 cache creation"
    assert cost_of_attempt(None, 0.5, usage_is_final=False) == "≥ ~$0.50"


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.84, "0.8 s"), (45, "45 s"), (723, "12 min 3 s"), (7_500, "2 h 5 min")]
)
def test_durations(seconds: float, told: str) -> None:
    """They are written as people say them."""
    assert describe_duration(seconds) == told


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (timedelta(seconds=90), "until 12:01:30 (in 1 min 30 s)"),
        (timedelta(hours=1, minutes=12), "until 13:12 (in 1 h 12 min)"),
        (timedelta(days=2, hours=3), "until 2030-01-04 15:00 (in 2 d 3 h)"),
        (timedelta(seconds=-5), "until 11:59:55 (in 0.0 s)"),
    ],
)
def test_moments_to_come(left: timedelta, told: str) -> None:
    """One sees the clock and how long that is, with the day where it is another one."""
    assert until((NOON + left).astimezone(UTC), NOON) == told
    assert clock_time(NOON.astimezone(UTC)) == "12:00:00"
