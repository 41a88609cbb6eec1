"""What follows from what somebody wants of a running run: tasks stopped, run again or approved. Pure.

Each ``check_…`` raises ``RequestError`` where that makes no sense. What happens between a request and its turn may
change that: then nothing follows.
"""

from collections.abc import Collection, Iterable

from nova_async.cascade.diagnostics import shown
from nova_async.errors import RequestError
from nova_async.orchestrator.actions import (
    Action,
    CameToGate,
    Forget,
    HeldBack,
    PassedGate,
    Reopened,
    Retrying,
    Stopped,
    StopTask,
)
from nova_async.orchestrator.happenings import Ended
from nova_async.orchestrator.holds import release, tried_by
from nova_async.orchestrator.resume import built_on, needed_by
from nova_async.orchestrator.run_state import RunState
from nova_async.words import Outcome, TaskState

__all__ = [
    "approve", "check_approve", "check_stop", "come_to_gates", "forgotten", "rest", "rest_if_stopped", "run_again",
    "stop_one", "to_run_again",
]  # fmt: skip

ENDED = (TaskState.COMPLETED, TaskState.FAILED)
IS_ENDING = "the run is ending, and nothing new begins"


# Stopping one task.


def check_stop(state: RunState, task_id: str) -> None:
    """Check that a task can be stopped."""
    check_task(state, task_id)
    match state.schedule.state(task_id):
        case TaskState.IN_PROGRESS:
            return
        case TaskState.COMPLETED:
            raise RequestError(f"{task_id} has completed already")
        case TaskState.FAILED:
            raise RequestError(f"{task_id} has failed already; `nova retry {task_id}` lets it run again")
        case _ if state.schedule.is_draining:
            raise RequestError(f"{task_id} does not run, and {IS_ENDING}")
        case _ if task_id in state.stopped:
            raise RequestError(f"{task_id} is stopped already; `nova retry {task_id}` lets it run again")
        case _:
            return


def stop_one(state: RunState, task_id: str, grace: float | None) -> Iterable[Action]:
    """Ask the attempt of a task to end, and keep the task from beginning; the run goes on without it."""
    where = state.schedule.state(task_id)
    if where in ENDED:
        return
    state.stopped.add(task_id)
    state.schedule.bar(task_id)
    if where is TaskState.IN_PROGRESS:
        yield StopTask(task_id, state.cascade.tasks[task_id].options.grace if grace is None else grace)
    else:
        yield rest(state, task_id, has_run=False)


def rest(state: RunState, task_id: str, *, has_run: bool) -> Action:
    """Let a task that somebody wanted to stop wait until it is retried, or for the next run."""
    let_go(state, task_id)
    state.schedule.bar(task_id)
    return Stopped(task_id, has_run)


def rest_if_stopped(state: RunState, ended: Ended, follows: Iterable[Action]) -> Iterable[Action]:
    """Let a task rest that somebody wanted to stop, unless its attempt came to a verdict; ``follows`` otherwise."""
    task_id, actions = ended.task_id, list(follows)
    if task_id not in state.stopped:
        return actions
    if state.schedule.state(task_id) in ENDED:
        state.stopped.discard(task_id)
        allow(state, task_id)
        return actions
    stopped = rest(state, task_id, has_run=True)
    actions = [each for each in actions if not (isinstance(each, HeldBack | Retrying) and each.task_id == task_id)]
    return [*actions, stopped]


def let_go(state: RunState, task_id: str) -> None:
    """Have a task wait for no pause and no account any more; what it was to try, others may."""
    end_pause(state, task_id)
    state.held.pop(task_id, None)
    state.paced.pop(task_id, None)
    for account in tried_by(state, task_id):
        if account in state.gates:
            del state.trying[account]  # the next one tries
        else:
            release(state, (account,))


def end_pause(state: RunState, task_id: str) -> None:
    """Have a task pause before its retry no longer, if it does."""
    state.paused_until.pop(task_id, None)  # what stands for it in the heap counts no longer


# Running tasks again.


def to_run_again(state: RunState, task_ids: Iterable[str], *, downstream: bool) -> tuple[str, ...]:
    """Return the tasks that run again where these are to, in file order.

    These are the tasks themselves, what blocks them if they are blocked, and with ``downstream`` all that is built on
    them and has come to its end. Raises ``RequestError`` where one of them cannot.
    """
    if state.schedule.is_draining:
        raise RequestError(f"{IS_ENDING}: retry once it has ended, then run `nova run`")
    wanted: set[str] = set()
    for task_id in task_ids:
        check_task(state, task_id)
        check_retry(state, task_id)
        wanted.add(task_id)
    blocked = [task_id for task_id in wanted if state.schedule.state(task_id) is TaskState.BLOCKED]
    wanted |= needed_by(state.cascade, blocked) & state.schedule.failed
    if downstream:
        wanted |= {task_id for task_id in built_on(state.cascade, wanted) if is_to_follow(state, task_id)}
    return tuple(task_id for task_id in state.cascade.tasks if task_id in wanted)


def check_retry(state: RunState, task_id: str) -> None:
    """Check that a task can run again."""
    where = state.schedule.state(task_id)
    if where is TaskState.IN_PROGRESS:
        if task_id in state.stopped:
            raise RequestError(f"{task_id} is still being stopped: retry it once it has ended")
        raise RequestError(f"{task_id} is running: stop it first (`nova stop {task_id}`)")
    if where is TaskState.COMPLETED and is_ticked(state, task_id):
        raise RequestError(f"{task_id} is ticked off in the plan: remove its tick, then run `nova run`")
    is_kept = task_id in state.stopped or task_id in state.held
    if where in (TaskState.READY, TaskState.WAITING) and not is_kept:
        raise RequestError(f"{task_id} is still to run in this run: there is nothing to retry")
    if (hold := state.hold_of(task_id)) is not None and state.held[task_id] in state.gates:
        raise RequestError(f"{task_id} {hold.waits_for}: it tries as soon as that has reset")


def is_to_follow(state: RunState, task_id: str) -> bool:
    """Tell whether a task runs again with one that it is built on; raises ``RequestError`` if it runs now."""
    if state.schedule.state(task_id) is TaskState.IN_PROGRESS:
        raise RequestError(f"{task_id}, which is built on what is to run again, is running: stop it first")
    has_ended = state.schedule.state(task_id) in ENDED and state.schedule.is_selected(task_id)
    return has_ended and not is_ticked(state, task_id)


def run_again(state: RunState, task_ids: Collection[str]) -> Iterable[Action]:
    """Let tasks run again: what has ended, as soon as the journal has forgotten it; what waits, at once."""
    if state.finished or state.schedule.is_draining:
        return
    ended = [task_id for task_id in task_ids if state.schedule.state(task_id) in ENDED]
    others = [task_id for task_id in task_ids if may_go_on(state, task_id)]
    reopen(state, ended)
    for task_id in others:
        go_on(state, task_id)
    stay = stay_completed(state, ended)
    for place, task_id in enumerate([*ended, *others]):
        yield Reopened(task_id, stay if place == 0 else ())
    if ended:
        yield Forget(tuple(ended))


def reopen(state: RunState, task_ids: Collection[str]) -> None:
    """Forget what these tasks have come to; they begin once the journal has done so, too."""
    for task_id in task_ids:
        state.forgetting.add(task_id)
        state.schedule.bar(task_id)
        state.outcomes[task_id].clear()
        for counted in (state.lost, state.shortages, state.unserved, state.overloads):
            del counted[task_id]
        state.to_check.discard(task_id)
        for dependent in state.cascade.dependents(task_id):
            if state.schedule.state(dependent) not in (*ENDED, TaskState.IN_PROGRESS):
                let_go(state, dependent)
                state.out_of_budget.discard(dependent)
    state.schedule.reopen(task_ids)


def may_go_on(state: RunState, task_id: str) -> bool:
    """Tell whether a task that has not ended waits for what somebody's word can end."""
    match state.schedule.state(task_id):
        case TaskState.RETRYING:
            return True
        case TaskState.IN_PROGRESS:
            return False
        case _:
            account = state.held.get(task_id)
            return task_id in state.stopped or (account is not None and account not in state.gates)


def go_on(state: RunState, task_id: str) -> None:
    """Let a task begin that was stopped, pauses before a retry, or waits for its account."""
    if task_id in state.stopped:
        state.stopped.discard(task_id)
        allow(state, task_id)
    elif (account := state.held.pop(task_id, None)) is not None:
        state.trying.setdefault(account, task_id)
        state.schedule.retry_now(task_id)
    else:
        end_pause(state, task_id)
        state.schedule.retry_now(task_id)


def forgotten(state: RunState, task_ids: Iterable[str]) -> Iterable[Action]:
    """Let these tasks begin: the journal has forgotten what they had come to."""
    for task_id in task_ids:
        state.forgetting.discard(task_id)
        allow(state, task_id)
    return ()


def stay_completed(state: RunState, task_ids: Iterable[str]) -> tuple[str, ...]:
    """Return the completed tasks that are built on these, which run again, and do not run again themselves."""
    built = built_on(state.cascade, task_ids)
    return tuple(each for each in state.cascade.tasks if each in built and each in state.schedule.completed)


def is_ticked(state: RunState, task_id: str) -> bool:
    """Tell whether it is the plan, and no attempt, that has completed a task."""
    return state.cascade.tasks[task_id].done and Outcome.OK not in state.outcomes[task_id]


# Approving.


def check_approve(state: RunState, task_id: str) -> None:
    """Check that a task can be approved; also one that this run is not to run: the next one may."""
    if task_id not in state.cascade.tasks:
        raise RequestError(f"there is no task {shown(task_id)} in this plan")
    if not state.cascade.tasks[task_id].options.gate:
        raise RequestError(f"{task_id} needs no approval: it has no gate")
    if task_id not in state.unapproved:
        raise RequestError(f"{task_id} is approved already")


def approve(state: RunState, task_ids: Collection[str]) -> Iterable[Action]:
    """Let these tasks begin as any others."""
    state.approving.difference_update(task_ids)
    for task_id in [each for each in task_ids if each in state.unapproved]:
        state.unapproved.discard(task_id)
        allow(state, task_id)
        yield PassedGate(task_id)


def come_to_gates(state: RunState) -> Iterable[Action]:
    """Tell of tasks that wait for nothing but approval now."""
    came, state.schedule.came_to_bar = state.schedule.came_to_bar, []
    for task_id in came:
        if state.needs_approval(task_id):
            yield CameToGate(task_id)


def allow(state: RunState, task_id: str) -> None:
    """Let a task begin, unless something else keeps it."""
    if task_id in state.unapproved:
        state.schedule.came_to_bar.append(task_id)
    elif task_id not in state.stopped and task_id not in state.forgetting:
        state.schedule.unbar(task_id)


def check_task(state: RunState, task_id: str) -> None:
    """Check that a task is one of those that the run is to run."""
    if task_id not in state.cascade.tasks:
        raise RequestError(f"there is no task {shown(task_id)} in this plan")
    if not state.schedule.is_selected(task_id):
        raise RequestError(f"{task_id} is not among the tasks of this run")
