"""Where each byte of a child goes: with its secrets taken out to the log, each line in one piece, and to the reader."""

from collections.abc import Callable
from typing import final

from nova_async.agents import AgentReader, AgentReport, error_entrance
from nova_async.process.child import Child
from nova_async.process.pipes import LARGEST, room_in
from nova_async.redaction import Redaction
from nova_async.worker.log.whole_lines import WholeLines
from nova_async.worker.log.writer import LogWriter
from nova_async.worker.notes import Notes
from nova_async.worker.output_pump import OutputPump
from nova_async.worker.redacted import Redacted
from nova_async.worker.timers import Timers

__all__ = ["Streams"]

LINE_SECONDS = 5.0  # a line that stands still for this long is a prompt or a progress bar: what waits for it goes first


@final
class Streams:
    """The output of one child, from its pipes to its log and its reader.

    ``on_report`` is called with each new report of the reader. ``timers`` are the worker's. The child's descendants
    are noted when it prints something.
    """

    def __init__(
        self,
        child: Child,
        log: LogWriter,
        reader: AgentReader,
        *,
        redaction: Redaction,
        timers: Timers,
        on_report: Callable[[AgentReport], None],
    ) -> None:
        self._log = log
        self._reader = reader
        self._feed_error = error_entrance(reader)
        self._report: AgentReport | None = None  # the last one that was passed on
        self._on_report = on_report
        self._tell = self._tell_report  # one object, by which the crowd knows it
        self._timers = timers
        self._notes = Notes(child.family, timers)
        self._lines = WholeLines(log.put)
        takes: dict[int, Callable[[bytes], bool]] = {child.output: self._take}
        if child.errors >= 0:
            takes = {child.output: self._take_output, child.errors: self._take_errors}
        self._redacted: list[Redacted] = []
        if redaction:  # else it costs nothing
            self._redacted = [Redacted(redaction.stream(), take) for take in takes.values()]
            takes = {pipe: redacted.take for pipe, redacted in zip(takes, self._redacted, strict=True)}
        # An agent that prints its events may exit with the rest of them, if they do not fit into its pipe (G33).
        urgent = (child.output,) if child.errors >= 0 and room_in(child.output) < LARGEST else ()
        self.pump = OutputPump(takes, self._note_silence, urgent=urgent)
        log.on_room = self.pump.resume

    def _note_silence(self) -> None:
        """Have a log closed that stays empty. Any other is kept in its place until the child has exited."""
        if not self.pump.received:
            self._log.begin_to_close()

    def stop_noting(self) -> None:
        """Note no more descendants: the child has exited. A second call does nothing."""
        self._notes.close()

    def tell_again(self) -> None:
        """Pass the report on at the next output, whether or not that changes it."""
        self._report = None

    def tell_now(self) -> None:
        """Pass on what the reader knows, if that was put off."""
        if self.pump.crowd.owes(self._tell):
            self._tell_report()

    def end(self) -> AgentReport:
        """Read no more, hand on all that was held back, and return the final report. It may be called again."""
        self.pump.close()
        for redacted in self._redacted:
            redacted.end()
        self._lines.let_all_in()
        self._reader.close()
        self.pump.crowd.owes(self._tell)  # the final one is told by who ends it
        return self._reader.report

    def _take(self, chunk: bytes) -> bool:
        """Take what both streams wrote into one pipe; tell whether the log has room for more."""
        self._log.put(chunk)
        self._reader.feed(chunk)
        return self._pass_on()

    def _take_output(self, chunk: bytes) -> bool:
        self._lines.put_output(chunk)
        self._reader.feed(chunk)
        return self._pass_on()

    def _take_errors(self, chunk: bytes) -> bool:
        self._lines.put_errors(chunk)
        if self._lines.is_waiting and "line" not in self._timers:
            self._timers.arm("line", LINE_SECONDS, self._look_at_line, self._lines.chunks)
        if self._feed_error is not None:
            self._feed_error(chunk)
        return self._pass_on()

    def _look_at_line(self, chunks: int) -> None:
        """Let standard error into the log, if standard output has stood still in the middle of a line."""
        self._timers.forget("line")
        self.pump.read_what_is_there()
        if not self._lines.is_waiting:
            return
        if self._lines.chunks == chunks and not self.pump.is_paused:
            self._lines.let_lines_in()
        else:
            self._timers.arm("line", LINE_SECONDS, self._look_at_line, self._lines.chunks)

    def _pass_on(self) -> bool:
        """Pass on what the reader knows now, and note the descendants; tell whether the log has room for more."""
        self._notes.ask()
        self.pump.crowd.tell(self._tell)
        return not self._log.is_full

    def _tell_report(self) -> None:
        report = self._reader.report
        if report is not self._report:
            self._report = report
            self._on_report(report)
