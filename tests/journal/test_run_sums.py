"""What each run came to: the database's sums are those of the attempts themselves."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.journal.history import read_attempts
from nova_async.journal.rows import END, PROCESS, RUN, START, end_row, names, row_of, run_row, start_row
from nova_async.journal.run_sums import RunSums, read_run_sums
from nova_async.journal.schema import make_tables
from nova_async.records import Attempt, AttemptEnd
from nova_async.usage import TokenUsage, Totals
from nova_async.words import Outcome
from tests.journal.making import attempt, end, run, start

SPARED = frozenset({Outcome.LOST, Outcome.CANCELLED})

usages = st.builds(TokenUsage, *[st.integers(0, 2**40)] * 4) | st.just(TokenUsage())
costs = st.none() | st.floats(0, 1000).map(lambda usd: round(usd, 6))
ends = st.none() | st.builds(
    lambda **facts: replace(end(), **facts),
    outcome=st.sampled_from(Outcome), usage=usages, usage_is_final=st.booleans(), cost_usd=costs, estimated_usd=costs,
    duration_seconds=st.floats(0, 10_000),
)  # fmt: skip
whole_runs = st.lists(st.tuples(st.sampled_from(["T1", "T2", "T3"]), ends), max_size=8)


@contextmanager
def journal_with(runs: Iterable[list[tuple[str, AttemptEnd | None]]]) -> Iterator[sqlite3.Connection]:
    """Open a journal with these runs: r0, r1, …, each with its attempts in their order."""
    journal = sqlite3.connect(":memory:")
    try:
        make_tables(journal)
        write_runs(journal, runs)
        yield journal
    finally:
        journal.close()


def write_runs(journal: sqlite3.Connection, runs: Iterable[list[tuple[str, AttemptEnd | None]]]) -> None:
    """Write the runs and their attempts."""
    taken = dict[str, int]()
    for place, attempts in enumerate(runs):
        run_id = f"r{place}"
        insert(journal, "runs", names(RUN), run_row(run(run_id)))
        for task_id, how in attempts:
            number = taken[task_id] = taken.get(task_id, 0) + 1
            row = (*start_row(start(task_id, number, run_id)), *row_of(PROCESS)(Attempt(start=start(task_id))))
            if how is None:
                insert(journal, "attempts", names((*START, *PROCESS)), row)
            else:
                row = (*row, *end_row(replace(how, id=attempt(task_id, number, run_id))))
                insert(journal, "attempts", names((*START, *PROCESS, *END)), row)


def insert(journal: sqlite3.Connection, table: str, columns: str, row: tuple[object, ...]) -> None:
    """Insert one row."""
    journal.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(row))})", row)


def added_up(found: RunSums, attempts: Iterable[Attempt]) -> RunSums:
    """Return what the attempts of a run come to when they are added up one by one."""
    sums, last, count = Totals(), dict[str, Outcome | None](), 0
    for each in attempts:
        count += 1
        last[each.start.id.task_id] = each.end.outcome if each.end else None
        if each.end is not None:
            replace(each.end, usage_by_model={}).add_to(sums)
    failed = [outcome for outcome in last.values() if outcome is not None and outcome not in {Outcome.OK, *SPARED}]
    completed = [outcome for outcome in last.values() if outcome is Outcome.OK]
    return RunSums(
        run=found.run, tasks=len(last), completed=len(completed), failed=len(failed), attempts=count, sums=sums
    )


@settings(max_examples=60)
@given(st.lists(whole_runs, min_size=1, max_size=3))
def test_sums_of_the_database(runs: list[list[tuple[str, AttemptEnd | None]]]) -> None:
    """For any runs they are what adding the attempts up gives: an unknown cost is never taken for zero."""
    with journal_with(runs) as journal:
        found = read_run_sums(journal, 10, SPARED)
        attempts = {
            run_id: list(read_attempts(journal, "WHERE a.run_id = ? ORDER BY a.rowid", run_id))
            for run_id in (each.run.start.run_id for each in found)
        }
    assert [*attempts] == [f"r{place}" for place in reversed(range(len(runs)))]
    for each in found:
        wanted = added_up(each, attempts[each.run.start.run_id])
        close = {name: round(getattr(each.sums, name) or 0.0, 3) for name in ("cost_usd", "duration_seconds")}
        assert close == {name: round(getattr(wanted.sums, name) or 0.0, 3) for name in close}
        for sums in (each.sums, wanted.sums):
            assert (sums.cost_usd is None, sums.estimated_usd is None) == (
                wanted.sums.cost_usd is None, wanted.sums.estimated_usd is None
            )  # fmt: skip
            sums.cost_usd, sums.estimated_usd, sums.duration_seconds = None, None, 0.0
        assert each == wanted


def test_only_the_latest_runs_are_summed_up() -> None:
    """A limit is kept, and the query goes by the index of runs: its time does not follow the journal's length."""
    with journal_with([[("T1", end())], [("T1", end())], []]) as journal:
        assert [found.attempts for found in read_run_sums(journal, 2, ())] == [0, 1]
        plan = "EXPLAIN QUERY PLAN SELECT run_id, max(number), outcome FROM attempts WHERE run_id IN (SELECT ?)"
        steps = " ".join(row[3] for row in journal.execute(f"{plan} GROUP BY run_id, task_id", ("r1",)))
    assert "USING INDEX" in steps
    assert "SCAN attempts" not in steps
