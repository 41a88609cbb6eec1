"""How full accounts are, across runs: what agents of one tell slows down the starts of all, one by one."""

from datetime import UTC, datetime

from nova_async.orchestrator.happenings import Heard
from nova_async.orchestrator.holding import Account
from nova_async.orchestrator.limits_file import LONGEST_KIND, MOST_GAUGES, Entry, LimitsFile
from nova_async.usage import Gauge

__all__ = ["hear", "write_gauges"]

NEWER = 0.5  # seconds by which a start is later than one that is known; clocks and roundings may differ


def hear(file: LimitsFile, account: Account, key: str, is_near: bool, started_at: float, now: float) -> Heard | None:
    """Return what other runs know of an account on which a task is about to start; None if that is nothing.

    Where its limit is near, the start is claimed for this run, unless another run has started something there since
    ``started_at``. So runs that wait for the same moment do not all start then.
    """
    entry = file.gauges().get(key)
    if is_near and (entry is None or not is_later(entry, started_at, now)):
        found: list[Entry | None] = [None]

        def claim(stands: Entry | None) -> Entry:
            if stands is not None and is_later(stands, started_at, now):
                found[0] = stands
                return stands
            return {**(stands or {"gauges": {}}), "told_at": now, "started_at": now}

        file.change_gauges(key, claim, now)
        entry = found[0] or entry
    return None if entry is None else Heard(account, gauges_in(entry), entry.get("started_at"))


def is_later(entry: Entry, started_at: float, now: float) -> bool:
    """Tell whether something has been started since then; a moment to come was written while the clock was wrong."""
    return started_at + NEWER < (entry.get("started_at") or 0.0) <= now + NEWER


def write_gauges(file: LimitsFile, key: str, gauges: tuple[Gauge, ...], started_at: float | None, now: float) -> None:
    """Let other runs know how full an account is, and when this one has last started something there."""
    told = {
        gauge.kind: {
            "used": gauge.used,
            "resets_at": None if gauge.resets_at is None else gauge.resets_at.timestamp(),
        }
        for gauge in gauges[:MOST_GAUGES]
        if len(gauge.kind) <= LONGEST_KIND
    }

    def write(stands: Entry | None) -> Entry:
        moments = [moment for moment in (started_at, (stands or {}).get("started_at")) if moment is not None]
        latest = max((moment for moment in moments if moment <= now + NEWER), default=None)
        return {**(stands or {}), "gauges": told, "started_at": latest, "told_at": now}

    file.change_gauges(key, write, now)


def gauges_in(entry: Entry) -> tuple[Gauge, ...]:
    """Return the gauges of an entry."""
    return tuple(
        Gauge(
            kind, float(told["used"]),
            None if told.get("resets_at") is None else datetime.fromtimestamp(told["resets_at"], UTC),
        )
        for kind, told in entry["gauges"].items()
    )  # fmt: skip
