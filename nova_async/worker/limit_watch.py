"""Judging a running worker by its limits: its time, its silence, what follows its result, its tokens and its cost."""

from collections.abc import Callable
from typing import final

from nova_async._core.awake import PARTS
from nova_async.agents import AgentReport
from nova_async.process.child import Child
from nova_async.words import WorkerEnd
from nova_async.worker.limits import Limits
from nova_async.worker.timers import Timers
from nova_async.worker.verdict import Stop

__all__ = ["LimitWatch"]


@final
class LimitWatch:
    """The limits of one worker, and what is done at them.

    ``stop`` is called with the reason once a limit is reached. ``silence`` is asked for how many seconds nothing has
    come; it takes by how many seconds the question comes too late. An idle timeout counts if ``silence_counts``.
    """

    def __init__(
        self,
        limits: Limits,
        child: Child,
        *,
        timers: Timers,
        silence: Callable[[float], float],
        silence_counts: bool,
        stop: Callable[[Stop], None],
    ) -> None:
        self._limits = limits
        self._child = child
        self._timers = timers
        self._silence = silence
        self._stop = stop
        self._report = AgentReport()
        if limits.timeout is not None:
            why = f"timed out: still running after {limits.timeout:g} s (timeout)"
            timers.arm("timeout", limits.timeout, stop, Stop(WorkerEnd.TIMED_OUT, why))
        if limits.idle_timeout is not None and silence_counts:
            timers.arm("idle", limits.idle_timeout / PARTS, self._look_for_silence, limits.idle_timeout)

    def judge(self, report: AgentReport) -> None:
        """Compare what the agent reports now with its budgets, and begin to wait for its exit after its result."""
        self._report = report
        if self._child.returncode is not None:
            return  # it has exited on its own; what it left behind is another matter
        limits = self._limits
        if limits.max_tokens is not None and report.usage.total > limits.max_tokens:
            self._over_budget(f"token budget exceeded: {report.usage.total:,} used, limit {limits.max_tokens:,}")
        if limits.max_cost_usd is not None and (report.cost_usd or 0) > limits.max_cost_usd:
            self._over_budget(f"cost budget exceeded: ${report.cost_usd:,.2f} spent, limit ${limits.max_cost_usd:,.2f}")
        if limits.linger is not None and report.is_error is not None and "linger" not in self._timers:
            self._timers.arm("linger", limits.linger / PARTS, self._look_for_lingering, limits.linger)

    def _over_budget(self, why: str) -> None:
        # What was printed and the exit may both have come, and the loop look at the output first.
        if not self._child.has_exited():
            self._stop(Stop(WorkerEnd.OVER_BUDGET, why))

    def _look_for_silence(self, seconds: float) -> None:
        if self._silent_for(seconds, "idle", self._look_for_silence):
            self._stop(Stop(WorkerEnd.STALLED, f"stalled: no output for {seconds:g} s (idle_timeout)"))

    def _look_for_lingering(self, seconds: float) -> None:
        if self._report.is_error is None:
            self._timers.forget("linger")  # it has started another turn: the next result counts
        elif self._silent_for(seconds, "linger", self._look_for_lingering):
            self._stop(Stop(WorkerEnd.LINGERED, f"still running {seconds:g} s after its final result (linger)"))

    def _silent_for(self, seconds: float, timer: str, look_again: Callable[[float], None]) -> bool:
        """Tell whether no byte has come for so long; if not, look again at the earliest time that could be true.

        One timer that is rearmed when it fires costs nothing per chunk.
        """
        silence = self._silence(self._timers.late)
        if silence >= seconds:
            return True
        self._timers.arm(timer, min(seconds - silence, seconds / PARTS), look_again, seconds)
        return False
