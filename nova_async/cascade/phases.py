"""``order = "phase"``: the order of the file is the order of the run, as spec-kit reads its task lists."""

from collections.abc import Iterable

from nova_async.cascade.drafts import TaskDraft

__all__ = ["phase_needs"]


def phase_needs(drafts: Iterable[TaskDraft]) -> dict[str, tuple[str, ...]]:
    """Give the ids that each task waits for because of where it stands.

    Neighbours marked ``[P]`` under one heading may run together; any other task waits for everything above it, and
    everything below waits for it. Naming the step before is enough: that step has waited for all the others.
    """
    needs: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    step: list[str] = []
    previous: TaskDraft | None = None
    for draft in drafts:
        together = previous is not None and previous.parallel and draft.parallel and previous.section == draft.section
        if not together:
            before, step = tuple(step), []
        needs[draft.id] = before
        step.append(draft.id)
        previous = draft
    return needs
