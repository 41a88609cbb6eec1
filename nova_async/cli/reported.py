"""What a report tells: a run at one moment, what its attempts have cost, and the ends of its logs. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import final

from nova_async._core.text import one_line
from nova_async.cli.cost_rows import CostRow, Part, cost_rows
from nova_async.control.board import Board
from nova_async.control.looks import Tone
from nova_async.views import TaskView
from nova_async.words import Condition, TaskState

__all__ = ["LONGEST_NAME", "Reported", "duration_of", "failed_first", "title_of", "tone_of"]

LONGEST_NAME = 120  # characters of a name; a plan may call a task by a page of text


@final
@dataclass(frozen=True, slots=True)
class Reported:
    """A run as a report shows it."""

    board: Board
    made_at: datetime
    version: str
    """Of nova."""
    log_ends: Mapping[tuple[str, int], Sequence[str]] = field(default_factory=dict)
    """The last lines of logs, rendered, by task and number of the attempt; not of all."""
    parts: Sequence[Part] = ()
    """What the attempts have cost."""
    of_one_run: bool = False
    """Whether it is about what one run did itself, without the earlier ones that it resumed."""

    @property
    def tasks(self) -> Sequence[TaskView]:
        """The tasks that it is about: those that the run was to run, and those that have run."""
        return [task for task in self.board.tasks.values() if task.is_selected or task.attempts]

    def costs(self, *by: str) -> Sequence[CostRow]:
        """Sum up what the attempts have cost, the dearest first."""
        rows = cost_rows(self.parts, by)
        return sorted(rows, key=lambda row: -((row.sums.cost_usd or 0.0) + (row.sums.estimated_usd or 0.0)))


def title_of(board: Board) -> str:
    """Return what a report is called."""
    return one_line(board.run.project or board.run.cascade_file, LONGEST_NAME) or "nova"


def tone_of(condition: Condition) -> Tone:
    """Return how the condition of a run is meant to the eye."""
    tones = {Condition.COMPLETED: Tone.GOOD, Condition.FAILED: Tone.BAD, Condition.DEAD: Tone.BAD,
             Condition.RUNNING: Tone.BUSY}  # fmt: skip
    return tones.get(condition, Tone.WARNING)


def duration_of(board: Board) -> float | None:
    """Return how long a run has taken from its beginning, in seconds; None where nobody knows."""
    begin, run = board.run.started_at, board.run
    end = (run.completed_at if board.condition is not Condition.DEAD else None) if board.is_over else board.now
    return None if begin is None or end is None else max((end - begin).total_seconds(), 0.0)


def failed_first(tasks: Iterable[TaskView]) -> list[TaskView]:
    """Return tasks with those first that have failed, then those that failures block."""
    order = {TaskState.FAILED: 0, TaskState.BLOCKED: 1}
    return sorted(tasks, key=lambda task: order.get(task.state, 2))
