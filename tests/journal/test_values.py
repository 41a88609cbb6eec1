"""Whatever an agent, a program or a stranger's machine comes up with: no value fails the end of an attempt."""

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from nova_async.journal import writing
from nova_async.journal.columns import MOST_TEXT, cut
from nova_async.journal.history import read_history
from nova_async.journal.rows import EVENT, event_of, names
from nova_async.journal.schema import make_tables
from nova_async.records import AttemptEnd, AttemptId, AttemptStart, Event, LogRef, RunStart
from nova_async.usage import TokenUsage
from nova_async.words import EventKind, Outcome, Phase, UsageSource
from tests.journal.making import PLAN, attempt, end, run, start

LARGEST = 2**63 - 1
ANY_TEXT = some.text(some.characters(), max_size=20)  # surrogates and NUL are among them
WORDS = some.lists(ANY_TEXT, max_size=3).map(tuple)
MOMENTS = some.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=some.just(UTC))
WHOLE = some.integers(-LARGEST - 1, LARGEST)
REAL = some.floats(allow_nan=False, allow_infinity=False)
USAGE = some.builds(TokenUsage, WHOLE, WHOLE, WHOLE, WHOLE)
LOGS = some.builds(LogRef, path=ANY_TEXT, device=some.none() | some.integers(0, 2**64), inode=some.integers(0, 2**64))


def ends(**fields: Any) -> some.SearchStrategy[AttemptEnd]:
    """Generate ends that come back as they are, but for the fields that are given."""
    strategies: dict[str, Any] = {
        "id": some.just(attempt()),
        "outcome": some.sampled_from(Outcome),
        "phase": some.sampled_from(Phase),
        "ended_at": MOMENTS,
        "duration_seconds": REAL,
        "error": some.none() | ANY_TEXT,
        "exit_code": some.none() | WHOLE,
        "usage": USAGE,
        "usage_by_model": some.dictionaries(ANY_TEXT, USAGE, max_size=3),
        "usage_is_final": some.booleans(),
        "usage_source": some.sampled_from(UsageSource),
        "cost_usd": some.none() | REAL,
        "estimated_usd": some.none() | REAL,
        "session_id": some.none() | ANY_TEXT,
        "model": some.none() | ANY_TEXT,
        "result": some.none() | ANY_TEXT,
        "denied": WORDS,
        "limit_kind": some.none() | ANY_TEXT,
        "limit_resets_at": some.none() | MOMENTS,
        "retry_after": some.none() | REAL,
        "leftovers": WHOLE,
        "ended_by_us": some.booleans(),
        "commit_sha": some.none() | ANY_TEXT,
        "files_changed": WORDS,
        "log": some.none() | LOGS,
        "log_error": some.none() | ANY_TEXT,
    }
    assert set(strategies) == set(AttemptEnd.__dataclass_fields__), "a new field needs a strategy here"
    return some.builds(AttemptEnd, **{**strategies, **fields})


STARTS = some.builds(
    AttemptStart,
    id=some.builds(AttemptId, some.just("r1"), ANY_TEXT, WHOLE),
    plan=some.just(PLAN),
    started_at=MOMENTS,
    agent=ANY_TEXT,
    prompt_digest=ANY_TEXT,
    command=WORDS,
    log_path=ANY_TEXT,
    limits=some.dictionaries(ANY_TEXT, REAL, max_size=3),
    account=ANY_TEXT,
    resumes=some.none() | ANY_TEXT,
)


def written(*writes: writing.Write, after: Callable[[sqlite3.Connection], Any]) -> Any:
    """Write into tables of their own, and return what somebody reads then."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        make_tables(connection)
        for write in writes:
            write(connection)
        return after(connection)


def end_read_again(given: AttemptEnd) -> AttemptEnd:
    """Return an end as the journal has it, and check that what the agent came to is kept alike."""
    history = written(
        writing.run_start(run(), False),
        writing.attempt_start(start()),
        writing.agent_end(given),
        writing.attempt_end(given),
        after=lambda connection: read_history(connection, PLAN),
    )
    (known,) = history.attempts["F1"]
    assert known.end is not None
    assert known.end == known.finished
    return known.end


@settings(max_examples=200, deadline=None)
@given(ends())
def test_ends_come_back(given: AttemptEnd) -> None:
    """Every end that SQLite has room for is the same when it is read again."""
    assert end_read_again(given) == given


ODD_NUMBERS = some.sampled_from([math.nan, math.inf, -math.inf, 10**400])
HUGE = some.integers(2**63, 10**5000) | some.integers(-(10**400), -(2**63) - 1)


@settings(max_examples=100, deadline=None)
@given(
    ends(
        duration_seconds=ODD_NUMBERS,
        exit_code=HUGE,
        usage=some.builds(TokenUsage, HUGE, HUGE, HUGE, HUGE),
        usage_by_model=some.dictionaries(ANY_TEXT, some.builds(TokenUsage, HUGE, HUGE, HUGE, HUGE), max_size=2),
        cost_usd=ODD_NUMBERS,
        leftovers=HUGE,
    )
)
def test_no_number_fails_an_end(given: AttemptEnd) -> None:
    """Numbers that nobody has room for are bounded, what is no number is unknown, and all else is kept."""
    known = end_read_again(given)
    assert known.duration_seconds == 0.0
    assert known.cost_usd is None
    assert abs(known.usage.input_tokens) >= LARGEST
    assert (known.exit_code or 0) > 0 if (given.exit_code or 0) > 0 else (known.exit_code or 0) < 0
    assert set(known.usage_by_model) == set(given.usage_by_model)
    assert (known.outcome, known.error, known.result) == (given.outcome, given.error, given.result)


@settings(max_examples=100, deadline=None)
@given(STARTS, some.none() | ANY_TEXT, WHOLE)
def test_beginnings_come_back(given: AttemptStart, cookie: str | None, pid: int) -> None:
    """Every beginning, with its process, is the same when it is read again."""
    history = written(
        writing.run_start(run(), False),
        writing.attempt_start(given),
        writing.process(given.id, pid, 1.5, cookie),
        after=lambda connection: read_history(connection, PLAN),
    )
    (known,) = history.attempts[given.id.task_id]
    assert (known.start, known.pid, known.pid_start_time, known.cookie) == (given, pid, 1.5, cookie)


@settings(max_examples=100, deadline=None)
@given(
    some.builds(
        RunStart, run_id=ANY_TEXT, plan=ANY_TEXT, project=ANY_TEXT, started_at=MOMENTS, supervisor=ANY_TEXT,
        pid=WHOLE, pid_start_time=REAL, max_workers=WHOLE,
    ),
    ANY_TEXT,
    MOMENTS,
)  # fmt: skip
def test_runs_and_milestones_come_back(given: RunStart, milestone: str, at: datetime) -> None:
    """Every run and milestone is the same when it is read again."""
    history = written(
        writing.run_start(given, False),
        writing.milestone(given.plan, milestone, at),
        after=lambda connection: read_history(connection, given.plan),
    )
    assert history.runs == history.unfinished_runs == (given,)
    assert history.milestones == {milestone: at}


DATA = some.recursive(
    some.none() | some.booleans() | some.integers() | REAL | ANY_TEXT,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(some.dictionaries(ANY_TEXT, DATA, max_size=4), some.sampled_from(EventKind), some.none() | ANY_TEXT, MOMENTS)
def test_events_come_back(data: dict[str, Any], kind: EventKind, task_id: str | None, at: datetime) -> None:
    """Every event is the same when it is read again, with its number."""
    given = Event(kind=kind, at=at, task_id=task_id, data=data, run_id="r1")
    question = f"SELECT number, {names(EVENT)} FROM events"
    number, *columns = written(writing.event(given), after=lambda connection: connection.execute(question).fetchone())
    known = event_of(number, columns)
    assert known == Event(kind=kind, at=at, task_id=task_id, data=data, run_id="r1", number=1)


@pytest.mark.parametrize(
    ("odd", "kept"),
    [(math.nan, None), ([1, math.inf], [1, None]), ({"a": {"b": -math.inf}}, {"a": {"b": None}}), ((1, "x"), [1, "x"])],
)
def test_events_hold_no_numbers_that_are_none(odd: object, kept: object) -> None:
    """What JSON has no word for does not get into an event: readers in other languages would refuse all of it."""
    given = Event(kind=EventKind.WARNING, at=run().started_at, data={"value": odd})
    text = written(
        writing.event(given), after=lambda connection: connection.execute("SELECT data FROM events").fetchone()
    )
    assert event_of(1, ("warning", "2030-01-01T00:00:00+00:00", None, text[0], "")).data == {"value": kept}


@settings(max_examples=200, deadline=None)
@given(some.text(some.characters(), max_size=60), some.integers(1, 50))
def test_cutting_keeps_whole_characters(text: str, most: int) -> None:
    """A text that is cut is the beginning of it, as long as fits, and never ends within a character."""
    kept = cut(text, most)
    assert kept is not None
    assert text.startswith(kept)
    size = len(kept.encode("utf-8", "surrogatepass"))
    assert size <= most
    assert kept == text or size + len(text[len(kept)].encode("utf-8", "surrogatepass")) > most


def test_an_answer_is_kept_up_to_64_kib() -> None:
    """Of a long final answer the first 64 KiB are kept, of a long error too."""
    kept = end_read_again(end(result="ö" * MOST_TEXT, error="x" * (MOST_TEXT + 1), log_error="y" * MOST_TEXT))
    assert (kept.result, kept.error, kept.log_error) == ("ö" * (MOST_TEXT // 2), "x" * MOST_TEXT, "y" * MOST_TEXT)


def test_words_that_nobody_could_read_again_are_refused() -> None:
    """An outcome that is no word of ours would make the journal unreadable: it is refused before it is written."""
    with pytest.raises(ValueError, match="wonderful"):
        end_read_again(end(outcome="wonderful"))
