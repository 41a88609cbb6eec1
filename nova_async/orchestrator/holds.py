"""Accounts on hold: no more tasks begin there until one has been served. Pure."""

from collections.abc import Iterable

from nova_async.orchestrator.actions import Action, HeldBack, Suspended
from nova_async.orchestrator.holding import Account
from nova_async.orchestrator.retry import BUSY, delay_before, retry_later
from nova_async.orchestrator.run_state import RunState
from nova_async.views import Hold

__all__ = ["forget_overload", "keep", "note_account", "release", "suspend", "tried_by"]


def suspend(state: RunState, task_id: str, account: Account, hold: Hold, now: float) -> Iterable[Action]:
    """Let no other task begin on this account. The first one refused is retried, if the plan lists its outcome."""
    forget_overload(state, account)
    is_news = account not in state.holds or state.holds[account].until is not None
    if is_news:
        state.gates.pop(account, None)  # whatever limit it has reached: it serves nobody
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
    for gate in [gate for gate in tried_by(state, task_id) if gate in state.gates]:
        del state.trying[gate]  # it cannot try whether this account serves again; another task may


def note_account(state: RunState, task_id: str, account: Account | None) -> None:
    """Note what a task has begun on: whether any other account serves again, which it was to try, it cannot show."""
    if account is None:
        return
    for tried in tried_by(state, task_id):
        if tried in account.parts():
            continue
        if tried in state.gates:
            del state.trying[tried]  # the next one tries
        else:
            release(state, (tried,))


def tried_by(state: RunState, task_id: str) -> list[Account]:
    """Return the accounts on hold that this task tries."""
    return [account for account, tried in state.trying.items() if tried == task_id]


def forget_overload(state: RunState, account: Account) -> None:
    """Let the tasks begin that wait because the service of an account was overloaded: more is known by now."""
    if (hold := state.holds.get(account)) is not None and hold.outcome in BUSY:
        release(state, (account,))


def release(state: RunState, accounts: Iterable[Account]) -> None:
    """Let the tasks begin that were waiting for one to be served on these accounts: one was."""
    for account in accounts:
        del state.holds[account]
        state.trying.pop(account, None)
        state.gates.pop(account, None)
        for held in [held for held, where in state.held.items() if where == account]:
            del state.held[held]
            state.schedule.retry_now(held)
