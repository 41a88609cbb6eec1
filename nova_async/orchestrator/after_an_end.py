"""What follows from the end of an attempt: its task is completed, tried again, held back or failed. Pure."""

from collections.abc import Iterable

from nova_async.orchestrator.actions import Action, Completed, Failed, HeldBack
from nova_async.orchestrator.gates import after_a_try, close_gate, may_try
from nova_async.orchestrator.happenings import Ended
from nova_async.orchestrator.holding import Account
from nova_async.orchestrator.holds import forget_overload, keep, suspend, tried_by
from nova_async.orchestrator.retry import BUSY, FREE, UNSERVED, delay_before, retry_later
from nova_async.orchestrator.run_state import RunState
from nova_async.orchestrator.stopping import drain, stop
from nova_async.orchestrator.within_budget import note_end, wait_for_budget
from nova_async.views import Hold
from nova_async.words import OnBudget, OnFailure, Outcome, TaskState

__all__ = ["after_an_end", "have_room_for_one_more"]


def after_an_end(state: RunState, ended: Ended, now: float) -> Iterable[Action]:
    """Take note of an end, and return what follows for its task and for those that wait for its account."""
    task_id, outcome = ended.task_id, ended.outcome
    note_end(state, ended)
    # An agent may also have given up at the cap that the rest of the budget had set it.
    ours = state.stopping or state.budget.is_used_up or ended.is_at_its_share or task_id in state.stopped
    if outcome is Outcome.CANCELLED and not ours:
        outcome = Outcome.LOST  # somebody else ended it: no verdict about the task, and no wish of the user's
    state.outcomes[task_id].append(outcome)
    waits = outcome is Outcome.LIMIT and state.cascade.settings.on_usage_limit != "fail"
    if outcome in UNSERVED and not waits:
        state.unserved[task_id] += 1
    if outcome not in BUSY and outcome not in FREE:
        state.overloads.pop(task_id, None)
    if ended.hold is not None and ended.account is not None:
        where = ended.account.held_by(ended.hold)
        if waits:
            return close_gate(state, task_id, where, ended.hold, now)
        if outcome in BUSY:
            return _overloaded(state, ended, where, ended.hold, now)
        if outcome is not Outcome.LIMIT:
            return suspend(state, task_id, where, ended.hold, now)
    if outcome is Outcome.OK and ended.account is not None:
        for part in ended.account.parts():
            forget_overload(state, part)
    follows = [*after_a_try(state, task_id, outcome), *_what_follows(state, ended, outcome, now)]
    _let_others_try(state, task_id)
    return follows


def _let_others_try(state: RunState, task_id: str) -> None:
    """Let nobody wait for a task to show that its service is less busy, if it is not tried again itself."""
    if state.schedule.state(task_id) not in (TaskState.RETRYING, TaskState.READY):
        for account in tried_by(state, task_id):
            if account in state.gates:  # it has not shown whether that limit is over: the next one tries
                del state.trying[account]
            forget_overload(state, account)


def _what_follows(state: RunState, ended: Ended, outcome: Outcome, now: float) -> Iterable[Action]:
    task_id = ended.task_id
    if outcome is Outcome.OK:
        have_room_for_one_more(state)
        state.schedule.complete(task_id)
        return (Completed(task_id),)
    if outcome is Outcome.CANCELLED:
        goes_on = ended.is_at_its_share and not state.budget.is_used_up
        (state.schedule.give_back if goes_on else state.schedule.put_back)(task_id)
        return ()
    delay = delay_before(state, task_id, outcome, ended.retry_after)
    if state.is_out_of_budget(task_id) and (delay is not None or outcome is Outcome.BUDGET):
        waits = state.cascade.tasks[task_id].options.on_budget == OnBudget.STOP
        return (wait_for_budget(state, task_id),) if waits else _fail(state, task_id)
    if delay is None:
        return _fail(state, task_id)
    if state.schedule.is_draining:
        state.schedule.put_back(task_id)
        return ()
    return (retry_later(state, task_id, delay, now),)


def _overloaded(state: RunState, ended: Ended, account: Account, hold: Hold, now: float) -> Iterable[Action]:
    """Try a task again later, and let the others of its account wait for that: they would meet the same."""
    task_id = ended.task_id
    # Not where it would be the first to try again, and at once: it has just been told to wait.
    others_try = account in state.holds and state.trying.get(account) != task_id and not may_try(state, account, now)
    if others_try and hold.outcome in state.cascade.settings.retry_on:
        keep(state, task_id, account)
        return (HeldBack(task_id, state.holds[account]),)
    if account in state.gates:  # nothing is known of its limit yet: the next one tries
        state.trying.pop(account, None)
    follows = list(_what_follows(state, ended, hold.outcome, now))
    if state.schedule.state(task_id) is TaskState.RETRYING and account not in state.gates:
        state.holds[account], state.trying[account] = hold, task_id
    _let_others_try(state, task_id)
    return follows


def have_room_for_one_more(state: RunState) -> None:
    """Take something that went well as a sign that the machine has room again."""
    state.schedule.places = min(state.max_workers, state.schedule.places + 1)


def _fail(state: RunState, task_id: str) -> Iterable[Action]:
    blocked = state.schedule.fail(task_id)
    yield Failed(task_id, tuple(blocked))
    match state.cascade.tasks[task_id].options.on_failure:
        case OnFailure.DRAIN:
            drain(state)
        case OnFailure.STOP:
            yield from stop(state, None)
