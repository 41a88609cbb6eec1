"""How a worker ended, as status, end and error: a pure function of what happened."""

import signal
from dataclasses import dataclass

from nova_async.agents import AgentReport
from nova_async.words import WorkerEnd, WorkerStatus

__all__ = ["Stop", "Verdict", "had_finished", "verdict"]

NO_STATUS = (
    "exit code unknown: this program ignores SIGCHLD, or reaps every child itself; "
    "before starting workers, call signal.signal(signal.SIGCHLD, signal.SIG_DFL)"
)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why we ended a worker, as a word and as a sentence."""

    end: WorkerEnd
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The final word on a worker."""

    status: WorkerStatus
    end: WorkerEnd
    error: str | None


def had_finished(report: AgentReport, at_stop: AgentReport) -> bool:
    """Tell whether an agent that we have ended had succeeded by then, or did so while it was being ended.

    ``at_stop`` is what it had reported when it was asked to end. A turn that begins later is no work of its own:
    Claude begins one to hear of its background commands, which the stop has ended, too.
    """
    return report.has_succeeded or (report.is_error is False and at_stop.has_succeeded)


def verdict(
    exit_code: int | None, stop: Stop | None, report: AgentReport, at_stop: AgentReport | None = None
) -> Verdict:
    """Judge a worker by its exit code, our own stop of it, and its agent's report.

    The code is negative if that signal ended it, and None if nobody knows it. ``at_stop`` is the report as it was when
    we asked it to end.
    """
    if stop is not None:
        # No limit fails what has succeeded.
        if stop.end is not WorkerEnd.TERMINATED and had_finished(report, report if at_stop is None else at_stop):
            return Verdict(WorkerStatus.COMPLETED, WorkerEnd.LINGERED, None)
        return Verdict(WorkerStatus.FAILED, stop.end, stop.why)
    if exit_code is None:
        return Verdict(WorkerStatus.FAILED, WorkerEnd.EXIT_UNKNOWN, NO_STATUS)
    if exit_code < 0:
        return Verdict(WorkerStatus.FAILED, WorkerEnd.SIGNALED, describe_signal(-exit_code))
    said = report.error if report.is_error is not False else None
    if exit_code == 0:
        return Verdict(WorkerStatus.COMPLETED, WorkerEnd.EXITED, said)
    return Verdict(WorkerStatus.FAILED, WorkerEnd.EXITED, said or f"exit code {exit_code}")


def describe_signal(number: int) -> str:
    """Say which signal ended a process, and the usual cause where there is one."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"  # the real-time ones have no names
    hint = "; was the machine out of memory?" if number == signal.SIGKILL else ""
    return f"killed by {name}{hint}"
