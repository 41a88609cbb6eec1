"""When a usage limit ends that an attempt ran into: the agent's words, read with this machine's clock and time zone."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from nova_async.agents import Gauge, UsageLimit
from nova_async.agents.resets import FURTHEST, more_exactly, reset_moment

__all__ = ["with_end", "zone_of_agent"]

LOCALTIME = Path("/etc/localtime")


def with_end(limit: UsageLimit, environment: Mapping[str, str], gauges: Iterable[Gauge] = ()) -> UsageLimit:
    """Return a limit that an agent with this environment has just told of, with the moment at which it ends.

    Without one where the agent told none, or one that cannot be. Of the account's ``gauges``, those that are full tell
    to the second what the agent's words tell to the minute (G94).
    """
    now = datetime.now(UTC)
    moment = limit.resets_at
    if moment is not None:
        return limit if moment - now <= FURTHEST else replace(limit, resets_at=None)
    if limit.resets_told is not None:
        moment = reset_moment(limit.resets_told, now, zone_of_agent(environment), zone_named)
    if moment is not None or limit.model is None:
        ends = (gauge.resets_at for gauge in gauges if gauge.used >= 1 and gauge.resets_at is not None)
        moment = more_exactly(moment, [end for end in ends if now < end <= now + FURTHEST])
    return replace(limit, resets_at=moment)


def zone_of_agent(environment: Mapping[str, str]) -> tzinfo:
    """Return the time zone in which an agent tells its times: that of ``TZ``, else this machine's."""
    zone = zone_named(environment.get("TZ", "").removeprefix(":"))
    if zone is None and "TZ" not in environment:
        from zoneinfo import ZoneInfo  # see below

        try:
            with LOCALTIME.open("rb") as file:  # with its changes of the clocks
                zone = ZoneInfo.from_file(file)
        except (OSError, ValueError):
            pass
    return zone or datetime.now().astimezone().tzinfo or UTC


def zone_named(name: str) -> tzinfo | None:
    """Return the time zone of this name; None if this machine has no such one."""
    from zoneinfo import ZoneInfo  # with all about how Python was built; few runs meet a limit

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return None
