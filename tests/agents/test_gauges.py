"""How full an account is, as its agent tells: the latest of each limit, and nothing that nobody has said."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.agents import AGENTS, Gauge
from nova_async.agents.codex.gauges import gauges_in, gauges_of
from tests.agents.recordings import read

AT = 1_795_334_065
RESET = datetime.fromtimestamp(AT, UTC)


def claude_told(*infos: Any) -> tuple[Gauge, ...]:
    """Return the gauges after these rate limit events of Claude."""
    lines = [json.dumps({"type": "rate_limit_event", "rate_limit_info": info}).encode() + b"\n" for info in infos]
    return read(AGENTS["claude"].reader("stream-json"), lines).gauges


WARNING = {
    "status": "allowed_warning", "resetsAt": AT, "rateLimitType": "five_hour", "utilization": 0.91,
    "isUsingOverage": False, "surpassedThreshold": 0.9,
}  # fmt: skip
CLAUDE: list[tuple[list[Any], tuple[Gauge, ...]]] = [
    ([WARNING], (Gauge("five_hour", 0.91, RESET),)),
    ([{**WARNING, "utilization": None}], (Gauge("five_hour", 0.9, RESET),)),
    ([{**WARNING, "status": "rejected", "utilization": 0.99}], (Gauge("five_hour", 1.0, RESET),)),
    ([{**WARNING, "utilization": 1.2, "resetsAt": "soon"}], (Gauge("five_hour", 1.0),)),
    ([{**WARNING, "utilization": -1, "resetsAt": 10**30}], (Gauge("five_hour", 0.0),)),
    ([{"status": "allowed", "rateLimitType": "five_hour", "resetsAt": AT}], ()),
    ([WARNING, {**WARNING, "status": "rejected", "isUsingOverage": True}], ()),
    ([{**WARNING, "rateLimitType": kind} for kind in ("", None, "x" * 99)], ()),
    ([{**WARNING, "utilization": 0}], (Gauge("five_hour", 0.0, RESET),)),
    (
        [WARNING, {**WARNING, "rateLimitType": "seven_day_opus", "utilization": 0.5}, {**WARNING, "utilization": 0.95}],
        (Gauge("five_hour", 0.95, RESET), Gauge("seven_day_opus", 0.5, RESET)),
    ),
    (  # 2.1.332 tells of every window
        [{"status": "allowed", "rateLimitType": "five_hour", "unifiedWindows": {
            "five_hour": {"utilization": 0.4, "resetsAt": AT, "status": "allowed"},
            "seven_day": {"utilization": 0.76, "resetsAt": AT + 60, "status": "allowed_warning"},
            "later": "?",
        }}],
        (Gauge("five_hour", 0.4, RESET), Gauge("seven_day", 0.76, datetime.fromtimestamp(AT + 60, UTC))),
    ),
    ([{"unifiedWindows": "?"}, None], ()),
]  # fmt: skip


@pytest.mark.parametrize(("infos", "expected"), CLAUDE)
def test_claude_tells_in_its_events(infos: list[Any], expected: tuple[Gauge, ...]) -> None:
    """The latest of each kind, between 0 and 1; what is paid for on top holds nobody up."""
    assert claude_told(*infos) == expected


def test_a_flood_of_kinds_is_bounded() -> None:
    """No more kinds are kept than any account has; those that are there go on being told."""
    infos = [{**WARNING, "rateLimitType": f"k{number}"} for number in range(99)]
    told = claude_told(*infos, {**WARNING, "rateLimitType": "k0", "utilization": 0.2})
    assert (len(told), told[0]) == (16, Gauge("k0", 0.2, RESET))


def rollout(rate_limits: Any, timestamp: Any = "2026-11-22T06:50:18.727Z") -> bytes:
    """Return a line of Codex's rollout."""
    payload = {"type": "token_count", "info": None, "rate_limits": rate_limits}
    return json.dumps({"timestamp": timestamp, "type": "event_msg", "payload": payload}).encode()


CODEX: list[tuple[Any, tuple[Gauge, ...]]] = [
    (
        {"limit_id": "codex", "primary": {"used_percent": 12.5, "window_minutes": 300, "resets_at": AT},
         "secondary": {"used_percent": 100, "window_minutes": 10080, "resets_at": AT + 60}},
        (Gauge("five_hour", 0.125, RESET), Gauge("seven_day", 1.0, datetime.fromtimestamp(AT + 60, UTC))),
    ),
    (  # older versions
        {"primary": {"used_percent": 40.0, "window_minutes": 60, "resets_in_seconds": 90}, "secondary": None},
        (Gauge("primary", 0.4, datetime(2026, 11, 22, 6, 51, 48, 727_000, tzinfo=UTC)),),
    ),
    (
        {"limit_id": "codex_mini", "primary": {"used_percent": 140, "window_minutes": None, "resets_at": None}},
        (Gauge("codex_mini:primary", 1.0),),
    ),
    (
        {"limit_id": None, "primary": {"used_percent": "12"}, "secondary": {"used_percent": -3}},
        (Gauge("secondary", 0.0),),
    ),
    ({"limit_id": "codex", "primary": None, "secondary": None, "credits": None}, ()),
    ([], ()),
    (None, ()),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "expected"), CODEX)
def test_codex_tells_in_its_rollout(limits: Any, expected: tuple[Gauge, ...]) -> None:
    """By its windows, named as Claude names them, and by model where a limit is one model's."""
    assert gauges_in(rollout(limits)) == expected


@pytest.mark.parametrize("timestamp", [None, 5, "yesterday", "9999-12-31T23:59:59Z"])
def test_a_reset_that_cannot_be_reckoned_is_none(timestamp: Any) -> None:
    """Seconds from a moment that nobody knows lead to no moment."""
    window = {"used_percent": 1, "resets_in_seconds": 90}
    assert gauges_of({"primary": window}, timestamp) == (Gauge("primary", 0.01),)
    assert gauges_of({"primary": {**window, "resets_in_seconds": 1e99}}, "2026-11-22T06:50:18") == (
        Gauge("primary", 0.01),
    )


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"token_count',
        b'{"payload":"\\"token_count\\""}',
        b'{"payload":{"type":"message","text":"token_count","rate_limits":{"primary":{"used_percent":9}}},"x":"token_count"}',
        b'{"type":"response_item"}',
        b'["token_count"]',
    ],
)
def test_other_lines_of_a_rollout_tell_nothing(line: bytes) -> None:
    """Nor do half lines, and what a model wrote in one."""
    assert gauges_in(line) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["primary", "secondary", "used_percent", "window_minutes", "resets_at", "resets_in_seconds",
                         "limit_id", "status", "utilization", "rateLimitType", "unifiedWindows", "five_hour"]),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON, st.none() | st.text(max_size=12))
def test_no_nonsense_breaks_a_gauge(told: Any, timestamp: Any) -> None:
    """Whatever stands where a limit should: each gauge is one between 0 and 1."""
    gauges = [*gauges_in(rollout(told, timestamp)), *gauges_of(told, timestamp), *claude_told(told)]
    assert all(0 <= gauge.used <= 1 for gauge in gauges)
