"""What is written into a journal comes out of it again, and what counts for a resumed run is told from the rest."""

from pathlib import Path

import pytest

from nova_async.journal.errors import JournalError
from nova_async.journal.journal import Journal
from nova_async.journal.records import Attempt, History
from tests.journal.making import end, full_end, moment, run, start


async def test_every_value_comes_back(journal: Journal, path: Path) -> None:
    """Runs, attempts, ends and milestones are the same when they are read again, by us or by others."""
    odd = start("F2", 1, log_path="logs/\udce4.log", agent="custom")
    await journal.begin_attempt(start())
    journal.note_process("F1", 1, 4711, 99.25)
    await journal.end_attempt("F1", 1, full_end())
    await journal.begin_attempt(odd)
    await journal.reach_milestone("half", moment(9))
    attempts = {
        "F1": (Attempt(start=start(), pid=4711, pid_start_time=99.25, end=full_end()),),
        "F2": (Attempt(start=odd),),
    }
    expected = History(
        runs=(run(),), attempts=attempts, counted=attempts, milestones={"half": moment(9)}, unfinished_runs=(run(),)
    )
    assert await journal.history() == expected
    assert await Journal.read(path) == expected
    await journal.close()
    reopened = await Journal.open(path)
    assert await reopened.history() == expected
    await reopened.close()


async def test_a_run_that_is_over(journal: Journal) -> None:
    """A run that has ended is no longer unfinished, its first end stands, and the runs keep their order."""
    await journal.begin_run(run("r0"))
    await journal.end_run("r1", moment(1), "completed")
    await journal.end_run("r1", moment(2), "lost")
    history = await journal.history()
    assert [one.run_id for one in history.runs] == ["r1", "r0"]
    assert history.unfinished_runs == (run("r0"),)
    with pytest.raises(JournalError, match="run r7 has never begun"):
        await journal.end_run("r7", moment(1), "completed")


async def test_the_first_end_stands(journal: Journal) -> None:
    """An attempt that has ended cannot be ended otherwise, and one that never began cannot be ended at all."""
    await journal.begin_attempt(start())
    await journal.end_attempt("F1", 1, end("ok"))
    await journal.end_attempt("F1", 1, end("exit"))
    (attempt,) = (await journal.history()).attempts["F1"]
    assert attempt.end == end("ok")
    with pytest.raises(JournalError, match=r"journal\.db does not take this record: attempt 2 of task F1 has never"):
        await journal.end_attempt("F1", 2, end())


async def test_no_attempt_begins_twice(journal: Journal) -> None:
    """A second attempt of the same number is refused, and so is one of a run that has never begun."""
    await journal.begin_attempt(start())
    with pytest.raises(JournalError, match="UNIQUE"):
        await journal.begin_attempt(start())
    with pytest.raises(JournalError, match="FOREIGN KEY"):
        await journal.begin_attempt(start("F2", run_id="r7"))
    assert list((await journal.history()).attempts) == ["F1"]


async def test_lost_attempts(journal: Journal, path: Path) -> None:
    """What had no end when the supervisor died is ended as lost and returned; what had one keeps it."""
    for task_id in ("F1", "F2", "F3"):
        await journal.begin_attempt(start(task_id))
    journal.note_process("F2", 1, 4711, 5.0)
    await journal.end_attempt("F1", 1, end("ok"))
    await journal.close()
    resumed = await Journal.open(path)
    lost = await resumed.end_lost(moment(60))
    assert [(attempt.start.task_id, attempt.pid) for attempt in lost] == [("F2", 4711), ("F3", None)]
    assert all(attempt.end == end("lost", ended_at=moment(60), duration_seconds=60.0) for attempt in lost)
    history = await resumed.history()
    assert [attempt.end.outcome for task in history.attempts.values() for attempt in task if attempt.end] == [
        "ok", "lost", "lost"
    ]  # fmt: skip
    assert history.counted == history.attempts
    assert await resumed.end_lost(moment(61)) == []
    await resumed.close()


async def test_resets(journal: Journal) -> None:
    """After a reset the attempts of those tasks so far are history, but later ones count."""
    for task_id in ("F1", "F2"):
        await journal.begin_attempt(start(task_id))
        await journal.end_attempt(task_id, 1, end("exit"))
    await journal.reset(["F1", "F9"])
    await journal.begin_attempt(start("F1", 2))
    history = await journal.history()
    assert [attempt.start.number for attempt in history.attempts["F1"]] == [1, 2]
    assert [attempt.start.number for attempt in history.counted["F1"]] == [2]
    assert [attempt.start.number for attempt in history.counted["F2"]] == [1]


async def test_a_fresh_run(journal: Journal) -> None:
    """Nothing earlier counts for a fresh run, neither attempts nor milestones, but all of it is remembered."""
    await journal.begin_attempt(start())
    await journal.end_attempt("F1", 1, end())
    await journal.reach_milestone("half", moment(1))
    await journal.reach_milestone("half", moment(2))
    assert (await journal.history()).milestones == {"half": moment(1)}
    await journal.begin_run(run("r2"), fresh=True)
    history = await journal.history()
    assert (history.counted, history.milestones, len(history.runs)) == ({}, {}, 2)
    assert [attempt.start.number for attempt in history.attempts["F1"]] == [1]
    await journal.reach_milestone("half", moment(3))
    assert (await journal.history()).milestones == {"half": moment(3)}


async def test_events(journal: Journal) -> None:
    """Events come back in order, of one run or of all, and only those after the one that is known."""
    journal.record_event(moment(1), "task_completed", "F1", {"cost": 0.5, "path": Path("a"), "odd": "\udcff"})
    await journal.begin_run(run("r2"))
    journal.record_event(moment(2), "run_ended", None, {})
    first, second = await journal.events()
    assert (first.run_id, first.at, first.kind, first.task_id) == ("r1", moment(1), "task_completed", "F1")
    assert first.data == {"cost": 0.5, "path": "a", "odd": "\udcff"}
    assert await journal.events("r2") == [second]
    assert await journal.events(after=first.id) == [second]
    assert await journal.events("r1", after=first.id) == []
