"""Executors that break their contract: each costs the task concerned, never the run, and a stop always ends it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nova_async.attempt.ends import bare_end
from nova_async.attempt.executor import Lost, Running
from nova_async.attempt.job import Job
from nova_async.attempt.local_executor import LocalExecutor
from nova_async.cascade import Cascade
from nova_async.journal.lock import RunLock
from nova_async.journal.plan_key import plan_key
from nova_async.journal.reader import JournalReader
from nova_async.journal.store import Journal
from nova_async.orchestrator import placing, retry
from nova_async.orchestrator.reporting import digest
from nova_async.records import AttemptEnd, AttemptFacts, AttemptId, AttemptStart, RunStart
from nova_async.words import EventKind, Outcome, TaskState
from tests.orchestrator.test_running import orchestrator, plan, run, states

TWO = """ID | What
    BAD | true
    GOOD | true"""


class Strange:
    """An executor that is the local one, but for what a test changes about the task ``BAD``."""

    def __init__(self, folder: Path, change: "Change") -> None:
        self._local = LocalExecutor(folder / "logs")
        self._change = change
        self.submitted: list[Job] = []

    @property
    def capacity(self) -> int:
        """Say how many it takes."""
        return self._change.capacity()

    def submit(self, job: Job) -> Running:
        """Take a job on."""
        self.submitted.append(job)
        if job.id.task_id != "BAD":
            return self._local.submit(job)
        return self._change.submit(job, self._local)

    async def reclaim(self, ids: Iterable[AttemptId]) -> Mapping[AttemptId, Running | Lost]:
        """Say what still runs."""
        return self._change.reclaim(ids)

    async def close(self) -> None:
        """Let go."""
        await self._local.close()
        await self._change.close()


class StrangeRunning:
    """An attempt that has been submitted, but for what a test changes."""

    host = "strange"

    def __init__(self, job: Job, **changes: Any) -> None:
        self.id = job.id
        self.on_change: Callable[[], object] | None = None
        self.changes = changes

    @property
    def facts(self) -> AttemptFacts:
        """Tell what is known."""
        return self.changes.get("facts", AttemptFacts)()

    def stop(self, grace: float) -> None:
        """Take note of a stop, or not."""
        self.changes.get("stop", lambda: None)()

    async def ended(self) -> AttemptEnd:
        """Wait for the end."""
        return await self.changes["ended"](self.id)


async def nothing() -> None:
    """Do nothing."""


@dataclass
class Change:
    """What is strange."""

    submit: Callable[[Job, LocalExecutor], Running] = lambda job, local: local.submit(job)
    capacity: Callable[[], int] = lambda: 9
    reclaim: Callable[[Iterable[AttemptId]], Any] = lambda ids: {attempt: Lost(attempt) for attempt in ids}
    close: Callable[[], Any] = nothing


def raising(error: BaseException) -> Any:
    """Make something that raises whatever it is called with."""

    def raise_it(*_: object) -> Any:
        raise error

    return raise_it


async def never(*_: object) -> Any:
    """Wait for ever."""
    await asyncio.get_running_loop().create_future()


def end_of(attempt: AttemptId, outcome: Outcome = Outcome.OK) -> AttemptEnd:
    """Make an end."""
    return bare_end(attempt, outcome, None)


async def somebody_elses(attempt: AttemptId) -> AttemptEnd:
    """Report the end of another attempt."""
    return end_of(attempt._replace(task_id="OTHER"))


async def junk(attempt: AttemptId) -> Any:
    """Report something that is no end."""
    return {"outcome": "ok"}


async def raises(attempt: AttemptId) -> Any:
    """Lose its head."""
    raise KeyError("leftovers")


async def cancels_itself(attempt: AttemptId) -> Any:
    """Lose a future of its own."""
    raise asyncio.CancelledError


def with_a_field(**fields: Any) -> Callable[[AttemptId], Any]:
    """Make something that reports an end with a field that nobody can write down."""

    async def ended(attempt: AttemptId) -> AttemptEnd:
        return replace(end_of(attempt), **fields)

    return ended


def with_ended(ended: Callable[[AttemptId], Any], **more: Any) -> Change:
    """Make a change in which only the end is strange."""
    return Change(submit=lambda job, local: StrangeRunning(job, ended=ended, **more))


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (Change(submit=raising(KeyError("leftovers"))), Outcome.EXECUTOR_ERROR),
        (Change(submit=raising(RuntimeError("no node"))), Outcome.EXECUTOR_ERROR),
        (Change(submit=raising(PermissionError(13, "Permission denied"))), Outcome.SPAWN_ERROR),
        (Change(submit=lambda job, local: None), Outcome.EXECUTOR_ERROR),  # type: ignore[arg-type, return-value]
        (with_ended(raises), Outcome.EXECUTOR_ERROR),
        (with_ended(somebody_elses), Outcome.EXECUTOR_ERROR),
        (with_ended(junk), Outcome.EXECUTOR_ERROR),
        (with_ended(cancels_itself), Outcome.EXECUTOR_ERROR),
        (Change(submit=raising(asyncio.CancelledError())), Outcome.EXECUTOR_ERROR),
        (with_ended(with_a_field(outcome="splendid")), Outcome.EXECUTOR_ERROR),
        (with_ended(with_a_field(usage=None)), Outcome.EXECUTOR_ERROR),
        (with_ended(with_a_field(ended_at="now")), Outcome.EXECUTOR_ERROR),
        (with_ended(with_a_field(denied=5)), Outcome.EXECUTOR_ERROR),
    ],
)
async def test_what_it_gets_wrong_costs_its_task(tmp_path: Path, change: Change, outcome: Outcome) -> None:
    """The task has failed and says why; the other one completes; the run ends."""
    report, _ = await run(plan(TWO), tmp_path, executor=Strange(tmp_path, change))
    assert states(report) == {"BAD": TaskState.FAILED, "GOOD": TaskState.COMPLETED}
    assert report.tasks["BAD"].outcome is outcome
    assert report.tasks["BAD"].error


@pytest.mark.parametrize(
    "facts", [raising(KeyError("usage")), lambda: None, lambda: {"phase": "run"}], ids=["raises", "none", "junk"]
)
async def test_strange_facts_are_not_shown_and_harm_nothing(tmp_path: Path, facts: Callable[[], Any]) -> None:
    """What it tells while it runs is for show; its end is what counts."""

    async def ended(attempt: AttemptId) -> AttemptEnd:
        await asyncio.sleep(0)
        return end_of(attempt)

    change = with_ended(ended, facts=facts)
    report, _ = await run(plan(TWO), tmp_path, executor=Strange(tmp_path, change))
    assert report.ok


async def test_strange_numbers_while_it_runs_cost_its_task(tmp_path: Path) -> None:
    """A budget has to be told what is used; what is no number is not that."""

    async def ended(attempt: AttemptId) -> AttemptEnd:
        await asyncio.sleep(0)
        return end_of(attempt)

    change = with_ended(ended, facts=lambda: replace(AttemptFacts(), usage=None))  # type: ignore[arg-type]
    cascade = plan(TWO, "budget_tokens = 100\n")
    async with asyncio.timeout(20):
        report, _ = await run(cascade, tmp_path, executor=Strange(tmp_path, change))
    assert states(report)["GOOD"] is TaskState.COMPLETED


async def test_a_cost_that_is_no_number_is_unknown(tmp_path: Path) -> None:
    """It spoils neither a sum nor the state file."""
    change = with_ended(with_a_field(cost_usd=float("nan")))
    report, _ = await run(plan(TWO), tmp_path, executor=Strange(tmp_path, change))
    assert report.ok
    assert report.cost_usd is None
    assert not report.warnings


async def test_what_goes_on_after_an_error_is_stopped(tmp_path: Path) -> None:
    """A task that costs its executor's mistake does not go on behind our back."""
    stopped: list[str] = []
    change = with_ended(raises, stop=lambda: stopped.append("BAD"))
    report, _ = await run(plan(TWO), tmp_path, executor=Strange(tmp_path, change))
    assert report.tasks["BAD"].outcome is Outcome.EXECUTOR_ERROR
    assert stopped == ["BAD"]


async def test_an_attempt_that_was_given_up_is_heard_no_more(tmp_path: Path) -> None:
    """What an earlier attempt still tells is not taken for the words of the one that runs now."""
    attempts: list[StrangeRunning] = []

    async def ended(attempt: AttemptId) -> AttemptEnd:
        if attempt.number == 1:
            return end_of(attempt, Outcome.LOST)
        attempts[0].changes["facts"] = lambda: AttemptFacts(activity="I am still here", session_id="old", pid=1)
        assert attempts[0].on_change is not None
        attempts[0].on_change()
        assert runner.views["BAD"].activity is None
        return end_of(attempt)

    def submit(job: Job, local: LocalExecutor) -> Running:
        attempts.append(StrangeRunning(job, ended=ended))
        return attempts[-1]

    runner = orchestrator(plan("ID | What\nBAD | true"), tmp_path, executor=Strange(tmp_path, Change(submit=submit)))
    told = runner.events()
    report = await runner.run()
    assert report.ok
    assert EventKind.ATTEMPT_STARTED not in [event.kind async for event in told]


@pytest.mark.parametrize("capacity", [raising(OSError("gone")), lambda: 0, lambda: None], ids=["raises", "0", "None"])
async def test_a_strange_capacity_stops_nothing(tmp_path: Path, capacity: Callable[[], Any]) -> None:
    """There is always room for one."""
    report, _ = await run(plan(TWO), tmp_path, executor=Strange(tmp_path, Change(capacity=capacity)))
    assert report.ok


async def test_its_capacity_is_a_limit(tmp_path: Path) -> None:
    """No more are submitted at once than it takes."""
    (tmp_path / "here").mkdir()
    script = "mkdir here/$NOVA_TASK_ID; ls here \\| wc -l >> counts; sleep 0.02; rmdir here/$NOVA_TASK_ID"
    rows = "\n".join(f"T{number} | {script}" for number in range(6))
    change = Change(capacity=lambda: 2)
    report, _ = await run(plan(f"ID | What\n{rows}"), tmp_path, executor=Strange(tmp_path, change), max_workers=6)
    assert report.ok
    assert max(map(int, (tmp_path / "counts").read_text().split())) <= 2


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for strangers no longer than a test should take."""
    monkeypatch.setattr(placing, "PATIENCE", 0.2)
    monkeypatch.setattr(placing, "LAST_PATIENCE", 0.1)
    monkeypatch.setattr(placing, "CLOSE_SECONDS", 0.2)


@pytest.mark.parametrize("stop", [lambda: None, raising(RuntimeError("no such job"))], ids=["deaf", "raises"])
async def test_a_stop_ends_although_it_queues_for_ever(
    tmp_path: Path, stop: Callable[[], None], impatient: None
) -> None:
    """What it never ends is given up, and said; the task waits for the next run."""
    change = with_ended(never, stop=stop)
    executor = Strange(tmp_path, change)
    runner = orchestrator(plan("ID | What | Grace\nBAD | true | 0.1s"), tmp_path, executor=executor)
    running = asyncio.create_task(runner.run())
    while not executor.submitted:
        await asyncio.sleep(0)
    runner.stop()
    async with asyncio.timeout(20):
        report = await running
    assert states(report) == {"BAD": TaskState.WAITING}
    assert "did not end it in time" in (report.tasks["BAD"].error or "")


async def test_two_cancellations_end_it(tmp_path: Path, impatient: None) -> None:
    """Also where nothing of the executor ever answers."""
    change = replace(with_ended(never), close=never)
    executor = Strange(tmp_path, change)
    runner = orchestrator(plan("ID | What\nBAD | true"), tmp_path, executor=executor)
    running = asyncio.create_task(runner.run())
    while not executor.submitted:
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.sleep(0.01)
    running.cancel()
    async with asyncio.timeout(20):
        with pytest.raises(asyncio.CancelledError):
            await running


@pytest.mark.parametrize(
    "close", [raising(RuntimeError("no")), raising(asyncio.CancelledError()), never], ids=["raises", "cancels", "hangs"]
)
async def test_an_executor_that_does_not_close(tmp_path: Path, close: Callable[[], Any], impatient: None) -> None:
    """The work is done, and that is what is reported, with a word about it."""
    report, events = await run(plan(TWO), tmp_path, executor=Strange(tmp_path, Change(close=close)))
    assert report.ok
    assert any("did not close" in warning for warning in report.warnings)
    assert events[-1].kind is EventKind.RUN_ENDED


async def test_an_end_that_nobody_asked_for(tmp_path: Path) -> None:
    """An attempt that somebody else ended is tried again; it is not put aside for ever."""
    tried: list[int] = []

    async def cancelled_once(attempt: AttemptId) -> AttemptEnd:
        tried.append(attempt.number)
        return end_of(attempt, Outcome.CANCELLED if len(tried) == 1 else Outcome.OK)

    report, _ = await run(plan(TWO), tmp_path, executor=Strange(tmp_path, with_ended(cancelled_once)))
    assert report.ok
    assert tried == [1, 2]


async def test_one_that_loses_everything_fails_in_the_end(tmp_path: Path) -> None:
    """It is not given the same task for ever."""

    async def lost(attempt: AttemptId) -> AttemptEnd:
        return end_of(attempt, Outcome.LOST)

    report, _ = await run(plan(TWO), tmp_path, executor=Strange(tmp_path, with_ended(lost)))
    assert states(report) == {"BAD": TaskState.FAILED, "GOOD": TaskState.COMPLETED}
    assert report.tasks["BAD"].attempt == retry.MOST_LOST + 1


class Slotted:
    """An attempt that nobody can hang anything on."""

    __slots__ = ("id",)
    host = ""
    facts = AttemptFacts()

    def __init__(self, attempt: AttemptId) -> None:
        self.id = attempt

    def stop(self, grace: float) -> None:
        """Do nothing."""

    async def ended(self) -> AttemptEnd:
        """End at once."""
        return end_of(self.id)


async def test_one_that_tells_no_changes(tmp_path: Path) -> None:
    """It is only looked at when something else happens."""
    change = Change(submit=lambda job, local: Slotted(job.id))  # type: ignore[arg-type, return-value]
    report, _ = await run(plan(TWO), tmp_path, executor=Strange(tmp_path, change))
    assert report.ok


async def leave_an_attempt(folder: Path, cascade: Cascade, task_id: str) -> AttemptId:
    """Leave a journal as a supervisor does that is killed while a task runs."""
    path = folder / ".nova/journal.db"
    attempt = AttemptId("earlier", task_id, 1)
    now, key = datetime.now(UTC), plan_key(Path(cascade.name), path)
    with RunLock(path) as lock:
        journal = await Journal.open(path, lock=lock)
        await journal.begin_run(
            RunStart(
                run_id="earlier", plan=key, project="", started_at=now, supervisor="dead", pid=1, pid_start_time=1.0
            )
        )
        mark = digest(cascade.tasks[task_id])
        await journal.begin_attempt(AttemptStart(id=attempt, plan=key, started_at=now, agent="x", prompt_digest=mark))
        await journal.close()
    return attempt


async def test_an_attempt_that_went_on_without_its_run(tmp_path: Path) -> None:
    """What an executor still runs when its supervisor died is taken over, and not begun a second time."""
    cascade = plan("ID | What | Deps\nBAD | true | -\nGOOD | true | BAD")
    left = await leave_an_attempt(tmp_path, cascade, "BAD")
    asked: list[AttemptId] = []

    async def goes_on(attempt: AttemptId) -> AttemptEnd:
        return end_of(attempt)

    def still_there(ids: Iterable[AttemptId]) -> Any:
        asked.extend(ids)
        return {attempt: StrangeRunning(Job(id=attempt, command=("x",)), ended=goes_on) for attempt in asked}

    change = Change(submit=raising(AssertionError("begun a second time")), reclaim=still_there)
    report, events = await run(cascade, tmp_path, executor=Strange(tmp_path, change))
    assert asked == [left]
    assert report.ok
    assert report.tasks["BAD"].attempt == 1
    journal = tmp_path / ".nova/journal.db"
    found = JournalReader(journal).latest(plan_key(Path(cascade.name), journal))
    assert {task: attempt.end and attempt.end.outcome for task, attempt in found.items()} == {"BAD": "ok", "GOOD": "ok"}
    assert [event.task_id for event in events if event.kind == "attempt_ended"] == ["BAD", "GOOD"]


@pytest.mark.parametrize(
    "reclaim",
    [
        raising(RuntimeError("no")),
        raising(asyncio.CancelledError()),
        lambda ids: None,
        lambda ids: {"x": 1},
    ],
    ids=["raises", "cancels", "none", "junk"],
)
async def test_one_that_cannot_say_what_it_still_runs(tmp_path: Path, reclaim: Callable[..., Any]) -> None:
    """Its attempts run anew."""
    cascade = plan(TWO)
    await leave_an_attempt(tmp_path, cascade, "BAD")
    report, _ = await run(cascade, tmp_path, executor=Strange(tmp_path, Change(reclaim=reclaim)))
    assert report.ok
    assert report.tasks["BAD"].attempt == 2


async def test_one_that_hands_over_nothing(tmp_path: Path) -> None:
    """What it says it still runs, and does not, costs that task."""
    cascade = plan(TWO)
    await leave_an_attempt(tmp_path, cascade, "BAD")
    async with asyncio.timeout(20):
        report, _ = await run(cascade, tmp_path, executor=Strange(tmp_path, Change(reclaim=dict.fromkeys)))
    assert states(report) == {"BAD": TaskState.FAILED, "GOOD": TaskState.COMPLETED}
    assert report.tasks["BAD"].outcome is Outcome.EXECUTOR_ERROR


async def test_another_plans_attempts_are_not_ours(tmp_path: Path) -> None:
    """Two plans share a journal and the ids of their tasks: what still runs for one is not taken over by the other."""
    other = replace(plan(TWO), name="other.md")
    left = await leave_an_attempt(tmp_path, other, "BAD")
    change = Change(reclaim=lambda ids: {a: StrangeRunning(Job(id=a, command=("x",)), ended=never) for a in ids})
    async with asyncio.timeout(20):
        report, _ = await run(plan(TWO), tmp_path, executor=Strange(tmp_path, change))
    assert report.ok
    assert left.run_id not in {attempt.start.id.run_id for attempt in report.tasks["BAD"].attempts}


@pytest.mark.parametrize("how", [{"fresh": True}, {"retry_failed": True}], ids=str)
async def test_what_was_taken_over_stays_finished(tmp_path: Path, how: dict[str, bool]) -> None:
    """An attempt that goes on while a run begins anew counts for that run, and for the next one."""
    cascade = plan("ID | What\nBAD | true")
    await leave_an_attempt(tmp_path, cascade, "BAD")

    async def goes_on(attempt: AttemptId) -> AttemptEnd:
        return end_of(attempt)

    change = Change(
        submit=raising(AssertionError("begun a second time")),
        reclaim=lambda ids: {a: StrangeRunning(Job(id=a, command=("x",)), ended=goes_on) for a in ids},
    )
    for options in (how, {}):
        report, _ = await run(cascade, tmp_path, executor=Strange(tmp_path, change), **options)
        assert report.ok
        assert report.tasks["BAD"].attempt == 1
