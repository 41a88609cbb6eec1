"""Accounts that are near a usage limit: their tasks start one by one, so that the rest lasts until it resets. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from nova_async.agents import AGENTS
from nova_async.orchestrator.actions import Action, Near, Share
from nova_async.orchestrator.gates import NOT_ASKED
from nova_async.orchestrator.happenings import Ended, Heard
from nova_async.orchestrator.holding import Account
from nova_async.orchestrator.pace import AccountPace, Window, merged, next_start
from nova_async.orchestrator.run_state import RunState
from nova_async.usage import Gauge
from nova_async.views import GaugeView, Hold
from nova_async.words import Outcome, TaskState

__all__ = [
    "begin_account", "end_account", "gauges_now", "is_paced", "keep_pace", "note_gauges", "note_heard", "pace_moments",
    "take_back", "wait_for_pace",
]  # fmt: skip

NEAR = 0.8  # the used share from which a limit is told of
TICK = 0.001  # seconds by which the moments of a calendar and of a clock may differ
PERCENT = 0.01  # others hear of each that is used: some agents tell a fraction after every answer


def begin_account(state: RunState, task_id: str, account: Account | None, now: float) -> Iterable[Action]:
    """Note that a task is about to start on an account: the next one there is later."""
    for pace in state.paces.values():
        if pace.next_task == task_id:
            pace.next_task = None
    if account is None:
        return
    state.serving[task_id] = account
    login = account.parts()[1]
    pace = state.paces.setdefault(login, AccountPace())
    utc = now + state.utc_offset
    pace.before[task_id], pace.started_at = (utc, pace.started_at), utc
    if pace.windows:
        yield share(login, pace)


def take_back(state: RunState, task_id: str) -> None:
    """Note that a task has not started after all."""
    if (account := state.serving.pop(task_id, None)) is not None:
        pace = state.paces[account.parts()[1]]
        here, earlier = pace.before.pop(task_id)
        if pace.started_at == here:
            pace.started_at = earlier
        else:  # another has started since
            pace.before = {
                other: (at, earlier if before == here else before) for other, (at, before) in pace.before.items()
            }


def end_account(state: RunState, ended: Ended) -> None:
    """Note that an attempt has used what it was to use of its account's limits."""
    account = state.serving.pop(ended.task_id, None)
    state.gauges_of.pop(ended.task_id, None)
    if account is None:
        return
    pace = state.paces[account.parts()[1]]
    pace.before.pop(ended.task_id, None)
    if ended.outcome not in NOT_ASKED:
        pace.windows = {kind: replace(window, ended=window.ended + 1) for kind, window in pace.windows.items()}


def note_gauges(state: RunState, task_id: str, gauges: tuple[Gauge, ...], now: float) -> Iterable[Action]:
    """Note what a running attempt has told of its account; others hear of it, if it is news to them."""
    state.gauges_of[task_id] = gauges
    if (account := state.serving.get(task_id)) is None:
        return
    login = account.parts()[1]
    pace = state.paces[login]
    before = marks(pace)
    pace.windows = merged(pace.windows, gauges, now + state.utc_offset)
    if marks(pace) != before:
        yield share(login, pace)


def note_heard(state: RunState, heard: Heard, now: float) -> None:
    """Note what other runs know of an account."""
    utc = now + state.utc_offset
    pace = state.paces.setdefault(heard.account, AccountPace())
    pace.windows = merged(pace.windows, heard.gauges, utc)
    if heard.started_at is not None and heard.started_at <= utc:  # or their clock is wrong
        pace.started_at = max(heard.started_at, pace.started_at or 0.0)


def wait_for_pace(state: RunState, task_id: str, account: Account) -> None:
    """Let a task wait until it may start on an account."""
    state.schedule.put_back(task_id)
    state.paced[task_id] = account
    pace = state.paces[account]
    if pace.next_task == task_id:
        pace.next_task = None


def keep_pace(state: RunState, now: float) -> Iterable[Action]:
    """See when the next task of each account may start, let those start that may, and tell what is new."""
    utc = now + state.utc_offset
    for account, pace in state.paces.items():
        if not pace.windows and not state.paced:  # as with most agents
            pace.hold = pace.next_task = None
            continue
        pace.windows = merged(pace.windows, (), utc)
        found = moments(state, account, pace, utc)
        kind, moment = max(found.items(), key=lambda each: each[1], default=(None, None))
        if moment is None:
            pace.hold = pace.next_task = None
            release(state, waiting_for(state, account))
        elif moment - utc > TICK:
            pace.next_task = None
            _hold(state, account, pace, kind, moment)
        elif not _has_next(state, pace):
            _let_one_start(state, account, pace)
        yield from news(account, pace, kind)


def is_paced(state: RunState, account: Account, now: float) -> bool:
    """Tell whether tasks start one by one on a login."""
    pace = state.paces.get(account)
    return pace is not None and bool(moments(state, account, pace, now))


def moments(state: RunState, account: Account, pace: AccountPace, utc: float) -> dict[str, float]:
    """Return when the next task may start by each limit that slows starts down; one of a single model does not."""
    agent, settings = AGENTS.get(account.agent), state.cascade.settings
    found = {}
    for kind, window in pace.windows.items():
        if agent is not None and kind not in agent.whole_account_limits:
            continue
        moment = next_start(window, pace.started_at, utc, settings.pace, state.schedule.left)
        if moment is not None:
            longest = moment if settings.max_wait is None else (pace.started_at or 0.0) + settings.max_wait
            found[kind] = min(moment, longest)
    return found


def _hold(state: RunState, account: Account, pace: AccountPace, kind: str | None, moment: float) -> None:
    until = datetime.fromtimestamp(moment, UTC)
    if pace.hold is None or pace.hold.until != until:
        state.schedule.changed.update(waiting_for(state, account))
        pace.hold = Hold(
            agent=account.agent, program=account.program, outcome=Outcome.LIMIT, error="its usage limit is near",
            cure="Wait, or run with `--pace off`", kind=kind, until=until, is_pace=True,
        )  # fmt: skip


def _has_next(state: RunState, pace: AccountPace) -> bool:
    """Tell whether a task is on its way that may start; one that lacks a budget, say, is not."""
    task_id = pace.next_task
    return task_id is not None and state.schedule.state(task_id) in (TaskState.READY, TaskState.IN_PROGRESS)


def _let_one_start(state: RunState, account: Account, pace: AccountPace) -> None:
    first = min(waiting_for(state, account), key=state.cascade.order_key, default=None)
    pace.next_task = first
    if first is None:
        pace.hold = None  # whichever comes first
    else:
        release(state, (first,))


def waiting_for(state: RunState, account: Account) -> list[str]:
    """Return the tasks that wait for the pace of an account."""
    return [task_id for task_id, where in state.paced.items() if where == account]


def release(state: RunState, task_ids: Iterable[str]) -> None:
    """Let tasks start that have waited."""
    for task_id in task_ids:
        del state.paced[task_id]
        if not state.schedule.is_draining:
            state.schedule.retry_now(task_id)


def news(account: Account, pace: AccountPace, slowed_by: str | None) -> Iterable[Action]:
    """Tell once of each limit that is near, and once that it slows starts down."""
    for kind, window in list(pace.windows.items()):
        is_slow = kind == slowed_by and pace.hold is not None and not window.is_told_slow
        if is_slow or (NEAR <= window.used < 1 and not window.is_told):
            slow = is_slow or window.is_told_slow
            pace.windows[kind] = replace(window, is_told=True, is_told_slow=slow)
            yield Near(view_of(account, pace, kind, window))


def view_of(account: Account, pace: AccountPace, kind: str, window: Window) -> GaugeView:
    """Return how a limit looks from outside."""
    return GaugeView(
        agent=account.agent, kind=kind, used=window.used,
        resets_at=None if window.resets_at is None else datetime.fromtimestamp(window.resets_at, UTC),
        next_start_at=pace.hold.until if pace.hold is not None and pace.hold.kind == kind else None,
    )  # fmt: skip


def gauges_now(state: RunState) -> tuple[GaugeView, ...]:
    """Return how full the limits of all accounts are."""
    return tuple(
        view_of(account, pace, kind, window)
        for account, pace in state.paces.items()
        for kind, window in pace.windows.items()
    )


def pace_moments(state: RunState) -> Iterable[float]:
    """Yield when the next task may start that waits for its account, on the clock of ``now``."""
    for account, pace in state.paces.items():
        if pace.hold is None or pace.hold.until is None or pace.next_task is not None:
            continue
        if any(where == account for where in state.paced.values()):  # nearly always the first of thousands is
            yield pace.hold.until.timestamp() - state.utc_offset


def share(account: Account, pace: AccountPace) -> Share:
    """Return what other runs are to know."""
    return Share(account, gauges_of(pace), pace.started_at)


def gauges_of(pace: AccountPace) -> tuple[Gauge, ...]:
    """Return what is known of an account's limits as its agents tell it."""
    return tuple(
        Gauge(kind, window.used, None if window.resets_at is None else datetime.fromtimestamp(window.resets_at, UTC))
        for kind, window in pace.windows.items()
    )


def marks(pace: AccountPace) -> dict[str, tuple[int, float | None]]:
    """Return what others have to hear of when it changes: whole percents, and resets to the minute."""
    return {
        kind: (int(window.used / PERCENT), None if window.resets_at is None else window.resets_at // 60)
        for kind, window in pace.windows.items()
    }
