"""What a run does when a client asks for it."""

from collections.abc import Sequence
from typing import Any

from nova_async.cascade.diagnostics import did_you_mean, shown
from nova_async.control.protocol import (
    UNKNOWN_TASK,
    Approve,
    Budget,
    Pause,
    Request,
    Resume,
    Retry,
    Stop,
    StopTask,
    Watch,
    Workers,
)
from nova_async.errors import ControlError
from nova_async.orchestrator.orchestrator import Orchestrator

__all__ = ["obey"]


def obey(orchestrator: Orchestrator, request: Request) -> dict[str, Any]:
    """Do what a client asks, and return what more there is to say about it.

    Raises ``NovaError`` with the reason where that makes no sense.
    """
    more: dict[str, Any] = {}
    match request:
        case Stop():
            orchestrator.stop(grace_of(request))
        case StopTask():
            check_known(orchestrator, request.tasks)
            orchestrator.stop_tasks(request.tasks, grace_of(request))
        case Retry():
            check_known(orchestrator, request.tasks)
            more["tasks"] = list(orchestrator.retry(request.tasks, downstream=request.downstream))
        case Approve():
            check_known(orchestrator, request.tasks)
            orchestrator.approve(request.tasks)
        case Pause():
            orchestrator.pause()
        case Resume():
            orchestrator.resume()
        case Workers():
            orchestrator.set_workers(request.count)
        case Budget():
            orchestrator.set_budget(request.usd, request.tokens)
        case Watch():
            pass  # the feed's
    return {**more, "running": orchestrator.get_status_summary()["active_workers"]}


def grace_of(request: Stop | StopTask) -> float | None:
    """Return how long agents are given to end; None for as long as their ladder does."""
    return 0.0 if request.kill else None


def check_known(orchestrator: Orchestrator, tasks: Sequence[str]) -> None:
    """Raise ``ControlError`` for a task that the plan does not have: then nothing is done for any of them."""
    known = orchestrator.cascade.tasks
    for task_id in tasks:
        if task_id not in known:
            guess = did_you_mean(task_id, sorted(known))
            raise ControlError(f"no task {shown(task_id)} in this run{guess}", reason=UNKNOWN_TASK)
