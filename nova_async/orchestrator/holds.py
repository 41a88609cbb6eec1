"""Accounts on hold: no more tasks begin there until one has been served. Pure."""

from collections.abc import Iterable

from nova_async.orchestrator.actions import Action, HeldBack, Suspended
from nova_async.orchestrator.holding import Account
from nova_async.orchestrator.retry import delay_before, retry_later
from nova_async.orchestrator.run_state import RunState
from nova_async.views import Hold

__all__ = ["keep", "release", "suspend"]


def suspend(state: RunState, task_id: str, account: Account, hold: Hold, now: float) -> Iterable[Action]:
    """Let no other task begin on this account. The first one refused is retried, if the plan lists its outcome."""
    is_news = account not in state.holds
    if is_news:
        state.holds[account] = hold
        state.trying[account] = task_id
    delay = delay_before(state, task_id, hold.outcome) if state.trying.get(account) == task_id else None
    if delay is not None and not state.schedule.is_draining:
        yield retry_later(state, task_id, delay, now)
    else:
        if state.trying.get(account) == task_id:
            del state.trying[account]
        keep(state, task_id, account)
        yield HeldBack(task_id, hold)
    if is_news:
        yield Suspended(hold)


def keep(state: RunState, task_id: str, account: Account) -> None:
    """Note that a task waits for an account that is on hold."""
    state.schedule.put_back(task_id)
    state.held[task_id] = account


def release(state: RunState, task_id: str) -> None:
    """Let the held tasks begin that were waiting for this one to be served: it was."""
    for account in [account for account, tried in state.trying.items() if tried == task_id]:
        del state.trying[account], state.holds[account]
        for held in [held for held, where in state.held.items() if where == account]:
            del state.held[held]
            state.schedule.retry_now(held)
