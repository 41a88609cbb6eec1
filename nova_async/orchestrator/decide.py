"""What follows from what has happened: (state, event, now) → actions. Pure, so that any order of events can be tried.

The orchestrator tells of everything that happens, and does what it is told to. Nothing here waits, reads a clock or
writes anything down; ``now`` is in seconds on a clock that nobody sets.
"""

import heapq
from collections.abc import Iterable

from nova_async.orchestrator.actions import Action, Begin, Finish, GiveUp, Reached, WakeAt
from nova_async.orchestrator.admission import may_begin, note_available, wait_for_memory
from nova_async.orchestrator.after_an_end import after_an_end, have_room_for_one_more
from nova_async.orchestrator.gates import (
    gate_moments,
    is_waited_for,
    may_try,
    note_start,
    note_told,
    open_gates,
    served,
    try_first,
)
from nova_async.orchestrator.happenings import (
    Again,
    Approved,
    Approving,
    Begun,
    Ended,
    Forgotten,
    Gauged,
    Happening,
    Heard,
    Kept,
    Memory,
    NewBudget,
    Offset,
    Pause,
    Refused,
    Resume,
    Served,
    Spent,
    StartedWell,
    Starting,
    Stop,
    StopOne,
    Told,
    Woken,
    Workers,
    Written,
)
from nova_async.orchestrator.holds import keep, note_account
from nova_async.orchestrator.obeying import (
    approve,
    come_to_gates,
    forgotten,
    rest,
    rest_if_stopped,
    run_again,
    stop_one,
)
from nova_async.orchestrator.pacing import (
    begin_account,
    end_account,
    keep_pace,
    note_gauges,
    note_heard,
    pace_moments,
    take_back,
    wait_for_pace,
)
from nova_async.orchestrator.retry import pause
from nova_async.orchestrator.run_state import JournalTrouble, RunState
from nova_async.orchestrator.serving import let_next_serve
from nova_async.orchestrator.stopping import drain, stop
from nova_async.orchestrator.within_budget import begin_next, note_spent, watch_budgets
from nova_async.words import TaskState

__all__ = ["decide"]

JOURNAL_PAUSE = (0.5, 15.0)  # seconds between two tries to write into a journal that takes nothing
# Seconds at most between two looks at the clock while a gate is closed. The clock that timers run by stands still while
# a machine sleeps: with one long timer, a laptop that slept through the reset would wait for as long again.
LONGEST_SLEEP = 10.0
JOURNAL_PATIENCE = 60.0  # seconds of a journal that takes nothing while nothing runs: then the run ends


def decide(state: RunState, event: Happening, now: float) -> list[Action]:
    """Take note of what has happened, and return what is to be done now, in this order."""
    actions = list(_note(state, event, now))
    if isinstance(event, Offset):
        return actions  # what it comes before may want fewer places, or the end: nothing begins ahead of that
    if isinstance(event, Begun | Ended):
        actions += _milestones(state)
    actions += watch_budgets(state, event)
    actions += open_gates(state, now)
    actions += keep_pace(state, now)
    actions += _begin_what_may(state)
    actions += come_to_gates(state)
    actions += wait_for_memory(state, now)
    actions += _wake(state, now)
    if not state.finished and state.schedule.is_over and (state.schedule.is_draining or not _is_waiting(state)):
        state.finished = True
        actions.append(Finish())
    return actions


def _note(state: RunState, event: Happening, now: float) -> Iterable[Action]:
    match event:
        case Begun():
            return ()
        case Starting(task_id, account):
            return begin_account(state, task_id, account, now)
        case Written(task_id, account):
            state.journal = None
            note_account(state, task_id, account)
            return ()
        case Refused(task_id):
            take_back(state, task_id)
            return _refused(state, task_id, now)
        case StartedWell(task_id):
            state.shortages.pop(task_id, None)
            note_start(state, task_id, now)
            have_room_for_one_more(state)
            return ()
        case Spent():
            note_spent(state, event)
            return ()
        case Gauged(task_id, gauges):
            return note_gauges(state, task_id, gauges, now)
        case Heard():
            note_heard(state, event, now)
            return ()
        case Ended():
            end_account(state, event)
            return rest_if_stopped(state, event, let_next_serve(state, event, after_an_end(state, event, now)))
        case Kept(task_id, account):
            state.budget.free_share(task_id)
            if task_id in state.stopped:
                state.schedule.put_back(task_id)
                return (rest(state, task_id, has_run=False),)
            if may_try(state, account, now):
                try_first(state, task_id, account)
                state.schedule.give_back(task_id)
            elif account in state.paces and account not in state.holds:
                wait_for_pace(state, task_id, account)
            else:
                keep(state, task_id, account)
            if state.journal is not None:  # this task cannot try whether it works again; another one may
                state.journal.again_at = now
            return ()
        case Memory(available):
            note_available(state, available)
            return ()
        case Woken():
            return _woken(state, now)
        case Told(account, hold):
            return note_told(state, account, hold, now)
        case Served(task_id):
            return served(state, task_id)
        case Offset(seconds):
            state.utc_offset = seconds
            return ()
        case Stop(grace):
            return stop(state, grace)
        case StopOne(task_id, grace):
            return stop_one(state, task_id, grace)
        case Again(task_ids):
            return run_again(state, task_ids)
        case Forgotten(task_ids):
            return forgotten(state, task_ids)
        case Approving(task_ids):
            state.approving.update(task_ids)
            return ()
        case Approved(task_ids):
            return approve(state, task_ids)
        case Pause() | Resume():
            state.paused = isinstance(event, Pause)
            state.schedule.changed.update(state.schedule.with_state(TaskState.READY))
            return ()
        case NewBudget(max_cost_usd, max_tokens):
            state.budget.change(max_cost_usd, max_tokens)
            return ()
        case Workers(max_workers):  # pragma: no branch - the last that there is
            state.max_workers = state.schedule.places = max_workers
            return ()


def _refused(state: RunState, task_id: str, now: float) -> Iterable[Action]:
    state.schedule.give_back(task_id)
    state.budget.free_share(task_id)
    trouble = state.journal or JournalTrouble(since=now, times=0, again_at=now)
    trouble.times += 1
    trouble.again_at = now + pause(trouble.times, JOURNAL_PAUSE, state.chance)
    state.journal = trouble
    return (rest(state, task_id, has_run=False),) if task_id in state.stopped else ()


def _woken(state: RunState, now: float) -> Iterable[Action]:
    while state.pauses and state.pauses[0][0] <= now:
        moment, paused = heapq.heappop(state.pauses)
        if state.paused_until.get(paused) == moment:  # else somebody has ended its pause
            del state.paused_until[paused]
            state.schedule.retry_now(paused)
    state.wake_at = None
    trouble = state.journal
    if trouble is None or trouble.again_at > now or state.paused:
        return
    if not state.schedule.slots_in_use and now - trouble.since > JOURNAL_PATIENCE:
        yield GiveUp()
        drain(state)
    else:
        for action in begin_next(state):
            if isinstance(action, Begin):
                trouble.again_at = float("inf")  # until this one has been written or refused
            yield action


def _begin_what_may(state: RunState) -> Iterable[Action]:
    """Begin whatever there is a place for. Whatever else may hold tasks back is asked here."""
    while not state.paused and state.journal is None and may_begin(state) and (actions := begin_next(state)):
        yield from actions


def _milestones(state: RunState) -> Iterable[Action]:
    completed, failed = state.schedule.completed, state.schedule.failed
    for milestone in state.cascade.milestones:
        if milestone.id not in state.reached and milestone.is_reached(
            completed=completed, failed=failed, total=len(state.cascade.tasks)
        ):
            state.reached.add(milestone.id)
            yield Reached(milestone)


def _wake(state: RunState, now: float) -> Iterable[Action]:
    """Ask to be woken for whatever comes first, unless that is arranged already."""
    while state.pauses and state.paused_until.get(state.pauses[0][1]) != state.pauses[0][0]:
        heapq.heappop(state.pauses)
    moments = [state.pauses[0][0]] if state.pauses else []
    if not state.schedule.is_draining and (gates := [*gate_moments(state), *pace_moments(state)]):
        moments.append(min(gates) if min(gates) - now <= LONGEST_SLEEP else _next_look(state, now))
    begins = state.schedule.count(TaskState.READY) and not state.schedule.is_draining and not state.paused
    if state.journal is not None and begins:
        moments.append(state.journal.again_at)
    if state.memory.look_at is not None:
        moments.append(state.memory.look_at)
    first = min(moments, default=None)
    if first is not None and first != float("inf") and first != state.wake_at:
        state.wake_at = first
        yield WakeAt(first)


def _is_waiting(state: RunState) -> bool:
    """Tell whether there is more to come although nothing runs and nothing is ready."""
    return is_waited_for(state) or bool(state.paced) or state.waits_for_somebody


def _next_look(state: RunState, now: float) -> float:
    """Return when to look at the clock again, at the latest: a moment that is arranged already, if there is one."""
    arranged = state.wake_at
    return arranged if arranged is not None and now < arranged <= now + LONGEST_SLEEP else now + LONGEST_SLEEP
