"""Judging a running worker by its limits: time, silence, what follows its result, memory and budgets."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import final

from nova_async._core.awake import PARTS
from nova_async._core.moments import local_time
from nova_async._core.sizes import describe_size
from nova_async.agents import AgentReport
from nova_async.agents.wording import why_silent
from nova_async.process.child import Child
from nova_async.words import WorkerEnd
from nova_async.worker import memory_watch
from nova_async.worker.limits import Limits
from nova_async.worker.streams import Streams
from nova_async.worker.timers import Timers
from nova_async.worker.verdict import Stop

__all__ = ["LimitWatch"]


@final
class LimitWatch:
    """The limits of one worker, and what is done at them.

    ``stop`` is called with the reason once a limit is reached, and ``warn`` with what is wrong although nothing is
    ended for it, or None once that is over. An idle timeout counts if ``silence_counts``.
    ``estimate`` says what a report's tokens cost where the agent has not told; ``report`` is the one before any output.
    """

    def __init__(
        self,
        limits: Limits,
        child: Child,
        streams: Streams,
        *,
        timers: Timers,
        silence_counts: bool,
        stop: Callable[[Stop], None],
        warn: Callable[[str | None], None],
        estimate: Callable[[AgentReport], float | None],
        report: AgentReport,
    ) -> None:
        self._limits = limits
        self._child = child
        self._streams = streams
        self._timers = timers
        self._stop = stop
        self._warn = warn
        self._estimate = estimate
        self._report = report
        self._warned_of_silence = False
        self._loop = asyncio.get_running_loop()
        if limits.timeout is not None:
            why = f"timed out: still running after {limits.timeout:g} s (timeout)"
            timers.arm("timeout", limits.timeout, stop, Stop(WorkerEnd.TIMED_OUT, why))
        if limits.idle_timeout is not None and silence_counts:
            timers.arm("idle", limits.idle_timeout / PARTS, self._look_for_silence, limits.idle_timeout)
        if limits.max_memory is not None:
            memory_watch.watch(child.family, self._judge_memory)

    def close(self) -> None:
        """Watch no more: the child has exited. A second call does nothing."""
        self._timers.close()
        memory_watch.unwatch(self._loop, self._child.family)
        self._note_sound()

    def judge(self, report: AgentReport) -> None:
        """Compare what the agent reports now with its budgets, and begin to wait for its exit after its result."""
        self._report = report
        self._note_sound()
        if self._child.returncode is not None:
            return  # it has exited on its own; what it left behind is another matter
        if (exceeded := self._limits.exceeded_budget(report, self._estimate(report))) is not None:
            if self._has_succeeded:
                self._warn(f"{exceeded}; it had finished by then")
            elif not self._child.has_exited():  # both may have come, and the loop look at the output first
                self._stop(Stop(WorkerEnd.OVER_BUDGET, exceeded))
        linger = self._limits.linger
        if linger is not None and report.is_error is not None and "linger" not in self._timers:
            self._timers.arm("linger", linger / PARTS, self._look_for_lingering, linger)

    @property
    def _has_succeeded(self) -> bool:
        return self._report.has_succeeded

    def _judge_memory(self, used: int) -> None:
        limit = self._limits.max_memory
        if limit is None or used <= limit or self._timers.stand_still_now or self._child.has_exited():
            return  # while it stands still nobody could let go of anything
        why = f"out of memory: {describe_size(used, up=True)} used, limit {describe_size(int(limit))} (max_memory)"
        self._stop(Stop(WorkerEnd.OUT_OF_MEMORY, why))

    def _look_for_silence(self, seconds: float) -> None:
        silence = self._silence()
        if silence >= seconds:
            why = why_silent(self._report.activity) if self._report.expects_result else ""
            self._stop(Stop(WorkerEnd.STALLED, f"stalled: no output for {seconds:g} s (idle_timeout){why}"))
            return
        half = seconds / 2
        if silence >= half and not self._warned_of_silence and not self._has_succeeded:
            self._warn_of_silence(silence, seconds)
        left = seconds - silence if silence >= half else half - silence
        self._timers.arm("idle", min(left, seconds / PARTS), self._look_for_silence, seconds)

    def _warn_of_silence(self, silence: float, seconds: float) -> None:
        self._warned_of_silence = True
        self._streams.tell_again()  # so that the next output is noticed, without a look at every chunk
        now = datetime.now(UTC)
        ends_at = local_time(now + timedelta(seconds=seconds - silence), now, seconds=True)
        self._warn(
            f"no output for {round(silence, 1):g} s; ends at {ends_at} unless it prints something "
            f"(idle_timeout {seconds:g} s)"
        )

    def _note_sound(self) -> None:
        if self._warned_of_silence:
            self._warned_of_silence = False
            self._warn(None)

    def _look_for_lingering(self, seconds: float) -> None:
        if self._report.is_error is None:
            self._timers.forget("linger")  # it has started another turn: the next result counts
            return
        silence = self._silence()
        if silence >= seconds:
            self._stop(Stop(WorkerEnd.LINGERED, f"still running {seconds:g} s after its final result (linger)"))
        else:
            self._timers.arm("linger", min(seconds - silence, seconds / PARTS), self._look_for_lingering, seconds)

    def _silence(self) -> float:
        """Return for how many seconds no byte has come. A timer that is rearmed by it costs nothing per chunk."""
        return self._streams.pump.silence(self._timers.late)
