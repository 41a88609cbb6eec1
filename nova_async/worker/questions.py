"""What both kinds of worker can be asked: nothing here waits, and nothing crosses to another thread."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nova_async.agents import AgentReport
from nova_async.process.family import Member
from nova_async.words import WorkerEnd, WorkerStatus
from nova_async.worker.record import Record

if TYPE_CHECKING:
    from nova_async.records import LogRef

__all__ = ["Questions"]


class Questions:
    """The properties of a worker, readable from any thread at any time."""

    _record: Record

    @property
    def task_id(self) -> str:
        """The task's identifier, such as ``F1``."""
        return self._record.task_id

    @property
    def task_description(self) -> str:
        """What the task is, for people to read."""
        return self._record.task_description

    @property
    def status(self) -> WorkerStatus:
        """The state of the worker. It is final once its process family is gone and its log is closed."""
        return self._record.state.status

    @property
    def end(self) -> WorkerEnd | None:
        """Why the worker ended; ``None`` until it has."""
        return self._record.state.end

    @property
    def error(self) -> str | None:
        """What went wrong, in one sentence; ``None`` if nothing did."""
        return self._record.state.error

    @property
    def warning(self) -> str | None:
        """What is wrong although nothing is ended for it: half of a silence, a budget that the last result exceeds."""
        return self._record.state.warning

    @property
    def had_finished(self) -> bool:
        """Whether its agent had told its success before ``terminate()`` or a limit ended it, or told it just then."""
        return self._record.state.had_finished

    @property
    def pid(self) -> int | None:
        """The process id of the command, kept after its end; ``None`` before a successful start."""
        return self._record.state.pid

    @property
    def report(self) -> AgentReport:
        """What the agent has reported so far: usage, cost, session, activity, final answer."""
        return self._record.report

    @property
    def estimated_usd(self) -> float | None:
        """What the tokens used so far cost by the ``prices`` given, in US dollars.

        ``None`` where the agent has reported its cost, where a price is not known, and without ``prices``. It is never
        part of ``report.cost_usd``.
        """
        return self._record.estimated_usd

    @property
    def agent(self) -> str | None:
        """The agent whose output format is read, a key of ``AGENTS``; ``None`` before the start."""
        return self._record.state.agent

    @property
    def pid_start_time(self) -> float | None:
        """When that process started, in the process table's units: with the pid it identifies one process."""
        return self._record.state.pid_start_time

    @property
    def cookie(self) -> str | None:
        """The mark of its process family in the environment of every member; ``None`` before the start."""
        return self._record.state.cookie

    @property
    def leftovers(self) -> tuple[Member, ...]:
        """The processes that outlived the command's normal exit, whether they were ended or left running."""
        return self._record.state.leftovers

    @property
    def log_ref(self) -> "LogRef | None":
        """Identifies its log file, even after it was renamed; ``None`` before the start."""
        return self._record.log_ref

    @property
    def log_error(self) -> str | None:
        """Why bytes are missing from the log, and how many; ``None`` if none are."""
        return self._record.log_error

    @property
    def on_change(self) -> Callable[[], object] | None:
        """A callback for each change of the status or the report; assign it before the start.

        It runs in the event loop's thread between two reads of the output, so it must be quick and never block.
        """
        return self._record.on_change

    @on_change.setter
    def on_change(self, callback: Callable[[], object] | None) -> None:
        self._record.on_change = callback

    def is_alive(self) -> bool:
        """Return whether the process itself is running."""
        return self._record.state.is_alive

    def get_exit_code(self) -> int | None:
        """Return the exit code (negative: ended by that signal), or ``None`` while the process runs."""
        return self._record.state.exit_code

    def get_token_usage(self) -> dict[str, int]:
        """Return the tokens used so far: ``input_tokens output_tokens cache_read_tokens cache_creation_tokens``.

        The four are disjoint. ``report.usage_is_final`` says whether the agent itself has confirmed them.
        """
        return self._record.report.usage.as_dict()

    def get_status_dict(self) -> dict[str, Any]:
        """Return the whole state in types that ``json.dumps`` accepts; times are ISO 8601 in UTC, durations seconds."""
        return self._record.as_dict()

    def __repr__(self) -> str:
        state = self._record.state
        return f"<{type(self).__name__} {self._record.task_id} {state.status.value} pid={state.pid}>"
