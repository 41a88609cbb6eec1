"""What each task did when: a row of segments on one axis of time, on which long gaps take little room. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, final

from nova_async.control.board import Board
from nova_async.control.figures import describe_duration
from nova_async.control.looks import Tone
from nova_async.records import Attempt
from nova_async.views import TaskView
from nova_async.words import Outcome, Phase, TaskState

__all__ = ["Gap", "Segment", "Spell", "Tick", "Timeline", "TimelineRow", "timeline_of"]

LONG_GAP = 30.0  # seconds in which nobody works; a shorter one is shown as long as it is
SHARE_OF_A_GAP = 1 / 10  # of the time in which somebody works: nor is a gap collapsed that is shorter than that
ROOM_OF_A_GAP = 1 / 40  # of the time in which somebody works is what a collapsed gap is drawn like
A_CHECK = timedelta(seconds=1)  # at least, to be told from that look
MOST_TICKS = 8
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)  # seconds


class Spell(StrEnum):
    """What a task did for a while."""

    WAITS = "waiting"
    """It has not begun yet."""
    PAUSES = "pausing"
    """It waits for its next attempt."""
    RUNS = "running"
    CHECKS = "checking"
    """The task's own check runs."""


AT_WORK = (Spell.RUNS, Spell.CHECKS)


@final
class Segment(NamedTuple):
    """What a task did from ``begin`` to ``end``, as shares of the whole width."""

    spell: Spell
    begin: float
    end: float
    tone: Tone
    text: str
    """For whoever points at it or cannot see it: ``attempt 2: exit, 12 min 3 s``."""
    attempt: int = 0
    """The number of the attempt; 0 where none was under way."""


@final
class TimelineRow(NamedTuple):
    """One task."""

    task_id: str
    segments: Sequence[Segment]


@final
class Gap(NamedTuple):
    """A time in which nobody worked and which is drawn shorter than it was."""

    begin: float
    end: float
    text: str
    """How long it was."""


@final
class Tick(NamedTuple):
    """A moment on the axis."""

    at: float
    text: str


@final
class Timeline(NamedTuple):
    """All tasks on one axis, which begins and ends at these moments."""

    rows: Sequence[TimelineRow]
    gaps: Sequence[Gap]
    ticks: Sequence[Tick]
    begin: datetime
    end: datetime


class Stretch(NamedTuple):
    """A segment before it has its place."""

    spell: Spell
    begin: datetime
    end: datetime
    tone: Tone
    about: str
    attempt: int = 0


def timeline_of(board: Board) -> Timeline:
    """Return what the tasks of a run did up to now, or up to its end, those that never began included.

    The attempts of earlier runs are there as well; in the time between two runs nobody works, so it is a gap.
    """
    stretches = {task.id: list(stretches_of(task, board)) for task in board.tasks.values()}
    known = [each for of_task in stretches.values() for each in of_task]
    begin = min((each.begin for each in known), default=board.run.started_at or board.now)
    end = max((each.end for each in known), default=begin)
    axis = Axis(begin, end, merged((each.begin, each.end) for each in known if each.spell in AT_WORK))
    rows = [
        TimelineRow(task_id, [segment_of(each, axis) for each in of_task]) for task_id, of_task in stretches.items()
    ]
    return Timeline(rows, axis.gaps, axis.ticks(), begin, end)


def stretches_of(task: TaskView, board: Board) -> Iterator[Stretch]:
    """Give what a task did, oldest first, each after the one before it has ended."""
    since = board.run.started_at
    spell = Spell.WAITS
    for attempt in task.attempts:
        begin = attempt.start.started_at
        if since is not None and begin > since:
            yield Stretch(spell, since, begin, Tone.QUIET, str(spell))
        since, spell = begin, Spell.PAUSES
        for each in stretches_of_attempt(attempt, task, board):
            yield each
            since = each.end
    is_to_come = task.state in (TaskState.WAITING, TaskState.READY, TaskState.RETRYING) and task.is_selected
    if is_to_come and not board.is_over and since is not None and board.now > since:
        yield Stretch(spell, since, board.now, Tone.QUIET, board.doing(task) or str(spell))


def stretches_of_attempt(attempt: Attempt, task: TaskView, board: Board) -> Iterator[Stretch]:
    """Give what one attempt did: it ran, and then its check did where one knows since when."""
    begin, number, ended = attempt.start.started_at, attempt.start.id.number, attempt.end
    if ended is not None:
        end = max(ended.ended_at, begin)
        checked_since = attempt.finished.ended_at if attempt.finished is not None else None
        tone, how = (Tone.GOOD, "completed") if ended.outcome is Outcome.OK else (Tone.BAD, str(ended.outcome))
        how = f"attempt {number}: {how}"
    else:
        runs = task.state is TaskState.IN_PROGRESS and not board.is_over
        last_sign = board.now if runs else begin + timedelta(seconds=task.duration_seconds)
        end = max(last_sign, begin)
        checked_since = task.phase_since if task.phase is Phase.VERIFY else None
        tone, how = (Tone.BUSY, f"attempt {number}") if runs else (Tone.BAD, f"attempt {number}: lost")
    # What is shorter after an agent that did well was no check: what it has changed was looked at.
    may_be_no_check = checked_since is not None and ended is not None and ended.outcome is not Outcome.VERIFY
    if checked_since is None or not begin < checked_since < end or (may_be_no_check and end - checked_since < A_CHECK):
        yield Stretch(Spell.RUNS, begin, end, tone, how, number)
        return
    yield Stretch(Spell.RUNS, begin, checked_since, tone, how, number)
    yield Stretch(Spell.CHECKS, checked_since, end, tone, f"{how}, its check", number)


def segment_of(stretch: Stretch, axis: "Axis") -> Segment:
    """Give a stretch of time its place."""
    took = describe_duration((stretch.end - stretch.begin).total_seconds())
    return Segment(
        stretch.spell, axis.place(stretch.begin), axis.place(stretch.end), stretch.tone, f"{stretch.about}, {took}",
        stretch.attempt,
    )  # fmt: skip


def merged(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return the times in which anybody works, none touching another, in order."""
    found: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


@final
class Axis:
    """Where on the width a moment is: straight on, except that long gaps are short."""

    def __init__(self, begin: datetime, end: datetime, at_work: Sequence[tuple[datetime, datetime]]) -> None:
        self._moments = [begin]
        self._places = [0.0]  # in seconds as they are drawn
        worked = sum((until - since).total_seconds() for since, until in at_work)
        long_gap = max(LONG_GAP, worked * SHARE_OF_A_GAP)
        gaps, so_far = list[tuple[int, float]](), begin
        for since, until in [*at_work, (end, end)]:
            idle = (since - so_far).total_seconds()
            if at_work and idle > long_gap:
                gaps.append((len(self._places) - 1, idle))
                self._add(since, max(worked * ROOM_OF_A_GAP, 1.0))
            else:
                self._add(since, idle)
            self._add(until, (until - since).total_seconds())
            so_far = until
        self._whole = self._places[-1] or 1.0
        self.gaps = [
            Gap(self._places[at] / self._whole, self._places[at + 1] / self._whole, describe_duration(idle))
            for at, idle in gaps
        ]
        self._is_gap = {at for at, _ in gaps}

    def _add(self, moment: datetime, room: float) -> None:
        self._moments.append(moment)
        self._places.append(self._places[-1] + room)

    def place(self, moment: datetime) -> float:
        """Return where a moment is, from 0.0 to 1.0."""
        at = min(max(bisect_right(self._moments, moment) - 1, 0), len(self._moments) - 2)
        since, until = self._moments[at : at + 2]
        whole, part = (until - since).total_seconds(), (moment - since).total_seconds()
        share = min(max(part / whole, 0.0), 1.0) if whole else 0.0
        return (self._places[at] + share * (self._places[at + 1] - self._places[at])) / self._whole

    def ticks(self) -> list[Tick]:
        """Return moments to write below it: at round times, never within a gap, and none too close to another."""
        step = next((step for step in STEPS if self._whole / step <= MOST_TICKS), STEPS[-1])
        step *= max(int(self._whole / step / MOST_TICKS), 1)
        found, latest = list[Tick](), None
        for at in range(len(self._moments) - 1):
            begin, end = self._moments[at : at + 2]
            first = -(-begin.timestamp() // step) * step
            while at not in self._is_gap and first < end.timestamp():
                moment = datetime.fromtimestamp(first, UTC).astimezone()
                place = self.place(moment)
                if not found or place - found[-1].at >= 1 / MOST_TICKS / 2:
                    day = f"{moment:%Y-%m-%d} " if latest not in (None, moment.date()) else ""
                    found.append(Tick(place, f"{day}{moment:%H:%M:%S}" if step < 60 else f"{day}{moment:%H:%M}"))
                    latest = moment.date()
                first += step
        return found
