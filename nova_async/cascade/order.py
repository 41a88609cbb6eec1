"""In which order tasks go: as they stand in the file, or as their dependencies say, and how a plan shows which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from nova_async.cascade.drafts import Kind, TaskDraft
from nova_async.words import PlanOrder

__all__ = ["Order", "bridged", "choose_order", "file_order_needs"]

MOST_TOGETHER = 200  # tasks of one step; each waits for all of the step before, and 10,000 for 10,000 fill the memory


@final
@dataclass(frozen=True, slots=True)
class Order:
    """The order of a plan, and why it is that one."""

    kind: PlanOrder = PlanOrder.DEPS
    """``phase``: the order of the file counts, besides what is declared; ``deps``: only what is declared."""
    reason: str = ""
    is_asked: bool = False
    """Somebody set it; otherwise it was found out."""


def choose_order(written: PlanOrder, by: str, drafts: Sequence[TaskDraft]) -> Order:
    """Choose the order of a plan.

    ``written`` is what somebody asked for, and ``by`` the place where. ``auto`` keeps the order of the file where tasks
    are marked ``[P]``, or where fewer than half of them (not counting the first) say what they wait for. A plan with a
    task table goes by its dependencies.
    """
    if written is not PlanOrder.AUTO:
        return Order(written, by, is_asked=True)
    if any(draft.kind is Kind.ROW for draft in drafts):
        return Order(PlanOrder.DEPS, "tasks are in a table")
    if any(draft.parallel for draft in drafts):
        return Order(PlanOrder.PHASE, "tasks that may run together are marked [P]")
    later = drafts[1:]
    declaring = sum(draft.waits.declares for draft in later)
    if declaring and 2 * declaring >= len(later):
        return Order(PlanOrder.DEPS, "tasks say what they depend on")
    if declaring:
        says = "says what it depends on" if declaring == 1 else "say what they depend on"
        return Order(PlanOrder.PHASE, f"only {declaring} of {len(drafts)} tasks {says}")
    return Order(PlanOrder.PHASE, "no task says what it depends on")


def file_order_needs(drafts: Sequence[TaskDraft], needs: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Give the ids that each task waits for because of where it stands.

    Neighbours marked ``[P]`` below one heading may run together; any other task waits for everything above it, and
    everything below waits for it. Naming the step before is enough: that step has waited for all the others. ``needs``
    are declared dependencies; a task that needs one below it goes after that one.
    """
    found: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    step: list[str] = []
    previous: TaskDraft | None = None
    for draft in _after_what_they_need(drafts, needs):
        together = (
            previous is not None
            and len(step) < MOST_TOGETHER
            and previous.parallel
            and draft.parallel
            and (previous.section, previous.parent) == (draft.section, draft.parent)
        )
        if not together:
            before, step = tuple(step), []
        found[draft.id] = before
        step.append(draft.id)
        previous = draft
    return found


def _after_what_they_need(drafts: Sequence[TaskDraft], needs: Mapping[str, Sequence[str]]) -> list[TaskDraft]:
    """Put off each task that needs one below it; those that need each other in a circle stay where they are."""
    by_id = {draft.id: draft for draft in drafts}
    open_needs = {draft.id: {need for need in needs.get(draft.id, ()) if need in by_id} for draft in drafts}
    waiting: dict[str, list[TaskDraft]] = {}
    placed: dict[str, TaskDraft] = {}
    for draft in drafts:
        ready = [draft]
        while ready:
            task = ready.pop()
            missing = next((need for need in open_needs[task.id] if need not in placed), None)
            if missing is not None:
                waiting.setdefault(missing, []).append(task)
                continue
            placed[task.id] = task
            ready.extend(reversed(waiting.pop(task.id, [])))
    return [*placed.values(), *(draft for draft in drafts if draft.id not in placed)]


def bridged(needs: Mapping[str, Sequence[str]], left_out: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Leave tasks out of a graph: what waits for one of them waits for what that one has waited for."""
    found: dict[str, tuple[str, ...]] = {}
    for task_id, needed in needs.items():
        if task_id in left_out:
            continue
        seen: dict[str, None] = {}
        rest = list(reversed(needed))
        while rest:
            need = rest.pop()
            if need in seen:
                continue
            seen[need] = None
            if need in left_out:
                rest.extend(reversed(needs.get(need, ())))
        found[task_id] = tuple(need for need in seen if need not in left_out)
    return found
