"""The supervision of one started child, from its first byte to the proof that no process of its family is left."""

import asyncio
import signal
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from nova_async.agents import AgentReader, AgentReport
from nova_async.process import at_exit
from nova_async.process.asyncio_process import EXIT_UNKNOWN
from nova_async.process.child import Child
from nova_async.process.family import Member
from nova_async.words import Leftovers, WorkerEnd
from nova_async.worker.limit_watch import LimitWatch
from nova_async.worker.limits import Limits
from nova_async.worker.log.writer import LogWriter
from nova_async.worker.record import Record, State
from nova_async.worker.session_files import SessionSource
from nova_async.worker.session_watch import SessionWatch
from nova_async.worker.streams import Streams
from nova_async.worker.timers import Timers
from nova_async.worker.verdict import Stop, had_finished, verdict

__all__ = ["STOP_GRACE", "Life"]

STOP_GRACE = 5.0  # seconds between SIGTERM and SIGKILL, as the documentation promises
LEFTOVER_GRACE = 1.0  # seconds for what outlived its leader: the work is over, so it needs less (G2)
DRAIN_SECONDS = 5.0  # a process that still prints this long after the leader's exit is ended with the leftovers (G1)

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds until the system is asked again for what it refused

# asyncio keeps only weak references to tasks, and a supervision must continue even if nobody else holds it.
LIVES: set["asyncio.Task[None]"] = set()


class Life:
    """One child, supervised by a task of its own.

    Nothing cuts this task off: a cancellation (``asyncio.run`` cancels every task when its main one ends) only makes
    it go straight to SIGKILL.
    """

    def __init__(
        self,
        child: Child,
        log: LogWriter,
        reader: AgentReader,
        record: Record,
        *,
        limits: Limits,
        silence_counts: bool,
        interrupt_seconds: float,
        leftovers: Leftovers,
        session: SessionSource | None,
        session_is_live: bool,
    ) -> None:
        self.ended = asyncio.Event()
        self._child = child
        self._family = child.family
        self._log = log
        self._record = record
        self._interrupt_seconds = interrupt_seconds
        self._leave = leftovers is Leftovers.LEAVE
        self._stop: Stop | None = None
        self._at_stop = record.report  # what the agent had reported by then
        self._ending: asyncio.Task[None] | None = None
        self._seen_through = False  # whether `_ending` has been awaited to its end
        self._hurried = False
        self._survivors: list[Member] = []  # of another user, or stuck in the kernel: no signal of ours ends these
        self._exit: asyncio.Task[int] | None = None
        self._timers = Timers()
        self._suspended_at: float | None = None  # on the loop's clock
        self._streams = Streams(
            child, log, reader, redaction=record.redaction, timers=self._timers, on_report=self._note_report
        )
        self._session: SessionWatch | None = None
        if session is not None:
            self._session = SessionWatch(session, is_live=session_is_live, timers=self._timers, on_news=self._note_news)
        self._printed = reader.report
        self._limit_watch = LimitWatch(
            limits,
            child,
            self._streams,
            timers=self._timers,
            silence_counts=silence_counts,
            stop=self.stop,
            warn=self._warn,
            estimate=self._estimate,
            report=reader.report,
        )
        if record.pricing is not None:
            record.pricing.on_known = self.note_prices
        self.task = self._begin()

    def _begin(self) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(self._run(), name=f"nova worker {self._record.task_id}")
        LIVES.add(task)
        task.add_done_callback(LIVES.discard)
        return task

    def begin_again(self) -> None:
        """Start again if cancelled before the first step: such a task never runs, not even its ``except`` clauses."""
        if self.task.cancelled():
            self.task = self._begin()

    def stop(self, stop: Stop, grace: float = STOP_GRACE) -> None:
        """Start ending the family, unless that has begun; the first reason given is the one that counts.

        Without ``grace`` SIGKILL is sent at once, even if a gentler end has begun.
        """
        self._streams.tell_now()  # which may itself be a reason to stop
        # It may have exited while we stood still, and nobody have noticed.
        if self._stop is None and not self._child.has_exited():
            self._stop, self._at_stop = stop, self._record.report
        if self._ending is None and not self.ended.is_set():
            self.resume()  # nor may a look under way stop anyone after the first signal
            self._ending = asyncio.get_running_loop().create_task(self._end_family(grace))
        if grace <= 0:
            self.hurry()

    def hurry(self) -> None:
        """Go straight to SIGKILL, after a look: who dies before it may leave a child that nothing else gives away."""
        if self.ended.is_set():
            return
        if self._ending is not None:
            if self._hurried and not self._ending.cancelling():
                return
            self._ending.cancel()
        self._hurried = True
        self._ending = asyncio.get_running_loop().create_task(self._kill())

    def abandon(self) -> None:
        """End a worker that is no longer referenced."""
        self.stop(Stop(WorkerEnd.TERMINATED, "the worker was dropped while running"))
        self.hurry()

    def end_without_loop(self) -> None:
        """Kill the family where its loop does not run; it blocks for milliseconds, at most two seconds.

        Where the loop is closed, and can never see to the end, this is the end.
        """
        if self._record.state.end is not None:
            return
        self._family.kill_now()
        if not self.task.get_loop().is_closed():
            return
        self._limit_watch.close()
        self._streams.stop_noting()
        exit_code = self._child.reap()
        at_exit.forget(self._child.cookie)
        self._child.close_output()
        self._log.close_now()
        self._stop = Stop(WorkerEnd.TERMINATED, "killed: its event loop was closed while it was running")
        self._record.set_state(replace(self._record.state, is_alive=False, exit_code=exit_code))
        self._record.set_state(self._final_state())

    def _warn(self, text: str | None) -> None:
        if self._record.state.warning != text:
            self._record.set_state(replace(self._record.state, warning=text))

    def _note_report(self, report: AgentReport) -> None:
        self._printed = report
        if self._session is not None:
            report = self._session.complete(report)
        self._record.set_report(report)
        self._limit_watch.judge(report)

    def _estimate(self, report: AgentReport) -> float | None:
        """Say what a report's tokens cost by prices; None where nothing is to be estimated, or can be."""
        return None if self._record.pricing is None else self._record.pricing.estimate(report)

    def note_prices(self) -> None:
        """Judge what has been used by the prices that have just become known."""
        self._record.tell()
        if self._record.state.end is None:
            self._limit_watch.judge(self._record.report)

    def _note_news(self) -> None:
        """Take note of what the files of the session tell beyond what was printed."""
        self._note_report(self._printed)

    async def suspend(self) -> None:
        """Stop the family where it stands, unless it is to end; the time limits stand still meanwhile."""
        if self._suspended_at is not None or self._ending is not None or self.ended.is_set():
            return
        self._suspended_at = asyncio.get_running_loop().time()
        self._timers.stand_still()
        with suppress(OSError):  # no look at the family was possible: members not seen before keep running
            await self._family.suspend()

    def resume(self) -> None:
        """Let the family go on, with as much time left as it had."""
        if self._suspended_at is None:
            return
        self._family.resume()
        self._streams.pump.last_byte_at += asyncio.get_running_loop().time() - self._suspended_at
        self._suspended_at = None
        self._timers.go_on()

    async def _run(self) -> None:
        pause = 0.0
        while not self.ended.is_set():
            try:
                if pause:
                    await asyncio.sleep(pause)
                await self._live()  # may be repeated: each step does only what is left to do
            except asyncio.CancelledError:
                self.stop(Stop(WorkerEnd.TERMINATED, "cancelled"))
                self.hurry()
            except Exception as error:  # whatever it is, those who wait for this worker must not wait forever
                pause = self._longer(pause, error)

    async def _live(self) -> None:
        self._note_exit(await self._exit_or_refusal())
        if self._ending is None:
            await self._streams.pump.drain(DRAIN_SECONDS)
        if self._ending is None:
            self._let_log_close()
            await self._look_for_leftovers()
        await self._see_to_the_end()
        await self._streams.pump.drain(DRAIN_SECONDS)
        report = self._streams.end()
        self._record.set_report(report if self._session is None else self._session.complete(report))
        self._child.close_output()
        await self._log.close()
        if self._session is not None:
            by_itself = self._stop is None and self._has_exited_by_itself(report)
            self._record.set_report(
                await self._session.finish(report, ended_by_itself=by_itself, is_hurried=self._hurried)
            )
        await self._see_to_the_end()
        self._note_end()

    async def _exit_or_refusal(self) -> int:
        """Wait until the leader has exited, or has turned out to be one that we cannot kill."""
        while not any(member.pid == self._child.pid for member in self._survivors):
            self._exit = asyncio.get_running_loop().create_task(self._child.wait())
            try:
                await asyncio.wait([self._exit])
                if not self._exit.cancelled():
                    return self._exit.result()
            finally:
                self._exit.cancel()
        return EXIT_UNKNOWN

    def _let_log_close(self) -> None:
        """Have the log closed while the family is looked for, if no one is left who could write to it."""
        if self._streams.pump.at_end:
            self._streams.end()
            self._log.begin_to_close()

    async def _see_to_the_end(self) -> None:
        """If the family is being ended, wait until it is; that may start at any time until the worker has ended."""
        while (ending := self._ending) is not None and not self._seen_through:
            await asyncio.wait([ending])
            if ending is self._ending:  # else it was cut short by a quicker one
                if ending.cancelled() or ending.exception() is not None:
                    await self._kill()  # including processes born since
                self._seen_through = True

    async def _kill(self) -> None:
        """SIGKILL every member until none is left, or only those that no signal of ours can end."""
        pause = 0.0
        while True:
            try:
                self._survivors = await self._family.kill()
            except OSError as error:
                pause = self._longer(pause, error)
                await asyncio.sleep(pause)
            else:
                break
        if self._survivors and self._exit is not None:
            self._exit.cancel()  # it would wait for ever if the leader is one of them

    def _longer(self, pause: float, error: Exception) -> float:
        """Note what keeps the worker from ending (no free descriptor, say); return how many seconds to wait for it."""
        self._record.set_state(replace(self._record.state, error=f"cannot finish yet, retrying: {error}"))
        return min(max(2 * pause, SHORTEST_PAUSE), LONGEST_PAUSE)

    def _has_exited_by_itself(self, report: AgentReport) -> bool:
        """Tell whether the agent has said how it ended, and exited: no answer was under way."""
        code = self._record.state.exit_code
        return report.is_error is not None and not self._child.exit_is_unknown and code is not None and code >= 0

    def _note_exit(self, exit_code: int) -> None:
        if self._session is not None:
            self._session.note_exit()
        self._limit_watch.close()
        self._streams.stop_noting()
        self._record.set_state(replace(self._record.state, is_alive=False, exit_code=exit_code))

    async def _look_for_leftovers(self) -> None:
        """Find the processes that outlived the leader, and start ending them unless they may stay."""
        leftovers = tuple(await self._family.look_for_others())
        if not leftovers:
            return
        self._record.set_state(replace(self._record.state, leftovers=leftovers))
        if self._ending is not None:  # a stop was requested while we looked
            return
        if self._leave:
            self._family.release()
        else:
            self._ending = asyncio.get_running_loop().create_task(self._end_leftovers())

    async def _end_leftovers(self) -> None:
        with suppress(OSError):  # the family could not be listed: then without SIGTERM
            self._family.signal(signal.SIGTERM, await self._family.look())
            if await self._family.gone(LEFTOVER_GRACE):
                return
        await self._kill()

    async def _end_family(self, grace: float) -> None:
        """SIGINT for agents, SIGTERM, SIGKILL: each step waits until every member is gone, not only the leader (G12).

        Agents get SIGINT first, in their own process group only: they end their commands themselves and print their
        final totals (G37). Processes in other sessions get their first signal with SIGTERM.
        """
        with suppress(OSError):  # the family could not be listed: then without SIGTERM
            members = await self._family.look()  # before the first signal: whose parent dies of it is known by then
            if self._interrupt_seconds:
                self._family.signal_group(signal.SIGINT)
                if await self._family.gone(self._interrupt_seconds):
                    return
                members = await self._family.look()
            refused = self._family.signal(signal.SIGTERM, members)
            if refused != members and await self._family.gone(grace):
                return
        await self._kill()

    def _note_end(self) -> None:
        self._record.set_state(self._final_state())
        self.ended.set()

    def _final_state(self) -> State:
        state = self._record.state
        assert state.exit_code is not None
        exit_code = None if self._child.exit_is_unknown else state.exit_code
        final = verdict(exit_code, self._stop, self._record.report, self._at_stop)
        error = final.error
        if self._survivors:
            names = ", ".join(f"{member.name} (pid {member.pid})" for member in self._survivors)
            error = f"{error or 'ended'}; could not be killed: {names}"
        return replace(
            state,
            status=final.status,
            end=final.end,
            error=error,
            had_finished=self._stop is not None and had_finished(self._record.report, self._at_stop),
            completed_at=datetime.now(UTC),
            duration_seconds=time.monotonic() - state.started_clock,
        )
