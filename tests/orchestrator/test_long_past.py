"""Of a long past only the latest attempts are told one by one, and the next run decides as if it knew all of them."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nova_async.cascade import Cascade, Task
from nova_async.cascade.options import TaskOptions
from nova_async.journal import writing
from nova_async.journal.history import History, read_attempts, read_history
from nova_async.journal.long_past import KEPT
from nova_async.journal.schema import make_tables
from nova_async.orchestrator.known import TaskKnown
from nova_async.orchestrator.outlook import look_ahead
from nova_async.orchestrator.resume import completed_tasks, failed_tasks, has_given_up, is_completed, take_over
from nova_async.orchestrator.sessions import used_in
from nova_async.records import Attempt
from nova_async.usage import TokenUsage
from nova_async.words import Outcome, TaskState
from tests.journal.making import NOON, PLAN, end, moment, run, start

CASCADE = Cascade.of([Task(id=task_id, options=TaskOptions(retries=3)) for task_id in ("F1", "F2")])
COUNTS = some.integers(0, 9)
ENDS = some.fixed_dictionaries(
    {"outcome": some.sampled_from([Outcome.OK, Outcome.EXIT, Outcome.LOST, Outcome.VERIFY, Outcome.TIMEOUT])},
    optional={
        "usage": some.builds(TokenUsage, COUNTS, COUNTS, COUNTS, COUNTS),
        "usage_by_model": some.dictionaries(some.sampled_from(["opus", "é\ud83d"]), some.builds(TokenUsage, COUNTS)),
        "usage_is_final": some.booleans(),
        "cost_usd": some.sampled_from([0.1, 0.25]),
        "estimated_usd": some.sampled_from([0.1, 0.5]),
        "session_id": some.sampled_from(["s1", "s2", "\ud800"]),
        "error": some.just("it broke"),
        "result": some.sampled_from(["done", "half"]),
    },
)
STEPS = some.lists(some.tuples(some.sampled_from(["F1", "F1", "F1", "F2", "reset"]), ENDS), max_size=5 * KEPT)


@contextmanager
def past(steps: list[tuple[str, dict[str, Any]]]) -> Iterator[sqlite3.Connection]:
    """Write attempts one after the other, each resuming the last one's session; a reset lets those so far not count."""
    with closing(sqlite3.connect(":memory:")) as journal:
        make_tables(journal)
        writing.run_start(run(started_at=moment(3)), fresh=False)(journal)
        numbers: Counter[str] = Counter()
        session = None
        for place, (what, how) in enumerate(steps):
            if what == "reset":
                writing.reset(PLAN, ["F1"])(journal)
                continue
            numbers[what] += 1
            writing.attempt_start(start(what, numbers[what], started_at=moment(place), resumes=session))(journal)
            writing.attempt_end(end(what, numbers[what], **how))(journal)
            session = how.get("session_id", session)
        yield journal


def whole(journal: sqlite3.Connection) -> History:
    """Return the history with each attempt told."""
    attempts: dict[str, tuple[Attempt, ...]] = {}
    for attempt in read_attempts(journal, "WHERE a.plan = ? ORDER BY a.number", PLAN):
        task_id = attempt.start.id.task_id
        attempts[task_id] = (*attempts.get(task_id, ()), attempt)
    return replace(read_history(journal, PLAN), attempts=attempts, earlier={})


def seen(known: TaskKnown) -> list[Any]:
    """Return what others go by."""
    view = replace(known.view(TaskState.WAITING), attempts=(), earlier=None)
    sessions = {attempt.session_id for attempt in known.attempts[-KEPT:]}
    used = {session: used_in(session, known.attempts, known.earlier) for session in sessions if session is not None}
    return [
        replace(view, duration_seconds=round(view.duration_seconds, 6)), known.view(TaskState.WAITING).times_tried,
        known.spending, Counter(known.outcomes), known.outcomes[-1:], known.last_error, known.answer,
        known.take_number(), known.has_failed_its_check, is_completed(known), has_given_up(CASCADE, known), used,
    ]  # fmt: skip


@given(STEPS)
def test_what_is_known_is_the_same(steps: list[tuple[str, dict[str, Any]]]) -> None:
    """Sums, verdicts, answers, sessions and the next number, whatever happened before."""
    with past(steps) as journal:
        short, long = read_history(journal, PLAN), whole(journal)
    known, all_known = take_over(CASCADE, short), take_over(CASCADE, long)
    for task_id in CASCADE.tasks:
        assert seen(known[task_id]) == seen(all_known[task_id])
        known[task_id].forget()
        assert known[task_id].outcomes == []
    assert (completed_tasks(short), failed_tasks(short)) == (completed_tasks(long), failed_tasks(long))
    assert look_ahead(CASCADE, short, retry_failed=True) == look_ahead(CASCADE, long, retry_failed=True)


def test_it_does_not_grow() -> None:
    """Of a thousand attempts ten are told, and the last of each outcome; so is one that has not ended."""
    ends = [{"outcome": Outcome.OK}, {"outcome": Outcome.EXIT}, *[{"outcome": Outcome.LOST}] * 1000]
    with past([("F1", how) for how in ends]) as journal:
        writing.attempt_start(start("F1", 1003))(journal)
        history = read_history(journal, PLAN)
    assert [attempt.start.id.number for attempt in history.attempts["F1"]] == [1, 2, *range(994, 1004)]
    assert history.earlier["F1"].outcomes == {Outcome.LOST: 991}


@pytest.mark.parametrize("hours", [0, 1])
def test_sums_begin_where_the_plan_was_begun_anew(hours: int) -> None:
    """What was used before is in none, also where it is not told any more."""
    with past([("F1", {"outcome": Outcome.EXIT, "usage": TokenUsage(1)})] * (2 * KEPT)) as journal:
        writing.run_start(run("r2", started_at=NOON + timedelta(hours=hours)), fresh=True)(journal)
        (known, _) = take_over(CASCADE, read_history(journal, PLAN)).values()
    assert known.totals().usage.total == (0 if hours else 2 * KEPT)
