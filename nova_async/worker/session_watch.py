"""Completing what an agent prints by the files of its session, at its end and, where it tells too late, before."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import final

from nova_async.agents import AgentReport
from nova_async.agents.session import SessionUsage, completed
from nova_async.worker.session_files import SESSION_THREADS, SessionSource
from nova_async.worker.timers import Timers

__all__ = ["SessionWatch"]

END_SECONDS = 5.0  # for the files of one that has ended; it takes milliseconds, unless its disk hangs
HURRIED_SECONDS = 1.0  # the same, where the user has asked for SIGKILL at once
LIVE_SECONDS = 5.0  # for one look while it runs
SETTLED = 0.5  # seconds after its last event an agent has written down what it was about
REST = 20  # times as long as a look took, until the next one: so looking takes a twentieth of one core at most
WAITING = 10  # so many seconds of it count as one
SHORTEST_REST, LONGEST_REST = 0.1, 10.0  # seconds


@final
class SessionWatch:
    """What the session of one agent has used, by its files.

    With ``is_live`` they are read while it runs, too: after its events, never without one. ``on_news`` is called when
    a reading has told something new.
    """

    def __init__(self, source: SessionSource, *, is_live: bool, timers: Timers, on_news: Callable[[], None]) -> None:
        self._source = source
        self._is_live = is_live
        self._timers = timers
        self._on_news = on_news
        self._loop = asyncio.get_running_loop()
        self._session_id = ""
        self._told: SessionUsage | None = None
        self._looking = False
        self._is_due = False  # for another look, after that
        self._event_at = self._next_at = self._loop.time()  # the last event; the earliest time of the next look
        self._ended = False

    def complete(self, report: AgentReport) -> AgentReport:
        """Return a report with what has been read; while the agent runs, have its files looked at again."""
        if self._is_live and report.session_id is not None and not report.usage_is_final:
            self._session_id, self._event_at = report.session_id, self._loop.time()
            self._look_soon()
            if "settled" not in self._timers:
                self._timers.arm("settled", SETTLED, self._look_again)
        return completed(report, self._told)

    def note_exit(self) -> None:
        """Look no more until the end: the agent has exited."""
        self._is_live = False

    async def finish(self, report: AgentReport, *, ended_by_itself: bool, is_hurried: bool) -> AgentReport:
        """Return what is known of an agent of whose family nobody is left; it takes no longer than a few seconds.

        After a cancellation the next call looks no more.
        """
        files = self._source.files
        if not self._ended and report.session_id is not None and (files.tell_before or not report.usage_is_final):
            self._ended = True
            await self._look_at_the_end(report.session_id, HURRIED_SECONDS if is_hurried else END_SECONDS)
        return completed(report, self._told, ended_by_itself=ended_by_itself, are_whole=files.are_whole)

    def _look_again(self) -> None:
        """Look once more when the last event is some time ago: it may be printed before its record is written."""
        self._timers.forget("settled")
        left = self._event_at + SETTLED - self._loop.time()
        if left > 0:
            self._timers.arm("settled", left, self._look_again)
        else:
            self._look_soon()

    def _look_soon(self) -> None:
        if self._looking:
            self._is_due = True
        elif "session" not in self._timers:
            self._timers.arm("session", max(0.0, self._next_at - self._loop.time()), self._look)

    def _look(self) -> None:
        self._timers.forget("session")
        self._is_due = False
        self._looking = self._in_thread(self._session_id, LIVE_SECONDS, self._note, thoroughly=False)

    def _note(self, told: SessionUsage | None, seconds: float) -> None:
        """Take note of what a look has told, which has taken so many seconds."""
        self._looking = False
        self._next_at = self._loop.time() + min(max(REST * seconds, SHORTEST_REST), LONGEST_REST)
        if not self._is_live:
            return
        if self._is_due:
            self._look_soon()
        if told is not None and told != self._told:
            self._told = told
            self._on_news()

    async def _look_at_the_end(self, session_id: str, seconds: float) -> None:
        ended: asyncio.Future[SessionUsage | None] = self._loop.create_future()

        def note(told: SessionUsage | None, _: float) -> None:
            if not ended.done():
                ended.set_result(told)

        if self._in_thread(session_id, seconds, note, thoroughly=True):
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    self._told = await ended or self._told

    def _in_thread(
        self, session_id: str, seconds: float, note: Callable[[SessionUsage | None, float], None], *, thoroughly: bool
    ) -> bool:
        """Read the files in a thread and note in the loop what they tell; return whether there is a thread for it."""

        def read() -> None:
            began, used = time.monotonic(), time.thread_time()
            told = self._source.read(session_id, began + seconds, thoroughly=thoroughly)
            # To wait for a thread or a disk costs less than to compute.
            took = max(time.thread_time() - used, (time.monotonic() - began) / WAITING)
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                self._loop.call_soon_threadsafe(note, told, took)

        try:
            SESSION_THREADS.submit(read)
        except OSError:
            return False
        return True
