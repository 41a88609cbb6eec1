"""How an attempt ended, as one word: a pure function of what its worker and its agent said."""

from nova_async.agents import AgentReport
from nova_async.words import Outcome, WorkerEnd

__all__ = ["outcome_of", "sentence_for"]

BY_END = {
    WorkerEnd.NOT_STARTED: Outcome.SPAWN_ERROR,
    WorkerEnd.SIGNALED: Outcome.SIGNAL,
    WorkerEnd.TERMINATED: Outcome.CANCELLED,
    WorkerEnd.TIMED_OUT: Outcome.TIMEOUT,
    WorkerEnd.STALLED: Outcome.STALLED,
    WorkerEnd.OVER_BUDGET: Outcome.BUDGET,
    WorkerEnd.OUT_OF_MEMORY: Outcome.OUT_OF_MEMORY,
}
REFUSED = {401, 403}
OVERLOADED = {408, 425, 429, 500, 502, 503, 504, 522, 524, 529}  # the same request may succeed a little later


def outcome_of(end: WorkerEnd, exit_code: int | None, report: AgentReport) -> Outcome:
    """Return the outcome of an agent's work, before the task's own check.

    Success needs exit code 0 and, wherever the agent's events were seen, a final one without an error: an exit code
    alone says little (G33, G40).
    """
    if end in BY_END:
        return BY_END[end]
    if report.limit is not None:
        return Outcome.LIMIT
    if report.error_status in REFUSED:
        return Outcome.AUTH
    if report.is_error:
        return Outcome.OVERLOAD if report.error_status in OVERLOADED else Outcome.AGENT_ERROR
    if end is WorkerEnd.LINGERED:  # we ended it: its exit code is ours
        return Outcome.OK if report.is_error is False else Outcome.STALLED
    if exit_code != 0:
        return Outcome.OVERLOAD if report.error_status in OVERLOADED else Outcome.EXIT
    if report.expects_result and report.is_error is None:
        return Outcome.LOST_TAIL
    return Outcome.OK


def sentence_for(outcome: Outcome, error: str | None, report: AgentReport) -> str | None:
    """Say in one sentence why an agent's work was not a success; None if it was."""
    if outcome is Outcome.OK:
        return None
    if outcome is Outcome.LOST_TAIL:
        return "exited with code 0, but without a final result"
    if outcome is Outcome.LIMIT and report.limit is not None and report.limit.resets_at is not None:
        resets = report.limit.resets_at.isoformat(timespec="minutes")
        return f"usage limit '{report.limit.kind}' reached; resets at {resets}"
    return error or report.error or str(outcome)
