"""Nothing new begins while less memory is available than the plan wants to be left."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.attempt.local_executor import LocalExecutor
from nova_async.cascade import parse_cascade
from nova_async.orchestrator.actions import Action, Begin, ShortOfMemory, WakeAt
from nova_async.orchestrator.admission import LOOK_AGAIN
from nova_async.orchestrator.decide import decide
from nova_async.orchestrator.happenings import Begun, Ended, Happening, Memory, Woken, Written
from nova_async.orchestrator.machine import Machine
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.orchestrator.run_state import RunState
from nova_async.words import Outcome, TaskState

PLAN = """+++
min_free_memory = "4GiB"
max_workers = 3
command = ["sleep", "0.2"]
+++
| ID | What |
|---|---|
| F1 | true |
| F2 | true |
| F3 | true |
"""
GIB = 1 << 30
CASCADE = parse_cascade(PLAN)


class SomewhereElse:
    """An executor of somebody else's."""

    capacity = 3


def state() -> RunState:
    """Return a run of three tasks at its beginning."""
    return RunState.of(CASCADE, max_workers=3)


def begun(actions: list[Action]) -> list[str]:
    """Return the tasks that begin."""
    return [action.task_id for action in actions if isinstance(action, Begin)]


def test_one_runs_and_the_others_wait() -> None:
    """With too little memory one task runs; the rest waits, is said why once, and there is another look later."""
    run = state()
    first = decide(run, Memory(GIB), 0.0) + decide(run, Begun(), 0.0)
    assert begun(first) == ["F1"]
    (said,) = [action.text for action in first if isinstance(action, ShortOfMemory)]
    assert said == (
        "only 1 GiB of memory are available, and min_free_memory is 4 GiB: "
        "no further task starts until there is more, but one always runs"
    )
    assert [action for action in first if isinstance(action, WakeAt)] == [WakeAt(LOOK_AGAIN)]
    later = decide(run, Memory(2 * GIB), LOOK_AGAIN) + decide(run, Woken(), LOOK_AGAIN)
    assert set(later) == {WakeAt(2 * LOOK_AGAIN)}
    run.schedule.changed.clear()
    enough = decide(run, Memory(4 * GIB), LOOK_AGAIN + 1)
    assert begun(enough) == ["F2", "F3"]
    assert not any(isinstance(action, ShortOfMemory | WakeAt) for action in enough)
    assert run.schedule.changed == {"F2", "F3"}


def test_nobody_looks_for_those_who_wait_for_a_worker() -> None:
    """While all places are taken there is nothing to look for; a look costs nothing where no memory is wanted."""
    run = RunState.of(CASCADE, max_workers=1)
    actions = decide(run, Memory(GIB), 0.0) + decide(run, Begun(), 0.0)
    assert begun(actions) == ["F1"]
    assert not any(isinstance(action, ShortOfMemory | WakeAt) for action in actions)


@given(st.lists(st.integers(0, 8), max_size=30))
def test_it_never_stands_still(available: list[int]) -> None:
    """Whatever memory there is: something runs until all is done, and beside it nothing begins for want of memory."""
    run, now, running = state(), 0.0, list[str]()
    looks = iter([*available, *[0] * 20])
    free = next(looks)
    running += begun(decide(run, Memory(free * GIB), now) + decide(run, Begun(), now))
    while not run.finished:
        assert running
        now += 1.0
        free = next(looks)
        was = len(running)
        new = begun(decide(run, Memory(free * GIB), now))
        assert not new or free >= 4 or not was
        running += new
        running += begun(decide(run, Ended(running.pop(0), Outcome.OK), now))
    assert run.schedule.count(TaskState.COMPLETED) == 3


@pytest.mark.parametrize(("wanted", "at_once"), [("900TiB", 1), ("1K", 3)])
async def test_a_whole_run(wanted: str, at_once: int, tmp_path: Path) -> None:
    """On a machine that has too little, tasks run one by one and say what they wait for; else at once."""
    most, reasons = 0, set[str | None]()

    def look(_: str | None) -> None:
        nonlocal most
        most = max(most, runner.get_status_summary()["active_workers"])
        reasons.update(view.reason for view in runner.views.values())

    runner = Orchestrator(
        parse_cascade(PLAN.replace("4GiB", wanted)), root=tmp_path, log_dir=tmp_path / "logs",
        state_file=tmp_path / "state.json", journal=tmp_path / ".nova/journal.db", on_change=look,
    )  # fmt: skip
    report = await asyncio.wait_for(runner.run(), 60)
    assert report.ok
    assert most == at_once
    assert ("waits until more memory is available (min_free_memory)" in reasons) is (at_once == 1)
    assert len(report.warnings) == (1 if at_once == 1 else 0)


def test_memory_is_looked_at_only_where_it_is_wanted() -> None:
    """No look without the setting, none for an event that frees nothing, none on other machines' behalf."""
    wanting, here = state(), Machine(LocalExecutor(), 3)

    def looks(machine: Machine, run: RunState, event: Happening) -> list[type[Happening]]:
        return [type(each) for each in machine.news(run, event, 0.0)]

    assert looks(here, wanting, Begun())[0] is Memory  # before anything that may let a task begin
    free = RunState.of(parse_cascade(PLAN.replace('min_free_memory = "4GiB"', "")), max_workers=3)
    assert Memory not in looks(here, free, Begun())
    assert Memory not in looks(here, wanting, Written("F1"))
    assert Memory not in looks(Machine(SomewhereElse(), 3), wanting, Begun())  # type: ignore[arg-type]
