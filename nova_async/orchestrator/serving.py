"""Which of the agents and accounts of a task's order serves it, where some of them are on hold. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from nova_async.orchestrator.actions import Action, HeldBack
from nova_async.orchestrator.happenings import Ended
from nova_async.orchestrator.holding import Account
from nova_async.orchestrator.retry import BUSY
from nova_async.orchestrator.run_state import RunState
from nova_async.views import Hold

__all__ = ["choose", "let_next_serve"]

T = TypeVar("T")


def choose(
    candidates: Iterable[tuple[T, Account | None]],
    held_by: Callable[[Account], Account | None],
    holds: Mapping[Account, Hold],
) -> tuple[T, Account | None]:
    """Return the first candidate that is not on hold, and None; where all are, the one to wait for, and what holds it.

    That is the one whose hold ends first. One whose service is only busy for a moment is waited for at once.
    ``candidates`` are at least one, in their order, each with its account, if that is known. ``held_by`` says what is
    on hold of an account.
    """
    waiting: list[tuple[T, Account]] = []
    for candidate, account in candidates:
        held = None if account is None else held_by(account)
        if held is None:
            return candidate, None
        if holds[held].outcome in BUSY:
            return candidate, held
        waiting.append((candidate, held))
    return min(waiting, key=lambda each: ends_at(holds[each[1]]))


def ends_at(hold: Hold) -> float:
    """Return when a hold ends by itself, as a timestamp; infinite for one that never does."""
    return float("inf") if hold.until is None else hold.until.timestamp()


def let_next_serve(state: RunState, ended: Ended, follows: Iterable[Action]) -> list[Action]:
    """Let a task begin at once whose account has been closed, if another one of its order may serve it.

    ``follows`` is what follows from its end otherwise.
    """
    actions, task_id = list(follows), ended.task_id
    if ended.hold is None or task_id not in state.held or state.schedule.is_draining:
        return actions
    if ended.hold.outcome in BUSY or all(state.held_by(task_id, account) for account in ended.accounts):
        return actions
    del state.held[task_id]
    state.schedule.retry_now(task_id)
    return [action for action in actions if not isinstance(action, HeldBack)]
