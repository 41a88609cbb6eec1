"""What a run writes down and shows, while it goes on and when it is over; and what of it does not stay."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from nova_async.attempt.executor import Running
from nova_async.attempt.job import Job
from nova_async.attempt.local_executor import LocalExecutor
from nova_async.cascade import parse_cascade
from nova_async.journal.plan_key import plan_key
from nova_async.journal.reader import JournalReader
from nova_async.orchestrator.placing import Placed
from nova_async.records import AttemptFacts, AttemptId
from nova_async.words import EventKind, Outcome, Phase, TaskState
from tests.children import is_alive
from tests.orchestrator.test_running import orchestrator, plan, run, states
from tests.orchestrator.test_strange_executors import Change, Strange, StrangeRunning, end_of, never

CODEX = Path(__file__).parents[1] / "data/codex/tools.json.merged"
COMMITTER = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
USES = "echo Token usage: input={0}, output=0, cache_read=0, cache_creation=0"


def timers() -> list[asyncio.TimerHandle]:
    """Return what the loop still means to call."""
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [handle for handle in scheduled if not handle.cancelled()]


async def test_the_journal_holds_all_that_was_told(tmp_path: Path) -> None:
    """Every event in its order, the phases of each attempt, and which process worked for it."""
    # Slow enough to be looked at: of who has ended by then the beginning is not known.
    cascade = plan("ID | What | Verify\n A1 | sleep 0.2 | sleep 0.2")
    _, events = await run(cascade, tmp_path)
    journal = JournalReader(tmp_path / ".nova/journal.db")
    written = journal.changes(0)
    assert [(event.kind, event.task_id, event.data) for event in written] == [
        (event.kind, event.task_id, event.data) for event in events
    ]
    assert {event.run_id for event in written} == {journal.runs()[0].start.run_id}
    [attempt] = journal.attempts(plan_key(Path(cascade.name), tmp_path / ".nova/journal.db"))
    assert [noted.phase for noted in journal.phases(attempt.start.id)] == [Phase.RUN, Phase.VERIFY]
    assert attempt.pid
    assert attempt.pid_start_time
    assert attempt.cookie


async def test_a_task_that_does_not_run_is_in_no_phase(tmp_path: Path) -> None:
    """Neither before its turn nor after its end; and what has not changed is not made anew."""
    runner = orchestrator(plan("ID | What | Deps\n A1 | true | -\n A2 | false | A1"), tmp_path)
    before = {task.phase for task in runner.views.values()}
    await runner.run()
    assert before | {task.phase for task in runner.views.values()} == {None}
    assert runner.views["A1"] is runner.views["A1"]


async def test_where_a_task_runs_is_shown(tmp_path: Path) -> None:
    """As its executor says."""
    ended = asyncio.Event()

    async def end(attempt: AttemptId) -> object:
        await ended.wait()
        return end_of(attempt)

    facts = AttemptFacts(phase=Phase.RUN, host="node7")
    change = Change(submit=lambda job, local: StrangeRunning(job, ended=end, facts=lambda: facts))
    runner = orchestrator(plan("ID | What\n BAD | true"), tmp_path, executor=Strange(tmp_path, change))
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(20):
        while runner.views["BAD"].phase is not Phase.RUN:
            await asyncio.sleep(0)
    assert runner.views["BAD"].host == "node7"
    ended.set()
    await running


async def test_the_executor_is_let_go(tmp_path: Path) -> None:
    """Once, at the end of the run."""
    closed: list[bool] = []

    async def close() -> None:
        closed.append(True)

    await run(plan("ID | What\n A1 | true"), tmp_path, executor=Strange(tmp_path, Change(close=close)))
    assert closed == [True]


async def test_a_budget_ends_those_who_are_at_work(tmp_path: Path) -> None:
    """Not only what would begin after them."""
    cascade = plan(f"ID | What\n A1 | {USES.format(150)}; exec sleep 60", front="budget_tokens = 100\n")
    async with asyncio.timeout(30):
        report, events = await run(cascade, tmp_path)
    assert states(report) == {"A1": "waiting"}
    assert report.usage.total == 150
    warnings = [event.data["message"] for event in events if event.kind is EventKind.WARNING]
    state = "is used up (150 tokens spent); nothing more starts, and running agents are asked to stop"
    assert warnings == [f"the run's budget of 100 tokens {state}"]
    assert report.is_over_budget


async def test_a_stop_before_the_beginning(tmp_path: Path) -> None:
    """It counts as soon as the journal is open: nothing begins, and the next run finds it all."""
    cascade = plan("ID | What | Deps\n A1 | touch began | -\n A2 | true | A1")
    runner = orchestrator(cascade, tmp_path, on_change=lambda _: runner.views)
    runner.stop()
    report = await runner.run()
    assert states(report) == {"A1": "ready", "A2": "waiting"}
    assert report.tasks["A2"].reason is None, "nothing waits once the run is over"
    assert not (tmp_path / "began").exists()


async def test_a_second_cancellation_kills(tmp_path: Path) -> None:
    """Whoever does not want to wait for the agents' own grace cancels again."""
    script = "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done"
    runner = orchestrator(plan(f"ID | What | Grace\n A1 | {script} | 300s"), tmp_path)
    running = asyncio.create_task(runner.run())
    pid = tmp_path / "pid"
    while not pid.exists() or not pid.read_text().strip():
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running], timeout=0.2)
    assert not running.done()
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=20)
    assert done
    assert not is_alive(int(pid.read_text()))


async def test_no_timer_outlives_a_run(tmp_path: Path) -> None:
    """However often it was to be woken at another moment, and however often it was stopped."""
    rows = "\n".join(f"| T{number} | kill -9 $$ | 1 |" for number in range(12))
    front = "+++\nbackoff = '60s..60s'\ncommand = ['sh', '-c', '{prompt}']\n+++\n# Test\n\n"
    cascade = parse_cascade(f"{front}| ID | What | Retries |\n|---|---|---|\n{rows}\n")
    runner = orchestrator(cascade, tmp_path, max_workers=12)
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(30):
        while any(task.state is not TaskState.RETRYING for task in runner.views.values()):
            await asyncio.sleep(0.01)
    runner.stop()
    await running
    assert timers() == []


async def test_no_timer_outlives_an_attempt_that_was_stopped_twice(tmp_path: Path) -> None:
    """The patience with its executor ends with it."""
    attempt = AttemptId("r", "A1", 1)
    gate = asyncio.Event()

    async def end(attempt: AttemptId) -> object:
        await gate.wait()
        return end_of(attempt, Outcome.CANCELLED)

    placed = Placed(attempt, on_facts=lambda before, now: None, on_cancel=lambda: None)
    following = asyncio.create_task(placed.follow(StrangeRunning(Job(id=attempt, command=("true",)), ended=end)))
    await asyncio.sleep(0)
    placed.stop(60.0)
    placed.stop(0.0)
    gate.set()
    assert (await following).outcome is Outcome.CANCELLED
    assert timers() == []


async def test_the_end_of_a_loop_is_told_to_the_run(tmp_path: Path) -> None:
    """Whoever waits for a stranger's attempt is cancelled: the run hears of it, and the attempt is seen through."""
    attempt = AttemptId("r", "A1", 1)
    told: list[bool] = []
    placed = Placed(attempt, on_facts=lambda before, now: None, on_cancel=lambda: told.append(True))
    following = asyncio.create_task(placed.follow(StrangeRunning(Job(id=attempt, command=("true",)), ended=never)))
    await asyncio.sleep(0)
    following.cancel()
    await asyncio.sleep(0)
    was_told, is_seen_through = told[:], not following.done()
    placed._give_up()
    assert (await following).outcome is Outcome.CANCELLED
    assert (was_told, is_seen_through) == ([True], True)


async def test_what_an_agent_came_to_is_kept_within_the_run_too(tmp_path: Path) -> None:
    """Its machine is lost during the check: the next attempt only checks."""

    class LosesIt:
        """The local attempt, until its check has begun."""

        host = ""

        def __init__(self, running: Running) -> None:
            self.id, self.running, self.on_change = running.id, running, None

        @property
        def facts(self) -> AttemptFacts:
            """Tell what is known."""
            return self.running.facts

        def stop(self, grace: float) -> None:
            """End it."""
            self.running.stop(grace)

        async def ended(self) -> object:
            """Lose it as soon as it is checked."""
            seen = asyncio.Event()

            def look() -> None:
                if self.on_change is not None:
                    self.on_change()
                if self.facts.phase is Phase.VERIFY:
                    seen.set()

            self.running.on_change = look
            await seen.wait()
            self.running.stop(0.0)
            await self.running.ended()
            return end_of(self.id, Outcome.LOST)

    def submit(job: Job, local: LocalExecutor) -> Running:
        running = local.submit(job)
        return LosesIt(running) if job.id.number == 1 else running  # type: ignore[return-value]

    executor = Strange(tmp_path, Change(submit=submit))
    cascade = plan("ID | What | Verify\n BAD | echo ran >> runs | true")
    report, _ = await run(cascade, tmp_path, executor=executor)
    assert states(report) == {"BAD": "completed"}
    assert [job.finished is not None for job in executor.submitted] == [False, True]
    assert (tmp_path / "runs").read_text() == "ran\n"


def make_checkout(folder: Path) -> None:
    """Make a git checkout with one commit."""
    for words in (["init", "-q"], [*COMMITTER, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


@pytest.mark.parametrize(
    ("script", "options", "is_told"),
    [
        ("cat {0}", "", True),
        ("cat {0}; touch made", "", False),
        ("cat {0}", "permissions: read", False),
        ("cat {0}", "verify: true", False),
    ],
)
async def test_a_silent_agent_that_changed_nothing_is_doubted(
    tmp_path: Path, script: str, options: str, is_told: bool
) -> None:
    """Codex does not print what its sandbox denied: that it worked at all is seen in the checkout alone."""
    make_checkout(tmp_path)
    cascade = parse_cascade("- [ ] T1 Write it\n" + (f"  - {options}\n" if options else ""))
    command = ["sh", "-c", script.format(CODEX)]
    report, _ = await run(cascade, tmp_path, agent="codex", command_for=lambda task: command)
    doubt = "T1 changed no file, and codex does not report what it was denied: see `nova result T1`"
    assert (report.ok, report.warnings) == (True, (doubt,) if is_told else ())
