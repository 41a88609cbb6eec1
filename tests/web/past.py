"""A folder in which two runs have been: the first is of the past, the second is the one that is shown."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from nova_async.journal.store import Journal
from nova_async.records import LogRef
from nova_async.usage import TokenUsage
from nova_async.views import TaskView
from nova_async.words import Outcome, RunEnd, TaskState
from tests.journal.making import PLAN, end, moment, run, start
from tests.views import attempt as attempt_of
from tests.views import by_id, run_view
from tests.web.runs import RESULT, log_in, publish, said

__all__ = ["FIRST", "SECOND", "two_runs"]

FIRST, SECOND = "run-one", "run-two"


async def two_runs(folder: Path) -> None:
    """Write them: in the first T1 completed and T2 failed; the second has completed T2, whose log has been moved."""
    done = log_in(folder, "T1.log", said("I did the first.") + RESULT)
    failed = log_in(folder, "T2~1.log", said("I fail."))
    again = log_in(folder, "T2.log", said("I do it again.") + RESULT)
    journal = await Journal.open(folder / ".nova" / "journal.db")
    await journal.begin_run(run(FIRST))
    await ended(journal, FIRST, "T1", 1, done, result="Done.", cost_usd=0.5, usage=TokenUsage(100, 20))
    as_it_was = replace(failed, path=str(folder / "logs" / "T2.log"))
    await ended(journal, FIRST, "T2", 1, as_it_was, outcome=Outcome.AGENT_ERROR, error="it could not", cost_usd=0.25)
    await journal.end_run(FIRST, moment(60), RunEnd.FAILED)
    await journal.begin_run(run(SECOND, started_at=moment(3600)))
    await ended(journal, SECOND, "T2", 2, again, cost_usd=2.0)
    await journal.end_run(SECOND, moment(3700), RunEnd.COMPLETED)
    await journal.close()
    tasks = by_id(
        TaskView(id="T1", name="First", state=TaskState.COMPLETED, branch="App", group="Base", attempt=1, log=done,
                 attempts=(attempt_of("T1", 1, log=done),)),
        TaskView(id="T2", name="Second", state=TaskState.COMPLETED, attempt=2, depends_on=("T1",), log=again,
                 attempts=(attempt_of("T2", 1, Outcome.AGENT_ERROR, log=failed), attempt_of("T2", 2, log=again))),
    )  # fmt: skip
    view = run_view(run_id=SECOND, cascade_file=PLAN.removeprefix("../"), end=RunEnd.COMPLETED,
                    started_at=moment(0), completed_at=moment(3700))  # fmt: skip
    await publish(folder, view, tasks)


async def ended(journal: Journal, run_id: str, task_id: str, number: int, log: LogRef, **more: Any) -> None:
    """Have the journal know an attempt that has ended."""
    began = moment(3600 if run_id == SECOND else 0)
    await journal.begin_attempt(start(task_id, number, run_id, started_at=began, command=("claude", "-p", "go")))
    await journal.end_attempt(end(task_id, number, run_id, log=log, **more))
