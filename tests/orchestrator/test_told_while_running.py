"""A running run is told things: it does them at once, tells of them, and the next run knows what it has to."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nova_async.control.obeying import obey
from nova_async.control.protocol import StopTask
from nova_async.errors import JournalError, RequestError
from nova_async.journal.plan_key import plan_key
from nova_async.journal.reader import JournalReader
from nova_async.orchestrator.approve_command import approve_tasks
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.orchestrator.retry_command import Retried, retry_tasks
from nova_async.records import Event
from nova_async.views import RunReport
from nova_async.words import EventKind, Outcome, RunEnd, TaskState
from tests.orchestrator.test_running import orchestrator, plan, run, states

FOR_EVER = "exec sleep 600"
CHAIN = """ID | What | Deps
    A1 | echo A1 >> order | -
    B1 | echo B1 >> order | A1
    C1 | echo C1 >> order | B1
    """
GATE = """ID | What | Deps | Gate
    A1 | true | - | no
    B1 | echo B1 >> order | A1 | yes"""


async def told(
    runner: Orchestrator, when: Callable[[Event], object], at_the_end: bool = False
) -> tuple[RunReport, list[Event]]:
    """Run to the end; ``when`` sees each event as it happens and may tell the run something."""
    happened = []

    async def follow() -> None:
        async for event in runner.events():
            happened.append(event)
            when(event)

    following = asyncio.create_task(follow())
    report = await runner.run()
    await following
    return report, happened


def once(kind: EventKind, task_id: str | None, do: Callable[[], object]) -> Callable[[Event], None]:
    """Do something the first time that this happens."""
    left = [do]

    def see(event: Event) -> None:
        if left and event.kind is kind and event.task_id == task_id:
            left.pop()()

    return see


def kinds(events: list[Event], task_id: str) -> list[EventKind]:
    """Return what happened to a task."""
    return [event.kind for event in events if event.task_id == task_id]


def order(folder: Path) -> list[str]:
    """Return the tasks that have run, in order."""
    return (folder / "order").read_text().split()


async def test_a_stopped_task_and_the_rest_of_its_run(tmp_path: Path) -> None:
    """Its agent is ended; the rest goes on, the run ends with 1, and the next one goes on with it."""
    cascade = plan(f"""ID | What | Deps
        A1 | {FOR_EVER} | -
        A2 | echo A2 >> order | A1
        B1 | echo B1 >> order | -""")
    runner = orchestrator(cascade, tmp_path)
    stop = once(EventKind.ATTEMPT_STARTED, "A1", lambda: runner.stop_tasks(("A1", "A1"), grace=0))
    report, events = await told(runner, stop)
    assert states(report) == {"A1": "waiting", "A2": "waiting", "B1": "completed"}
    assert (report.exit_code, report.tasks["A1"].outcome) == (1, Outcome.CANCELLED)
    assert kinds(events, "A1") == ["attempt_started", "task_stopping", "attempt_ended", "task_stopped"]
    assert report.tasks["A1"].reason == "stopped; the next `nova run` goes on with it"
    (found,) = JournalReader(tmp_path / ".nova/journal.db").runs()
    assert found.end is RunEnd.STOPPED
    said = json.loads((tmp_path / "state.json").read_text())["tasks"]["A1"]["nova"]
    assert (said["is_stopped"], said["is_stopping"]) == (True, False)
    again, _ = await run(plan("ID | What | Deps\nA1 | true | -\nA2 | true | A1\nB1 | true | -"), tmp_path)
    assert again.tasks["A1"].attempt == 2
    assert again.ok


async def test_a_task_that_was_stopped_by_mistake(tmp_path: Path) -> None:
    """It goes on in the same run, as after an interruption: nothing it has cost is forgotten, no retry is used up."""
    cascade = plan("""ID | What | Deps | Retries
        A1 | [ $NOVA_ATTEMPT = 2 ] \\|\\| exec sleep 600 | - | 0
        A2 | true | A1 | 0
        B1 | until [ -e free ]; do sleep 0.01; done | - | 0""")
    runner = orchestrator(cascade, tmp_path)
    seen = []

    def when(event: Event) -> None:
        if event.kind is EventKind.ATTEMPT_STARTED and event.task_id == "A1" and event.data["attempt"] == 1:
            runner.stop_task("A1", grace=0)
        elif event.kind is EventKind.TASK_STOPPED:
            view = runner.views["A1"]
            seen.append((view.is_stopped, view.reason, runner.views["A2"].reason))
            with pytest.raises(RequestError, match="is stopped already"):
                runner.stop_task("A1")
            assert runner.retry(["A1"]) == ("A1",)
        elif event.kind is EventKind.TASK_COMPLETED and event.task_id == "A2":
            (tmp_path / "free").touch()

    report, events = await told(runner, when)
    assert report.ok
    assert seen == [(True, "stopped; `nova retry A1` lets it run again", "waits for A1")]
    assert [attempt.counts for attempt in report.tasks["A1"].attempts] == [True, True]
    assert "task_retrying" not in kinds(events, "A1")


async def test_several_tasks_are_stopped_or_none(tmp_path: Path) -> None:
    """Where one of them has ended, what is refused is not half done; all are checked before the first is stopped."""
    cascade = plan(f"""ID | What | Deps
        B1 | true | -
        A1 | {FOR_EVER} | B1
        A2 | true | A1""")
    runner = orchestrator(cascade, tmp_path)

    def stop() -> None:
        with pytest.raises(RequestError, match="B1 has completed already"):
            obey(runner, StopTask(tasks=("A1", "B1"), kill=True))
        assert not runner.views["A1"].is_stopping
        obey(runner, StopTask(tasks=("A2", "A1", "A1"), kill=True))

    report, events = await told(runner, once(EventKind.ATTEMPT_STARTED, "A1", stop))
    assert states(report) == {"B1": "completed", "A1": "waiting", "A2": "waiting"}
    assert kinds(events, "A1") == ["attempt_started", "task_stopping", "attempt_ended", "task_stopped"]
    assert kinds(events, "A2") == ["task_stopped"]


async def test_failed_tasks_run_again_in_the_same_run(tmp_path: Path) -> None:
    """With all their retries, also in the journal; what they had blocked follows."""
    cascade = plan("""ID | What | Deps | Retries
        A1 | [ -e mended ] \\|\\| exit 3 | - | 0
        A2 | true | A1 | 0
        A3 | true | A2 | 0
        B1 | until [ -e mended ]; do sleep 0.01; done | - | 0""")
    runner = orchestrator(cascade, tmp_path)

    def mend() -> None:
        (tmp_path / "mended").touch()
        assert runner.views["A3"].state is TaskState.BLOCKED
        assert runner.retry(["A3"]) == ("A1", "A3")
        assert runner.views["A3"].blocked_by == ()

    report, events = await told(runner, once(EventKind.TASK_FAILED, "A1", mend))
    assert report.ok
    told_of = [EventKind.TASK_FAILED, EventKind.TASK_REOPENED, EventKind.TASK_COMPLETED]
    assert [kind for kind in kinds(events, "A1") if kind in told_of] == told_of
    history = JournalReader(tmp_path / ".nova/journal.db").history(plan_key(Path(cascade.name), tmp_path / ".nova/x"))
    assert [attempt.counts for attempt in history.attempts["A1"]] == [False, True]


@pytest.mark.parametrize("downstream", [False, True])
async def test_completed_tasks_run_again(tmp_path: Path, downstream: bool) -> None:
    """What was built on them keeps its result, and that is said; with ``downstream`` it runs again, too, in order."""
    cascade = plan(CHAIN + "D1 | until [ -e free ]; do sleep 0.01; done | -")
    runner = orchestrator(cascade, tmp_path)

    def see(event: Event) -> None:
        first(event)
        seen.append(event)
        if kinds(seen, "C1" if downstream else "A1").count(EventKind.TASK_COMPLETED) == 2:
            (tmp_path / "free").touch()

    seen: list[Event] = []
    first = once(EventKind.TASK_COMPLETED, "C1", lambda: runner.retry(["A1"], downstream=downstream))
    report, events = await told(runner, see)
    assert report.ok
    assert order(tmp_path) == ["A1", "B1", "C1", *(["A1", "B1", "C1"] if downstream else ["A1"])]
    stay = [event.data for event in events if event.kind is EventKind.TASK_REOPENED]
    assert stay == ([{}, {}, {}] if downstream else [{"stay_completed": ["B1", "C1"]}])


async def test_milestones_are_reached_once(tmp_path: Path) -> None:
    """A task that runs again reaches none of them a second time."""
    front = "[[milestone]]\nid = 'm'\nmessage = 'A1 is done.'\ntasks = ['A1']\n"
    cascade = plan(CHAIN + "D1 | until [ -e free ]; do sleep 0.01; done | -", front)
    runner = orchestrator(cascade, tmp_path)
    first = once(EventKind.TASK_COMPLETED, "C1", lambda: runner.retry("A1"))

    def see(event: Event) -> None:
        first(event)
        if len(order(tmp_path) if (tmp_path / "order").exists() else []) == 4:
            (tmp_path / "free").touch()

    _, events = await told(runner, see)
    assert [event.kind for event in events].count(EventKind.MILESTONE) == 1


async def test_a_gate_waits_for_approval(tmp_path: Path) -> None:
    """The run stays alive for it; its approval holds for a retry, for the next run, and not for a fresh one."""
    runner = orchestrator(plan(GATE), tmp_path)
    seen = []

    def approve() -> None:
        view = runner.views["B1"]
        seen.append((view.needs_approval, view.state, view.reason))
        runner.approve(["B1", "B1"])  # named twice, approved once

    report, events = await told(runner, once(EventKind.APPROVAL_NEEDED, "B1", approve))
    assert (report.ok, seen) == (True, [(True, "waiting", "waits for approval: `nova approve B1`")])
    assert kinds(events, "B1")[:3] == ["approval_needed", "approved", "attempt_started"]
    await retry_tasks(tmp_path / ".nova/journal.db", ["B1"])
    report, events = await run(plan(GATE), tmp_path)
    assert report.ok
    assert "approval_needed" not in kinds(events, "B1")
    for more in ({"fresh": True}, {"fresh": True, "only": {"B1"}, "expected": "B1"}):
        options = {name: value for name, value in more.items() if name != "expected"}
        report, events = await run(plan(GATE), tmp_path, waits_for_approval=False, **options)
        assert (report.exit_code, report.tasks["B1"].needs_approval) == (1, True)
        assert kinds(events, "B1") == ["approval_needed"]
        await approve_tasks(tmp_path / ".nova/journal.db", ["B1"], plan(GATE))
    report, _ = await run(plan(GATE), tmp_path)
    assert report.ok


async def test_gates_without_anybody_there(tmp_path: Path) -> None:
    """The run ends and has not failed; approved without a run, the next one goes on."""
    report, events = await run(plan(GATE), tmp_path, waits_for_approval=False)
    assert (report.exit_code, states(report)) == (1, {"A1": "completed", "B1": "waiting"})
    assert report.tasks["B1"].reason == "waits for approval: `nova approve B1`"
    (found,) = JournalReader(tmp_path / ".nova/journal.db").runs()
    assert found.end is RunEnd.STOPPED
    journal = tmp_path / ".nova/journal.db"
    for task_id, why in {"A1": "A1 needs no approval: it has no gate", "Z9": "there is no task 'Z9'"}.items():
        with pytest.raises(RequestError, match=why):
            await approve_tasks(journal, ["B1", task_id], plan(GATE))
    await approve_tasks(journal, ["B1", "B1"], plan(GATE))
    with pytest.raises(RequestError, match="B1 is approved already"):
        await approve_tasks(journal, ["B1"], plan(GATE))
    report, events = await run(plan(GATE), tmp_path, waits_for_approval=False)
    assert report.ok
    assert kinds(events, "B1")[0] == "attempt_started"


async def test_retries_without_a_run(tmp_path: Path) -> None:
    """Those who know the plan are told what keeps its result, and may have that run again, too."""
    cascade, journal = plan(CHAIN), tmp_path / ".nova/journal.db"
    with pytest.raises(JournalError):
        await retry_tasks(journal, ["A1"])
    await run(cascade, tmp_path)
    assert await retry_tasks(journal, ["B1"]) == Retried(("B1",))
    assert await retry_tasks(journal, ["A1"], cascade=cascade) == Retried(("A1",), ("C1",))
    again = Retried(("A1", "B1", "C1"))
    assert await retry_tasks(journal, ["A1"], cascade=cascade, downstream=True) == again
    with pytest.raises(KeyError, match="Z9"):
        await retry_tasks(journal, ["Z9"], cascade=cascade)
    failing = plan("ID | What | Deps | Retries\nA1 | exit 3 | - | 0\nB1 | true | A1 | 0\nC1 | true | B1 | 0")
    await run(failing, tmp_path, fresh=True)
    with pytest.raises(KeyError, match="D1"):
        await retry_tasks(journal, ["D1"])
    (tmp_path / "other").mkdir()
    await run(failing, tmp_path / "other")
    assert await retry_tasks(tmp_path / "other/.nova/journal.db", ["C1"], cascade=failing) == Retried(("A1",))


async def test_a_pause_and_what_goes_on_in_it(tmp_path: Path) -> None:
    """What runs goes on, nothing else begins, and the run does not end by it."""
    cascade = plan("""ID | What
        A1 | until [ -e free ]; do sleep 0.01; done
        B1 | echo B1 >> order""")
    runner = orchestrator(cascade, tmp_path, max_workers=1)

    def when(event: Event) -> None:
        match event.kind, event.task_id:
            case EventKind.ATTEMPT_STARTED, "A1":
                runner.pause()
                with pytest.raises(RequestError, match="paused already"):
                    runner.pause()
                assert (runner.run_view.is_paused, runner.views["B1"].reason) == (
                    True, "waits for the paused run to go on",
                )  # fmt: skip
                (tmp_path / "free").touch()
            case EventKind.TASK_COMPLETED, "A1":
                assert not (tmp_path / "order").exists()
                asyncio.get_running_loop().call_later(0.1, runner.resume)
            case EventKind.RESUMED, _:
                assert runner.views["B1"].attempt == 0, "nothing has begun in the meantime"

    report, events = await told(runner, when)
    assert report.ok
    told_of = [event.kind for event in events if event.kind in (EventKind.PAUSED, EventKind.RESUMED)]
    assert told_of == ["paused", "resumed"]
    assert next(event.data for event in events if event.kind is EventKind.PAUSED) == {"running": ["A1"]}


async def test_more_workers(tmp_path: Path) -> None:
    """They begin at once, and whoever looks sees how many there are."""
    both = "touch $NOVA_TASK_ID; until [ -e A1 -a -e B1 ]; do sleep 0.01; done"
    runner = orchestrator(plan(f"ID | What\nA1 | {both}\nB1 | {both}"), tmp_path, max_workers=1)
    report, events = await told(runner, once(EventKind.ATTEMPT_STARTED, "A1", lambda: runner.set_workers(2)))
    assert report.ok
    assert runner.run_view.max_workers == runner.max_workers == 2
    (changed,) = (event.data for event in events if event.kind is EventKind.WORKERS_CHANGED)
    assert changed == {"max_workers": 2, "before": 1}


async def test_another_budget_while_it_runs(tmp_path: Path) -> None:
    """What was used before there was one counts, too; a larger one lets the run go on beyond the first."""
    use = "echo Token usage: input=10, output=0, cache_read=0, cache_creation=0"
    until_raised = "[ $NOVA_TASK_ID = T1 ] \\|\\| until [ -e raised ]; do sleep 0.01; done"
    rows = "\n".join(f"T{number} | {until_raised}; {use}" for number in range(1, 7))
    runner = orchestrator(plan(f"ID | What\n{rows}", "budget_tokens = 25"), tmp_path, max_workers=1)

    def raise_it() -> None:
        runner.set_budget(tokens=45)
        (tmp_path / "raised").touch()

    report, events = await told(runner, once(EventKind.TASK_COMPLETED, "T1", raise_it))
    # The fifth uses the budget up: it may have ended before it is asked to stop, or not.
    assert [report.tasks[name].state for name in ("T3", "T4", "T6")] == [
        TaskState.COMPLETED, TaskState.COMPLETED, TaskState.READY,
    ]  # fmt: skip
    (changed,) = (event.data for event in events if event.kind is EventKind.BUDGET_CHANGED)
    assert changed == {
        "max_cost_usd": None, "max_tokens": 45, "before": {"max_cost_usd": None, "max_tokens": 25},
    }  # fmt: skip
    (budget,) = report.budgets
    assert (budget.max_tokens, budget.tokens, budget.is_used_up) == (45, 50, True)


async def test_a_budget_for_what_runs_already(tmp_path: Path) -> None:
    """An agent that has used more than a new budget allows is asked to stop at once."""
    use = "echo Token usage: input=10, output=0, cache_read=0, cache_creation=0"
    runner = orchestrator(plan(f"ID | What\nA1 | {use}; exec sleep 600"), tmp_path)

    def on_change(task_id: str | None) -> None:
        if task_id == "A1" and runner.views["A1"].usage.total and not runner.run_view.budgets:
            runner.set_budget(tokens=5)

    runner = orchestrator(plan(f"ID | What\nA1 | {use}; exec sleep 600"), tmp_path, on_change=on_change)
    report = await runner.run()
    assert report.tasks["A1"].outcome is Outcome.CANCELLED
    assert report.is_over_budget


async def test_a_budget_that_nothing_counts_against(tmp_path: Path) -> None:
    """It is refused as it would be before the start: nobody would ever know that it is used up."""
    runner = orchestrator(plan("ID | What\nA1 | true"), tmp_path)
    refused = []

    def ask() -> None:
        with pytest.raises(RequestError, match="A1: budget_usd cannot be enforced: `sh` reports no cost"):
            runner.set_budget(usd=1.0)
        runner.set_budget(tokens=10)
        refused.append(runner.run_view.budgets)

    report, _ = await told(runner, once(EventKind.ATTEMPT_STARTED, "A1", ask))
    assert (report.ok, refused[0][0].max_tokens, refused[0][0].max_cost_usd) == (True, 10, None)


def requests(runner: Orchestrator) -> list[Callable[[], object]]:
    """Return all that a run can be told."""
    return [
        lambda: runner.stop_task("A1"), lambda: runner.retry(["A1"]), lambda: runner.approve(["A1"]), runner.pause,
        runner.resume, lambda: runner.set_workers(2), lambda: runner.set_budget(usd=1.0),
    ]  # fmt: skip


async def test_a_run_that_does_not_run_can_be_told_nothing(tmp_path: Path) -> None:
    """Before it has begun and once it is over; and while it ends, nothing that would have something begin."""
    runner = orchestrator(plan(f"ID | What\nA1 | {FOR_EVER}"), tmp_path)
    for request in requests(runner):
        with pytest.raises(RequestError, match="the run has not begun yet"):
            request()
    refused = []

    def stop() -> None:
        runner.stop(grace=0)
        for request in requests(runner)[1:2] + requests(runner)[3:]:
            with pytest.raises(RequestError, match="the run is ending, and nothing new begins"):
                request()
            refused.append(request)

    await told(runner, once(EventKind.ATTEMPT_STARTED, "A1", stop))
    assert len(refused) == 5
    for request in requests(runner):
        with pytest.raises(RequestError, match="the run is over"):
            request()


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (lambda runner: runner.set_workers(0), "must be a whole number of at least 1, not 0"),
        (lambda runner: runner.set_workers(True), "must be a whole number of at least 1, not True"),
        (lambda runner: runner.set_workers("2"), "must be a whole number of at least 1, not '2'"),
        (lambda runner: runner.set_budget(), "name a budget in US dollars, in tokens, or both"),
        (lambda runner: runner.set_budget(usd=0), "a budget in US dollars must be a number above 0, not 0"),
        (lambda runner: runner.set_budget(usd=float("nan")), "must be a number above 0, not nan"),
        (lambda runner: runner.set_budget(usd="5"), "must be a number above 0, not '5'"),
        (lambda runner: runner.set_budget(usd=True), "must be a number above 0, not True"),
        (
            lambda runner: runner.set_budget(tokens=True),
            "a budget in tokens must be a whole number of at least 1, not True",
        ),
        (lambda runner: runner.set_budget(tokens=0), "a budget in tokens must be a whole number of at least 1"),
        (lambda runner: runner.set_budget(tokens=1.5), "must be a whole number of at least 1, not 1.5"),
        (lambda runner: runner.retry([]), "no task is named"),
        (lambda runner: runner.approve(["A1"]), "A1 needs no approval"),
        (lambda runner: runner.resume(), "the run is not paused"),
        (lambda runner: runner.stop_task("Z9"), "there is no task 'Z9' in this plan"),
    ],
)
async def test_what_makes_no_sense_is_refused(tmp_path: Path, ask: Callable[[Any], object], why: str) -> None:
    """In one sentence, and the run goes on as if nothing had been said."""
    runner = orchestrator(plan("ID | What\nA1 | true"), tmp_path)
    refused = []

    def see() -> None:
        with pytest.raises(RequestError, match=why) as error:
            ask(runner)
        refused.append(error)

    report, _ = await told(runner, once(EventKind.ATTEMPT_STARTED, "A1", see))
    assert report.ok
    assert len(refused) == 1
