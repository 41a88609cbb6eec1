"""Keeping to budgets: what may begin, what it may spend, and what is told and stopped when one is used up. Pure."""

from collections.abc import Iterable

from nova_async.orchestrator.actions import Action, Begin, OutOfBudget, Overspent, StopTask
from nova_async.orchestrator.happenings import Ended, Happening, Spent
from nova_async.orchestrator.run_state import RunState
from nova_async.orchestrator.stopping import drain
from nova_async.words import Outcome, TaskState

__all__ = ["begin_next", "note_end", "note_spent", "wait_for_budget", "watch_budgets"]


def begin_next(state: RunState) -> list[Action]:
    """Let the most urgent task begin that may; those before it that have used up their own budget wait."""
    actions: list[Action] = []
    while state.budget.has_room and (task_id := state.schedule.start_next()) is not None:
        if not state.is_out_of_budget(task_id):
            return [*actions, Begin(task_id, share_of(state, task_id))]
        actions.append(wait_for_budget(state, task_id))
    return actions


def wait_for_budget(state: RunState, task_id: str) -> Action:
    """Let a task wait, for a later run, until it is given more."""
    state.schedule.put_back(task_id)
    state.out_of_budget.add(task_id)
    return OutOfBudget(task_id, state.budget_reason(task_id) or "")


def share_of(state: RunState, task_id: str) -> float | None:
    """Return what an agent with a cap of its own is told to spend at most of what the run has left, in dollars.

    While it tells its cost, this run watches it, and its own cap is there in case that fails. Where it tells it only
    at its end, the caps of all that are at work must not add up to more than there is.
    """
    budget = state.budget
    if budget.max_cost_usd is None or task_id not in state.capped or task_id in state.to_check:
        return None
    own = state.task_budgets.get(task_id)
    own_left = own.left_usd if own is not None else None
    if state.kind_of(task_id) in state.tells_cost_live:
        share = budget.free_usd
    else:
        schedule = state.schedule
        more = min(schedule.places - schedule.slots_in_use, schedule.count(TaskState.READY))
        share = budget.set_aside(task_id, 1 + max(0, more), own_left)
    return None if own_left is not None and own_left <= share else share


def note_spent(state: RunState, spent: Spent) -> None:
    """Note what a running attempt has used up to now."""
    task_id, own = spent.task_id, state.task_budgets.get(spent.task_id)
    state.budget.note_running(task_id, spent.spending)
    if own is not None:
        own.note_running(task_id, spent.spending)
    if spent.is_done:
        state.done.add(task_id)
        return
    state.done.discard(task_id)
    if spent.spending.nanodollars:
        state.tells_cost_live.add(state.kind_of(task_id))
        state.budget.free_share(task_id)


def note_end(state: RunState, ended: Ended) -> None:
    """Note what an attempt has used in the end."""
    task_id, own = ended.task_id, state.task_budgets.get(ended.task_id)
    state.budget.note_end(task_id, ended.spending)
    if own is not None:
        own.note_end(task_id, ended.spending)
    state.done.discard(task_id)
    state.spared.discard(task_id)
    (state.to_check.add if ended.needs_check else state.to_check.discard)(task_id)


def watch_budgets(state: RunState, event: Happening) -> Iterable[Action]:
    """Tell once when a budget is nearly used up, and ask agents to stop when the run's is."""
    if isinstance(event, Spent | Ended) and event.task_id in state.task_budgets:
        yield from _news_of_a_task(state, event, event.task_id)
    budget = state.budget
    if (news := budget.news()) is not None:
        goes_on = budget.is_used_up and not state.schedule.is_over
        text = f"{news}{'; nothing more starts, and running agents are asked to stop' if goes_on else ''}"
        yield Overspent(text, is_used_up=budget.is_used_up)
    if not budget.is_used_up:
        return
    if not state.stopping:
        state.stopping = True
        drain(state)
        running = state.schedule.with_state(TaskState.IN_PROGRESS)
        state.spared.update(task_id for task_id in running if task_id in state.done)
        yield from [_stop_spending(state, task_id) for task_id in running if task_id not in state.done]
    elif isinstance(event, Spent) and event.task_id in state.spared and event.task_id not in state.done:
        state.spared.discard(event.task_id)  # it has begun another turn
        yield _stop_spending(state, event.task_id)


def _stop_spending(state: RunState, task_id: str) -> Action:
    state.stopped_by_budget.append(task_id)
    return StopTask(task_id, state.cascade.tasks[task_id].options.grace, f"{state.budget} is used up")


def _news_of_a_task(state: RunState, event: Spent | Ended, task_id: str) -> Iterable[Action]:
    budget = state.task_budgets[task_id]
    news = budget.news()
    if isinstance(event, Spent):
        # The end of the attempt tells what becomes of a task whose budget is used up.
        if news is not None and not budget.is_used_up:
            yield Overspent(news, task_id, is_used_up=False)
    elif event.outcome is Outcome.OK and budget.is_exceeded:
        yield Overspent(f"{budget} was exceeded by what succeeded ({budget.used_in_words} spent)", task_id)
