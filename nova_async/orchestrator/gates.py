"""Usage limits that are waited out: no task begins on the account until the limit has reset. Pure.

A gate is a hold that ends by itself. When its time has come, one task tries; the others follow once it was served.
"""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from nova_async.agents.resets import FURTHEST
from nova_async.orchestrator.actions import Action, Closed, HeldBack, Opened, Suspended
from nova_async.orchestrator.holding import Account
from nova_async.orchestrator.holds import forget_overload, keep, release, tried_by
from nova_async.orchestrator.retry import FREE, pause
from nova_async.orchestrator.run_state import Gate, RunState
from nova_async.views import Hold
from nova_async.words import Outcome, TaskState

__all__ = [
    "after_a_try", "close_gate", "gate_moments", "is_waited_for", "may_try", "note_start", "note_told", "open_gates",
    "served", "try_first",
]  # fmt: skip

# Seconds that a gate opens after the reset: fleets of several machines must not come back together. A short wait gets
# a short one: at most a tenth of it, or of the first number.
JITTER = (1.0, 3.0, 60.0)
BACKOFF = (300.0, 3600.0)  # seconds, first and longest, between two tries where nobody knows when the limit resets
SERVED_SECONDS = 60.0  # an attempt that has run so long was not refused; some agents tell their tokens only at the end
NO_NEWS = 30.0  # seconds that a gate's end is put off while the task of another run tries
NOT_ASKED = FREE | {Outcome.SPAWN_ERROR, Outcome.LOG_ERROR, Outcome.EXECUTOR_ERROR}
"""Outcomes of an attempt that has not reached its service, so that nothing is known of a limit."""
NEVER_RESETS = frozenset({"credit"})  # kinds that end when somebody pays, not with time


def close_gate(state: RunState, task_id: str, account: Account, hold: Hold, now: float) -> Iterable[Action]:
    """Keep a task whose account has reached a usage limit, and let no other begin there until that has reset."""
    forget_overload(state, account)
    had_tried = state.trying.get(account) == task_id
    if had_tried and account not in state.gates:  # its key was rejected before, and is taken by now
        del state.holds[account], state.trying[account]
    keep(state, task_id, account)
    told = _close(state, account, hold, now, counts=had_tried or account not in state.gates)
    yield HeldBack(task_id, state.holds[account])
    yield from told


def note_told(state: RunState, account: Account, hold: Hold, now: float) -> Iterable[Action]:
    """Close the gate of an account as another run has closed it, until the same moment."""
    forget_overload(state, account)
    utc = now + state.utc_offset
    if account in state.holds and account not in state.gates:
        return ()  # it waits for something else than time
    assert hold.until is not None
    gate = state.gates.setdefault(account, Gate(since=utc, opens_at=0.0))
    before, gate.opens_at = gate.opens_at, hold.until.timestamp()
    gate.is_ours = False
    is_news = abs(gate.opens_at - before) > NO_NEWS
    told = _wait_or_not(state, account, gate, hold)
    return told if is_news or account not in state.gates else ()


def _close(state: RunState, account: Account, hold: Hold, now: float, *, counts: bool) -> Iterable[Action]:
    """Close a gate, or note what else is known of one that is closed; ``counts`` unless a task was under way before."""
    utc = now + state.utc_offset
    if hold.kind in NEVER_RESETS or (account in state.holds and account not in state.gates):
        is_news = state.holds.get(account) is None
        state.holds.setdefault(account, hold)
        return (Suspended(hold),) if is_news else ()
    is_new = account not in state.gates
    gate = state.gates.setdefault(account, Gate(since=utc, opens_at=0.0))
    gate.times += counts
    before = gate.opens_at
    moment = _opening(hold, gate, utc, state.chance)
    # One that began before the limit was known tells no news, unless it knows of a later reset.
    is_later = _is_ahead(hold, utc) and moment > before + JITTER[-1]
    gate.opens_at = moment if counts or is_later else before
    if not is_new and gate.opens_at == before:
        return ()
    gate.is_ours = True
    return _wait_or_not(state, account, gate, hold)


def _wait_or_not(state: RunState, account: Account, gate: Gate, hold: Hold) -> Iterable[Action]:
    trying = state.trying.get(account)
    if trying is not None and state.schedule.state(trying) is TaskState.READY:  # it has not begun, and is too early
        del state.trying[account]
    most = state.cascade.settings.max_wait
    if most is not None and gate.opens_at - gate.since > most:
        del state.gates[account]
        cure = f"The limit lasts longer than max_wait ({most:g} s). {hold.cure}, or with a longer `--max-wait`"
        state.holds[account] = replace(hold, until=None, cure=cure)
        return (Suspended(state.holds[account]),)
    state.holds[account] = replace(hold, until=datetime.fromtimestamp(gate.opens_at, UTC))
    return (Closed(account, state.holds[account], is_ours=gate.is_ours),)


def _opening(hold: Hold, gate: Gate, utc: float, chance: random.Random) -> float:
    """Return when one task may try again: after the reset, or after a pause where that is not known."""
    if _is_ahead(hold, utc):
        assert hold.resets_at is not None
        resets_at = hold.resets_at.timestamp()
    elif hold.resets_at is not None and gate.times == 1:
        resets_at = utc  # it has passed while the attempt came to its end
    else:
        return utc + pause(max(gate.times, 1), BACKOFF, chance)
    least, short, most = JITTER
    return resets_at + chance.uniform(least, min(max(short, (resets_at - utc) / 10), most))


def _is_ahead(hold: Hold, utc: float) -> bool:
    return hold.resets_at is not None and utc < hold.resets_at.timestamp() <= utc + FURTHEST.total_seconds()


def may_try(state: RunState, account: Account, now: float) -> bool:
    """Tell whether it is time for one task to try whether an account serves again."""
    gate = state.gates.get(account)
    return gate is not None and account not in state.trying and gate.opens_at <= now + state.utc_offset


def try_first(state: RunState, task_id: str, account: Account) -> None:
    """Let this task try whether an account serves again; it may have to try several that are parts of its own."""
    state.trying[account], state.gates[account].tried_since = task_id, None


def open_gates(state: RunState, now: float) -> Iterable[Action]:
    """Let one task try where a gate's time has come, and the others where one has been served."""
    if state.schedule.is_draining:
        return
    for account, gate in list(state.gates.items()):
        trying = state.trying.get(account)
        if trying is not None and gate.tried_since is not None and now - gate.tried_since >= SERVED_SECONDS:
            yield from served(state, trying)
        elif may_try(state, account, now):
            waiting = [task_id for task_id, where in state.held.items() if where == account]
            first = min(waiting, key=state.cascade.order_key, default=None)
            if first is not None:
                del state.held[first]
                try_first(state, first, account)
                state.schedule.retry_now(first)


def note_start(state: RunState, task_id: str, now: float) -> None:
    """Note that the process of a task runs: from now on it may show that its account serves it."""
    for account in tried_by(state, task_id):
        if account in state.gates:
            state.gates[account].tried_since = now


def after_a_try(state: RunState, task_id: str, outcome: Outcome) -> Iterable[Action]:
    """Let those begin that waited for this task to be served, if its end shows that it was."""
    if outcome in NOT_ASKED:
        for account in [account for account in tried_by(state, task_id) if account in state.gates]:
            del state.trying[account]  # the next one tries
    else:
        yield from served(state, task_id)
    if outcome not in FREE:
        release(state, tried_by(state, task_id))


def served(state: RunState, task_id: str) -> Iterable[Action]:
    """Open the gates that this task has tried: its account serves it."""
    opened = [account for account in tried_by(state, task_id) if account in state.gates]
    holds = [state.holds[account] for account in opened]
    release(state, opened)
    for account, hold in zip(opened, holds, strict=True):
        yield Opened(account, hold)


def is_waited_for(state: RunState) -> bool:
    """Tell whether some task waits for nothing but a gate's end: then the run is not over."""
    return any(account in state.gates for account in state.held.values())


def gate_moments(state: RunState) -> Iterable[float]:
    """Yield when there is something to be done about the gates, on the clock of ``now``."""
    for account, gate in state.gates.items():
        if account in state.trying:
            if gate.tried_since is not None:
                yield gate.tried_since + SERVED_SECONDS
        elif any(where == account for where in state.held.values()):  # nearly always the first of thousands is
            yield gate.opens_at - state.utc_offset
