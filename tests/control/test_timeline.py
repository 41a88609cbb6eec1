"""What each task did when."""

import time
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.control.board import Board
from nova_async.control.looks import Tone
from nova_async.control.timeline import MOST_TICKS, Axis, Spell, timeline_of
from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart
from nova_async.views import TaskView
from nova_async.words import Condition, Outcome, Phase, TaskState
from tests.views import NOON, by_id, run_view

S = TaskState


def at(seconds: float) -> datetime:
    """Return a moment after noon."""
    return NOON + timedelta(seconds=seconds)


def tried(begin: float, end: float | None = None, outcome: Outcome = Outcome.OK, *, number: int = 1,
          checked: float | None = None) -> Attempt:  # fmt: skip
    """Return an attempt from one second after noon to another; ``checked`` is when its check began."""
    start = AttemptStart(
        id=AttemptId("r1", "F1", number), plan="", started_at=at(begin), agent="", prompt_digest=""
    )  # fmt: skip

    def ended(moment: float) -> AttemptEnd:
        return AttemptEnd(
            id=start.id, outcome=outcome, phase=Phase.SETTLE, ended_at=at(moment), duration_seconds=moment - begin
        )  # fmt: skip

    return Attempt(
        start=start, end=None if end is None else ended(end), finished=None if checked is None else ended(checked)
    )  # fmt: skip


def board(*tasks: TaskView, now: float = 100.0, is_over: bool = False) -> Board:
    """Return the board of a run that began at noon."""
    condition = Condition.STOPPED if is_over else Condition.RUNNING
    return Board(run_view(started_at=NOON), by_id(*tasks), at(now), condition)


def task(*attempts: Attempt, state: TaskState = S.COMPLETED, task_id: str = "F1", **more: Any) -> TaskView:
    """Return a task with these attempts."""
    return TaskView(id=task_id, state=state, attempts=attempts, **more)


def drawn(found: Board) -> list[tuple[str, float, float]]:
    """Return what the first task did, from where to where."""
    return [(each.spell, round(each.begin, 3), round(each.end, 3)) for each in timeline_of(found).rows[0].segments]


def test_a_task_waits_runs_pauses_and_is_checked() -> None:
    """Each of it is a segment, on one axis from the begin of the run to now."""
    attempts = (tried(10, 40, Outcome.EXIT), tried(60, 100, number=2, checked=90))
    assert drawn(board(task(*attempts))) == [
        (Spell.WAITS, 0.0, 0.1), (Spell.RUNS, 0.1, 0.4), (Spell.PAUSES, 0.4, 0.6), (Spell.RUNS, 0.6, 0.9),
        (Spell.CHECKS, 0.9, 1.0),
    ]  # fmt: skip
    segments = timeline_of(board(task(*attempts))).rows[0].segments
    assert [each.text for each in segments] == [
        "waiting, 10 s", "attempt 1: exit, 30 s", "pausing, 20 s", "attempt 2: completed, 30 s",
        "attempt 2: completed, its check, 10 s",
    ]  # fmt: skip
    assert [(each.tone, each.attempt) for each in segments] == [
        (Tone.QUIET, 0), (Tone.BAD, 1), (Tone.QUIET, 0), (Tone.GOOD, 2), (Tone.GOOD, 2),
    ]  # fmt: skip


def test_what_is_under_way_goes_on_until_now() -> None:
    """A running attempt, its check, a pause, and a task that has not begun."""
    running = task(tried(20), state=S.IN_PROGRESS, phase=Phase.RUN, phase_since=at(51))
    assert drawn(board(running))[1:] == [(Spell.RUNS, 0.2, 1.0)]
    checking = task(tried(20), state=S.IN_PROGRESS, phase=Phase.VERIFY, phase_since=at(80))
    assert drawn(board(checking))[1:] == [(Spell.RUNS, 0.2, 0.8), (Spell.CHECKS, 0.8, 1.0)]
    pausing = task(tried(20, 75, Outcome.EXIT), state=S.RETRYING, reason="waits")
    assert drawn(board(pausing))[2:] == [(Spell.PAUSES, 0.75, 1.0)]
    waiting = task(state=S.READY, reason="waits for a free worker")
    (segment,) = timeline_of(board(waiting)).rows[0].segments
    assert (segment.spell, segment.begin, segment.end) == (Spell.WAITS, 0.0, 1.0)
    assert segment.text == "waits for a free worker, 1 min 40 s"


def test_nothing_goes_on_once_the_run_is_over() -> None:
    """What was lost ends where it was last seen; who never began, or was not to, has no segment."""
    lost = task(tried(50), state=S.IN_PROGRESS, duration_seconds=20.0)
    timeline = timeline_of(board(lost, task(state=S.WAITING, task_id="F2"), now=1_000, is_over=True))
    assert timeline.rows[0].segments[-1].text == "attempt 1: lost, 20 s"
    assert timeline.end == at(70)
    assert timeline.rows[1].segments == []
    assert drawn(board(task(state=S.WAITING, is_selected=False))) == []
    assert drawn(Board(run_view(), by_id(task(state=S.READY)), NOON)) == []


def test_long_gaps_take_little_room() -> None:
    """Between yesterday's run and today's nobody worked: the axis says how long that was, and draws the work."""
    timeline = timeline_of(board(task(tried(0, 100, Outcome.EXIT), tried(86_500, 86_600, number=2)), now=86_600))
    (gap,) = timeline.gaps
    assert gap.text == "24 h 0 min"
    assert gap.end - gap.begin < 0.03
    first, pause, second = timeline.rows[0].segments
    assert first.end - first.begin == pytest.approx(second.end - second.begin)
    assert (pause.begin, pause.end) == (gap.begin, gap.end)
    assert not any(gap.begin < tick.at < gap.end for tick in timeline.ticks)
    assert any("-" in tick.text for tick in timeline.ticks), "another day is said"
    short = timeline_of(board(task(tried(0, 100, Outcome.EXIT), tried(125, 200, number=2))))
    assert short.gaps == []


def test_moments_are_written_at_round_times() -> None:
    """Few enough to be read, whether the run took seconds or weeks."""
    for seconds, step in ((8, "12:00:01"), (480, "12:01"), (40 * 86_400, "12:00")):
        ticks = timeline_of(board(task(tried(0, seconds)), now=seconds)).ticks
        assert 2 < len(ticks) <= 2 * MOST_TICKS
        assert all(0 <= tick.at <= 1 for tick in ticks)
        assert len(step) == len(ticks[0].text)
    assert timeline_of(board(now=0)).ticks == []


def test_moments_on_both_sides_of_a_gap_are_not_written_over_each_other() -> None:
    """A gap is narrow: of a round time just before it and one just after it, the first is written."""
    ticks = timeline_of(board(task(tried(0, 121), tried(5999, 6121, number=2)))).ticks
    assert len(ticks) == 4
    assert all(later.at - earlier.at >= 1 / MOST_TICKS / 2 for earlier, later in pairwise(ticks))


@given(
    st.lists(st.tuples(st.floats(0, 1e7), st.floats(0, 1e4)), max_size=20), st.lists(st.floats(-1e3, 2e7), max_size=9)
)
def test_later_is_never_further_left(spans: list[tuple[float, float]], moments: list[float]) -> None:
    """Whatever gaps there are, every moment has a place from 0 to 1, and time goes to the right."""
    tasks = [task(tried(begin, begin + took), task_id=f"F{place}") for place, (begin, took) in enumerate(spans)]
    timeline = timeline_of(board(*tasks, is_over=True))
    segments = [each for row in timeline.rows for each in row.segments]
    assert all(0 <= each.begin <= each.end <= 1 for each in segments)
    for row in timeline.rows:
        assert all(one.end == pytest.approx(other.begin) for one, other in pairwise(row.segments))
    axis = Axis(timeline.begin, timeline.end, sorted((at(b), at(b + t)) for b, t in spans[:1]))
    places = [axis.place(at(moment)) for moment in sorted(moments)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)


def test_two_thousand_tasks_take_no_time() -> None:
    """A page asks for it again and again."""
    tasks = [
        task(tried(n, n + 50, Outcome.EXIT), tried(n + 60, n + 80, number=2), task_id=f"F{n}") for n in range(2_000)
    ]
    large = board(*tasks)
    began = time.process_time()
    timeline = timeline_of(large)
    assert time.process_time() - began < 0.25  # 0.04 on an idle machine
    assert len(timeline.rows) == 2_000
