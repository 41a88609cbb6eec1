"""How full a Codex account is: told in its session file alone, and nowhere on standard output.

Its rollout, one JSON object a line, has a ``token_count`` after each answer of a subscription login. A window says when
it resets in Unix seconds (0.169.0), in older versions in how many seconds.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from nova_async._core.text import one_line
from nova_async.agents.event_reader import decode
from nova_async.agents.ledger import MAX_COUNT
from nova_async.agents.reader import Gauge
from nova_async.agents.resets import utc_of

__all__ = ["gauges_in", "gauges_of"]

WINDOWS = ("primary", "secondary")
KINDS = {300: "five_hour", 10_080: "seven_day"}  # by the minutes of a window; Claude has the same two
ACCOUNT = "codex"  # the id of the limits of the whole account; others are those of one model
LONGEST = 366 * 24 * 3600  # seconds to a reset; whatever is more is garbage
MAX_KIND = 60  # characters


class _Payload(msgspec.Struct):
    type: Any = None
    rate_limits: Any = None


class _Line(msgspec.Struct):
    timestamp: Any = None
    payload: _Payload | None = None


_LINE = msgspec.json.Decoder(_Line)
_MARK = b'"token_count"'


def gauges_in(line: bytes) -> tuple[Gauge, ...]:
    """Return the gauges that a line of a rollout tells of; mostly none."""
    if _MARK not in line:
        return ()
    told = decode(_LINE, line)
    if told is None or told.payload is None or told.payload.type != "token_count":
        return ()
    return gauges_of(told.payload.rate_limits, told.timestamp)


def gauges_of(rate_limits: Any, timestamp: Any) -> tuple[Gauge, ...]:
    """Return the gauges in a ``rate_limits`` object; ``timestamp`` is that of its line, in ISO 8601."""
    if not isinstance(rate_limits, dict):
        return ()
    whose = rate_limits.get("limit_id")
    whose = f"{one_line(whose, MAX_KIND)}:" if isinstance(whose, str) and whose not in ("", ACCOUNT) else ""
    gauges = []
    for name in WINDOWS:
        window = rate_limits.get(name)
        used = _number(window.get("used_percent")) if isinstance(window, dict) else None
        if isinstance(window, dict) and used is not None:
            minutes = window.get("window_minutes")
            kind = KINDS.get(minutes, name) if type(minutes) is int else name
            gauges.append(Gauge(whose + kind, min(max(used / 100, 0.0), 1.0), _reset_of(window, timestamp)))
    return tuple(gauges)


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and abs(value) <= MAX_COUNT else None


def _reset_of(window: dict[str, Any], timestamp: Any) -> datetime | None:
    at, seconds = utc_of(window.get("resets_at")), _number(window.get("resets_in_seconds"))
    if at is not None or seconds is None or not 0 <= seconds <= LONGEST:
        return at
    try:
        told_at = datetime.fromisoformat(timestamp)
        return (told_at if told_at.tzinfo else told_at.replace(tzinfo=UTC)) + timedelta(seconds=seconds)
    except (TypeError, ValueError, OverflowError):
        return None
