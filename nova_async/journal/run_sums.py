"""What each run has done, in numbers that the database adds up: the attempts themselves are never loaded."""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import final

from nova_async._core.money import without_dust
from nova_async.journal.columns import as_real, as_text, as_whole, either, to_json
from nova_async.journal.history import Run, read_boots, read_runs
from nova_async.usage import TokenUsage, Totals
from nova_async.words import Outcome

__all__ = ["RunSums", "read_run_sums"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunSums:
    """One run, and what its own attempts came to; those of earlier runs are not in it."""

    run: Run
    tasks: int = 0
    """How many tasks it has begun."""
    completed: int = 0
    failed: int = 0
    """How many of them failed by its last attempt; what was only stopped, or not served, has not."""
    attempts: int = 0
    sums: Totals
    """Of the attempts that have ended, without tokens by model."""


# SQLite takes the other columns from the row with the greatest number: that is the last attempt of the task. Only one
# max() may stand in such a query. https://sqlite.org/lang_select.html#bare_columns_in_an_aggregate_query
# A cost is known where the agent told one, where all tokens could be priced, and where there were none (`Totals`).
TOKENS = "input_tokens + output_tokens + cache_read_tokens + cache_creation_tokens"
SUMS = f"""
WITH of_task AS (
  SELECT run_id, max(number), outcome, count(*) AS attempts,
    sum(input_tokens) AS input, sum(output_tokens) AS output, sum(cache_read_tokens) AS cache_read,
    sum(cache_creation_tokens) AS cache_creation, sum(usage_is_final = 0) AS open,
    sum(cost_usd) AS reported, sum(estimated_usd) AS estimated,
    sum(outcome IS NOT NULL AND cost_usd IS NULL AND NOT (usage_is_final AND
      (estimated_usd IS NOT NULL OR {TOKENS} = 0))) AS unknown,
    sum(duration_seconds) AS seconds
  FROM attempts WHERE run_id IN (SELECT value FROM json_each(?)) GROUP BY run_id, task_id
)
SELECT run_id, count(*), sum(outcome IS ?),
  sum(outcome IS NOT NULL AND outcome NOT IN (SELECT value FROM json_each(?))), sum(attempts),
  coalesce(sum(input), 0), coalesce(sum(output), 0), coalesce(sum(cache_read), 0),
  coalesce(sum(cache_creation), 0), coalesce(sum(open), 0), sum(reported), sum(estimated), sum(unknown),
  coalesce(sum(seconds), 0.0)
FROM of_task GROUP BY run_id
"""


def read_run_sums(connection: sqlite3.Connection, limit: int, no_failures: Collection[Outcome]) -> list[RunSums]:
    """Read the latest runs of all plans, newest first; a task whose last outcome is of ``no_failures`` has not failed.

    Their attempts are found by the index of runs and summed up in one pass, so the time follows ``limit``, not the
    length of the journal.
    """
    runs = read_runs(connection, "ORDER BY rowid DESC LIMIT ?", limit)
    boots = read_boots(connection)
    words = to_json([*(str(outcome) for outcome in no_failures), str(Outcome.OK)])
    which = to_json([run.start.run_id for run in runs])
    found = {as_text(row[0]): row[1:] for row in connection.execute(SUMS, (which, str(Outcome.OK), words))}
    return [
        sums_of(replace(run, start=replace(run.start, boot=boots.get(run.start.run_id, ""))), found) for run in runs
    ]


def sums_of(run: Run, found: dict[str, tuple[object, ...]]) -> RunSums:
    """Build the numbers of one run; all are zero where it has begun no task."""
    row = found.get(run.start.run_id)
    if row is None:
        return RunSums(run=run, sums=Totals())
    tasks, completed, failed, attempts, *tokens, still_open, reported, estimated, unknown, seconds = row
    money = either(as_real)
    cost, estimate = money(reported), money(estimated)
    sums = Totals(
        usage=TokenUsage(*map(as_whole, tokens)),
        usage_is_final=not as_whole(still_open),
        cost_usd=None if cost is None else without_dust(cost),
        estimated_usd=None if estimate is None else without_dust(estimate),
        cost_is_complete=not as_whole(unknown),
        duration_seconds=as_real(seconds),
    )
    return RunSums(
        run=run, tasks=as_whole(tasks), completed=as_whole(completed), failed=as_whole(failed),
        attempts=as_whole(attempts), sums=sums,
    )  # fmt: skip
