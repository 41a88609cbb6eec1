"""What is written into a journal comes out of it again, and what counts for a resumed run is told from the rest."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from nova_async.errors import JournalError
from nova_async.journal.columns import MOST_TEXT
from nova_async.journal.history import History
from nova_async.journal.reader import JournalReader
from nova_async.journal.store import Journal
from nova_async.records import Attempt, LogRef
from nova_async.words import Outcome, Phase, RunEnd
from tests.journal.making import (
    NOON,
    OTHER_PLAN,
    PLAN,
    attempt,
    end,
    event,
    full_end,
    full_start,
    moment,
    run,
    start,
)


async def test_every_value_comes_back(journal: Journal, path: Path) -> None:
    """Runs, attempts, ends and milestones are the same when they are read again, by us or by others."""
    odd = start("F2", log_path="logs/\udce4.log", agent="custom")
    await journal.begin_attempt(full_start())
    journal.note_process(attempt(), 4711, 99.25, "/5eed.1")
    await journal.finish_agent(full_end(outcome=Outcome.OK, error=None))
    await journal.end_attempt(full_end())
    await journal.begin_attempt(odd)
    await journal.reach_milestone(PLAN, "half", moment(9))
    await journal.approve(PLAN, ["F2", "ö"], moment(10))
    await journal.approve(PLAN, ["F2"], moment(11))
    await journal.note_plan(PLAN, ["F9"])
    await journal.note_plan(PLAN, ["F1", "ö"])
    expected = History(
        runs=(run(),),
        started_at=NOON,
        attempts={
            "F1": (
                Attempt(
                    start=full_start(),
                    pid=4711,
                    pid_start_time=99.25,
                    cookie="/5eed.1",
                    finished=full_end(outcome=Outcome.OK, error=None),
                    end=full_end(),
                ),
            ),
            "F2": (Attempt(start=odd),),
        },
        milestones={"half": moment(9)},
        approved={"F2": moment(10), "ö": moment(10)},
        planned=frozenset({"F1", "ö"}),
        unfinished_runs=(run(),),
    )
    assert JournalReader(path).planned(PLAN) == {"F1", "ö"}
    assert await journal.history(PLAN) == expected
    assert JournalReader(path).history(PLAN) == expected
    await journal.close()
    reopened = await Journal.open(path)
    assert await reopened.history(PLAN) == expected
    await reopened.close()


async def test_plans_share_nothing(journal: Journal) -> None:
    """Two plans with the same ids have each their own attempts, numbers, milestones and resets."""
    await journal.begin_run(run("r2", OTHER_PLAN))
    for run_id, plan in (("r1", PLAN), ("r2", OTHER_PLAN)):
        await journal.begin_attempt(start(run_id=run_id, plan=plan))
        await journal.end_attempt(end(run_id=run_id))
        await journal.reach_milestone(plan, "half", moment(3))
        await journal.approve(plan, ["F1"], moment(3))
    await journal.reset(OTHER_PLAN, ["F1"])
    assert (await journal.history(OTHER_PLAN)).approved, "what runs again does not ask again"
    await journal.begin_run(run("r3", OTHER_PLAN), fresh=True)
    mine, others = await journal.history(PLAN), await journal.history(OTHER_PLAN)
    assert [each.run_id for each in mine.runs] == ["r1"]
    assert [each.run_id for each in others.runs] == ["r2", "r3"]
    assert [each.counts for each in mine.attempts["F1"]] == [True]
    assert [each.counts for each in others.attempts["F1"]] == [False]
    assert (mine.milestones, others.milestones) == ({"half": moment(3)}, {})
    assert (mine.approved, others.approved) == ({"F1": moment(3)}, {})
    assert mine.planned is None
    await journal.withdraw(PLAN, ["F1", "F2"])
    assert (await journal.history(PLAN)).approved == {}
    assert [each.run_id for each in mine.unfinished_runs] == ["r1", "r2", "r3"]


async def test_an_attempt_belongs_to_the_plan_of_its_run(journal: Journal) -> None:
    """An attempt with another plan than its run's would be found by neither: it is refused."""
    with pytest.raises(JournalError, match="FOREIGN KEY"):
        await journal.begin_attempt(start(plan=OTHER_PLAN))


async def test_a_run_that_is_over(journal: Journal) -> None:
    """A run that has ended is no longer unfinished, its first end stands, and the runs keep their order."""
    await journal.begin_run(run("r0"))
    await journal.end_run("r1", moment(1), RunEnd.COMPLETED)
    await journal.end_run("r1", moment(2), RunEnd.LOST)
    history = await journal.history(PLAN)
    assert [one.run_id for one in history.runs] == ["r1", "r0"]
    assert history.unfinished_runs == (run("r0"),)
    ends = {one.start.run_id: (one.ended_at, one.end) for one in JournalReader(journal.path).runs()}
    assert ends == {"r1": (moment(1), RunEnd.COMPLETED), "r0": (None, None)}
    with pytest.raises(JournalError, match="run r7 was never started"):
        await journal.end_run("r7", moment(1), RunEnd.COMPLETED)


async def test_the_first_end_stands(journal: Journal) -> None:
    """An attempt that has ended cannot be ended otherwise, and one that never began cannot be ended at all."""
    await journal.begin_attempt(start())
    await journal.end_attempt(end())
    await journal.end_attempt(end(outcome=Outcome.EXIT))
    (known,) = (await journal.history(PLAN)).attempts["F1"]
    assert known.end == end()
    sentence = r"journal\.db rejected a record: attempt 2 of task F1 was never started in run r1"
    for write in (journal.end_attempt, journal.finish_agent):
        with pytest.raises(JournalError, match=sentence):
            await write(end(number=2))


async def test_no_attempt_begins_twice(journal: Journal) -> None:
    """A second attempt of the same number is refused, also from another run, and so is one of an unknown run."""
    await journal.begin_run(run("r2"))
    await journal.begin_attempt(start())
    for again in (start(), start(run_id="r2")):
        with pytest.raises(JournalError, match="UNIQUE"):
            await journal.begin_attempt(again)
    with pytest.raises(JournalError, match="FOREIGN KEY"):
        await journal.begin_attempt(start("F2", run_id="r7"))
    assert list((await journal.history(PLAN)).attempts) == ["F1"]


async def test_what_an_agent_has_come_to_outlives_its_supervisor(journal: Journal, path: Path) -> None:
    """When the supervisor dies during the check, the agent's tokens, cost, session and answer are kept."""
    finished = full_end(outcome=Outcome.OK, phase=Phase.RUN, error=None)
    await journal.begin_attempt(start())
    await journal.finish_agent(finished)
    await journal.finish_agent(end())
    journal.note_phase(attempt(), Phase.VERIFY, moment(8))
    (known,) = (await journal.history(PLAN)).attempts["F1"]
    assert (known.finished, known.end) == (finished, None)
    await journal.close()
    resumed = await Journal.open(path)
    (lost,) = await resumed.end_lost(moment(60))
    assert lost.end == replace(finished, outcome=Outcome.LOST, phase=Phase.VERIFY, ended_at=moment(60))
    assert (await resumed.history(PLAN)).attempts["F1"] == (lost,)
    assert lost.finished == finished
    await resumed.close()


async def test_what_an_agent_has_come_to_outlives_the_end(journal: Journal) -> None:
    """A check that fails or is stopped does not hide that the agent had succeeded."""
    await journal.begin_attempt(start())
    await journal.finish_agent(full_end(outcome=Outcome.OK))
    await journal.end_attempt(end(outcome=Outcome.CANCELLED, phase=Phase.VERIFY))
    (known,) = (await journal.history(PLAN)).attempts["F1"]
    assert known.finished == full_end(outcome=Outcome.OK)
    assert known.end == end(outcome=Outcome.CANCELLED, phase=Phase.VERIFY)


async def test_lost_attempts(journal: Journal, path: Path) -> None:
    """What had no end when the supervisor died, in any plan, is ended as lost in the phase that it was in."""
    await journal.begin_run(run("r2", OTHER_PLAN))
    for task_id in ("F1", "F2", "F3", "F4"):
        await journal.begin_attempt(start(task_id))
    await journal.begin_attempt(start("F1", run_id="r2", plan=OTHER_PLAN))
    journal.note_process(attempt("F2"), 4711, 5.0, None)
    journal.record(event(seconds=3, run_id="r1"))
    journal.note_phase(attempt("F4"), Phase.RUN, moment(1))
    journal.note_phase(attempt("F4"), Phase.VERIFY, moment(2))
    await journal.end_attempt(end())
    await journal.close()
    resumed = await Journal.open(path)
    going_on = attempt("F5")
    await resumed.begin_attempt(start("F5"))
    lost = await resumed.end_lost(moment(60), but_for={going_on})
    phases = {each.start.id: each.end.phase for each in lost if each.end is not None}
    assert phases == {
        attempt("F2"): Phase.RUN,
        attempt("F3"): Phase.PREPARE,
        attempt("F4"): Phase.VERIFY,
        attempt("F1", run_id="r2"): Phase.PREPARE,
    }
    for each in lost:
        assert each.end is not None
        seconds = 3 if each.start.id.run_id == "r1" else 0  # its run recorded nothing later
        assert (each.end.outcome, each.end.ended_at) == (Outcome.LOST, moment(seconds))
        assert each.end.duration_seconds == seconds
    assert (await resumed.history(PLAN)).attempts["F1"][0].end == end()
    assert [each.start.id for each in await resumed.end_lost(moment(61))] == [going_on]
    assert await resumed.end_lost(moment(62)) == []
    await resumed.close()


@pytest.mark.parametrize(("written", "seconds"), [(2, 3), (5, 5), (99, 60), (-5, 3)])
async def test_what_remains_of_a_lost_attempt(journal: Journal, path: Path, written: float, seconds: float) -> None:
    """It lasted to the last sign of life, of its log or its run, and its numbers are kept; its log is known before."""
    log = LogRef(path="logs/F1.log", device=1, inode=2)
    await journal.begin_attempt(start())
    journal.note_process(attempt(), 4711, 5.0, None, log)
    journal.note_process(attempt(), 4712, 6.0, None, LogRef(path="logs/F1~verify.log", device=1, inode=3))
    journal.record(event(seconds=3, run_id="r1"))
    await journal.close()
    resumed = await Journal.open(path)
    (open_one,) = await resumed.open_attempts()
    assert open_one.log == log
    remains = full_end(outcome=Outcome.LOST, ended_at=moment(written), log=log)
    (lost,) = await resumed.end_lost(moment(60), remains={attempt(): remains})
    assert lost.end == replace(remains, ended_at=moment(seconds), duration_seconds=seconds)
    await resumed.close()


async def test_resets(journal: Journal) -> None:
    """After a reset the attempts of those tasks so far are history, but later ones count."""
    for task_id in ("F1", "F2"):
        await journal.begin_attempt(start(task_id))
        await journal.end_attempt(end(task_id, outcome=Outcome.EXIT))
    await journal.reset(PLAN, ["F1", "F9"])
    await journal.begin_attempt(start("F1", 2))
    history = await journal.history(PLAN)
    assert [each.counts for each in history.attempts["F1"]] == [False, True]
    assert [each.counts for each in history.attempts["F2"]] == [True]


async def test_a_fresh_run(journal: Journal) -> None:
    """Nothing earlier counts for a fresh run, neither attempts nor milestones, but all of it is remembered."""
    await journal.begin_attempt(start())
    await journal.end_attempt(end())
    await journal.reach_milestone(PLAN, "half", moment(1))
    await journal.reach_milestone(PLAN, "half", moment(2))
    assert (await journal.history(PLAN)).milestones == {"half": moment(1)}
    await journal.begin_run(run("r2", started_at=moment(100)), fresh=True)
    await journal.begin_run(run("r3", started_at=moment(200)))
    history = await journal.history(PLAN)
    assert [each.counts for each in history.attempts["F1"]] == [False]
    assert (history.milestones, len(history.runs), history.started_at) == ({}, 3, moment(100))
    await journal.reach_milestone(PLAN, "half", moment(3))
    assert (await journal.history(PLAN)).milestones == {"half": moment(3)}


async def test_a_plan_that_nobody_knows(journal: Journal) -> None:
    """A plan that has never run has no history, but sees the runs that others have not ended."""
    assert await journal.history(OTHER_PLAN) == History(unfinished_runs=(run(),))


async def test_an_attempt_that_is_under_way_is_not_part_of_the_past(journal: Journal) -> None:
    """A fresh run and a retry forget what is over; what still runs counts when it ends."""
    await journal.begin_attempt(start())
    await journal.reset(PLAN, ["F1"])
    await journal.begin_run(run("r2"), fresh=True)
    (known,) = (await journal.history(PLAN)).attempts["F1"]
    assert known.counts


async def test_an_activity_of_any_length_is_kept_in_short(journal: Journal, path: Path) -> None:
    """An agent may say megabytes in one line."""
    await journal.begin_attempt(start())
    journal.note_phase(attempt(), Phase.RUN, moment(1), "x" * (3 * MOST_TEXT))
    await journal.history(PLAN)
    with closing(sqlite3.connect(path)) as connection:
        [(length,)] = connection.execute("SELECT length(activity) FROM phases").fetchall()
    assert length == MOST_TEXT
