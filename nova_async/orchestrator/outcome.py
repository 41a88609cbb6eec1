"""How an attempt ended, as one word: a pure function of what its worker, its agent and its verification said."""

from nova_async.agents import AgentReport
from nova_async.status import WorkerEnd

__all__ = ["outcome_of"]

BY_END = {
    WorkerEnd.NOT_STARTED: "spawn_error",
    WorkerEnd.SIGNALED: "signal",
    WorkerEnd.TERMINATED: "cancelled",
    WorkerEnd.TIMED_OUT: "timeout",
    WorkerEnd.STALLED: "stalled",
    WorkerEnd.OVER_BUDGET: "budget",
    WorkerEnd.OUT_OF_MEMORY: "signal",
}
REFUSED = {401, 403}
OVERLOADED = {408, 425, 429, 500, 502, 503, 504, 522, 524, 529}  # what the same request may survive a little later


def outcome_of(end: WorkerEnd, exit_code: int | None, report: AgentReport, *, has_result: bool) -> str:
    """Return the outcome of an attempt, but for its verification.

    Success needs exit code 0 and, where the agent's output has a final event (``has_result``), that event without
    an error: an exit code alone says little (G33, G40).
    """
    if end in BY_END:
        return BY_END[end]
    if report.limit is not None:
        return "limit"
    if report.error_status in REFUSED:
        return "auth"
    if report.is_error:
        return "overload" if report.error_status in OVERLOADED else "agent_error"
    if end is WorkerEnd.LINGERED:  # we ended it: its exit code is ours
        return "ok" if report.is_error is False else "stalled"
    if exit_code != 0:
        return "overload" if report.error_status in OVERLOADED else "exit"
    if has_result and report.is_error is None:
        return "lost_tail"
    return "ok"
