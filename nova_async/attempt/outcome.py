"""How an attempt ended, as one word: a pure function of what its worker and its agent said."""

from collections.abc import Mapping
from types import MappingProxyType

from nova_async._core.moments import day_and_time
from nova_async.agents import AgentReport, failure_of_status
from nova_async.words import Outcome, WorkerEnd

__all__ = ["end_that_counts", "outcome_of", "outcome_of_resuming", "sentence_for"]

BY_END = {
    WorkerEnd.NOT_STARTED: Outcome.SPAWN_ERROR,
    WorkerEnd.SIGNALED: Outcome.SIGNAL,
    WorkerEnd.TERMINATED: Outcome.CANCELLED,
    WorkerEnd.TIMED_OUT: Outcome.TIMEOUT,
    WorkerEnd.STALLED: Outcome.STALLED,
    WorkerEnd.OVER_BUDGET: Outcome.BUDGET,
    WorkerEnd.OUT_OF_MEMORY: Outcome.OUT_OF_MEMORY,
}
NOTHING_SAID: Mapping[int, Outcome] = MappingProxyType({})


def outcome_of(
    end: WorkerEnd, exit_code: int | None, report: AgentReport, exit_meanings: Mapping[int, Outcome] = NOTHING_SAID
) -> Outcome:
    """Return the outcome of an agent's work, before the task's own check.

    ``exit_meanings`` is what the agent's exit codes mean. Success needs exit code 0 and, wherever the agent's
    events were seen, a final one without an error: an exit code alone says little (G33, G40).
    """
    if end in BY_END:
        return BY_END[end]
    # In a text, what looks like the program's own words may be the answer's: there the exit code decides.
    may_have_failed = exit_code != 0 or report.is_error or report.expects_result
    if report.limit is not None and report.is_error is not False and may_have_failed:
        return Outcome.LIMIT
    kind = report.failure or failure_of_status(report.error_status)
    if exit_code and report.error_status is None and end is WorkerEnd.EXITED:  # known by words alone: trust the code
        kind = exit_meanings.get(exit_code, kind)
    if report.is_error:
        return kind or Outcome.AGENT_ERROR
    if end is WorkerEnd.LINGERED:  # we ended it: its exit code is ours
        return Outcome.STALLED if report.is_error is None else _finished(report)
    if end is WorkerEnd.EXIT_UNKNOWN and report.is_error is None:
        return kind or Outcome.EXIT_UNKNOWN
    if exit_code != 0 and end is not WorkerEnd.EXIT_UNKNOWN:
        return kind or Outcome.EXIT
    if report.expects_result and report.is_error is None:
        return Outcome.LOST_TAIL
    return _finished(report)


def end_that_counts(end: WorkerEnd, report: AgentReport, *, had_finished: bool) -> WorkerEnd:
    """Return the end by which an attempt is judged: a stop does not fail what has succeeded.

    ``had_finished`` is the worker's. Where sub-agents were cut off, or tools denied, the stop stays a stop.
    """
    is_whole = had_finished and report.result is not None and not report.denied and not report.unfinished
    return WorkerEnd.LINGERED if end is WorkerEnd.TERMINATED and is_whole else end


def outcome_of_resuming(outcome: Outcome, report: AgentReport) -> Outcome:
    """Return the outcome of an attempt that was to resume a session: perhaps the agent could not.

    It says so, or it failed of itself before it asked a model or began a session, whatever its words for that.
    """
    if report.session_refused and outcome is not Outcome.OK:
        return Outcome.SESSION_REFUSED
    did_nothing = not report.usage.total and (report.session_id is None or report.turns == 0)
    if outcome in (Outcome.EXIT, Outcome.AGENT_ERROR) and did_nothing and report.error_status is None:
        return Outcome.SESSION_REFUSED
    return outcome


def _finished(report: AgentReport) -> Outcome:
    """Return the outcome of an apparent success: it is none if sub-agents were cut off while working."""
    return Outcome.LOST_TAIL if report.unfinished else Outcome.OK


def sentence_for(outcome: Outcome, error: str | None, report: AgentReport) -> str | None:
    """Say in one sentence why an agent's work was not a success; None if it was."""
    if outcome is Outcome.OK:
        return None
    if outcome is Outcome.LOST_TAIL and report.unfinished:
        return f"ended while sub-agents were still running: {', '.join(report.unfinished)}"
    if outcome is Outcome.LOST_TAIL:
        left_out = report.oversize_lines
        why = f" ({left_out} {'line was' if left_out == 1 else 'lines were'} too large to read)" if left_out else ""
        return f"exited with code 0, but without a final result{why}"
    if outcome is Outcome.LIMIT and report.limit is not None and report.limit.resets_at is not None:
        resets = day_and_time(report.limit.resets_at)  # the sentence is kept: "15:54" would be another day's tomorrow
        return f"usage limit '{report.limit.kind}' reached; resets at {resets}"
    told = error or report.error
    if outcome is Outcome.SESSION_REFUSED:
        return f"the agent could not resume its session: {told or 'it did not say why'}"
    return told or str(outcome)
