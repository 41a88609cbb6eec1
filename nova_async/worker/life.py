"""The supervision of one started child, from its first byte to the proof that no process of its family is left."""

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from nova_async._core.awake import PARTS
from nova_async.agents import AgentReader, AgentReport, error_entrance
from nova_async.process import at_exit
from nova_async.process.child import Child
from nova_async.process.family import Member
from nova_async.words import Leftovers, WorkerEnd
from nova_async.worker.limits import Limits
from nova_async.worker.log.whole_lines import WholeLines
from nova_async.worker.log.writer import LogWriter
from nova_async.worker.notes import Notes
from nova_async.worker.output_pump import OutputPump
from nova_async.worker.record import Record, State
from nova_async.worker.redacted import Redacted
from nova_async.worker.timers import Timers
from nova_async.worker.verdict import Stop, verdict

__all__ = ["STOP_GRACE", "Life"]

STOP_GRACE = 5.0  # seconds between SIGTERM and SIGKILL, as the documentation promises
LEFTOVER_GRACE = 1.0  # seconds for what outlived its leader: the work is over, so it needs less (G2)
DRAIN_SECONDS = 5.0  # a process that still prints this long after the leader's exit is ended with the leftovers (G1)

LINE_SECONDS = 5.0  # a line that stands still for this long is a prompt or a progress bar: what waits for it goes first
EXIT_UNKNOWN = 255  # what asyncio reports of a child whose exit it does not know

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
    ) -> None:
        self.ended = asyncio.Event()
        self._child = child
        self._family = child.family
        self._log = log
        self._reader = reader
        self._record = record
        self._limits = limits
        self._interrupt_seconds = interrupt_seconds
        self._leave = leftovers is Leftovers.LEAVE
        self._stop: Stop | None = None
        self._ending: asyncio.Task[None] | None = None
        self._seen_through = False  # whether `_ending` has been awaited to its end
        self._hurried = False
        self._survivors: list[Member] = []  # of another user, or stuck in the kernel: no signal of ours ends these
        self._exit: asyncio.Task[int] | None = None
        self._timers = Timers()
        self._suspended_at: float | None = None  # on the loop's clock
        self._notes = Notes(child.family, self._timers)
        self._lines = WholeLines(log.put)
        self._feed_error = error_entrance(reader)
        pipes = {child.output: self._take}
        if child.errors >= 0:
            pipes = {child.output: self._take_output, child.errors: self._take_errors}
        self._redacted: list[Redacted] = []
        self._pump = OutputPump({pipe: self._without_secrets(take) for pipe, take in pipes.items()})
        log.on_room = self._pump.resume
        if limits.timeout is not None:
            why = f"timed out: still running after {limits.timeout:g} s (timeout)"
            self._arm("timeout", limits.timeout, self.stop, Stop(WorkerEnd.TIMED_OUT, why))
        if limits.idle_timeout is not None and silence_counts:
            self._arm("idle", limits.idle_timeout / PARTS, self._look_for_silence, limits.idle_timeout)
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
        # It may have exited while we stood still, and nobody have noticed.
        if self._stop is None and not self._child.has_exited():
            self._stop = stop
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
        exit_code = self._child.reap()
        at_exit.forget(self._child.cookie)
        self._child.close_output()
        self._log.close_now()
        self._stop = Stop(WorkerEnd.TERMINATED, "killed: its event loop was closed while it was running")
        self._record.set_state(replace(self._record.state, is_alive=False, exit_code=exit_code))
        self._record.set_state(self._final_state())

    def _without_secrets(self, take: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
        """Return what takes a stream; where nothing is to be redacted, that costs nothing."""
        if not self._record.redaction:
            return take
        self._redacted.append(Redacted(self._record.redaction.stream(), take))
        return self._redacted[-1].take

    def _take(self, chunk: bytes) -> bool:
        """Take what both streams wrote into one pipe."""
        self._log.put(chunk)
        self._reader.feed(chunk)
        return self._note_report()

    def _take_output(self, chunk: bytes) -> bool:
        self._lines.put_output(chunk)
        self._reader.feed(chunk)
        return self._note_report()

    def _take_errors(self, chunk: bytes) -> bool:
        self._lines.put_errors(chunk)
        if self._lines.is_waiting and "line" not in self._timers:
            self._arm("line", LINE_SECONDS, self._look_at_line, self._lines.chunks)
        if self._feed_error is not None:
            self._feed_error(chunk)
        return self._note_report()

    def _look_at_line(self, chunks: int) -> None:
        """Let standard error into the log, if standard output has stood still in the middle of a line."""
        self._timers.forget("line")
        self._pump.read_what_is_there()
        if not self._lines.is_waiting:
            return
        if self._lines.chunks == chunks and not self._pump.is_paused:
            self._lines.let_lines_in()
        else:
            self._arm("line", LINE_SECONDS, self._look_at_line, self._lines.chunks)

    def _note_report(self) -> bool:
        """Pass on what the reader knows now, and note who is there; tell whether the log has room for more."""
        self._notes.ask()
        report = self._reader.report
        if report is not self._record.report:
            self._record.set_report(report)
            self._check_limits(report)
        return not self._log.is_full

    def _check_limits(self, report: AgentReport) -> None:
        if self._child.returncode is not None:
            return  # it has exited on its own; what it left behind is another matter
        limits = self._limits
        if limits.max_tokens is not None and report.usage.total > limits.max_tokens:
            self._stop_for(f"token budget exceeded: {report.usage.total:,} used, limit {limits.max_tokens:,}")
        if limits.max_cost_usd is not None and (report.cost_usd or 0) > limits.max_cost_usd:
            self._stop_for(f"cost budget exceeded: ${report.cost_usd:,.2f} spent, limit ${limits.max_cost_usd:,.2f}")
        if limits.linger is not None and report.is_error is not None and "linger" not in self._timers:
            self._arm("linger", limits.linger / PARTS, self._look_for_lingering, limits.linger)

    def _stop_for(self, why: str) -> None:
        # What was printed and the exit may both have come, and the loop look at the output first.
        if not self._child.has_exited():
            self.stop(Stop(WorkerEnd.OVER_BUDGET, why))

    async def suspend(self) -> None:
        """Stop the family where it stands, unless it is to end; the time limits stand still meanwhile."""
        if self._suspended_at is not None or self._ending is not None or self.ended.is_set():
            return
        self._suspended_at = asyncio.get_running_loop().time()
        self._timers.stand_still()
        with suppress(OSError):  # no look at the family was possible: those whom it would have found go on
            await self._family.suspend()

    def resume(self) -> None:
        """Let the family go on, with as much time left as it had."""
        if self._suspended_at is None:
            return
        self._family.resume()
        self._pump.last_byte_at += asyncio.get_running_loop().time() - self._suspended_at
        self._suspended_at = None
        if self._child.returncode is None:
            self._timers.go_on()

    def _arm(self, name: str, seconds: float, action: Callable[..., None], *arguments: object) -> None:
        if self._child.returncode is None:
            self._timers.arm(name, seconds, action, *arguments)

    def _look_for_silence(self, seconds: float) -> None:
        if not self._silent_for(seconds, "idle", self._look_for_silence):
            return
        self.stop(Stop(WorkerEnd.STALLED, f"stalled: no output for {seconds:g} s (idle_timeout)"))

    def _look_for_lingering(self, seconds: float) -> None:
        if self._record.report.is_error is None:
            self._timers.forget("linger")  # it has started another turn: the next result counts
            return
        if not self._silent_for(seconds, "linger", self._look_for_lingering):
            return
        self.stop(Stop(WorkerEnd.LINGERED, f"still running {seconds:g} s after its final result (linger)"))

    def _silent_for(self, seconds: float, timer: str, look_again: Callable[[float], None]) -> bool:
        """Tell whether no byte has come for so long; if not, look again at the earliest time that could be true.

        One timer that is rearmed when it fires costs nothing per chunk.
        """
        silence = self._pump.silence(self._timers.late)
        if silence >= seconds:
            return True
        self._arm(timer, min(seconds - silence, seconds / PARTS), look_again, seconds)
        return False

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
        self._notes.close()
        if self._ending is None:
            await self._pump.drain(DRAIN_SECONDS)
        if self._ending is None:
            await self._look_for_leftovers()
        await self._see_to_the_end()
        await self._pump.drain(DRAIN_SECONDS)
        self._pump.close()
        self._child.close_output()
        for stream in self._redacted:
            stream.end()
        self._lines.let_all_in()
        self._reader.close()
        self._record.set_report(self._reader.report)
        await self._log.close()
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

    def _note_exit(self, exit_code: int) -> None:
        self._timers.cancel()
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
        final = verdict(exit_code, self._stop, self._record.report)
        error = final.error
        if self._survivors:
            names = ", ".join(f"{member.name} (pid {member.pid})" for member in self._survivors)
            error = f"{error or 'ended'}; could not be killed: {names}"
        return replace(
            state,
            status=final.status,
            end=final.end,
            error=error,
            completed_at=datetime.now(UTC),
            duration_seconds=time.monotonic() - state.started_clock,
        )
